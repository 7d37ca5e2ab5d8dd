//! A SavedModel as a `.zip` or `.tar`: unpacked into a private directory, which goes when it is dropped.

use crate::error::{KERAS, bad_model, unsupported};
use redisai_core::BackendError;
use std::fs::{DirBuilder, File};
use std::io::{Cursor, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

/// Unpacked bytes for each byte of the archive.
const GROWTH: u64 = 16;
/// Entries of an archive.
const ENTRIES: usize = 10_000;
/// The file in the root of every SavedModel.
const MARK: &str = "saved_model.pb";
/// A graph in pieces, at which nobody would look here (TensorFlow 2.21 takes it only without the other).
const PIECES: &str = "saved_model.cpb";

/// What a blob is, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A GraphDef, or nothing that is known.
    Graph,
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
    /// An HDF5 file: Keras wrote it.
    Hdf5,
}

impl Form {
    /// The form of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"PK\x03\x04") {
            Self::Zip
        } else if bytes.get(257..262) == Some(b"ustar") {
            Self::Tar
        } else if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            Self::Hdf5
        } else {
            Self::Graph
        }
    }
}

/// An unpacked SavedModel.
pub(crate) struct Unpacked {
    _folder: TempDir,
    root: PathBuf,
}

impl Unpacked {
    /// Unpacks an archive.
    pub(crate) fn of(form: Form, bytes: &[u8]) -> Result<Self, BackendError> {
        let folder = tempfile::Builder::new()
            .prefix("redisai-")
            .tempdir()
            .map_err(|cause| failed(&cause))?;
        let mut target = Target {
            folder: folder.path(),
            left: (bytes.len() as u64).saturating_mul(GROWTH),
            entries: 0,
            root: None,
        };
        match form {
            Form::Zip => unzip(bytes, &mut target)?,
            Form::Tar => untar(bytes, &mut target)?,
            Form::Hdf5 => return Err(unsupported(KERAS)),
            Form::Graph => {}
        }
        let root = target
            .root
            .ok_or_else(|| bad_model(format!("ERR the archive has no {MARK}")))?;
        if root.join(PIECES).exists() {
            let text =
                format!("ERR the archive has a graph in pieces ({PIECES}): save it as {MARK}");
            return Err(unsupported(text));
        }
        Ok(Self {
            _folder: folder,
            root,
        })
    }

    /// The directory that holds `saved_model.pb`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of `saved_model.pb`.
    pub(crate) fn graph(&self) -> Result<Vec<u8>, BackendError> {
        std::fs::read(self.root.join(MARK)).map_err(|cause| failed(&cause))
    }
}

/// Where entries go, and how much may still come.
struct Target<'a> {
    folder: &'a Path,
    left: u64,
    entries: usize,
    root: Option<PathBuf>,
}

impl Target<'_> {
    /// The place of an entry below the folder.
    fn place(&mut self, name: &Path) -> Result<PathBuf, BackendError> {
        self.entries += 1;
        if self.entries > ENTRIES {
            return Err(bad_model("ERR the archive has too many entries"));
        }
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if name.as_os_str().is_empty() || !name.components().all(inside) {
            let name = name.display();
            return Err(bad_model(format!(
                "ERR the archive has an entry outside of it: {name}"
            )));
        }
        Ok(self.folder.join(name))
    }

    fn file(&mut self, place: &Path, from: &mut dyn Read) -> Result<(), BackendError> {
        let parent = place.parent().unwrap_or(self.folder);
        directory(parent)?;
        // Each entry once: nothing is written through what another entry has made.
        let mut file = File::create_new(place).map_err(|cause| failed(&cause))?;
        // One more than may come shows that there is more.
        let mut limited = from.take(self.left.saturating_add(1));
        let written = std::io::copy(&mut limited, &mut file).map_err(|cause| failed(&cause))?;
        self.left = self.left.checked_sub(written).ok_or_else(|| {
            bad_model(format!(
                "ERR the archive unpacks to more than {GROWTH} times its size"
            ))
        })?;
        let is_mark = place.file_name().is_some_and(|name| name == MARK);
        let depth = |path: &Path| path.components().count();
        let higher = self
            .root
            .as_deref()
            .is_none_or(|root| depth(parent) < depth(root));
        if is_mark && higher {
            self.root = Some(parent.to_owned());
        }
        Ok(())
    }
}

