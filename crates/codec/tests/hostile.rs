//! Payloads that are cut, damaged, too new, or lie on purpose: an error, in little memory.

mod memory;
mod saved;

use memory::stream::Stream;
use memory::{Counting, measured, with_cap};
use redisai_codec::{
    Error, Field, Fields, decode_model, decode_script, decode_tensor, encode_model,
};
use saved::samples::{KINDS, Kind, read, samples};
use saved::{SavedModel, SavedScript, SavedTensor, VERSIONS};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIES: [u64; 16] = [
    0,
    1,
    2,
    7,
    8,
    255,
    1 << 31,
    1 << 32,
    1 << 33,
    1 << 40,
    1 << 60,
    (1 << 60) - 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
    u64::MAX - (1 << 31),
];

/// Every sample of every type and version.
fn everything() -> impl Iterator<Item = (Kind, i32, Vec<Field>)> {
    KINDS.into_iter().flat_map(|kind| {
        VERSIONS.into_iter().flat_map(move |version| {
            samples(kind, version)
                .into_iter()
                .map(move |fields| (kind, version, fields))
        })
    })
}

fn attempt(kind: Kind, version: i32, fields: &Fields) -> Result<Fields, Error> {
    read(kind, version, &mut fields.reader())
}

#[test]
fn cut_behind_any_field() {
    let mut seen = 0;
    for (kind, version, fields) in everything() {
        for length in 0..fields.len() {
            let cut = Fields(fields[..length].to_vec());
            let error = attempt(kind, version, &cut).unwrap_err();
            assert_eq!(error, Error::Short, "{kind:?} {version} {length}");
            seen += 1;
        }
    }
    assert!(seen > 3000, "{seen}");
}

#[test]
fn a_field_of_the_other_kind() {
    for (kind, version, fields) in everything() {
        for place in 0..fields.len() {
            let mut fields = fields.clone();
            fields[place] = match &fields[place] {
                Field::Number(_) => Field::Bytes(b"7".to_vec()),
                Field::Bytes(_) => Field::Number(7),
            };
            let error = attempt(kind, version, &Fields(fields)).unwrap_err();
            assert_eq!(error, Error::Short, "{kind:?} {version} {place}");
        }
    }
}

#[test]
fn other_versions_are_refused_before_anything_is_read() {
    for (kind, _, fields) in everything() {
        for version in [-1, 5, 6, 1023, i32::MAX, i32::MIN] {
            let fields = Fields(fields.clone());
            let mut reader = fields.reader();
            let error = read(kind, version, &mut reader).unwrap_err();
            assert_eq!(error, Error::Version(version));
            assert_eq!(reader.rest(), fields.0);
            let newer = error.to_string().contains("newer");
            assert_eq!(newer, version > 4, "{error}");
        }
    }
}

