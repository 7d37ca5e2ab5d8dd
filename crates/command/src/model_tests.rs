//! The error tables and forms of `AI.MODELSTORE`, `AI.MODELSET`, `AI.MODELGET`.

use crate::testing::{argv, refused};
use crate::{Error, ModelDel, ModelGet, ModelScan, ModelStore, join};
use redisai_core::{BackendKind, Batch, Buffer};
use std::sync::Arc;

fn check_store(argv: &[&[u8]]) -> Result<(), Error> {
    ModelStore::parse(argv, false).map(|_| ())
}

fn check_set(argv: &[&[u8]]) -> Result<(), Error> {
    ModelStore::parse_set(argv, false).map(|_| ())
}

#[test]
fn modelstore_refuses_in_the_order_of_the_contract() {
    refused(
        check_store,
        &[
            ("AI.MODELSTORE", Error::Arity("AI.MODELSTORE")),
            (
                "AI.MODELSTORE m ONNX CPU BLOB",
                Error::Arity("AI.MODELSTORE"),
            ),
            ("AI.MODELSTORE m CAFFE X BLOB b", Error::UnsupportedBackend),
            ("AI.MODELSTORE m ONNX X BATCHSIZE x", Error::InvalidDevice),
            (
                "AI.MODELSTORE m ONNX CPU:123456 BLOB b",
                Error::InvalidDevice,
            ),
            ("AI.MODELSTORE m ONNX cpuxyz BLOB b", Error::InvalidDevice),
            ("AI.MODELSTORE m ONNX '' BLOB b", Error::InvalidDevice),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE -1 BLOB b",
                Error::InvalidBatchSize,
            ),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE x MINBATCHSIZE x",
                Error::InvalidBatchSize,
            ),
            (
                "AI.MODELSTORE m ONNX CPU TAG t BATCHSIZE",
                Error::InvalidBatchSize,
            ),
            (
                "AI.MODELSTORE m ONNX CPU MINBATCHSIZE x BLOB b",
                Error::MinBatchSizeAlone,
            ),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE 2 MINBATCHSIZE 1.5 BLOB b",
                Error::InvalidMinBatchSize,
            ),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE 2 MINBATCHTIMEOUT x BLOB b",
                Error::MinBatchTimeoutAlone,
            ),
            (
                "AI.MODELSTORE m ONNX CPU MINBATCHTIMEOUT 2 BLOB b",
                Error::MinBatchTimeoutAlone,
            ),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE 2 MINBATCHSIZE 1 MINBATCHTIMEOUT -1 BLOB b",
                Error::InvalidMinBatchTimeout,
            ),
            ("AI.MODELSTORE m ONNX CPU BATCHSIZE 2", Error::MissingBlob),
            ("AI.MODELSTORE m TF CPU BATCHSIZE 2", Error::MissingBlob),
            ("AI.MODELSTORE m ONNX CPU TAG t BLOB", Error::MissingBlob),
            ("AI.MODELSTORE m ONNX CPU BLOBS b", Error::ExpectedBlob),
            (
                "AI.MODELSTORE m ONNX CPU BATCHSIZE 2 TAG t BLOB b",
                Error::ExpectedBlob,
            ),
            (
                "AI.MODELSTORE m ONNX CPU INPUTS 1 a OUTPUTS 1 b BLOB c",
                Error::InputsForOther,
            ),
            ("AI.MODELSTORE m TF CPU BLOB b", Error::NoInputsForTf),
            ("AI.MODELSTORE m TF CPU INPUTS x", Error::InvalidInputCount),
            (
                "AI.MODELSTORE m TF CPU INPUTS -1 a OUTPUTS 1 b BLOB c",
                Error::InvalidInputCount,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 9 a OUTPUTS 1 b BLOB c",
                Error::ModelInputNames,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a b OUTPUTS 1 b BLOB c",
                Error::NoOutputsForTf,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a OUTPUTS x b BLOB c",
                Error::InvalidOutputCount,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a OUTPUTS 9 b BLOB c",
                Error::ModelOutputNames,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a OUTPUTS 1 b",
                Error::MissingBlob,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a OUTPUTS 1 b BLOB",
                Error::MissingBlob,
            ),
            (
                "AI.MODELSTORE m TF CPU INPUTS 1 a OUTPUTS 1 b c BLOB d",
                Error::ExpectedBlob,
            ),
        ],
    );
}

