//! Writes payloads of every encoding version as RedisAI did, in memory.
//!
//! Written from the tables of the contract (2.1 and 2.3) before any decoder of versions 0 to 3 was
//! there, and on purpose with no use of the codec's own encoder, dtypes or definitions: what reads
//! these payloads must have understood the tables too. No file of versions 0 to 3 made by RedisAI
//! itself exists here, so for them this is all the evidence that there is; version 4 is tested
//! against real ones as well.

#![allow(dead_code, reason = "each test file uses another part")]

pub(crate) mod samples;

use redisai_codec::Field;

/// All encoding versions.
pub(crate) const VERSIONS: [i32; 5] = [0, 1, 2, 3, 4];

/// Name, code, bits: RedisAI's ten dtypes.
pub(crate) const DTYPES: [(&str, u64, u64); 10] = [
    ("FLOAT", 2, 32),
    ("DOUBLE", 2, 64),
    ("INT8", 0, 8),
    ("INT16", 0, 16),
    ("INT32", 0, 32),
    ("INT64", 0, 64),
    ("UINT8", 1, 8),
    ("UINT16", 1, 16),
    ("BOOL", 6, 8),
    ("STRING", 7, 8),
];

/// The framework of each saved number.
pub(crate) const BACKENDS: [(u64, &str); 4] = [(0, "TF"), (1, "TFLITE"), (2, "TORCH"), (3, "ONNX")];

/// A string whose terminating NUL is part of what is saved.
fn c_string(text: &[u8]) -> Field {
    let mut saved = text.to_vec();
    saved.push(0);
    Field::Bytes(saved)
}

fn unsigned(value: u64) -> Field {
    Field::Number(value)
}

/// A signed number and an unsigned one are the same kind of field, so this is its wrap.
fn signed(value: i64) -> Field {
    Field::Number(value as u64)
}

fn buffer(value: &[u8]) -> Field {
    Field::Bytes(value.to_vec())
}

/// A tensor as RedisAI held it.
#[derive(Clone, Debug)]
pub(crate) struct SavedTensor {
    pub(crate) code: u64,
    pub(crate) bits: u64,
    pub(crate) dims: Vec<i64>,
    pub(crate) blob: Vec<u8>,
    /// Where each element of a STRING starts; empty for the others.
    pub(crate) offsets: Vec<u64>,
}

impl SavedTensor {
    /// A tensor whose bytes count up from 1 (BOOL: ones), with strings of 0, 1, 2, … bytes.
    pub(crate) fn counting(code: u64, bits: u64, dims: &[i64]) -> Self {
        let elements: i64 = dims.iter().product();
        let mut blob = Vec::new();
        let mut offsets = Vec::new();
        match code {
            6 => blob.resize(elements as usize, 1),
            7 => {
                for length in 0..elements {
                    offsets.push(blob.len() as u64);
                    blob.extend((0..length).map(|_| b'x'));
                    blob.push(0);
                }
            }
            _ => blob.extend((1..=elements as u64 * bits / 8).map(|byte| byte as u8)),
        }
        Self {
            code,
            bits,
            dims: dims.to_vec(),
            blob,
            offsets,
        }
    }

    /// The strides that a row-major tensor has, in elements.
    fn strides(&self) -> Vec<i64> {
        let mut strides = vec![1; self.dims.len()];
        for at in (1..self.dims.len()).rev() {
            strides[at - 1] = strides[at] * self.dims[at];
        }
        strides
    }

    /// Its fields in this encoding version.
    pub(crate) fn fields(&self, version: i32) -> Vec<Field> {
        if version == 4 {
            self.fields_v4()
        } else {
            self.fields_before_v4()
        }
    }

    fn fields_before_v4(&self) -> Vec<Field> {
        assert_ne!(self.code, 7, "versions before 4 cannot hold a STRING");
        let mut fields = vec![
            unsigned(1),        // device type: CPU
            unsigned(u64::MAX), // device id: -1, wrapped
            unsigned(self.bits),
            unsigned(self.code),
            unsigned(1), // lanes
            unsigned(self.dims.len() as u64),
        ];
        fields.extend(self.dims.iter().map(|&dim| unsigned(dim as u64)));
        fields.extend(self.strides().iter().map(|&stride| unsigned(stride as u64)));
        fields.push(unsigned(0)); // byte offset
        fields.push(buffer(&self.blob));
        fields
    }

