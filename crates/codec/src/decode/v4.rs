//! Version 4: RedisAI 1.2.5 and later, and this project.

use super::{chunks, names, numeric, shape, strings, text};
use crate::{Error, RdbRead};
use redisai_core::{BackendKind, Batch, DType, Device, ModelDef, Tensor};
use smallvec::SmallVec;

pub(super) fn tensor(input: &mut impl RdbRead) -> Result<Tensor, Error> {
    let code = input.unsigned()?;
    let bits = input.unsigned()?;
    let dtype = DType::from_code(code, bits).ok_or(Error::Damaged("dtype of a tensor"))?;
    let rank = input.signed()?;
    if rank < 0 {
        return Err(Error::Damaged("number of dimensions of a tensor"));
    }
    // Grows with what is really read: the rank may lie.
    let mut dims = SmallVec::<[i64; 8]>::new();
    for _ in 0..rank {
        dims.push(input.signed()?);
    }
    let shape = shape(&dims)?;
    let blob = input.bytes()?;
    if dtype != DType::String {
        return numeric(dtype, shape, blob);
    }
    // Each element takes a byte at least, so the blob bounds the offsets.
    if shape.elements() > blob.bytes().len() {
        return Err(Error::Damaged("elements of a STRING tensor"));
    }
    let mut offsets = Vec::new();
    for _ in 0..shape.elements() {
        offsets.push(input.unsigned()?);
    }
    strings(shape, blob, offsets)
}

pub(super) fn model(input: &mut impl RdbRead) -> Result<ModelDef, Error> {
    let backend =
        BackendKind::from_code(input.unsigned()?).ok_or(Error::Damaged("backend of a model"))?;
    let device = Device::lenient(&text(input)?);
    let tag = input.bytes()?.bytes().into();
    let batch = Batch {
        size: number(input)?,
        min_size: number(input)?,
        min_timeout_ms: number(input)?,
    };
    Ok(ModelDef {
        backend,
        device,
        tag,
        batch,
        inputs: names(input)?,
        outputs: names(input)?,
        blob: chunks(input)?,
    })
}