#[test]
fn modelstore_reads_every_option() {
    let line = "ai.modelstore m tf gpu:1 tag t batchsize 8.0 minbatchsize 9 minbatchtimeout 0 \
                inputs 2 a BLOB outputs 1 c blob x y";
    let argv = argv(line);
    let store = ModelStore::parse(&argv, false).unwrap();
    assert_eq!(store.backend, BackendKind::Tf);
    assert_eq!(store.device.text(), b"gpu:1");
    assert_eq!(store.tag, b"t");
    let batch = Batch {
        size: 8,
        min_size: 9,
        min_timeout_ms: 0,
    };
    assert_eq!(store.batch, batch);
    assert_eq!(store.inputs, [b"a" as &[u8], b"BLOB"]);
    assert_eq!(store.outputs, [b"c"]);
    assert_eq!(store.chunks, 20..22);
    assert!(!store.rewrite);
    let joined = join(&argv, store.chunks.clone());
    assert_eq!(joined.bytes(), b"xy");
    let model = store.definition(Arc::new(joined));
    assert_eq!(model.batch, batch);
    assert_eq!(&*model.inputs[1], b"BLOB");
    assert_eq!(&*model.tag, b"t");
}

/// What an AOF rewrite of RedisAI writes, and what replicas of it get.
#[test]
fn a_stream_may_hold_what_redisai_wrote() {
    let rewritten = "AI.MODELSTORE m ONNX CPU TAG '' BATCHSIZE 0 MINBATCHSIZE 0 MINBATCHTIMEOUT 0 \
                     BLOB b ''";
    let rewritten = argv(rewritten);
    let store = ModelStore::parse(&rewritten, false).unwrap();
    assert_eq!(join(&rewritten, store.chunks).bytes(), b"b");
    let odd = argv("AI.MODELSTORE m ONNX cpuxyz BLOB b");
    let store = ModelStore::parse(&odd, true).unwrap();
    assert_eq!(store.device.text(), b"cpuxyz");
}

#[test]
fn modelset_refuses_in_the_order_of_the_contract() {
    refused(
        check_set,
        &[
            ("AI.MODELSET m ONNX", Error::Arity("AI.MODELSET")),
            ("AI.MODELSET m CAFFE CPU", Error::UnsupportedBackend),
            (
                "AI.MODELSET m ONNX 12345678901 BLOB b",
                Error::InvalidDevice,
            ),
            ("AI.MODELSET m ONNX BLOB b", Error::InvalidDevice),
            ("AI.MODELSET m ONNX inputs a", Error::InvalidDevice),
            ("AI.MODELSET m ONNX CPU", Error::MissingBlob),
            (
                "AI.MODELSET m TFLITE CPU BATCHSIZE 2 BLOB b",
                Error::NoBatchingOnTfLite,
            ),
            (
                "AI.MODELSET m ONNX CPU BATCHSIZE x BLOB b",
                Error::InvalidBatchSize,
            ),
            (
                "AI.MODELSET m ONNX CPU MINBATCHSIZE 2 BLOB b",
                Error::MinBatchSizeAlone,
            ),
            (
                "AI.MODELSET m ONNX CPU BATCHSIZE 2 MINBATCHSIZE x BLOB b",
                Error::InvalidMinBatchSize,
            ),
            (
                "AI.MODELSET m ONNX CPU MINBATCHTIMEOUT 2 BLOB b",
                Error::MinBatchTimeoutWithoutBatchSize,
            ),
            (
                "AI.MODELSET m ONNX CPU BATCHSIZE 2 MINBATCHTIMEOUT x BLOB b",
                Error::InvalidMinBatchTimeout,
            ),
            ("AI.MODELSET m TF CPU TAG t", Error::MissingBlob),
            ("AI.MODELSET m TF CPU BLOB b", Error::NoInputsAndOutputs),
            ("AI.MODELSET m TF CPU b", Error::NoInputs),
            ("AI.MODELSET m TF CPU OUTPUTS a BLOB b", Error::NoInputs),
            ("AI.MODELSET m TF CPU INPUTS a BLOB b", Error::NoOutputs),
            ("AI.MODELSET m TF CPU INPUTS a b", Error::NoOutputs),
            (
                "AI.MODELSET m TF CPU INPUTS a OUTPUTS b",
                Error::MissingBlob,
            ),
            (
                "AI.MODELSET m TF CPU INPUTS a OUTPUTS b BLOB",
                Error::MissingBlob,
            ),
            (
                "AI.MODELSET m TF CPU TAG t INPUTS a OUTPUTS b c",
                Error::MissingBlob,
            ),
            ("AI.MODELSET m ONNX CPU BLOB", Error::MissingBlob),
            ("AI.MODELSET m ONNX CPU x y", Error::MissingBlob),
            ("AI.MODELSET m ONNX CPU TAG t x", Error::MissingBlob),
            ("AI.MODELSET m ONNX CPU INPUTS", Error::MissingBlob),
        ],
    );
}

