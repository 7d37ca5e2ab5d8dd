//! How many parts a model has, counted before any of them is made.
//!
//! An empty node takes two bytes in a file, a hundred in our walk and thousands in ONNX Runtime, so a
//! file of some megabytes could take all of a machine's memory. Counting takes none.

use crate::error::{NO_PROTOBUF, PARTS};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use redisai_core::{BackendError, Status};

/// The most nodes of a model; large ones have some tens of thousands.
const NODES: u64 = 250_000;
/// The most parts in all: names, attributes, tensors, …
const PARTS_MOST: u64 = 4_000_000;
/// How deep messages may be nested: as deep as the decoder goes.
const DEPTH: u32 = 100;

/// Refuses a model of too many parts.
pub(crate) fn check(blob: &[u8]) -> Result<(), BackendError> {
    let mut count = Count::default();
    count
        .message(Message::Model, blob, 0)
        .ok_or_else(|| BackendError::new(Status::BadModel, NO_PROTOBUF))?;
    if count.nodes > NODES || count.parts > PARTS_MOST {
        return Err(BackendError::new(Status::BadModel, PARTS));
    }
    Ok(())
}

/// The messages in which others stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
    /// One without parts, or a name.
    Leaf,
}

impl Message {
    /// What a field holds; `None` for what the walk does not read. The same fields as in `proto`.
    fn field(self, tag: u32) -> Option<Self> {
        Some(match (self, tag) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Function, 7) | (Self::Graph, 1) => Self::Node,
            (Self::Function, 11) | (Self::Node, 5) => Self::Attribute,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 11 | 12) | (Self::Node, 1 | 2) | (Self::Tensor, 5 | 7 | 11 | 13) => {
                Self::Leaf
            }
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Count {
    nodes: u64,
    parts: u64,
}

impl Count {
    /// `None` where the bytes are no such message; the decoder says so too.
    fn message(&mut self, message: Message, mut bytes: &[u8], depth: u32) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        while !bytes.is_empty() {
            let (tag, wire) = decode_key(&mut bytes).ok()?;
            let inner = message
                .field(tag)
                .filter(|_| wire == WireType::LengthDelimited);
            let Some(inner) = inner else {
                skip_field(wire, tag, &mut bytes, DecodeContext::default()).ok()?;
                continue;
            };
            let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            let (own, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            self.parts += 1;
            self.nodes += u64::from(inner == Message::Node);
            if inner != Message::Leaf {
                self.message(inner, own, depth + 1)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        prost::encode_length_delimiter(bytes.len(), &mut out).unwrap();
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn empty_parts_are_counted() {
        let node = [0x0a, 0];
        let attribute = [0x2a, 0];
        let model = |nodes: usize| field(7, &node.repeat(nodes));
        assert_eq!(check(&model(NODES as usize)), Ok(()));
        assert_eq!(check(&model(NODES as usize + 1)).unwrap_err().text, PARTS);
        let many = field(7, &field(1, &attribute.repeat(PARTS_MOST as usize)));
        assert_eq!(check(&many).unwrap_err().text, PARTS);
        assert_eq!(check(b""), Ok(()));
    }

    #[test]
    fn what_is_no_protobuf_is_told() {
        for bytes in [
            &b"\x3a\x05\0"[..],
            b"\x3a",
            b"\x0f",
            b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(check(bytes).unwrap_err().text, NO_PROTOBUF, "{bytes:?}");
        }
    }
}
