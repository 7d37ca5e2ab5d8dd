//! The server's log. Outside text is never a format.

use super::rm;
use redisai_core::LogLevel;
use std::ffi::CString;
use std::ptr::null_mut;

/// Writes a line to the server's log; any thread, before the server is ready too.
pub(crate) fn log(level: LogLevel, text: &str) {
    let name = match level {
        LogLevel::Debug => c"debug",
        LogLevel::Verbose => c"verbose",
        LogLevel::Notice => c"notice",
        LogLevel::Warning => c"warning",
    };
    // A NUL would cut the line; a line break would forge another one.
    let clean: Vec<u8> = text
        .bytes()
        .map(|byte| {
            if matches!(byte, b'\0' | b'\n' | b'\r') {
                b' '
            } else {
                byte
            }
        })
        .collect();
    let Ok(line) = CString::new(clean) else {
        return;
    };
    // SAFETY: a null context is allowed; all three texts end with a NUL; the format takes one text.
    unsafe {
        rm!(RedisModule_Log(
            null_mut(),
            name.as_ptr(),
            c"%s".as_ptr(),
            line.as_ptr()
        ));
    };
}

/// `log(level, format!(…))`, shorter.
macro_rules! log_line {
    ($level:ident, $($part:tt)*) => {
        $crate::server::log(::redisai_core::LogLevel::$level, &format!($($part)*))
    };
}
pub(crate) use log_line;
