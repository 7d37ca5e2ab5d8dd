//! A source that takes no memory of its own while it is read.

use redisai_codec::{Error, Field, RdbRead};
use redisai_core::Buffer;
use std::any::Any;
use std::sync::Arc;

/// Gives its strings without a copy, as a server does.
pub(crate) struct Stream(std::vec::IntoIter<Stored>);

enum Stored {
    Number(u64),
    Bytes(Shared),
}

#[derive(Clone)]
struct Shared(Arc<Vec<u8>>);

impl Buffer for Shared {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Stream {
    pub(crate) fn new(fields: Vec<Field>) -> Self {
        let stored = fields.into_iter().map(|field| match field {
            Field::Number(number) => Stored::Number(number),
            Field::Bytes(bytes) => Stored::Bytes(Shared(Arc::new(bytes))),
        });
        Self(stored.collect::<Vec<_>>().into_iter())
    }
}

impl RdbRead for Stream {
    fn unsigned(&mut self) -> Result<u64, Error> {
        match self.0.next() {
            Some(Stored::Number(number)) => Ok(number),
            _ => Err(Error::Short),
        }
    }

    fn signed(&mut self) -> Result<i64, Error> {
        self.unsigned().map(u64::cast_signed)
    }

    fn bytes(&mut self) -> Result<Box<dyn Buffer>, Error> {
        match self.0.next() {
            Some(Stored::Bytes(bytes)) => Ok(Box::new(bytes)),
            _ => Err(Error::Short),
        }
    }
}
