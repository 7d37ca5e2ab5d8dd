//! ONNX models written by hand, where a file in `data/` would be one of hundreds: protobuf's wire
//! format, field numbers of `onnx.proto`.

use redisai_core::DType;

/// A field of bytes, a string or a message.
pub fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(number << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

/// A field of a number.
pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A node.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| field(1, name.as_bytes()));
    let outputs = outputs.iter().flat_map(|name| field(2, name.as_bytes()));
    inputs
        .chain(outputs)
        .chain(field(4, op.as_bytes()))
        .collect()
}

/// An input or output of unknown rank.
pub fn value(name: &str, dtype: DType) -> Vec<u8> {
    let kind = field(1, &number(1, element(dtype)));
    [field(1, name.as_bytes()), field(2, &kind)].concat()
}

/// An initializer.
pub fn initializer(name: &str, dtype: DType, dims: &[u64], data: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| number(1, dim));
    let rest = [
        number(2, element(dtype)),
        field(8, name.as_bytes()),
        field(9, data),
    ];
    dims.chain(rest.concat()).collect()
}

/// A model of these nodes, initializers, inputs and outputs.
pub fn model(
    nodes: &[Vec<u8>],
    initializers: &[Vec<u8>],
    inputs: &[Vec<u8>],
    outputs: &[Vec<u8>],
) -> Vec<u8> {
    let all = |number, parts: &[Vec<u8>]| -> Vec<u8> {
        parts.iter().flat_map(|part| field(number, part)).collect()
    };
    let graph = [
        all(1, nodes),
        field(2, b"g"),
        all(5, initializers),
        all(11, inputs),
        all(12, outputs),
    ]
    .concat();
    [number(1, 9), field(7, &graph), field(8, &number(2, 20))].concat()
}

/// `TensorProto.DataType`.
fn element(dtype: DType) -> u64 {
    match dtype {
        DType::Float => 1,
        DType::UInt8 => 2,
        DType::Int8 => 3,
        DType::UInt16 => 4,
        DType::Int16 => 5,
        DType::Int32 => 6,
        DType::Int64 => 7,
        DType::String => 8,
        DType::Bool => 9,
        DType::Float16 => 10,
        DType::Double => 11,
        DType::UInt32 => 12,
        DType::UInt64 => 13,
        DType::BFloat16 => 16,
    }
}
