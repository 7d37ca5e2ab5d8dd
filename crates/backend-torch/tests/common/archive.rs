//! TorchScript archives written by hand: a zip of code, a pickle of the module's attributes, a version.

use std::io::{Cursor, Write};
use zip::write::{SimpleFileOptions, ZipWriter};

/// An archive of these records, uncompressed.
pub fn zip(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in records {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A model whose class has these methods, each written as TorchScript's own serializer does; a method
/// begins with `def`, without indentation.
pub fn of(methods: &str) -> Vec<u8> {
    with_version(methods, "3\n")
}

/// The same in a format of another number.
pub fn with_version(methods: &str, version: &str) -> Vec<u8> {
    let body = format!("  {}\n", methods.replace('\n', "\n  "));
    let code = format!("class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n{body}");
    zip(&[
        ("m/data.pkl", &object()),
        ("m/code/__torch__.py", code.as_bytes()),
        ("m/constants.pkl", b"\x80\x02)."),
        ("m/version", version.as_bytes()),
    ])
}

/// The pickle of `__torch__.M` without attributes.
fn object() -> Vec<u8> {
    let mut bytes = b"\x80\x02c__torch__\nM\n)\x81}".to_vec();
    // Its state, an empty dict, is set.
    bytes.extend_from_slice(b"b.");
    bytes
}
