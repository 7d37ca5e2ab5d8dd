//! Numbers in arguments, read as the server's own functions read them.
//!
//! The grammar is that of `RM_StringToLongLong` and `RM_StringToDouble` of Redis 6.2 and 7.0 (C
//! locale). Servers differ among themselves on rare texts (some newer ones refuse hex floats); we
//! do not: a command means the same on every server.

#[cfg(test)]
mod tests;

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
