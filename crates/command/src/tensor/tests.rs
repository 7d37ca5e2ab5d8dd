//! The error tables and forms of `AI.TENSORSET` and `AI.TENSORGET`.

use super::*;
use crate::testing::{argv, refused};
use proptest::prelude::*;

const CAP: u64 = 1000;

fn set(argv: &[&[u8]], limits: Limits) -> Result<Tensor, Error> {
    let parsed = TensorSet::parse(argv, &limits)?;
    parsed.into_tensor(&limits, |index| Box::new(argv[index].to_vec()))
}

fn client(argv: &[&[u8]]) -> Result<Tensor, Error> {
    set(argv, Limits::client(CAP))
}

fn stream(argv: &[&[u8]]) -> Result<Tensor, Error> {
    set(argv, Limits::stream())
}

#[test]
fn tensorset_refuses_in_the_order_of_the_contract() {
    let arity = Error::Arity("AI.TENSORSET");
    refused(
        client,
        &[
            ("AI.TENSORSET", arity.clone()),
            ("AI.TENSORSET k FLOAT", arity),
            ("AI.TENSORSET k FLOAT3 x BLOB", Error::InvalidDType),
            ("AI.TENSORSET k FLOAT x BLOB", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT 0 BLOB", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT -1", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT 1.0", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT 2 BYTES a b", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT 2 VALUE 1 2", Error::InvalidShape),
            ("AI.TENSORSET k FLOAT 2 BLOB", Error::BlobCount),
            ("AI.TENSORSET k FLOAT 2 BLOB a b", Error::BlobCount),
            ("AI.TENSORSET k FLOAT 2 VALUES 1", Error::ValuesCount),
            ("AI.TENSORSET k FLOAT 2 VALUES 1 x 3", Error::ValuesCount),
            ("AI.TENSORSET k FLOAT VALUES", Error::ValuesCount),
            ("AI.TENSORSET k STRING 2 BYTES a", Error::ValuesCount),
            ("AI.TENSORSET k FLOAT 2 BLOB 1234567", Error::DataLength),
            ("AI.TENSORSET k FLOAT BLOB 123", Error::DataLength),
            ("AI.TENSORSET k BOOL 1 BLOB 12", Error::DataLength),
            ("AI.TENSORSET k BOOL 2 BLOB \x01\x02", Error::BoolElement),
            ("AI.TENSORSET k BOOL 2 BLOB \x02\x00", Error::BoolElement),
            ("AI.TENSORSET k STRING 2 BLOB a\0b", Error::StringCount),
            ("AI.TENSORSET k STRING 2 BLOB a\0", Error::StringCount),
            ("AI.TENSORSET k STRING 1 BLOB ''", Error::StringCount),
            ("AI.TENSORSET k STRING 1 VALUES a\0b", Error::InnerNul),
            ("AI.TENSORSET k STRING 1 VALUES a\0\0", Error::InnerNul),
        ],
    );
}

#[test]
fn values_are_checked_against_their_dtype() {
    let invalid: Vec<String> = [
        "FLOAT x",
        "FLOAT nan",
        "FLOAT ''",
        "FLOAT 1e400",
        "DOUBLE 1e400",
        "FLOAT16 x",
        "INT8 128",
        "INT8 -129",
        "INT8 1.0",
        "INT8 +1",
        "INT16 32768",
        "INT32 2147483648",
        "UINT8 256",
        "UINT8 -1",
        "UINT16 65536",
        "UINT32 4294967296",
        "UINT32 -1",
        "UINT64 -1",
        "UINT64 18446744073709551616",
        "INT64 9223372036854775808",
        "BOOL 2",
        "BOOL -1",
        "BOOL true",
    ]
    .iter()
    .map(|case| case.replace(' ', " 1 VALUES "))
    .collect();
    for case in &invalid {
        let line = format!("AI.TENSORSET k {case}");
        assert_eq!(
            client(&argv(&line)).unwrap_err(),
            Error::InvalidValue,
            "{line}"
        );
    }
}

fn read(tensor: &Tensor) -> Vec<Value<'_>> {
    values(tensor).collect()
}

