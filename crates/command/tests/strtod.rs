//! Doubles in arguments against the C library's `strtod`, which is what the server calls.

use proptest::prelude::*;
use redisai_command::number::double;
use std::ffi::CString;

/// What `RM_StringToDouble` of Redis 6.2 and 7.0 makes of a text.
fn server(text: &[u8]) -> Option<f64> {
    if text
        .first()
        .is_none_or(|byte| b" \t\n\x0b\x0c\r".contains(byte))
    {
        return None;
    }
    let owned = CString::new(text).ok()?;
    let mut end = std::ptr::null_mut();
    // SAFETY: the string ends with a NUL and outlives the call, `end` is set to a place in it, and
    // errno is this thread's own.
    let (value, error, used) = unsafe {
        *libc::__errno_location() = 0;
        let value = libc::strtod(owned.as_ptr(), &raw mut end);
        let used = end.offset_from(owned.as_ptr());
        (value, *libc::__errno_location(), used)
    };
    let range = error == libc::ERANGE && (value.is_infinite() || value == 0.0);
    (usize::try_from(used) == Ok(text.len()) && !range && !value.is_nan()).then_some(value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decimal(text in "[+-]?[0-9]{0,25}\\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?") {
        prop_assert_eq!(double(text.as_bytes()).map(f64::to_bits), server(text.as_bytes()).map(f64::to_bits));
    }

    #[test]
    fn hexadecimal(text in "[+-]?0[xX][0-9a-fA-F]{0,20}\\.?[0-9a-f]{0,20}([pP][+-]?[0-9]{1,4})?") {
        prop_assert_eq!(double(text.as_bytes()).map(f64::to_bits), server(text.as_bytes()).map(f64::to_bits));
    }

    /// Around the smallest numbers, where bits are lost. glibc 2.36 rounds some of them wrongly
    /// (`0x0.2a00aa00a0a0a3p-1020` is three quarters above what it gives), so the last place is free;
    /// that ours is the nearest is a unit test of `number`.
    #[test]
    fn denormal(text in "0x[01]\\.[0-9a-f]{0,16}p-10[0-9]{2}") {
        match (double(text.as_bytes()), server(text.as_bytes())) {
            (Some(ours), Some(theirs)) => {
                prop_assert!(ours.to_bits().abs_diff(theirs.to_bits()) <= 1, "{} {}", ours, theirs);
            }
            (ours, theirs) => prop_assert_eq!(ours, theirs),
        }
    }

    #[test]
    fn any_text(text in "[ \\t+\\-.0-9eExXpPinfatyINFAN(),_]{0,12}") {
        prop_assert_eq!(double(text.as_bytes()).map(f64::to_bits), server(text.as_bytes()).map(f64::to_bits));
    }
}
