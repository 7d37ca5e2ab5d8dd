//! Packages of machine code where they are allowed: what is no such thing is refused. That they run is
//! tested with real ones, by `tests/backends/test_torch_packages.py`.

mod common;

use common::{archive, backend_with, load, logging_host};
use redisai_core::Status;

/// The part of a package's source that is looked at: no input, one output.
const SOURCE: &[u8] = b"outputs_info_[0].name = 1;\nvoid __check_inputs_outputs(\n\
                        __check_inputs_outputs(input_handles";
const FOLDER: &str = "m/data/aotinductor/model/";

fn refused(records: &[(&str, &[u8])]) -> String {
    let records: Vec<_> = records
        .iter()
        .map(|(name, bytes)| (format!("{FOLDER}{name}"), *bytes))
        .collect();
    let records: Vec<_> = records
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    let error = load(archive::zip(&records)).err().expect("refused");
    assert_eq!(error.status, Status::BadModel, "{error}");
    error.text.into_owned()
}

#[test]
fn what_is_no_package_is_refused() {
    backend_with(logging_host(), &[("native_models", "yes")]);
    let text = refused(&[("a.wrapper.so", b"\x7fELF")]);
    assert!(text.contains("no source of its checks"), "{text}");
    let text = refused(&[("a.wrapper.cpp", b"int x;"), ("a.wrapper.so", b"\x7fELF")]);
    assert!(text.contains("not known"), "{text}");
    // From here on torch itself says no.
    let metadata: (&str, &[u8]) = ("a.wrapper_metadata.json", b"{\"AOTI_DEVICE_KEY\": \"cpu\"}");
    for code in [&b"\x7fELF, cut short"[..], b"", b"text"] {
        let text = refused(&[("a.wrapper.cpp", SOURCE), metadata, ("a.wrapper.so", code)]);
        assert!(!text.is_empty() && !text.contains("frame #"), "{text}");
    }
    refused(&[("a.wrapper.cpp", SOURCE), metadata]);
    refused(&[("a.wrapper.cpp", SOURCE), ("a.wrapper_metadata.json", b"[")]);
}