/// A number that a command could have set: none is above the largest signed one.
fn number(input: &mut impl RdbRead) -> Result<u64, Error> {
    Ok(input.unsigned()?.min(i64::MAX as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field::{self, Bytes, Number};
    use crate::{Fields, decode_model, decode_tensor};

    const HUGE: u64 = u64::MAX / 2;

    fn read(fields: &[Field]) -> Result<Tensor, Error> {
        decode_tensor(&mut Fields(fields.to_vec()).reader(), 4)
    }

    fn header(code: u64, bits: u64, dims: &[i64]) -> Vec<Field> {
        let rank = dims.len() as u64;
        [code, bits, rank]
            .into_iter()
            .chain(dims.iter().map(|dim| dim.cast_unsigned()))
            .map(Number)
            .collect()
    }

    fn bytes(text: &[u8]) -> Field {
        Bytes(text.to_vec())
    }

    #[test]
    fn other_versions_are_refused() {
        for version in [-1, 5, i32::MAX] {
            let tensor = decode_tensor(&mut Fields::default().reader(), version);
            assert_eq!(tensor.unwrap_err(), Error::Version(version));
            let model = decode_model(&mut Fields::default().reader(), version);
            assert_eq!(model.err(), Some(Error::Version(version)));
        }
        assert!(Error::Version(5).to_string().contains("newer"));
    }

    #[test]
    fn tensors_that_lie_are_refused() {
        let with = |code, bits, dims: &[i64], tail: &[Field]| {
            read(&[&header(code, bits, dims), tail].concat()).unwrap_err()
        };
        let damaged = |error| matches!(error, Error::Damaged(_));
        assert!(damaged(with(9, 32, &[1], &[bytes(b"abcd")])));
        assert!(damaged(with(2, 8, &[1], &[bytes(b"a")])));
        assert!(damaged(with(2, 32, &[2], &[bytes(b"abcd")])));
        assert!(damaged(with(2, 32, &[-1], &[bytes(b"")])));
        assert!(damaged(with(0, 8, &[i64::MAX, 2], &[bytes(b"a")])));
        assert!(damaged(with(0, 64, &[i64::MAX], &[bytes(b"a")])));
        assert!(damaged(with(7, 8, &[i64::MAX], &[bytes(b"a\0")])));
        assert!(damaged(with(7, 8, &[1], &[bytes(b"ab"), Number(0)])));
        let negative = read(&[Number(2), Number(32), Number(u64::MAX)]);
        assert!(damaged(negative.unwrap_err()));
        let rank = read(&[Number(2), Number(32), Number(HUGE), Number(1)]);
        assert_eq!(rank.unwrap_err(), Error::Short);
        assert_eq!(
            with(7, 8, &[2], &[bytes(b"a\0b\0"), Number(0)]),
            Error::Short
        );
        assert_eq!(with(2, 32, &[1], &[Number(0)]), Error::Short);
    }

    #[test]
    fn odd_tensors_are_mended() {
        let bools = [&header(6, 8, &[3])[..], &[bytes(b"\x00\x01\xff")]].concat();
        assert_eq!(read(&bools).unwrap().bytes(), [0, 1, 1]);
        // RedisAI's slices kept the offsets of the whole.
        let tail = [bytes(b"ab\0\0"), Number(7), Number(10)];
        let strings = read(&[&header(7, 8, &[2])[..], &tail].concat()).unwrap();
        assert_eq!(strings.strings().collect::<Vec<_>>(), [b"ab" as &[u8], b""]);
        let tail = [bytes(b"a\0b\0\0"), Number(0), Number(4)];
        let strings = read(&[&header(7, 8, &[2])[..], &tail].concat()).unwrap();
        assert_eq!(
            strings.strings().collect::<Vec<_>>(),
            [b"a\0b" as &[u8], b""]
        );
        let empty = read(&[&header(2, 32, &[0, 5])[..], &[bytes(b"")]].concat()).unwrap();
        assert_eq!(empty.shape().dims(), [0, 5]);
    }

    fn model(length: u64, count: u64, chunks: &[&[u8]]) -> Result<ModelDef, Error> {
        let head = [
            Number(3),
            bytes(b"cpuxyz\0"),
            bytes(b"t\0g"),
            Number(1),
            Number(u64::MAX),
            Number(0),
            Number(1),
            bytes(b"x\0"),
            Number(1),
            bytes(b"no NUL"),
            Number(length),
            Number(count),
        ];
        let chunks = chunks.iter().map(|chunk| bytes(chunk));
        decode_model(
            &mut Fields(head.into_iter().chain(chunks).collect()).reader(),
            4,
        )
    }

    #[test]
    fn models_keep_what_is_odd() {
        let model = model(2, 3, &[b"", b"ab", b""]).unwrap();
        assert_eq!(model.device.text(), b"cpuxyz");
        assert_eq!(&*model.tag, b"t\0g");
        assert_eq!(model.batch.min_size, i64::MAX as u64);
        assert_eq!(
            (&*model.inputs[0], &*model.outputs[0]),
            (b"x" as &[u8], b"no NUL" as &[u8])
        );
        assert_eq!(model.blob.bytes(), b"ab");
    }

    #[test]
    fn models_that_lie_are_refused() {
        for (length, count, chunks, error) in [
            (3, 1, &[b"ab" as &[u8]][..], "chunks"),
            (1, 1, &[b"ab"], "chunks"),
            (HUGE, 1, &[b"ab"], "chunks"),
            (2, HUGE, &[b"ab"], "too early"),
            (2, 0, &[], "chunks"),
        ] {
            let got = model(length, count, chunks).err().unwrap().to_string();
            assert!(got.contains(error), "{length} {count}: {got}");
        }
        let names = [
            Number(0),
            bytes(b"CPU\0"),
            bytes(b""),
            Number(0),
            Number(0),
            Number(0),
            Number(HUGE),
        ];
        let names = decode_model(&mut Fields(names.to_vec()).reader(), 4);
        assert_eq!(names.err(), Some(Error::Short));
        let backend = decode_model(&mut Fields(vec![Number(4)]).reader(), 4);
        assert!(matches!(backend.err(), Some(Error::Damaged(_))));
    }
}
