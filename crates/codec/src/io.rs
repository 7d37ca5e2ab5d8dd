//! The fields of a payload.

use crate::Error;
use redisai_core::Buffer;

/// Where a payload goes: the server's file, or memory. A failed write is the server's to notice.
pub trait RdbWrite {
    /// Writes an unsigned number (`U`).
    fn unsigned(&mut self, value: u64);

    /// Writes a signed number (`S`).
    fn signed(&mut self, value: i64);

    /// Writes a string (`B` and `Str`, which are the same bytes).
    fn bytes(&mut self, value: &[u8]);
}

/// Where a payload comes from. Each function fails with [`Error::Short`] where the next field is
/// missing or of another kind.
pub trait RdbRead {
    /// Reads an unsigned number (`U`).
    fn unsigned(&mut self) -> Result<u64, Error>;

    /// Reads a signed number (`S`).
    fn signed(&mut self) -> Result<i64, Error>;

    /// Reads a string (`B` and `Str`), in whatever memory it came.
    fn bytes(&mut self) -> Result<Box<dyn Buffer>, Error>;
}

/// A field in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `U`, and `S` as its two's complement: the server writes both as the same kind of field.
    Number(u64),
    /// `B` or `Str`
    Bytes(Vec<u8>),
}

/// A payload in memory, to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<Field>);

impl Fields {
    /// Reads it from the start.
    pub fn reader(&self) -> FieldReader<'_> {
        FieldReader { fields: &self.0 }
    }
}

impl RdbWrite for Fields {
    fn unsigned(&mut self, value: u64) {
        self.0.push(Field::Number(value));
    }

    fn signed(&mut self, value: i64) {
        self.unsigned(value.cast_unsigned());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.push(Field::Bytes(value.to_vec()));
    }
}

/// A payload in memory, to read.
#[derive(Clone, Debug)]
pub struct FieldReader<'a> {
    fields: &'a [Field],
}

impl<'a> FieldReader<'a> {
    /// Fields that were not read.
    pub fn rest(&self) -> &'a [Field] {
        self.fields
    }

    fn next(&mut self) -> Result<&'a Field, Error> {
        let (first, rest) = self.fields.split_first().ok_or(Error::Short)?;
        self.fields = rest;
        Ok(first)
    }
}

impl RdbRead for FieldReader<'_> {
    fn unsigned(&mut self) -> Result<u64, Error> {
        match self.next()? {
            Field::Number(value) => Ok(*value),
            Field::Bytes(_) => Err(Error::Short),
        }
    }

    fn signed(&mut self) -> Result<i64, Error> {
        self.unsigned().map(u64::cast_signed)
    }

    fn bytes(&mut self) -> Result<Box<dyn Buffer>, Error> {
        match self.next()? {
            Field::Bytes(value) => Ok(Box::new(value.clone())),
            Field::Number(_) => Err(Error::Short),
        }
    }
}
