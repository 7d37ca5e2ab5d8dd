//! Fields of `INFO`.

use super::{raw, rm};
use std::ffi::CString;

/// Writes sections and fields in an info callback. Names and values get no outside text unclean:
/// white space and `:` would break the line, so they become `_`.
pub(crate) struct InfoWriter(*mut raw::RedisModuleInfoCtx);

impl InfoWriter {
    /// # Safety
    /// `ctx` is the context of a running info callback.
    pub(crate) unsafe fn new(ctx: *mut raw::RedisModuleInfoCtx) -> Self {
        Self(ctx)
    }

    /// Opens a section. False: the client did not ask for it.
    pub(crate) fn section(&self, name: &str) -> bool {
        let name = clean(name);
        // SAFETY: the callback is running, the text ends with a NUL.
        let shown = unsafe { rm!(RedisModule_InfoAddSection(self.0, name.as_ptr())) };
        shown == raw::REDISMODULE_OK as i32
    }

    /// A text field.
    pub(crate) fn text(&self, name: &str, value: &str) {
        let (name, value) = (clean(name), clean(value));
        // SAFETY: as above; the server copies the texts.
        unsafe {
            rm!(RedisModule_InfoAddFieldCString(
                self.0,
                name.as_ptr(),
                value.as_ptr()
            ))
        };
    }

    /// An integer field.
    pub(crate) fn number(&self, name: &str, value: u64) {
        let name = clean(name);
        // SAFETY: as above.
        unsafe {
            rm!(RedisModule_InfoAddFieldULongLong(
                self.0,
                name.as_ptr(),
                value
            ))
        };
    }
}

fn clean(text: &str) -> CString {
    let bytes: Vec<u8> = text
        .bytes()
        .map(|byte| {
            if byte.is_ascii_graphic() && byte != b':' {
                byte
            } else {
                b'_'
            }
        })
        .collect();
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_one_word() {
        assert_eq!(super::clean("GPU:1 a\nb\0").as_bytes(), b"GPU_1_a_b_");
    }
}
