//! Replies. Texts and bytes go out as they are: nothing is a format, a NUL panics nowhere.

use super::{Ctx, Held, rm};
use std::ffi::{CStr, CString};

impl Ctx<'_> {
    /// Replies a simple string.
    pub(crate) fn reply_simple(self, text: &CStr) {
        // SAFETY: the context is valid, the text ends with a NUL.
        unsafe { rm!(RedisModule_ReplyWithSimpleString(self.raw(), text.as_ptr())) };
    }

    /// Replies an error with this text, bytes as they are, but one line.
    pub(crate) fn reply_error(self, text: &[u8]) {
        let clean: Vec<u8> = text
            .iter()
            .map(|&byte| {
                if matches!(byte, b'\0' | b'\n' | b'\r') {
                    b' '
                } else {
                    byte
                }
            })
            .collect();
        let text = CString::new(clean).unwrap_or_default();
        // SAFETY: as above.
        unsafe { rm!(RedisModule_ReplyWithError(self.raw(), text.as_ptr())) };
    }

    /// Replies an integer.
    pub(crate) fn reply_integer(self, value: i64) {
        // SAFETY: the context is valid.
        unsafe { rm!(RedisModule_ReplyWithLongLong(self.raw(), value)) };
    }

    /// Replies a floating point number: a bulk string in RESP2, native in RESP3.
    pub(crate) fn reply_double(self, value: f64) {
        // SAFETY: the context is valid.
        unsafe { rm!(RedisModule_ReplyWithDouble(self.raw(), value)) };
    }

    /// Replies a bulk string with a copy of these bytes.
    pub(crate) fn reply_bulk(self, bytes: &[u8]) {
        // SAFETY: the context is valid; the server copies the bytes.
        unsafe {
            rm!(RedisModule_ReplyWithStringBuffer(
                self.raw(),
                bytes.as_ptr().cast(),
                bytes.len()
            ))
        };
    }

    /// Replies a held string; newer servers do so without a copy.
    pub(crate) fn reply_held(self, held: &Held) {
        // SAFETY: the context is valid; the string is alive and never changed.
        unsafe { rm!(RedisModule_ReplyWithString(self.raw(), held.lend())) };
    }

    /// Opens an array reply of so many elements, which follow.
    pub(crate) fn reply_array(self, len: usize) {
        // SAFETY: the context is valid.
        unsafe {
            rm!(RedisModule_ReplyWithArray(
                self.raw(),
                i64::try_from(len).unwrap_or(i64::MAX)
            ))
        };
    }

    /// Replies null.
    pub(crate) fn reply_null(self) {
        // SAFETY: the context is valid.
        unsafe { rm!(RedisModule_ReplyWithNull(self.raw())) };
    }
}
