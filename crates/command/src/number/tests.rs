//! The grammar of numbers, and rounding.

use super::*;
use proptest::prelude::*;

/// What Redis 6.2.14, 8.2.3 and Valkey 8.1.8 read with the same functions (`ZADD`, `INCRBY`).
const DOUBLES: &[(&str, f64)] = &[
    ("0", 0.0),
    ("+1", 1.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("007", 7.0),
    ("1E+5", 1e5),
    ("1e-5", 1e-5),
    ("0e999", 0.0),
    ("inf", f64::INFINITY),
    ("-INF", f64::NEG_INFINITY),
    ("+Infinity", f64::INFINITY),
    ("5e-324", f64::from_bits(1)),
    ("3e-324", f64::from_bits(1)),
    ("2.4703282292062328e-324", f64::from_bits(1)),
    ("9007199254740993", 9_007_199_254_740_992.0),
    ("0x10", 16.0),
    ("0X1P4", 16.0),
    ("0x.8", 0.5),
    ("0x1.", 1.0),
    ("-0x1p-3", -0.125),
    ("0x1p+3", 8.0),
    ("0x1p-1074", f64::from_bits(1)),
    ("0x1.8p-1075", f64::from_bits(1)),
    ("0x0.000000000000081p-1022", f64::from_bits(1)),
    ("0x0.00000000000018p-1022", f64::from_bits(2)),
    ("0x0.8p-1022", f64::MIN_POSITIVE / 2.0),
    ("0x1p-1022", f64::MIN_POSITIVE),
    ("0x1.fffffffffffff7p1023", f64::MAX),
    ("0x1.00000000000008p0", 1.0),
    ("0x1.000000000000081p0", 1.0 + f64::EPSILON),
    ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
    (
        "0x123456789abcdef0123456789",
        f64::from_bits(0x45f2_3456_789a_bcdf),
    ),
    ("0x0p99999999999999999999", 0.0),
    // Halfway, and one more in the last of 64 bits: up.
    ("0x8000000000000401", 9_223_372_036_854_777_856.0),
    // The same behind the 64 bits that are kept, and exactly halfway.
    ("0x80000000000004001", 147_573_952_589_676_445_696.0),
    ("0x80000000000004000", 147_573_952_589_676_412_928.0),
];

const NO_DOUBLES: &[&str] = &[
    "",
    ".",
    "+",
    "-",
    "1e",
    "e5",
    "1e+",
    "1e5e",
    "infinit",
    "infx",
    "inf ",
    "nan",
    "-nan",
    "nan(1)",
    " 1",
    "1 ",
    "\n1",
    "1\n",
    "1\0",
    "1e400",
    "-1e400",
    "1e-400",
    "2e-324",
    "2.4703282292062327e-324",
    "1_000",
    "1,5",
    "1f",
    "++1",
    "+-1",
    "- 1",
    "0b1",
    "0x",
    "0x.",
    "0xg",
    "0x1p",
    "0x1p 3",
    "0x1.8.1",
    "0x1p1024",
    "0x1p-1075",
    "0x1p-1076",
    "0x1.fffffffffffff8p1023",
    "0x0.00000000000008p-1022",
    "0x1p99999999999999999999",
    "0x1p-99999999999999999999",
    "１",
];

#[test]
fn doubles_are_read_as_the_server_reads_them() {
    for &(text, value) in DOUBLES {
        assert_eq!(
            double(text.as_bytes()).map(f64::to_bits),
            Some(value.to_bits()),
            "{text}"
        );
    }
    for text in NO_DOUBLES {
        assert_eq!(double(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(double(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    assert_eq!(double(b"\xff"), None);
}

#[test]
fn integers_are_read_as_the_server_reads_them() {
    for value in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(integer(value.to_string().as_bytes()), Some(value));
    }
    for text in [
        "",
        "-",
        "+1",
        "-0",
        "00",
        "01",
        "-01",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "1e3",
        "1\0",
        "１",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
    ] {
        assert_eq!(integer(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(natural(b"18446744073709551615"), Some(u64::MAX));
    for text in ["18446744073709551616", "-1", "-0", "01", ""] {
        assert_eq!(natural(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn counts_may_be_doubles_without_a_fraction() {
    for (text, value) in [
        ("0", 0),
        ("3", 3),
        ("3.0", 3),
        ("0.0", 0),
        ("1e3", 1000),
        ("0x10", 16),
    ] {
        assert_eq!(count(text.as_bytes()), Some(value), "{text}");
    }
    assert_eq!(count(b"9223372036854775807"), Some(i64::MAX as u64));
    for text in [
        "-1",
        "-1.0",
        "3.5",
        "inf",
        "nan",
        "",
        "9223372036854775808",
        "1e19",
    ] {
        assert_eq!(count(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn short_floats_are_rounded_once() {
    // Halfway between two values, plus far too little for a float32 to see: up, not to even.
    let above = 2.0_f64.powi(-40);
    assert_eq!(to_f16(1.0 + 2.0_f64.powi(-11)).to_bits(), 0x3c00);
    assert_eq!(to_f16(1.0 + 2.0_f64.powi(-11) + above).to_bits(), 0x3c01);
    assert_eq!(to_bf16(1.0 + 2.0_f64.powi(-8)).to_bits(), 0x3f80);
    assert_eq!(to_bf16(1.0 + 2.0_f64.powi(-8) + above).to_bits(), 0x3f81);
    // The smallest denormals, half of them, and more than the largest.
    let tiny = 2.0_f64.powi(-24);
    assert_eq!(to_f16(tiny).to_bits(), 1);
    assert_eq!(to_f16(tiny / 2.0).to_bits(), 0);
    assert_eq!(to_f16(-tiny * 0.500_000_000_1).to_bits(), 0x8001);
    assert_eq!(to_f16(65519.99).to_bits(), 0x7bff);
    assert_eq!(to_f16(65520.0).to_bits(), 0x7c00);
    assert_eq!(to_bf16(1e39).to_bits(), 0x7f80);
    assert_eq!(to_bf16(1e-60).to_bits(), 0);
}

proptest! {
    #[test]
    fn what_rust_writes_is_read_back(value in any::<f64>().prop_filter("number", |v| !v.is_nan())) {
        prop_assert_eq!(double(format!("{value:?}").as_bytes()), Some(value));
    }

    #[test]
    fn hex_floats_are_what_their_digits_say(mantissa in 1_u64..1 << 53, exponent in -1074_i32..971) {
        // At most 53 bits and no denormal cut off: exact, so the product is too.
        let value = mantissa as f64 * 2.0_f64.powi(exponent.max(-1000)) * 2.0_f64.powi(exponent - exponent.max(-1000));
        prop_assert_eq!(double(format!("0x{mantissa:x}p{exponent}").as_bytes()), Some(value));
        let pointed = format!("0x{:x}.{:08x}p{}", mantissa >> 32, mantissa as u32, exponent + 32);
        prop_assert_eq!(double(pointed.as_bytes()), Some(value));
    }

    /// Around the middle of two neighbours, nearer to it than a float32 can say.
    #[test]
    fn half_precision_is_nearest(bits in 0_u16..0x7bff, tiny in 30_i32..40, negative: bool) {
        let [low, high] = [bits, bits + 1].map(|bits| f64::from(f16::from_bits(bits)));
        let middle = f64::midpoint(low, high);
        let off = (high - low) * 2.0_f64.powi(-tiny);
        let sign = if negative { -1.0 } else { 1.0 };
        let even = if bits & 1 == 0 { low } else { high };
        for (value, expected) in [(middle - off, low), (middle, even), (middle + off, high)] {
            let rounded = f64::from(to_f16(sign * value));
            prop_assert_eq!(rounded.to_bits(), (sign * expected).to_bits());
        }
    }

    #[test]
    fn bfloat_is_nearest(bits in 0_u16..0x7f7f, tiny in 30_i32..40) {
        let [low, high] = [bits, bits + 1].map(|bits| f64::from(bf16::from_bits(bits)));
        let middle = f64::midpoint(low, high);
        let off = (high - low) * 2.0_f64.powi(-tiny);
        let even = if bits & 1 == 0 { low } else { high };
        for (value, expected) in [(middle - off, low), (middle, even), (middle + off, high)] {
            prop_assert_eq!(f64::from(to_bf16(value)).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn nothing_panics(text in prop::collection::vec(any::<u8>(), 0..40), hex in "0x[0-9a-fp.+-]{0,40}") {
        double(&text);
        integer(&text);
        count(&text);
        double(hex.as_bytes());
    }
}