#[test]
fn modelset_reads_both_ages() {
    for (line, inputs, outputs, blob, rewrite) in [
        ("AI.MODELSET m ONNX cpuxyz BLOB x y", 0, 0, "xy", false),
        (
            "AI.MODELSET m TORCH CPU whatever 5 BLOB x",
            0,
            0,
            "x",
            false,
        ),
        (
            "AI.MODELSET m ONNX CPU INPUTS a OUTPUTS b BLOB x",
            0,
            0,
            "x",
            false,
        ),
        (
            "AI.MODELSET m TF CPU TAG t BATCHSIZE 2 MINBATCHTIMEOUT 3 INPUTS a b OUTPUTS c BLOB x",
            2,
            1,
            "x",
            false,
        ),
        (
            "AI.MODELSET m TF CPU INPUTS OUTPUTS c BLOB x",
            0,
            1,
            "x",
            false,
        ),
        // Before 1.0.
        ("AI.MODELSET m TORCH GPU x", 0, 0, "x", true),
        ("AI.MODELSET m TFLITE CPU ''", 0, 0, "", true),
        ("AI.MODELSET m TF CPU INPUTS a OUTPUTS c x", 1, 1, "x", true),
        (
            "AI.MODELSET m TF CPU INPUTS a b OUTPUTS c d x",
            2,
            2,
            "x",
            true,
        ),
    ] {
        let argv = argv(line);
        let store = ModelStore::parse_set(&argv, false).unwrap();
        assert_eq!(store.inputs.len(), inputs, "{line}");
        assert_eq!(store.outputs.len(), outputs, "{line}");
        assert_eq!(
            join(&argv, store.chunks.clone()).bytes(),
            blob.as_bytes(),
            "{line}"
        );
        assert_eq!(store.rewrite, rewrite, "{line}");
    }
    let long = argv("AI.MODELSET m ONNX CPU:1234567890 BLOB b");
    assert!(ModelStore::parse_set(&long, true).is_ok());
}

#[test]
fn modelget_options() {
    for (line, meta, blob) in [
        ("AI.MODELGET m", true, true),
        ("AI.MODELGET m blob meta", true, true),
        ("AI.MODELGET m META", true, false),
        ("AI.MODELGET m blob", false, true),
    ] {
        assert_eq!(
            ModelGet::parse(&argv(line)),
            Ok(ModelGet { meta, blob }),
            "{line}"
        );
    }
    refused(
        ModelGet::parse,
        &[
            ("AI.MODELGET", Error::Arity("AI.MODELGET")),
            ("AI.MODELGET m META BLOB x", Error::Arity("AI.MODELGET")),
            (
                "AI.MODELGET m x",
                Error::UnknownOption(b"x".as_slice().into()),
            ),
        ],
    );
}

#[test]
fn the_rest_checks_the_number_of_arguments() {
    assert_eq!(ModelDel::arity(2), Ok(()));
    for argc in [1, 3] {
        assert_eq!(ModelDel::arity(argc), Err(Error::Arity("AI.MODELDEL")));
    }
    assert_eq!(ModelScan::arity(1), Ok(()));
    assert_eq!(ModelScan::arity(2), Err(Error::Arity("AI._MODELSCAN")));
}

/// A SavedModel knows its own names; nothing else of TF does.
#[test]
fn an_archive_needs_no_names() {
    let mut tar = vec![0_u8; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let head: [&[u8]; 4] = [b"AI.MODELSTORE", b"m", b"TF", b"CPU"];
    let parse = |blob: &[u8]| {
        let argv: Vec<&[u8]> = head.iter().copied().chain([b"BLOB", blob]).collect();
        ModelStore::parse(&argv, false).map(|store| store.inputs.len() + store.outputs.len())
    };
    assert_eq!(parse(b"PK\x03\x04rest"), Ok(0));
    assert_eq!(parse(&tar), Ok(0));
    assert_eq!(parse(&tar[..260]), Err(Error::NoInputsForTf));
    assert_eq!(parse(b"PK"), Err(Error::NoInputsForTf));
}
