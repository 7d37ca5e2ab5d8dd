//! What the loader says to a library or a framework that is not as it should be.

mod common;

use common::{Temp, compile, config, loader, open};
use redisai_backend_loader::{Loader, Reason, is_below};
use redisai_core::BackendKind;
use redisai_testkit::conformance::{Model, load};
use std::path::Path;

fn refused(macros: &[&str], reason: Reason, words: &str) {
    let error = open(macros).err().expect("a refusal");
    assert_eq!(error.reason, reason, "{error}");
    assert!(error.text.contains(words), "{error}");
    assert!(error.text.contains("redisai_onnxruntime.so"), "{error}");
}

#[test]
fn init_may_refuse() {
    let temp = Temp::new();
    let path = compile(&temp.0, &[]);
    let error = loader(&temp.0, &[("refuse", "")]).open(BackendKind::Onnx, None);
    let error = error.err().unwrap();
    assert!(error.text.contains("told to refuse"), "{error}");
    // No framework was there, so it says where it was looked for and what to do.
    assert_eq!(error.reason, Reason::FrameworkNotFound);
    assert!(
        error.text.contains("pip install 'redisai-rs[onnx]'"),
        "{error}"
    );
    // Where a framework is seen, that is not the reason.
    let mut seen = config(&temp.0, &[("refuse", "")]);
    std::fs::copy(&path, temp.0.join("libonnxruntime.so.1")).unwrap();
    seen.environment.library_path = vec![temp.0.clone()];
    let error = Loader::new(seen)
        .open(BackendKind::Onnx, None)
        .err()
        .unwrap();
    assert_eq!(error.reason, Reason::InitFailed);
    assert!(
        error
            .text
            .ends_with("the backend ONNX did not start: told to refuse"),
        "{error}"
    );
    // The same library, asked again, by its absolute path.
    loader(&temp.0, &[])
        .open(BackendKind::Onnx, Some(&path))
        .unwrap();
}

#[test]
fn a_named_python_without_the_framework_is_an_error() {
    let temp = Temp::new();
    compile(&temp.0, &[]);
    let mut config = config(&temp.0, &[]);
    config.python = Some(temp.0.clone());
    let loader = Loader::new(config);
    let error = loader.open(BackendKind::Onnx, None).err().unwrap();
    assert_eq!(error.reason, Reason::FrameworkNotFound);
    assert!(error.text.contains("PYTHON"), "{error}");
    assert!(!error.text.contains("system"), "{error}");
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    refused(
        &["-DABI=2"],
        Reason::Incompatible,
        "ABI version 2, this module has 1",
    );
    refused(&["-DREFUSE_HOST"], Reason::Incompatible, "another ABI");
    refused(&["-DTABLE_SIZE=16"], Reason::Incompatible, "16 bytes");
    refused(&["-DNO_RUN"], Reason::Incompatible, "without run");
    refused(
        &["-DNO_ENTRY", "-Wno-unused"],
        Reason::Incompatible,
        "exports no redisai_backend_v1",
    );
    refused(
        &["-DREFERENCE", "-Wno-unused"],
        Reason::Incompatible,
        "RedisAI 1.2",
    );
    refused(
        &["-DUNDEFINED"],
        Reason::Unloadable,
        "symbol_that_nobody_has",
    );
    refused(
        &["-DNAME=\"TORCH\""],
        Reason::OtherBackend,
        "is the backend TORCH, not ONNX",
    );
    refused(
        &["-DNAME=\"DOUBLE\""],
        Reason::OtherBackend,
        "TEST_BACKENDS",
    );
}

#[test]
fn a_library_with_a_later_or_shorter_table_loads() {
    // A newer backend has a longer table; one without the optional functions at the end a shorter.
    open(&["-DTABLE_SIZE=sizeof(RaiBackend)+64"]).unwrap();
    let backend = open(&["-DTABLE_SIZE=offsetof(RaiBackend,cancel)"]).unwrap();
    load(backend.as_ref(), &Model::from("double")).unwrap();
}

#[test]
fn files_that_are_no_library_are_refused_in_words() {
    let temp = Temp::new();
    let loader = loader(&temp.0, &[]);
    let missing = loader.open(BackendKind::Onnx, None).err().unwrap();
    assert_eq!(missing.reason, Reason::LibraryNotFound);
    assert!(
        missing
            .text
            .contains("redisai_onnxruntime/redisai_onnxruntime.so"),
        "{missing}"
    );
    std::fs::write(temp.0.join("text.so"), "not a library\n").unwrap();
    let text = loader
        .open(BackendKind::Onnx, Some(Path::new("text.so")))
        .err()
        .unwrap();
    assert_eq!(text.reason, Reason::NotALibrary);
    assert!(text.text.contains("is a text file"), "{text}");
    let whole = std::fs::read(compile(&temp.0, &[])).unwrap();
    std::fs::write(temp.0.join("half.so"), &whole[..whole.len() / 2]).unwrap();
    let half = loader
        .open(BackendKind::Onnx, Some(Path::new("half.so")))
        .err()
        .unwrap();
    assert_eq!(half.reason, Reason::NotALibrary);
    assert!(half.text.contains("is cut short"), "{half}");
}

#[test]
fn below_means_below() {
    let temp = Temp::new();
    let inner = temp.0.join("in");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("a"), "").unwrap();
    std::fs::write(temp.0.join("b"), "").unwrap();
    assert!(is_below(&inner, &inner.join("a")));
    assert!(!is_below(&inner, &inner.join("../b")));
    assert!(!is_below(&inner, &temp.0.join("b")));
    assert!(!is_below(&inner, &inner.join("missing")));
    std::os::unix::fs::symlink("../b", inner.join("link")).unwrap();
    assert!(!is_below(&inner, &inner.join("link")));
}
