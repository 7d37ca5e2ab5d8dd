//! Numbers in arguments, read as the server's own functions read them.
//!
//! The grammar is that of `RM_StringToLongLong` and `RM_StringToDouble` of Redis 6.2 and 7.0 (C
//! locale). Servers differ among themselves on rare texts (some newer ones refuse hex floats); we
//! do not: a command means the same on every server.

use half::{bf16, f16};
use std::cmp::Ordering;

/// A signed integer: an optional `-` and digits without leading zeros; no `+`, no blanks, no `-0`.
pub fn integer(text: &[u8]) -> Option<i64> {
    match text.split_first()? {
        (b'-', digits) => {
            let magnitude = natural(digits).filter(|&magnitude| magnitude != 0)?;
            0_i64.checked_sub_unsigned(magnitude)
        }
        _ => natural(text)?.try_into().ok(),
    }
}

/// An unsigned integer up to 2^64 − 1: digits without leading zeros.
pub fn natural(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    if first == b'0' && !rest.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A count option (`BATCHSIZE`, `input_count` of a store, …): an integer, or a double without a
/// fraction such as `3.0`; never negative.
pub fn count(text: &[u8]) -> Option<u64> {
    // 2^63 is the first double above every i64.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if let Some(value) = integer(text) {
        return value.try_into().ok();
    }
    let value = double(text)?;
    (value.fract() == 0.0 && (0.0..END).contains(&value)).then_some(value as u64)
}

/// A double: what `strtod` reads, if it reads all of it. `inf` and hex floats yes; `nan`, blanks,
/// and what overflows or is not zero and becomes zero, no.
pub fn double(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let value = match magnitude {
        [b'0', b'x' | b'X', hex @ ..] => hex_double(hex)?,
        _ => decimal_double(magnitude)?,
    };
    Some(if negative { -value } else { value })
}

/// A decimal number or infinity, without a sign.
fn decimal_double(text: &[u8]) -> Option<f64> {
    if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        return Some(f64::INFINITY);
    }
    // With a digit or a point in front only the number grammar of Rust is left, which is strtod's.
    if !matches!(text.first()?, b'0'..=b'9' | b'.') {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if value.is_infinite() || (value == 0.0 && has_nonzero_digit(text)) {
        return None;
    }
    Some(value)
}

fn has_nonzero_digit(text: &[u8]) -> bool {
    text.iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .any(|byte| matches!(byte, b'1'..=b'9'))
}

/// What follows `0x`: hex digits with at most one point among them, then `p` and a decimal
/// exponent or nothing.
fn hex_double(text: &[u8]) -> Option<f64> {
    let at = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (digits, exponent) = match at {
        Some(at) => (text.get(..at)?, hex_exponent(text.get(at + 1..)?)?),
        None => (text, 0),
    };
    let (mut mantissa, mut shift, mut sticky) = (0_u64, 0_i64, false);
    let (mut point, mut any) = (false, false);
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        any = true;
        // Sixty bits are more than any rounding looks at; below them only "not zero" counts.
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            shift -= if point { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            shift += if point { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    scale(mantissa, sticky, shift.saturating_add(exponent))
}

/// A decimal exponent with an optional sign; too large ones saturate.
fn hex_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(value.saturating_mul(10).saturating_add(digit.into()))
    })?;
    Some(if negative { -value } else { value })
}

/// `mantissa × 2^exponent`, where `sticky` says that a little more was cut off; rounded to nearest,
/// ties to even. `None` where the result would be infinite, or zero without being so.
fn scale(mantissa: u64, sticky: bool, exponent: i64) -> Option<f64> {
    if mantissa == 0 {
        return Some(0.0);
    }
    let zeros = mantissa.leading_zeros();
    let mantissa = mantissa << zeros;
    // The value is now 1.xxx × 2^top.
    let top = exponent
        .saturating_sub(zeros.into())
        .saturating_add(u64::BITS.into())
        .saturating_sub(1);
    if top > 1023 {
        return None;
    }
    // A denormal has fewer bits than 53; below −1075 there are none left, not even to round up.
    let bits = 53 - (-1022_i64).saturating_sub(top).max(0);
    let cut = u32::try_from(64_i64.checked_sub(bits).filter(|_| bits >= 0)?).ok()?;
    let wide = u128::from(mantissa);
    let (kept, rest, half) = (wide >> cut, wide & ((1 << cut) - 1), 1_u128 << (cut - 1));
    let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
    let rounded = kept as u64 + u64::from(up);
    // The top bit of a normal number is implicit: adding it to the exponent field below carries as
    // it must, also when rounding overflows into the next power of two.
    let field = u64::try_from(top.max(-1022) + 1022).ok()?;
    let value = f64::from_bits((field << 52) + rounded);
    (value.is_finite() && value != 0.0).then_some(value)
}

/// The nearest `FLOAT16`, ties to even, rounded once.
pub fn to_f16(value: f64) -> f16 {
    f16::from_f32(to_odd(value))
}

/// The nearest `BFLOAT16`, ties to even, rounded once.
pub fn to_bf16(value: f64) -> bf16 {
    bf16::from_f32(to_odd(value))
}

/// `value` as an `f32` rounded to odd: an inexact result has its last bit set. Rounding that to a
/// shorter type gives what rounding `value` itself would have given; rounding to nearest twice
/// does not.
fn to_odd(value: f64) -> f32 {
    let near = value as f32;
    let bits = near.to_bits();
    if !near.is_finite() || bits & 1 == 1 {
        return near;
    }
    // An inexact `value` lies between `near` and one neighbour, and that neighbour is the odd one.
    match f64::from(near).abs().partial_cmp(&value.abs()) {
        Some(Ordering::Greater) => f32::from_bits(bits - 1),
        Some(Ordering::Less) => f32::from_bits(bits + 1),
        _ => near,
    }
}

#[cfg(test)]
mod tests {
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
        for (text, value) in [("0", 0), ("3", 3), ("3.0", 3), ("1e3", 1000), ("0x10", 16)] {
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

        #[test]
        fn half_precision_is_nearest(value in -70000.0_f64..70000.0) {
            let got = f64::from(to_f16(value));
            let error = (got - value).abs();
            for step in [-1_i32, 1] {
                let neighbour = f16::from_bits((i32::from(to_f16(value).to_bits()) + step) as u16);
                if got.is_finite() && neighbour.is_finite() {
                    prop_assert!(error <= (f64::from(neighbour) - value).abs());
                }
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
}