    fn fields_v4(&self) -> Vec<Field> {
        let mut fields = vec![
            unsigned(self.code),
            unsigned(self.bits),
            signed(self.dims.len() as i64),
        ];
        fields.extend(self.dims.iter().map(|&dim| signed(dim)));
        fields.push(buffer(&self.blob));
        if self.code == 7 {
            fields.extend(self.offsets.iter().map(|&offset| unsigned(offset)));
        }
        fields
    }
}

/// A model as RedisAI held it.
#[derive(Clone, Debug)]
pub(crate) struct SavedModel {
    pub(crate) backend: u64,
    pub(crate) device: Vec<u8>,
    pub(crate) tag: Vec<u8>,
    pub(crate) batch_size: u64,
    pub(crate) min_batch_size: u64,
    /// Not saved before version 2.
    pub(crate) min_batch_timeout: u64,
    pub(crate) inputs: Vec<Vec<u8>>,
    pub(crate) outputs: Vec<Vec<u8>>,
    pub(crate) blob: Vec<u8>,
    /// `MODEL_CHUNK_SIZE` while it was saved; version 0 had none.
    pub(crate) chunk_size: usize,
}

impl SavedModel {
    /// A model with every option given.
    pub(crate) fn full(backend: u64) -> Self {
        Self {
            backend,
            device: b"CPU".to_vec(),
            tag: b"v1.3".to_vec(),
            batch_size: 8,
            min_batch_size: 3,
            min_batch_timeout: 250,
            inputs: vec![b"a".to_vec(), b"b".to_vec()],
            outputs: vec![b"mul".to_vec()],
            blob: (0..100).collect(),
            chunk_size: 64,
        }
    }

    /// Its fields in this encoding version.
    pub(crate) fn fields(&self, version: i32) -> Vec<Field> {
        let mut fields = vec![unsigned(self.backend), c_string(&self.device)];
        fields.push(match version {
            0 => c_string(&self.tag),
            _ => buffer(&self.tag),
        });
        fields.push(unsigned(self.batch_size));
        fields.push(unsigned(self.min_batch_size));
        if version >= 2 {
            fields.push(unsigned(self.min_batch_timeout));
        }
        for names in [&self.inputs, &self.outputs] {
            fields.push(unsigned(names.len() as u64));
            fields.extend(names.iter().map(|name| c_string(name)));
        }
        if version == 0 {
            fields.push(buffer(&self.blob));
        } else {
            self.chunks(&mut fields);
        }
        fields
    }

    /// One chunk more than there are whole ones, so the last may be empty.
    fn chunks(&self, fields: &mut Vec<Field>) {
        let count = self.blob.len() / self.chunk_size + 1;
        fields.push(unsigned(self.blob.len() as u64));
        fields.push(unsigned(count as u64));
        for chunk in 0..count {
            let start = chunk * self.chunk_size;
            let end = self.blob.len().min(start + self.chunk_size);
            fields.push(buffer(&self.blob[start..end]));
        }
    }
}

/// A script as RedisAI held it.
#[derive(Clone, Debug)]
pub(crate) struct SavedScript {
    pub(crate) device: Vec<u8>,
    pub(crate) tag: Vec<u8>,
    pub(crate) source: Vec<u8>,
    /// Not saved before version 3.
    pub(crate) entry_points: Vec<Vec<u8>>,
}

impl SavedScript {
    /// A script with every option given.
    pub(crate) fn full() -> Self {
        Self {
            device: b"CPU".to_vec(),
            tag: b"v2".to_vec(),
            source: b"def f(tensors: List[Tensor], keys: List[str], args: List[str]):\n    return tensors[0]\n"
                .to_vec(),
            entry_points: vec![b"f".to_vec(), b"g".to_vec()],
        }
    }

    /// Its fields in this encoding version.
    pub(crate) fn fields(&self, version: i32) -> Vec<Field> {
        let mut fields = vec![
            c_string(&self.device),
            match version {
                0 => c_string(&self.tag),
                _ => buffer(&self.tag),
            },
            c_string(&self.source),
        ];
        if version >= 3 {
            fields.push(unsigned(self.entry_points.len() as u64));
            fields.extend(self.entry_points.iter().map(|name| c_string(name)));
        }
        fields
    }
}