#[test]
fn values_of_every_dtype_come_back() {
    use Value::{Double, Integer, Large};
    let one = |line: &str| {
        let line = format!("ai.tensorset k {line}");
        let tensor = client(&argv(&line)).unwrap();
        match read(&tensor)[..] {
            [Value::String(_)] | [] => panic!("{line}"),
            [Double(value)] => Double(value),
            [value] => match value {
                Integer(value) => Integer(value),
                Large(value) => Large(value),
                _ => panic!("{line}"),
            },
            _ => panic!("{line}"),
        }
    };
    for (line, value) in [
        ("float values 0.1", Double(f64::from(0.1_f32))),
        ("FLOAT VALUES 1e39", Double(f64::INFINITY)),
        ("FLOAT VALUES -inf", Double(f64::NEG_INFINITY)),
        ("DOUBLE VALUES 0x1p-1", Double(0.5)),
        ("FLOAT16 VALUES 0.333251953125", Double(0.333_251_953_125)),
        ("FLOAT16 VALUES 1e9", Double(f64::INFINITY)),
        ("BFLOAT16 VALUES 3.140625", Double(3.140_625)),
        ("INT8 VALUES -128", Integer(-128)),
        ("INT16 VALUES -32768", Integer(-32768)),
        ("INT32 VALUES -2147483648", Integer(-2_147_483_648)),
        ("INT64 VALUES -9223372036854775808", Integer(i64::MIN)),
        ("INT64 VALUES 9223372036854775807", Integer(i64::MAX)),
        ("UINT8 VALUES 255", Integer(255)),
        ("UINT16 VALUES 65535", Integer(65535)),
        ("UINT32 VALUES 4294967295", Integer(4_294_967_295)),
        ("UINT64 VALUES 9223372036854775807", Integer(i64::MAX)),
        ("UINT64 VALUES 18446744073709551615", Large(u64::MAX)),
        ("BOOL VALUES 1", Integer(1)),
    ] {
        assert_eq!(one(line), value, "{line}");
    }
}