fn directory(place: &Path) -> Result<(), BackendError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(place).map_err(|cause| failed(&cause))
}

fn unzip(bytes: &[u8], target: &mut Target<'_>) -> Result<(), BackendError> {
    let broken = |cause: zip::result::ZipError| {
        bad_model(format!("ERR the archive cannot be unpacked: {cause}"))
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let keras = |name: &str| name == "model.weights.h5" || name == "config.json";
    if archive
        .file_names()
        .flatten()
        .filter(|name| keras(name))
        .count()
        == 2
    {
        return Err(unsupported(KERAS));
    }
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let place = target.place(Path::new(&name))?;
        if entry.is_symlink() {
            return Err(link(&place));
        }
        if entry.is_dir() {
            directory(&place)?;
        } else {
            target.file(&place, &mut entry)?;
        }
    }
    Ok(())
}

fn untar(bytes: &[u8], target: &mut Target<'_>) -> Result<(), BackendError> {
    let broken =
        |cause: std::io::Error| bad_model(format!("ERR the archive cannot be unpacked: {cause}"));
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let place = target.place(&name)?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => directory(&place)?,
            tar::EntryType::Regular => target.file(&place, &mut entry)?,
            _ => return Err(link(&place)),
        }
    }
    Ok(())
}

fn link(place: &Path) -> BackendError {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    bad_model(format!(
        "ERR the archive has an entry that is neither a file nor a directory: {name}"
    ))
}

fn failed(cause: &std::io::Error) -> BackendError {
    bad_model(format!("ERR the archive cannot be unpacked: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            // As an attacker writes it: the library's own writer refuses `..`.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_entry_type(*kind);
            if *kind == Symlink {
                header.set_link_name("/etc").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn text(entries: &[(&str, tar::EntryType, &[u8])]) -> String {
        let outcome = Unpacked::of(Form::Tar, &tar_of(entries));
        outcome.err().expect("refused").text.into_owned()
    }

    use tar::EntryType::{Link, Regular, Symlink};

    #[test]
    fn the_root_is_where_the_graph_lies_and_goes_with_the_value() {
        let blob = tar_of(&[
            ("m/assets/saved_model.pb", Regular, b"other"),
            ("m/saved_model.pb", Regular, b"graph"),
        ]);
        assert_eq!(Form::of(&blob), Form::Tar);
        let unpacked = Unpacked::of(Form::Tar, &blob).unwrap();
        assert_eq!(unpacked.graph().unwrap(), b"graph");
        let root = unpacked.root().to_owned();
        assert!(root.ends_with("m"));
        drop(unpacked);
        assert!(!root.exists());
    }

    #[test]
    fn archives_that_attack_are_refused() {
        assert!(text(&[("../x", Regular, b"")]).contains("outside"));
        assert!(text(&[("/tmp/x", Regular, b"")]).contains("outside"));
        assert!(text(&[("a/../../x", Regular, b"")]).contains("outside"));
        assert!(text(&[("x", Symlink, b"")]).contains("neither"));
        assert!(text(&[("x", Link, b"")]).contains("neither"));
        assert!(text(&[("x", Regular, b""), ("x", Regular, b"")]).contains("unpacked"));
        assert!(text(&[("x", Regular, b"")]).contains("saved_model.pb"));
    }

    #[test]
    fn what_grows_too_much_is_refused() {
        use std::io::Write;
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file("saved_model.pb", options).unwrap();
        writer.write_all(&vec![0; 1 << 20]).unwrap();
        let blob = writer.finish().unwrap().into_inner();
        assert_eq!(Form::of(&blob), Form::Zip);
        let error = Unpacked::of(Form::Zip, &blob).err().expect("refused");
        assert!(error.text.contains("16 times"), "{error}");
    }

    #[test]
    fn keras_is_told_how_to_export() {
        assert_eq!(Form::of(b"\x89HDF\r\n\x1a\nxxx"), Form::Hdf5);
        let error = Unpacked::of(Form::Hdf5, b"").err().expect("refused");
        assert!(error.text.contains("model.export"));
    }
}
