//! `AI.MODELSTORE`, `AI.MODELGET`, `AI.MODELDEL`, `AI._MODELSCAN`.

use crate::args::{Cursor, arity, is};
use crate::{Error, deprecated};
use redisai_core::{AlignedBytes, BackendKind, Batch, Buffer, Device, ModelDef};
use std::ops::Range;
use std::sync::Arc;

/// A checked `AI.MODELSTORE` or `AI.MODELSET`. The slices are arguments.
#[derive(Clone, Debug)]
pub struct ModelStore<'a> {
    /// The framework.
    pub backend: BackendKind,
    /// The device, as it was given.
    pub device: Device,
    /// The tag; empty where none was given.
    pub tag: &'a [u8],
    /// The batching options.
    pub batch: Batch,
    /// Names of the inputs; empty but for TF.
    pub inputs: &'a [&'a [u8]],
    /// Names of the outputs; empty but for TF.
    pub outputs: &'a [&'a [u8]],
    /// Indices of the arguments that make the blob when joined; never empty.
    pub chunks: Range<usize>,
    /// The command has a form that RedisAI 1.2 does not read: it must not be replicated as it is,
    /// but as [`AI.MODELSTORE`](Self::parse).
    pub rewrite: bool,
}

impl<'a> ModelStore<'a> {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.MODELSTORE", argc, 6..)
    }

    /// Reads `AI.MODELSTORE key backend device [TAG tag] [BATCHSIZE n [MINBATCHSIZE m
    /// [MINBATCHTIMEOUT t]]] [INPUTS n name… OUTPUTS n name…] BLOB chunk…`.
    ///
    /// `from_stream`: it comes from a primary or the AOF, where any device text is kept.
    pub fn parse(argv: &'a [&'a [u8]], from_stream: bool) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        let mut cursor = Cursor::new(argv, 2);
        let backend = cursor
            .next()
            .and_then(BackendKind::parse)
            .ok_or(Error::UnsupportedBackend)?;
        let device = cursor.next().unwrap_or_default();
        let device = if from_stream {
            Device::lenient(device)
        } else {
            Device::strict(device).ok_or(Error::InvalidDevice)?
        };
        let tag = tag(&mut cursor);
        let batch = batch(&mut cursor)?;
        let (inputs, outputs) = names(&mut cursor, backend)?;
        Ok(Self {
            backend,
            device,
            tag,
            batch,
            inputs,
            outputs,
            chunks: chunks(&mut cursor)?,
            rewrite: false,
        })
    }

    /// Reads the deprecated `AI.MODELSET`, in the form of RedisAI 1.2 or of the time before 1.0.
    pub fn parse_set(argv: &'a [&'a [u8]], from_stream: bool) -> Result<Self, Error> {
        deprecated::model_set(argv, from_stream)
    }

    /// The definition, over a blob that the caller holds or [joined](join).
    pub fn definition(&self, blob: Arc<dyn Buffer>) -> ModelDef {
        let boxed = |names: &[&[u8]]| names.iter().map(|&name| name.into()).collect();
        ModelDef {
            backend: self.backend,
            device: self.device.clone(),
            tag: self.tag.into(),
            batch: self.batch,
            inputs: boxed(self.inputs),
            outputs: boxed(self.outputs),
            blob,
        }
    }
}

/// One copy of the joined chunks of a blob. A single chunk is better held than copied.
pub fn join(argv: &[&[u8]], chunks: Range<usize>) -> AlignedBytes {
    AlignedBytes::join(argv.get(chunks).unwrap_or_default().iter().copied())
}

pub(crate) fn tag<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    if cursor.skip("TAG") {
        cursor.next().unwrap_or_default()
    } else {
        Default::default()
    }
}

