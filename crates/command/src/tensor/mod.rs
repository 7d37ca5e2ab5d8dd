//! `AI.TENSORSET` and `AI.TENSORGET`.

mod read;
#[cfg(test)]
mod tests;
mod values;

use crate::args::{Cursor, arity, is};
use crate::{Error, number};
use redisai_core::{Buffer, DType, Shape, Tensor, TensorError, zeros_and_ones};
use smallvec::SmallVec;

pub use read::{Value, Values, values};

/// What a tensor from a command may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of one tensor (`MAX_TENSOR_BYTES`). The offsets of a `STRING` count.
    pub max_tensor_bytes: u64,
    /// The command comes from a primary or the AOF, not from a client: dimensions of 0 are
    /// accepted, BOOL bytes above 1 become 1, and data is not capped.
    pub from_stream: bool,
}

impl Limits {
    /// The most bytes that a stream can ask for without sending data. A primary that had more
    /// memory than this for one tensor of zeros is unheard of; a damaged AOF is not.
    const STREAM_ZEROS: u64 = 1 << 40;

    /// The rules for a client.
    pub fn client(max_tensor_bytes: u64) -> Self {
        Self {
            max_tensor_bytes,
            from_stream: false,
        }
    }

    /// The rules for what a primary or the AOF sends.
    pub fn stream() -> Self {
        Self {
            max_tensor_bytes: u64::MAX,
            from_stream: true,
        }
    }

    fn too_large(&self) -> Error {
        Error::TensorTooLarge {
            limit: self.max_tensor_bytes,
        }
    }

    /// Refuses a tensor with this many bytes of data and this many elements.
    fn check(&self, dtype: DType, elements: usize, bytes: usize) -> Result<(), Error> {
        let offsets = if dtype == DType::String { elements } else { 0 };
        let total = (offsets as u128) * 8 + bytes as u128;
        if total > u128::from(self.max_tensor_bytes) {
            return Err(self.too_large());
        }
        Ok(())
    }
}

/// A checked `AI.TENSORSET key dtype [dim …] [BLOB bytes | VALUES v … | BYTES v …]`.
#[derive(Debug)]
pub struct TensorSet {
    dtype: DType,
    shape: Shape,
    data: TensorData,
}

#[derive(Debug)]
enum TensorData {
    /// Index of the argument with the bytes; its length fits the shape, its content is unchecked.
    Blob(usize),
    Built(Tensor),
}