/// Every number takes every lie: an error or a value, at most a little memory, all of it released.
#[test]
fn numbers_that_lie() {
    let (mut refused, mut taken) = (0, 0);
    for (kind, version, fields) in everything() {
        for place in 0..fields.len() {
            for lie in LIES {
                let Field::Number(_) = &fields[place] else {
                    break;
                };
                let mut lying = fields.clone();
                lying[place] = Field::Number(lie);
                let lying = Fields(lying);
                let (used, result) = measured(|| attempt(kind, version, &lying).is_ok());
                let at = format!("{kind:?} {version} field {place}: {lie}");
                assert!(used.peak < 64 << 10, "{at}: {} bytes at once", used.peak);
                assert_eq!(used.left, 0, "{at}: leaked");
                if result {
                    taken += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 10_000 && taken > 3_000, "{refused} {taken}");
}

fn damaged<T>(result: Result<T, Error>, what: &str) {
    match result.err() {
        Some(Error::Damaged(text)) => assert!(text.contains(what), "{text}"),
        other => panic!("{other:?} for {what}"),
    }
}

fn tensor(saved: &SavedTensor, version: i32) -> Result<redisai_core::Tensor, Error> {
    decode_tensor(&mut Fields(saved.fields(version)).reader(), version)
}

#[test]
fn tensors_that_are_unsafe() {
    for version in VERSIONS {
        let with = |change: &dyn Fn(&mut SavedTensor)| {
            let mut saved = SavedTensor::counting(2, 32, &[2]);
            change(&mut saved);
            tensor(&saved, version)
        };
        damaged(with(&|saved| saved.code = 9), "dtype");
        damaged(with(&|saved| saved.bits = 8), "dtype");
        damaged(with(&|saved| saved.blob.truncate(7)), "length");
        damaged(with(&|saved| saved.blob.push(0)), "length");
        damaged(with(&|saved| saved.dims = vec![-1]), "dimensions");
        damaged(with(&|saved| saved.dims = vec![0, -1]), "dimensions");
        let over = |saved: &mut SavedTensor| saved.dims = vec![i64::MAX];
        damaged(with(&over), "length");
    }
    let mut fields = SavedTensor::counting(2, 32, &[2]).fields(0);
    fields[5] = Field::Number(2);
    fields.splice(6..8, [1 << 40, 1 << 40, 1, 1].map(Field::Number));
    damaged(decode_tensor(&mut Fields(fields).reader(), 0), "dimensions");
    // RedisAI asserted that a tensor is the CPU's.
    let mut fields = SavedTensor::counting(2, 32, &[2]).fields(3);
    fields[0] = Field::Number(2);
    damaged(decode_tensor(&mut Fields(fields).reader(), 3), "device");
}

#[test]
fn strings_that_are_unsafe() {
    let with = |dims: &[i64], blob: &[u8], offsets: &[u64]| {
        let saved = SavedTensor {
            code: 7,
            bits: 8,
            dims: dims.to_vec(),
            blob: blob.to_vec(),
            offsets: offsets.to_vec(),
        };
        tensor(&saved, 4)
    };
    // Fewer elements than the shape has, more of them, an open end.
    damaged(with(&[3], b"a\0b\0", &[0, 2, 4]), "STRING");
    damaged(with(&[1], b"a\0b\0", &[2]), "STRING");
    damaged(with(&[2], b"a\0b", &[0, 2]), "STRING");
    damaged(with(&[i64::MAX], b"a\0", &[0]), "STRING");
}

#[test]
fn models_that_are_unsafe() {
    damaged(
        decode_model(&mut Fields(vec![Field::Number(4)]).reader(), 4),
        "backend",
    );
    for version in 1..=4 {
        let head = SavedModel::full(3).fields(version);
        let head = &head[..head.len() - 4];
        let with = |length: u64, count: u64, chunks: &[&[u8]]| {
            let mut fields = [head, &[length, count].map(Field::Number)].concat();
            fields.extend(chunks.iter().map(|chunk| Field::Bytes(chunk.to_vec())));
            decode_model(&mut Fields(fields).reader(), version)
        };
        assert!(with(2, 1, &[b"ab"]).is_ok());
        damaged(with(3, 1, &[b"ab"]), "chunks");
        damaged(with(1, 1, &[b"ab"]), "chunks");
        damaged(with(2, 0, &[]), "chunks");
        damaged(with(3, 2, &[b"ab", b"cd"]), "chunks");
        damaged(with(1 << 60, 1, &[b"ab"]), "chunks");
        assert_eq!(with(2, 1 << 60, &[b"ab"]).err(), Some(Error::Short));
    }
}

const BIG: usize = 1 << 20;

/// Every allocation of the size of the data is refused: an error, never an abort.
#[test]
fn refused_memory_is_an_error() {
    let mut chunked = SavedModel::full(3);
    (chunked.blob, chunked.chunk_size) = (vec![7; BIG], BIG / 2 + 1);
    let mut tagged = SavedModel::full(3);
    tagged.tag = vec![b't'; BIG];
    let mut placed = SavedModel::full(3);
    placed.device = vec![b'd'; BIG];
    let mut named = SavedModel::full(0);
    named.inputs = vec![Vec::new(); BIG / 16];
    let mut script = SavedScript::full();
    script.source = vec![b'#'; BIG];
    let mut bools = SavedTensor::counting(6, 8, &[BIG as i64]);
    bools.blob[3] = 2;
    let strings = SavedTensor {
        code: 7,
        bits: 8,
        dims: vec![BIG as i64 / 8],
        blob: vec![0; BIG / 8],
        offsets: (0..BIG as u64 / 8).collect(),
    };
    for version in VERSIONS {
        for saved in [&chunked, &tagged, &placed, &named] {
            if version == 0 && saved.chunk_size > 64 {
                continue; // version 0 knows no chunks
            }
            let mut stream = Stream::new(saved.fields(version));
            let result = with_cap(BIG / 2, || decode_model(&mut stream, version).err());
            assert_eq!(result, Some(Error::Memory), "{version}");
        }
        let mut stream = Stream::new(script.fields(version));
        let result = with_cap(BIG / 2, || decode_script(&mut stream, version).err());
        assert_eq!(result, Some(Error::Memory));
        let mut stream = Stream::new(bools.fields(version));
        let result = with_cap(BIG / 2, || decode_tensor(&mut stream, version).err());
        assert_eq!(result, Some(Error::Memory));
    }
    let mut stream = Stream::new(strings.fields(4));
    let result = with_cap(BIG / 2, || decode_tensor(&mut stream, 4).err());
    assert_eq!(result, Some(Error::Memory));
    assert!(Error::Memory.to_string().contains("memory"));
}

/// A blob in one piece is kept in the memory that it came in; one in chunks is copied once.
#[test]
fn blobs_are_not_copied_without_need() {
    let peak = |chunk_size| {
        let mut saved = SavedModel::full(3);
        (saved.blob, saved.chunk_size) = (vec![7; BIG], chunk_size);
        let mut stream = Stream::new(saved.fields(4));
        let (used, model) = measured(|| decode_model(&mut stream, 4).unwrap());
        let mut written = Fields::default();
        encode_model(&mut written, &model, chunk_size as u64);
        assert_eq!(written.0, saved.fields(4));
        usize::try_from(used.peak).unwrap()
    };
    assert!(peak(BIG + 1) < 4096);
    assert!(
        peak(BIG) < 4096,
        "the empty chunk behind it changes nothing"
    );
    // Each chunk goes as soon as it is copied; only the stream's own copy is left here.
    assert!(peak(BIG / 4) < BIG + 4096);
    let tensor = SavedTensor::counting(0, 8, &[BIG as i64]);
    let mut stream = Stream::new(tensor.fields(4));
    let (used, _tensor) = measured(|| decode_tensor(&mut stream, 4).unwrap());
    assert!(used.peak < 4096);
}