fn batch(cursor: &mut Cursor<'_>) -> Result<Batch, Error> {
    let mut batch = Batch::default();
    let mut given = (false, false);
    if cursor.skip("BATCHSIZE") {
        batch.size = cursor.count().ok_or(Error::InvalidBatchSize)?;
        given.0 = true;
    }
    if cursor.skip("MINBATCHSIZE") {
        if !given.0 {
            return Err(Error::MinBatchSizeAlone);
        }
        batch.min_size = cursor.count().ok_or(Error::InvalidMinBatchSize)?;
        given.1 = true;
    }
    if cursor.skip("MINBATCHTIMEOUT") {
        if !given.1 {
            return Err(Error::MinBatchTimeoutAlone);
        }
        batch.min_timeout_ms = cursor.count().ok_or(Error::InvalidMinBatchTimeout)?;
    }
    Ok(batch)
}

type Names<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// Reads INPUTS and OUTPUTS, which TF must have and no other backend may.
fn names<'a>(cursor: &mut Cursor<'a>, backend: BackendKind) -> Result<Names<'a>, Error> {
    if cursor.is_at_end() {
        return Err(Error::MissingBlob);
    }
    if backend != BackendKind::Tf {
        return if cursor.peek().is_some_and(|arg| is(arg, "INPUTS")) {
            Err(Error::InputsForOther)
        } else {
            Ok(Names::default())
        };
    }
    if !cursor.skip("INPUTS") {
        return if is_archive_next(cursor) {
            Ok(Names::default())
        } else {
            Err(Error::NoInputsForTf)
        };
    }
    let count = cursor.count().ok_or(Error::InvalidInputCount)?;
    let inputs = cursor.take_slice(count).ok_or(Error::ModelInputNames)?;
    if !cursor.skip("OUTPUTS") {
        return Err(Error::NoOutputsForTf);
    }
    let count = cursor.count().ok_or(Error::InvalidOutputCount)?;
    let outputs = cursor.take_slice(count).ok_or(Error::ModelOutputNames)?;
    Ok((inputs, outputs))
}

/// Whether `BLOB` and a `.zip` or `.tar` come next: a SavedModel, which knows its own names.
fn is_archive_next(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.skip("BLOB")
        && ahead.next().is_some_and(|chunk| {
            chunk.starts_with(b"PK\x03\x04") || chunk.get(257..262) == Some(b"ustar")
        })
}

/// Reads `BLOB chunk…`.
fn chunks(cursor: &mut Cursor<'_>) -> Result<Range<usize>, Error> {
    if cursor.is_at_end() {
        return Err(Error::MissingBlob);
    }
    if !cursor.skip("BLOB") {
        return Err(Error::ExpectedBlob);
    }
    rest_as_chunks(cursor)
}

pub(crate) fn rest_as_chunks(cursor: &mut Cursor<'_>) -> Result<Range<usize>, Error> {
    let chunks = cursor.until(&[]);
    if chunks.is_empty() {
        return Err(Error::MissingBlob);
    }
    Ok(chunks)
}

/// A checked `AI.MODELGET key [META] [BLOB]`. Without options it is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelGet {
    /// Reply the options.
    pub meta: bool,
    /// Reply the blob.
    pub blob: bool,
}

impl ModelGet {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments: what comes before the key is looked up.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.MODELGET", argc, 2..=4)
    }

    /// Reads the options: what comes after the key was looked up.
    pub fn parse(argv: &[&[u8]]) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        let (mut meta, mut blob) = (false, false);
        for &arg in argv.iter().skip(2) {
            if is(arg, "META") {
                meta = true;
            } else if is(arg, "BLOB") {
                blob = true;
            } else {
                return Err(Error::UnknownOption(arg.into()));
            }
        }
        let both = !meta && !blob;
        Ok(Self {
            meta: meta || both,
            blob: blob || both,
        })
    }
}

/// `AI.MODELDEL key`.
#[derive(Clone, Copy, Debug)]
pub struct ModelDel;

impl ModelDel {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments; there is nothing else to read.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.MODELDEL", argc, 2..=2)
    }
}

/// `AI._MODELSCAN`.
#[derive(Clone, Copy, Debug)]
pub struct ModelScan;

impl ModelScan {
    /// Checks the number of arguments; there is nothing else to read.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI._MODELSCAN", argc, 1..=1)
    }
}
