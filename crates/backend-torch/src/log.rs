//! What models print and torch warns of, into the host's log.
//!
//! A client's model must not fill the server's log: of each run and each load only so many lines go out,
//! the rest to the details.

use redisai_backend_abi::Host;
use redisai_core::LogLevel;
use std::cell::Cell;
use std::ffi::{c_char, c_int};
use std::sync::OnceLock;

/// Lines of one load or run that go to the log.
const LINES: u32 = 20;
/// Bytes of a line; the server cuts longer ones anyway.
const BYTES: usize = 900;

static HOST: OnceLock<Host> = OnceLock::new();

thread_local! {
    /// Lines that the load or run on this thread has written.
    static WRITTEN: Cell<u32> = const { Cell::new(0) };
}

/// Where lines go; the first call decides.
pub(crate) fn set(host: Host) {
    HOST.get_or_init(|| host);
}

/// Counts the lines of a load or run from here.
pub(crate) fn begin() {
    WRITTEN.set(0);
}

/// The shim's `log`.
pub(crate) unsafe extern "C" fn log(warning: c_int, text: *const c_char, len: usize) {
    // SAFETY: the shim's bytes, valid during the call.
    let text = unsafe { redisai_backend_abi::slice_of(text.cast::<u8>(), len) };
    let Some(host) = HOST.get() else {
        return;
    };
    let text = String::from_utf8_lossy(text.get(..BYTES).unwrap_or(text));
    let (what, level) = match warning {
        0 => ("print", LogLevel::Notice),
        _ => ("warning", LogLevel::Warning),
    };
    for line in text.trim_end().split('\n') {
        let written = WRITTEN.get();
        WRITTEN.set(written.saturating_add(1));
        let level = if written < LINES {
            level
        } else {
            LogLevel::Verbose
        };
        host.log(level, &format!("PyTorch {what}: {line}"));
        if written + 1 == LINES {
            host.log(level, "PyTorch: more lines of this run go to the details");
        }
    }
}
