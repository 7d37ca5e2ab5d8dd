//! `AI.CONFIG`.

use crate::args::{Cursor, arity, is};
use crate::options::Setting;
use crate::{Error, number};
use redisai_core::BackendKind;

/// A checked `AI.CONFIG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config<'a> {
    /// `LOADBACKEND backend path`. Whether it is allowed is the load option's to say.
    LoadBackend {
        /// The framework.
        backend: BackendKind,
        /// The library's path.
        path: &'a [u8],
    },
    /// `BACKENDSPATH path`.
    BackendsPath(&'a [u8]),
    /// `MODEL_CHUNK_SIZE n`: bytes, above 0.
    ModelChunkSize(u64),
    /// `GET name`; `None` for a name that is no option, which replies null.
    Get(Option<Setting>),
}

impl<'a> Config<'a> {
    /// Reads the command.
    pub fn parse(argv: &[&'a [u8]]) -> Result<Self, Error> {
        arity("AI.CONFIG", argv.len(), 2..)?;
        let mut cursor = Cursor::new(argv, 1);
        let parsed = if cursor.skip("LOADBACKEND") {
            arity("AI.CONFIG", argv.len(), 4..)?;
            Self::LoadBackend {
                backend: cursor
                    .next()
                    .and_then(BackendKind::parse)
                    .ok_or(Error::UnsupportedBackend)?,
                path: argv.get(3).copied().unwrap_or_default(),
            }
        } else if cursor.skip("BACKENDSPATH") {
            Self::BackendsPath(argv.get(2).copied().ok_or(Error::MissingPath)?)
        } else if cursor.skip("MODEL_CHUNK_SIZE") {
            let size = cursor.next().ok_or(Error::MissingChunkSize)?;
            Self::ModelChunkSize(positive(size).ok_or(Error::InvalidChunkSize)?)
        } else if cursor.skip("GET") {
            arity("AI.CONFIG", argv.len(), 3..)?;
            Self::Get(cursor.next().and_then(Setting::parse))
        } else {
            return Err(Error::UnsupportedSubcommand);
        };
        let used = if matches!(parsed, Self::LoadBackend { .. }) {
            4
        } else {
            3
        };
        match argv.get(used) {
            Some(&extra) => Err(Error::UnknownOption(extra.into())),
            None => Ok(parsed),
        }
    }
}

/// An integer above 0, as the server reads it.
pub(crate) fn positive(text: &[u8]) -> Option<u64> {
    number::integer(text)
        .and_then(|value| u64::try_from(value).ok())
        .filter(|&value| value > 0)
}

/// `yes` or `no`, without regard to case.
pub(crate) fn yes_or_no(text: &[u8]) -> Option<bool> {
    if is(text, "yes") {
        Some(true)
    } else if is(text, "no") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{argv, refused};

    #[test]
    fn config_refuses_in_the_order_of_the_contract() {
        let arity = Error::Arity("AI.CONFIG");
        let unknown = |text: &str| Error::UnknownOption(text.as_bytes().into());
        refused(
            |argv| Config::parse(argv).map(|_| ()),
            &[
                ("AI.CONFIG", arity.clone()),
                ("AI.CONFIG X", Error::UnsupportedSubcommand),
                ("AI.CONFIG LOADBACKEND", arity.clone()),
                ("AI.CONFIG LOADBACKEND X", arity.clone()),
                ("AI.CONFIG LOADBACKEND X p", Error::UnsupportedBackend),
                ("AI.CONFIG LOADBACKEND TF p q", unknown("q")),
                ("AI.CONFIG BACKENDSPATH", Error::MissingPath),
                ("AI.CONFIG BACKENDSPATH p q", unknown("q")),
                ("AI.CONFIG MODEL_CHUNK_SIZE", Error::MissingChunkSize),
                ("AI.CONFIG MODEL_CHUNK_SIZE 0", Error::InvalidChunkSize),
                ("AI.CONFIG MODEL_CHUNK_SIZE -1", Error::InvalidChunkSize),
                ("AI.CONFIG MODEL_CHUNK_SIZE 1.0", Error::InvalidChunkSize),
                ("AI.CONFIG MODEL_CHUNK_SIZE 1 x", unknown("x")),
                ("AI.CONFIG GET", arity),
                ("AI.CONFIG GET X Y", unknown("Y")),
            ],
        );
    }

    #[test]
    fn config_reads_every_subcommand() {
        let parse = |line| Config::parse(&argv(line));
        assert_eq!(
            parse("ai.config loadbackend onnx /p"),
            Ok(Config::LoadBackend {
                backend: BackendKind::Onnx,
                path: b"/p"
            })
        );
        assert_eq!(
            parse("AI.CONFIG backendspath /p"),
            Ok(Config::BackendsPath(b"/p"))
        );
        assert_eq!(
            parse("AI.CONFIG model_chunk_size 64"),
            Ok(Config::ModelChunkSize(64))
        );
        assert_eq!(
            parse("AI.CONFIG get backendsPATH"),
            Ok(Config::Get(Some(Setting::BackendsPath)))
        );
        assert_eq!(parse("AI.CONFIG GET nothing"), Ok(Config::Get(None)));
    }
}
