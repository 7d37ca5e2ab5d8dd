//! `AI.SCRIPTSTORE`, `AI.SCRIPTSET`, `AI.SCRIPTGET`, `AI.SCRIPTDEL`, `AI._SCRIPTSCAN`.

use crate::args::{Cursor, arity, is};
use crate::model::tag;
use crate::{Error, number};
use redisai_core::{Buffer, Device, ScriptDef};
use std::sync::Arc;

/// A checked `AI.SCRIPTSTORE` or `AI.SCRIPTSET`. The slices are arguments.
#[derive(Clone, Debug)]
pub struct ScriptStore<'a> {
    /// The device, as it was given: the backend judges it.
    pub device: Device,
    /// The tag; empty where none was given.
    pub tag: &'a [u8],
    /// Functions that `AI.SCRIPTEXECUTE` may call; none from `AI.SCRIPTSET`.
    pub entry_points: &'a [&'a [u8]],
    /// Index of the source.
    pub source: usize,
    /// The command has a form that RedisAI 1.2 does not read: it must not be replicated as it is.
    pub rewrite: bool,
}

impl<'a> ScriptStore<'a> {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Reads `AI.SCRIPTSTORE key device [TAG tag] ENTRY_POINTS n name… SOURCE source`; what follows is
    /// ignored, as in RedisAI.
    ///
    /// `from_stream`: it comes from a primary or the AOF, where RedisAI writes a script that has no
    /// entry points without the section.
    pub fn parse(argv: &'a [&'a [u8]], from_stream: bool) -> Result<Self, Error> {
        arity(
            "AI.SCRIPTSTORE",
            argv.len(),
            if from_stream { 5.. } else { 8.. },
        )?;
        let mut cursor = Cursor::new(argv, 2);
        let device = cursor.next().unwrap_or_default();
        let tag = tag(&mut cursor);
        let entry_points = if cursor.skip("ENTRY_POINTS") {
            entry_points(&mut cursor)?
        } else if from_stream {
            &[]
        } else {
            return Err(Error::MissingEntryPoints);
        };
        Ok(Self {
            device: Device::lenient(device),
            tag,
            entry_points,
            source: source(&mut cursor)?,
            rewrite: false,
        })
    }

    /// Reads the deprecated `AI.SCRIPTSET key device [TAG tag] SOURCE source`, or `AI.SCRIPTSET key
    /// device source` from before 1.0.
    pub fn parse_set(argv: &'a [&'a [u8]]) -> Result<Self, Error> {
        let old = matches!(argv, [_, _, _, source] if !is(source, "TAG") && !is(source, "SOURCE"));
        if !old && argv.len() != 5 && argv.len() != 7 {
            return Err(Error::Arity("AI.SCRIPTSET"));
        }
        let mut cursor = Cursor::new(argv, 2);
        let device = cursor.next().unwrap_or_default();
        let tag = if old { &[] } else { tag(&mut cursor) };
        Ok(Self {
            device: Device::lenient(device),
            tag,
            entry_points: &[],
            source: if old {
                cursor.at()
            } else {
                source(&mut cursor)?
            },
            rewrite: old,
        })
    }

    /// The definition, over a source that the caller holds or [cut](Self::c_string).
    pub fn definition(&self, source: Arc<dyn Buffer>) -> ScriptDef {
        let names = self.entry_points.iter();
        ScriptDef {
            device: self.device.clone(),
            tag: self.tag.into(),
            entry_points: names.map(|name| Self::c_string(name).into()).collect(),
            source,
        }
    }

    /// Bytes up to the first NUL: RedisAI reads and saves sources and names so.
    pub fn c_string(bytes: &[u8]) -> &[u8] {
        bytes.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

/// Reads a number and as many names. A number below 0 counts as 0, as in RedisAI.
fn entry_points<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [&'a [u8]], Error> {
    let count = cursor.next().and_then(number::integer);
    let count = count.ok_or(Error::InvalidEntryPointCount)?;
    let count = u64::try_from(count).unwrap_or(0);
    cursor.take_slice(count).ok_or(Error::MissingEntryPoints)
}

/// Reads `SOURCE source` and gives the index of the source.
fn source(cursor: &mut Cursor<'_>) -> Result<usize, Error> {
    if !cursor.skip("SOURCE") || cursor.is_at_end() {
        return Err(Error::MissingSource);
    }
    Ok(cursor.at())
}

/// A checked `AI.SCRIPTGET key [META] [SOURCE]`. Without options it is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptGet {
    /// Reply device, tag and entry points.
    pub meta: bool,
    /// Reply the source.
    pub source: bool,
}

impl ScriptGet {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments: what comes before the key is looked up.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.SCRIPTGET", argc, 2..=4)
    }

    /// Reads the options: what comes after the key was looked up.
    pub fn parse(argv: &[&[u8]]) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        let (mut meta, mut source) = (false, false);
        for &arg in argv.iter().skip(2) {
            if is(arg, "META") {
                meta = true;
            } else if is(arg, "SOURCE") {
                source = true;
            } else {
                return Err(Error::UnknownOption(arg.into()));
            }
        }
        let both = !meta && !source;
        Ok(Self {
            meta: meta || both,
            source: source || both,
        })
    }
}

/// `AI.SCRIPTDEL key`.
#[derive(Clone, Copy, Debug)]
pub struct ScriptDel;

impl ScriptDel {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments; there is nothing else to read.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.SCRIPTDEL", argc, 2..=2)
    }
}

/// `AI._SCRIPTSCAN`.
#[derive(Clone, Copy, Debug)]
pub struct ScriptScan;

impl ScriptScan {
    /// Checks the number of arguments; there is nothing else to read.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI._SCRIPTSCAN", argc, 1..=1)
    }
}
