//! A look at a model's bytes before torch sees them: what the file is, and what to do where it is no
//! model.

use crate::error::bad_model;
use redisai_core::BackendError;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// How a zip begins, and with it every archive and package of torch.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// The longest record that says a version.
const VERSION_BYTES: u64 = 64;

/// A file that torch can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// An archive of TorchScript.
    Script,
    /// A package of AOTInductor: machine code.
    Package,
}

/// What the file is. Refuses what torch cannot load, with a line that says what it is and what to do.
pub(crate) fn check(bytes: &[u8], newest: u64) -> Result<Format, BackendError> {
    if !bytes.starts_with(MAGIC) {
        return Err(bad_model(no_archive(bytes)));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        bad_model(format!(
            "ERR the model's file is damaged or cut short ({error}): save and store it again"
        ))
    })?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let has = |leaf: &str| names.iter().any(|name| below_root(name) == leaf);
    if names.iter().any(|name| name.contains("data/aotinductor/")) {
        return Ok(Format::Package);
    }
    if has("archive_format") {
        return Err(bad_model(
            "ERR the file is a program of torch.export, which is not compiled: save the model with \
             torch.jit.trace(model, example).save(file), or compile it with \
             torch._inductor.aoti_compile_and_package",
        ));
    }
    if has("saved_model.pb") || names.iter().any(|name| name == "saved_model.pb") {
        return Err(bad_model(
            "ERR the file is a SavedModel of TensorFlow: store it with the backend TF",
        ));
    }
    if !has("constants.pkl") || !has("data.pkl") {
        return Err(bad_model(if has("data.pkl") {
            "ERR the file is a checkpoint of torch.save, which holds no program: load it in Python and \
             save the model with torch.jit.script(model).save(file)"
        } else {
            "ERR the file is a zip archive, but no TorchScript model: save the model with \
             torch.jit.script(model).save(file)"
        }));
    }
    let format = names
        .iter()
        .find(|name| matches!(below_root(name), "version" | ".data/version"))
        .and_then(|name| number(&mut archive, name));
    match format {
        Some(format) if format > newest => Err(bad_model(format!(
            "ERR the model's archive format {format} is newer than this PyTorch reads (up to \
             {newest}): install a newer torch, or save the model with an older one"
        ))),
        _ => Ok(Format::Script),
    }
}

/// A record's name without the archive's own folder.
fn below_root(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn number(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<u64> {
    let mut text = String::new();
    let record = archive.by_name(name).ok()?;
    record.take(VERSION_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// What a file that is no zip archive is, as far as its first bytes tell.
fn no_archive(bytes: &[u8]) -> String {
    let starts = |with: &[u8]| bytes.starts_with(with);
    let found = if bytes.is_empty() {
        "empty"
    } else if starts(b"version https://git-lfs") {
        "a pointer of Git LFS: fetch the file itself with `git lfs pull`"
    } else if starts(&[0x80]) {
        "a pickle, such as a checkpoint or state dict of an old torch.save, which holds no program: load \
         it in Python and save the model with torch.jit.script(model).save(file)"
    } else if bytes.get(4..8) == Some(b"TFL3") {
        "a TensorFlow Lite model: store it with the backend TFLITE"
    } else if starts(b"\x89HDF\r\n") {
        "HDF5, as Keras writes it: save the model in a format of TensorFlow and use the backend TF"
    } else if starts(&[0x08])
        && bytes
            .windows(4)
            .take(64)
            .any(|it| it == b"\x12\x07py" || it == b"onnx")
    {
        "an ONNX model: store it with the backend ONNX"
    } else if starts(&[0x0a]) || starts(b"\x08\x01\x12") {
        "a TensorFlow graph: store it with the backend TF"
    } else if bytes.get(8..10) == Some(b"{\"") {
        "a file of safetensors, which holds no program: load it in Python into its model and save that \
         with torch.jit.script(model).save(file)"
    } else if starts(b"\x93NUMPY") {
        "an array of NumPy: set it as a tensor"
    } else if starts(b"<!") || starts(b"<html") {
        "a web page: the download of the model went wrong"
    } else if starts(b"\x1f\x8b") {
        "compressed with gzip: store what is in it"
    } else {
        "unknown"
    };
    let help = if found == "empty" || found == "unknown" {
        ": save the model with torch.jit.script(model).save(file) and store that file"
    } else {
        ""
    };
    format!("ERR the model's file is no TorchScript archive: it is {found}{help}")
}
