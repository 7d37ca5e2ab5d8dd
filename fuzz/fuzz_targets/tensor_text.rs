//! `VALUES`: numbers as the C library reads them, and that every value that is shown is read back.
//!
//! Input: a byte of the dtype, then the values, separated by line feeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use redisai_command::{Limits, TensorSet, Value, number, values};
use redisai_core::{DType, Tensor};
use std::ffi::CString;

/// What `RM_StringToDouble` of Redis 6.2 and 7.0 does, with the C library's own `strtod`.
fn server_double(text: &[u8]) -> Option<f64> {
    if text
        .first()
        .is_none_or(|byte| b" \t\n\x0b\x0c\r".contains(byte))
    {
        return None;
    }
    let owned = CString::new(text).ok()?;
    let mut end = std::ptr::null_mut();
    // SAFETY: the string ends with a NUL and lives until the end of this function; errno is this
    // thread's own.
    let (value, error, used) = unsafe {
        *libc::__errno_location() = 0;
        let value = libc::strtod(owned.as_ptr(), &raw mut end);
        (
            value,
            *libc::__errno_location(),
            end.offset_from(owned.as_ptr()),
        )
    };
    let range = error == libc::ERANGE && (value.is_infinite() || value == 0.0);
    (used == text.len() as isize && !range && !value.is_nan()).then_some(value)
}

fn set(dtype: DType, words: &[Vec<u8>]) -> Option<Tensor> {
    let count = words.len().to_string();
    let head: [&[u8]; 5] = [
        b"AI.TENSORSET",
        b"key",
        dtype.name().as_bytes(),
        count.as_bytes(),
        b"VALUES",
    ];
    let argv: Vec<&[u8]> = head
        .into_iter()
        .chain(words.iter().map(Vec::as_slice))
        .collect();
    let limits = Limits::client(1 << 20);
    let set = TensorSet::parse(&argv, &limits).ok()?;
    Some(set.into_tensor(&limits, |_| unreachable!()).unwrap())
}

fn shown(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Double(value) => value.to_string().into_bytes(),
        Value::Integer(value) => value.to_string().into_bytes(),
        Value::Large(value) => value.to_string().into_bytes(),
        Value::String(value) => value.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&head, rest)) = data.split_first() else {
        return;
    };
    let words: Vec<Vec<u8>> = rest
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for word in &words {
        let ours = number::double(word).map(f64::to_bits);
        assert_eq!(ours, server_double(word).map(f64::to_bits), "{word:?}");
        number::count(word);
    }
    let dtype = DType::all().nth(usize::from(head) % 14).unwrap();
    if let Some(tensor) = set(dtype, &words) {
        let again: Vec<Vec<u8>> = values(&tensor).map(shown).collect();
        assert_eq!(again.len(), words.len());
        let again = set(dtype, &again).unwrap();
        assert_eq!(again.bytes(), tensor.bytes());
    }
});
