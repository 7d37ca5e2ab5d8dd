//! Tensors that are made, and those that are refused.

use super::*;

fn shape(dims: &[i64]) -> Shape {
    Shape::new(dims).unwrap()
}

#[test]
fn numeric_lengths_are_exact() {
    let new = |dims: &[i64], len| {
        Tensor::new(DType::Float, shape(dims), Box::new(vec![0_u8; len])).map(|_| ())
    };
    assert_eq!(new(&[2, 2], 16), Ok(()));
    assert_eq!(new(&[], 4), Ok(()));
    assert_eq!(new(&[0], 0), Ok(()));
    assert_eq!(new(&[2, 2], 15), Err(TensorError::Length));
    assert_eq!(
        new(&[i64::MAX], 4),
        Err(TensorError::Shape(ShapeError::Overflow))
    );
}

#[test]
fn every_bool_byte_is_checked() {
    let new = |bytes: Vec<u8>| Tensor::new(DType::Bool, shape(&[2]), Box::new(bytes)).map(|_| ());
    assert_eq!(new(vec![0, 1]), Ok(()));
    assert_eq!(new(vec![0, 2]), Err(TensorError::Bool));
}

#[test]
fn strings_are_found_from_their_nuls() {
    let new = |dims: &[i64], bytes: &[u8]| {
        Tensor::new(DType::String, shape(dims), Box::new(bytes.to_vec()))
    };
    let tensor = new(&[3], b"a\0\0bc\0").unwrap();
    assert_eq!(
        tensor.strings().collect::<Vec<_>>(),
        [b"a" as &[u8], b"", b"bc"]
    );
    for (dims, bytes) in [
        (&[2][..], b"a\0b" as &[u8]),
        (&[2], b"a\0"),
        (&[1], b"a\0b\0"),
        (&[1 << 50], b"\0"),
    ] {
        assert_eq!(
            new(dims, bytes).unwrap_err(),
            TensorError::Strings,
            "{bytes:?}"
        );
    }
    assert_eq!(new(&[0], b"").unwrap().strings().count(), 0);
}

#[test]
fn offsets_allow_inner_nuls_and_nothing_else() {
    let tensor = Tensor::from_strings(shape(&[2]), &[b"a\0b", b""]).unwrap();
    assert!(tensor.has_inner_nul());
    assert_eq!(
        tensor.strings().collect::<Vec<_>>(),
        [b"a\0b" as &[u8], b""]
    );
    let with = |offsets: &[u64]| {
        Tensor::with_offsets(shape(&[2]), Box::new(b"a\0b\0".to_vec()), offsets.into()).map(|_| ())
    };
    assert_eq!(with(&[0, 2, 4]), Ok(()));
    for bad in [
        &[0, 2][..],
        &[0, 3, 4],
        &[0, 4, 4],
        &[2, 2, 4],
        &[0, 2, 5],
        &[0, 2, u64::MAX],
    ] {
        assert_eq!(with(bad), Err(TensorError::Offsets), "{bad:?}");
    }
}

#[test]
fn wrong_saved_offsets_are_found_again() {
    let saved = |bytes: &[u8], offsets: &[u64]| {
        Tensor::with_saved_offsets(shape(&[2]), Box::new(bytes.to_vec()), offsets.into())
    };
    let kept = saved(b"a\0b\0\0", &[0, 4, 5]).unwrap();
    assert_eq!(kept.strings().collect::<Vec<_>>(), [b"a\0b" as &[u8], b""]);
    let found = saved(b"a\0b\0", &[7, 9, 4]).unwrap();
    assert_eq!(found.strings().collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(saved(b"a\0", &[7, 9, 2]).unwrap_err(), TensorError::Strings);
}

#[test]
fn a_copy_is_equal_and_apart() {
    let tensor = Tensor::from_strings(shape(&[2]), &[b"a\0b", b"c"]).unwrap();
    let copy = tensor.copied().unwrap();
    assert_eq!(copy.strings().collect::<Vec<_>>(), [b"a\0b" as &[u8], b"c"]);
    assert_ne!(copy.bytes().as_ptr(), tensor.bytes().as_ptr());
    assert_eq!(
        (copy.dtype(), copy.shape()),
        (tensor.dtype(), tensor.shape())
    );
}

#[test]
fn zeros_are_zero() {
    for dtype in DType::all() {
        let tensor = Tensor::zeros(dtype, shape(&[2, 3])).unwrap();
        assert!(tensor.bytes().iter().all(|&byte| byte == 0), "{dtype:?}");
        assert_eq!(tensor.shape().elements(), 6);
    }
    assert_eq!(
        Tensor::zeros(DType::String, shape(&[2]))
            .unwrap()
            .strings()
            .count(),
        2
    );
}
