//! Graphs written by hand: protobuf's wire format, field numbers of `graph.proto` and its kin.

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

/// `DataType`.
pub fn kind(dtype: DType) -> u64 {
    match dtype {
        DType::Float => 1,
        DType::Double => 2,
        DType::Int32 => 3,
        DType::UInt8 => 4,
        DType::Int16 => 5,
        DType::Int8 => 6,
        DType::String => 7,
        DType::Int64 => 9,
        DType::Bool => 10,
        DType::BFloat16 => 14,
        DType::UInt16 => 17,
        DType::Float16 => 19,
        DType::UInt32 => 22,
        DType::UInt64 => 23,
    }
}

/// An attribute, its value as an `AttrValue`.
pub type Attr = (&'static str, Vec<u8>);

/// The attribute that names a type.
pub fn of_type(name: &'static str, dtype: DType) -> Attr {
    (name, number(6, kind(dtype)))
}

/// A node.
pub fn node(name: &str, op: &str, inputs: &[&str], attrs: &[Attr]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| field(3, input.as_bytes()));
    let attrs = attrs.iter().flat_map(|(name, value)| {
        let entry = [field(1, name.as_bytes()), field(2, value)].concat();
        field(5, &entry)
    });
    let head = [field(1, name.as_bytes()), field(2, op.as_bytes())].concat();
    head.into_iter().chain(inputs).chain(attrs).collect()
}

/// A placeholder of any shape.
pub fn placeholder(name: &str, dtype: DType) -> Vec<u8> {
    let any = field(7, &number(3, 1));
    node(
        name,
        "Placeholder",
        &[],
        &[of_type("dtype", dtype), ("shape", any)],
    )
}

/// A constant; `control` is what must run before it.
pub fn constant(name: &str, dtype: DType, dims: &[u64], data: &[u8], control: &[&str]) -> Vec<u8> {
    let dims: Vec<u8> = dims
        .iter()
        .flat_map(|&dim| field(2, &number(1, dim)))
        .collect();
    let tensor = [number(1, kind(dtype)), field(2, &dims), field(4, data)].concat();
    let attrs = [of_type("dtype", dtype), ("value", field(8, &tensor))];
    node(name, "Const", control, &attrs)
}

/// A graph of these nodes.
pub fn graph(nodes: &[Vec<u8>]) -> Vec<u8> {
    let nodes = nodes.iter().flat_map(|node| field(1, node));
    nodes.chain(field(4, &number(1, 1087))).collect()
}

/// A loop that never ends: `x` goes round.
pub fn endless() -> Vec<u8> {
    let float = || of_type("T", DType::Float);
    let frame = ("frame_name", field(2, b"loop"));
    graph(&[
        placeholder("x", DType::Float),
        node("enter", "Enter", &["x"], &[float(), frame]),
        node(
            "merge",
            "Merge",
            &["enter", "next"],
            &[float(), ("N", number(3, 2))],
        ),
        constant("true", DType::Bool, &[], &[1], &["^merge"]),
        node("cond", "LoopCond", &["true"], &[]),
        node("switch", "Switch", &["merge", "cond"], &[float()]),
        node("next", "NextIteration", &["switch:1"], &[float()]),
        node("y", "Exit", &["switch"], &[float()]),
    ])
}
