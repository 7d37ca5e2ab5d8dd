//! The commands that RedisAI has deprecated, read into the values of their successors.

use crate::Error;
use crate::args::{Cursor, arity, is};
use crate::model::{ModelStore, rest_as_chunks, tag};
use crate::run::{ModelRun, timeout};
use redisai_core::{BackendKind, Batch, Device};
use std::ops::Range;

/// Words that cannot be a device, since then the device was left out; nor a blob.
const KEYWORDS: [&str; 7] = [
    "TAG",
    "BATCHSIZE",
    "MINBATCHSIZE",
    "MINBATCHTIMEOUT",
    "INPUTS",
    "OUTPUTS",
    "BLOB",
];

fn is_keyword(arg: &[u8]) -> bool {
    KEYWORDS.iter().any(|keyword| is(arg, keyword))
}

/// Reads `AI.MODELSET key backend device [TAG t] [BATCHSIZE n [MINBATCHSIZE m [MINBATCHTIMEOUT t]]]
/// [INPUTS name… OUTPUTS name…] BLOB chunk…`, or a form without `BLOB` from before 1.0.
pub(crate) fn model_set<'a>(
    argv: &'a [&'a [u8]],
    from_stream: bool,
) -> Result<ModelStore<'a>, Error> {
    arity("AI.MODELSET", argv.len(), 4..)?;
    let mut cursor = Cursor::new(argv, 2);
    let backend = cursor
        .next()
        .and_then(BackendKind::parse)
        .ok_or(Error::UnsupportedBackend)?;
    let device = cursor.next().unwrap_or_default();
    if (device.len() > 10 && !from_stream) || is_keyword(device) {
        return Err(Error::InvalidDevice);
    }
    let after_device = cursor.at();
    let tag = tag(&mut cursor);
    let batch = batch(&mut cursor, backend)?;
    if cursor.is_at_end() {
        return Err(Error::MissingBlob);
    }
    // Before 1.0 there was no option in front of what follows the device.
    let old = cursor.at() == after_device;
    let tail = tail(&mut cursor, argv, backend, old)?;
    Ok(ModelStore {
        backend,
        device: Device::lenient(device),
        tag,
        batch,
        inputs: argv.get(tail.inputs).unwrap_or_default(),
        outputs: argv.get(tail.outputs).unwrap_or_default(),
        chunks: tail.chunks,
        rewrite: tail.rewrite,
    })
}

fn batch(cursor: &mut Cursor<'_>, backend: BackendKind) -> Result<Batch, Error> {
    let mut batch = Batch::default();
    let given = cursor.skip("BATCHSIZE");
    if given {
        if backend == BackendKind::TfLite {
            return Err(Error::NoBatchingOnTfLite);
        }
        batch.size = cursor.count().ok_or(Error::InvalidBatchSize)?;
    }
    if cursor.skip("MINBATCHSIZE") {
        if !given {
            return Err(Error::MinBatchSizeAlone);
        }
        batch.min_size = cursor.count().ok_or(Error::InvalidMinBatchSize)?;
    }
    if cursor.skip("MINBATCHTIMEOUT") {
        if !given {
            return Err(Error::MinBatchTimeoutWithoutBatchSize);
        }
        batch.min_timeout_ms = cursor.count().ok_or(Error::InvalidMinBatchTimeout)?;
    }
    Ok(batch)
}

/// What follows the options of `AI.MODELSET`.
struct Tail {
    inputs: Range<usize>,
    outputs: Range<usize>,
    chunks: Range<usize>,
    rewrite: bool,
}

fn tail(
    cursor: &mut Cursor<'_>,
    argv: &[&[u8]],
    backend: BackendKind,
    old: bool,
) -> Result<Tail, Error> {
    let end = argv.len();
    let mut names = cursor.clone();
    let before_blob = cursor.until(&["BLOB"]);
    let has_blob = cursor.skip("BLOB");
    let (mut inputs, mut outputs) = (0..0, 0..0);
    if backend == BackendKind::Tf {
        if before_blob.is_empty() {
            return Err(Error::NoInputsAndOutputs);
        }
        if !names.skip("INPUTS") {
            return Err(Error::NoInputs);
        }
        inputs = names.until(&["OUTPUTS", "BLOB"]);
        if !names.skip("OUTPUTS") {
            return Err(Error::NoOutputs);
        }
        outputs = names.at()..before_blob.end;
        // The old form: the last of at least two arguments after OUTPUTS is the blob.
        if !has_blob && old && outputs.len() >= 2 {
            outputs.end = end - 1;
            return Ok(Tail {
                inputs,
                outputs,
                chunks: end - 1..end,
                rewrite: true,
            });
        }
    } else if !has_blob && old && before_blob.len() == 1 {
        // The old form of the others: one argument after the device, which is no keyword.
        let blob = names.next().unwrap_or_default();
        if !is_keyword(blob) {
            return Ok(Tail {
                inputs,
                outputs,
                chunks: before_blob,
                rewrite: true,
            });
        }
    }
    Ok(Tail {
        inputs,
        outputs,
        chunks: rest_as_chunks(cursor)?,
        rewrite: false,
    })
}

/// Reads `AI.MODELRUN key [TIMEOUT ms] INPUTS k… OUTPUTS k…`. Without OUTPUTS all keys count as
/// inputs, which the model's definition then refuses.
pub(crate) fn model_run(argv: &[&[u8]], counts: Option<(usize, usize)>) -> Result<ModelRun, Error> {
    ModelRun::run_arity(argv.len())?;
    let mut cursor = Cursor::new(argv, 2);
    let timeout_ms = if cursor.skip("TIMEOUT") {
        Some(timeout(cursor.next())?)
    } else {
        None
    };
    if !cursor.skip("INPUTS") {
        return Err(Error::NoInputs);
    }
    let inputs = cursor.until(&["OUTPUTS"]);
    cursor.skip("OUTPUTS");
    let run = ModelRun {
        inputs,
        outputs: cursor.until(&[]),
        timeout_ms,
    };
    if let Some((inputs, outputs)) = counts {
        run.check_counts(inputs, outputs)?;
    }
    Ok(run)
}