impl TensorSet {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments: what comes before the key is opened.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.TENSORSET", argc, 4..)
    }

    /// Reads the command: what comes after the key was opened. Allocates only for `VALUES`,
    /// `BYTES`, a tensor without data, and more than four dimensions.
    pub fn parse(argv: &[&[u8]], limits: &Limits) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        let mut cursor = Cursor::new(argv, 2);
        let dtype = cursor
            .next()
            .and_then(DType::parse)
            .ok_or(Error::InvalidDType)?;
        let (dims, form) = dims_and_form(&mut cursor, dtype, limits)?;
        // What does not fit is said in the words of each form: no data has that many elements.
        let shape = Shape::new(&dims).ok();
        match form {
            Form::Zeros => zeros(dtype, shape, limits),
            Form::Blob => blob(&mut cursor, dtype, shape, limits),
            Form::Values | Form::Bytes => {
                let shape = shape
                    .filter(|shape| shape.elements() == cursor.rest().len())
                    .ok_or(Error::ValuesCount)?;
                let built = if form == Form::Bytes {
                    values::from_bytes(shape, cursor.rest(), limits)
                } else {
                    values::from_values(dtype, shape, cursor.rest(), limits)
                };
                built.map(Self::built)
            }
        }
    }

    /// The index of the `BLOB` argument, if the command has one.
    pub fn blob(&self) -> Option<usize> {
        match self.data {
            TensorData::Blob(index) => Some(index),
            TensorData::Built(_) => None,
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensor. `hold` makes a buffer of the `BLOB` argument at an index of argv, whose bytes
    /// must be those of the argument; it is called at most once, and not for the other forms.
    pub fn into_tensor(
        self,
        limits: &Limits,
        hold: impl FnOnce(usize) -> Box<dyn Buffer>,
    ) -> Result<Tensor, Error> {
        let index = match self.data {
            TensorData::Built(tensor) => return Ok(tensor),
            TensorData::Blob(index) => index,
        };
        let mut buffer = hold(index);
        if self.dtype == DType::Bool && limits.from_stream {
            buffer = zeros_and_ones(buffer).ok_or(Error::OutOfMemory)?;
        }
        Tensor::new(self.dtype, self.shape, buffer).map_err(|error| match error {
            TensorError::Length => Error::DataLength,
            TensorError::Bool => Error::BoolElement,
            TensorError::Strings | TensorError::Offsets => Error::StringCount,
            TensorError::Memory => Error::OutOfMemory,
            TensorError::Shape(_) => limits.too_large(),
        })
    }

    fn built(tensor: Tensor) -> Self {
        Self {
            dtype: tensor.dtype(),
            shape: tensor.shape().clone(),
            data: TensorData::Built(tensor),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Zeros,
    Blob,
    Values,
    Bytes,
}

type Dims = SmallVec<[i64; 4]>;

/// Reads dimensions up to the keyword, or to the end.
fn dims_and_form(
    cursor: &mut Cursor<'_>,
    dtype: DType,
    limits: &Limits,
) -> Result<(Dims, Form), Error> {
    let smallest = i64::from(!limits.from_stream);
    let mut dims = Dims::new();
    while let Some(arg) = cursor.next() {
        if is(arg, "BLOB") {
            return Ok((dims, Form::Blob));
        }
        if is(arg, "VALUES") {
            return Ok((dims, Form::Values));
        }
        // For any other dtype the word stays what it was in the contract: not a dimension.
        if dtype == DType::String && is(arg, "BYTES") {
            return Ok((dims, Form::Bytes));
        }
        let dim = number::integer(arg)
            .filter(|&dim| dim >= smallest)
            .ok_or(Error::InvalidShape)?;
        dims.push(dim);
    }
    Ok((dims, Form::Zeros))
}

fn zeros(dtype: DType, shape: Option<Shape>, limits: &Limits) -> Result<TensorSet, Error> {
    let shape = shape.ok_or_else(|| limits.too_large())?;
    let limits = Limits {
        max_tensor_bytes: limits.max_tensor_bytes.min(Limits::STREAM_ZEROS),
        ..*limits
    };
    let size = dtype.size().max(1);
    let bytes = shape.bytes(size).map_err(|_| limits.too_large())?;
    limits.check(dtype, shape.elements(), bytes)?;
    Tensor::zeros(dtype, shape)
        .map(TensorSet::built)
        .map_err(|_| Error::OutOfMemory)
}

fn blob(
    cursor: &mut Cursor<'_>,
    dtype: DType,
    shape: Option<Shape>,
    limits: &Limits,
) -> Result<TensorSet, Error> {
    let index = cursor.at();
    let &[blob] = cursor.rest() else {
        return Err(Error::BlobCount);
    };
    let wrong = if dtype == DType::String {
        Error::StringCount
    } else {
        Error::DataLength
    };
    let Some(shape) = shape else {
        return Err(wrong);
    };
    let fits = if dtype == DType::String {
        shape.elements() <= blob.len()
    } else {
        shape.bytes(dtype.size()) == Ok(blob.len())
    };
    if !fits {
        return Err(wrong);
    }
    limits.check(dtype, shape.elements(), blob.len())?;
    Ok(TensorSet {
        dtype,
        shape,
        data: TensorData::Blob(index),
    })
}

/// How `AI.TENSORGET` shows the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One binary string.
    Blob,
    /// One reply an element.
    Values,
}

/// A checked `AI.TENSORGET key [META] [BLOB | VALUES]`. Without options it is META and BLOB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorGet {
    /// Reply dtype and shape.
    pub meta: bool,
    /// Reply the data in this form.
    pub data: Option<Format>,
}

impl TensorGet {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments: what comes before the key is looked up.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.TENSORGET", argc, 2..=4)
    }

    /// Reads the options: what comes after the key was looked up.
    pub fn parse(argv: &[&[u8]]) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        let (mut meta, mut blob, mut values) = (false, false, false);
        for arg in argv.iter().skip(2) {
            if is(arg, "META") {
                meta = true;
            } else if is(arg, "BLOB") {
                blob = true;
            } else if is(arg, "VALUES") {
                values = true;
            } else {
                return Err(Error::UnsupportedFormat);
            }
        }
        let data = match (blob, values) {
            (true, true) => return Err(Error::BlobAndValues),
            (true, false) => Some(Format::Blob),
            (false, true) => Some(Format::Values),
            (false, false) if meta => None,
            (false, false) => {
                return Ok(Self {
                    meta: true,
                    data: Some(Format::Blob),
                });
            }
        };
        Ok(Self { meta, data })
    }
}