#[test]
fn strings_come_in_three_forms() {
    let strings = |line: &str| {
        let tensor = client(&argv(line)).unwrap();
        tensor.strings().map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let expected = [b"a".to_vec(), b"".to_vec()];
    assert_eq!(strings("AI.TENSORSET k STRING 2 VALUES a ''"), expected);
    assert_eq!(strings("AI.TENSORSET k STRING 2 VALUES a\0 \0"), expected);
    assert_eq!(strings("AI.TENSORSET k STRING 2 BLOB a\0\0"), expected);
    assert_eq!(strings("AI.TENSORSET k string 2 bytes a ''"), expected);
    assert_eq!(
        strings("AI.TENSORSET k STRING 2 BYTES a\0b \0"),
        [b"a\0b", b"\0" as &[u8]]
    );
    assert_eq!(strings("AI.TENSORSET k STRING 2"), [b"", b""]);
}

#[test]
fn shapes_and_blobs() {
    let tensor = client(&argv("AI.TENSORSET k INT8 2 3 BLOB abcdef")).unwrap();
    assert_eq!(tensor.shape().dims(), [2, 3]);
    assert_eq!(tensor.bytes(), b"abcdef");
    let scalar = client(&argv("AI.TENSORSET k DOUBLE VALUES 2")).unwrap();
    assert_eq!(scalar.shape().rank(), 0);
    assert_eq!(scalar.bytes(), 2.0_f64.to_ne_bytes());
    let zeros = client(&argv("AI.TENSORSET k UINT32 2 2")).unwrap();
    assert_eq!(zeros.bytes(), [0; 16]);
    let held = argv("AI.TENSORSET k INT8 1 BLOB x");
    let parsed = TensorSet::parse(&held, &Limits::client(CAP)).unwrap();
    assert_eq!(parsed.blob(), Some(5));
}

#[test]
fn sizes_are_capped_before_anything_is_allocated() {
    let large = Error::TensorTooLarge { limit: CAP };
    refused(
        client,
        &[
            ("AI.TENSORSET k INT8 1001", large.clone()),
            ("AI.TENSORSET k FLOAT 251", large.clone()),
            ("AI.TENSORSET k STRING 112", large.clone()),
            ("AI.TENSORSET k INT8 9223372036854775807", large.clone()),
            ("AI.TENSORSET k INT64 4611686018427387904", large.clone()),
            ("AI.TENSORSET k INT8 4294967296 4294967296 4", large),
            // What does not fit keeps the contract's words where there is data.
            (
                "AI.TENSORSET k INT8 4294967296 4294967296 BLOB a",
                Error::DataLength,
            ),
            (
                "AI.TENSORSET k INT64 9223372036854775807 BLOB a",
                Error::DataLength,
            ),
            (
                "AI.TENSORSET k STRING 4294967296 4294967296 BLOB a\0",
                Error::StringCount,
            ),
            (
                "AI.TENSORSET k STRING 9223372036854775807 BLOB a\0",
                Error::StringCount,
            ),
            (
                "AI.TENSORSET k INT8 4294967296 4294967296 VALUES 1",
                Error::ValuesCount,
            ),
        ],
    );
    assert!(client(&argv("AI.TENSORSET k INT8 1000")).is_ok());
    assert!(client(&argv("AI.TENSORSET k STRING 111")).is_ok());
    let blob = "x".repeat(1001);
    let line = format!("AI.TENSORSET k INT8 1001 BLOB {blob}");
    assert_eq!(
        client(&argv(&line)).unwrap_err(),
        Error::TensorTooLarge { limit: CAP }
    );
    assert!(stream(&argv(&line)).is_ok());
    assert!(matches!(
        stream(&argv("AI.TENSORSET k INT8 9223372036854775807")).unwrap_err(),
        Error::TensorTooLarge { .. }
    ));
}

#[test]
fn a_stream_may_hold_what_redisai_wrote() {
    let bools = stream(&argv("AI.TENSORSET k BOOL 3 BLOB \x00\x01\x02")).unwrap();
    assert_eq!(bools.bytes(), [0, 1, 1]);
    let empty = stream(&argv("AI.TENSORSET k FLOAT 0 3 BLOB ''")).unwrap();
    assert_eq!(empty.shape().dims(), [0, 3]);
    let none = stream(&argv("AI.TENSORSET k STRING 0 BLOB ''")).unwrap();
    assert_eq!(none.strings().count(), 0);
    assert_eq!(
        stream(&argv("AI.TENSORSET k FLOAT -1")).unwrap_err(),
        Error::InvalidShape
    );
}

#[test]
fn tensorget_options() {
    let arity = Error::Arity("AI.TENSORGET");
    refused(
        TensorGet::parse,
        &[
            ("AI.TENSORGET", arity.clone()),
            ("AI.TENSORGET k META BLOB VALUES", arity),
            ("AI.TENSORGET k BLOB VALUES", Error::BlobAndValues),
            ("AI.TENSORGET k VALUES BLOB", Error::BlobAndValues),
            ("AI.TENSORGET k BLOB x", Error::UnsupportedFormat),
            ("AI.TENSORGET k ''", Error::UnsupportedFormat),
        ],
    );
    for (line, meta, data) in [
        ("AI.TENSORGET k", true, Some(Format::Blob)),
        ("AI.TENSORGET k meta", true, None),
        ("AI.TENSORGET k META BLOB", true, Some(Format::Blob)),
        ("AI.TENSORGET k values META", true, Some(Format::Values)),
        ("AI.TENSORGET k BLOB", false, Some(Format::Blob)),
        ("AI.TENSORGET k VALUES", false, Some(Format::Values)),
    ] {
        assert_eq!(
            TensorGet::parse(&argv(line)),
            Ok(TensorGet { meta, data }),
            "{line}"
        );
    }
}

proptest! {
    #[test]
    fn any_argv_is_an_answer(
        words in prop::collection::vec(
            prop_oneof![
                Just(b"BLOB".to_vec()), Just(b"VALUES".to_vec()), Just(b"BYTES".to_vec()),
                Just(b"STRING".to_vec()), Just(b"BOOL".to_vec()), Just(b"INT64".to_vec()),
                Just(b"2".to_vec()), Just(b"0".to_vec()), Just(b"9223372036854775807".to_vec()),
                prop::collection::vec(any::<u8>(), 0..5),
            ],
            0..9,
        ),
        from_stream: bool,
    ) {
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let limits = Limits { max_tensor_bytes: CAP, from_stream };
        if let Ok(tensor) = set(&argv, limits) {
            prop_assert_eq!(values(&tensor).count(), tensor.shape().elements());
        }
        let _ = TensorGet::parse(&argv);
    }
}
