//! ONNX Runtime's log, into the host's.
//!
//! What a client's model or run makes ONNX Runtime write must not fill the server's log: while a
//! session is built only so many lines go out, and what concerns a run, whose client gets the error,
//! goes to the details.

use ort_sys::OrtLoggingFunction;
use redisai_backend_abi::Host;
use redisai_core::LogLevel;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};

/// `OrtLoggingLevel`.
const SEVERITY_WARNING: i32 = 2;
/// Lines of one load that go to the log.
const LINES: u32 = 20;
/// What this thread does in ONNX Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Something that is not a model's.
    Other,
    /// It builds a session, which has written so many lines.
    Load(u32),
    /// It runs one.
    Run,
}

thread_local! {
    static DOING: Cell<Doing> = const { Cell::new(Doing::Other) };
}

/// Sets what the thread does until it is dropped.
pub(crate) struct Scope(Doing);

impl Scope {
    /// A session is being built.
    pub(crate) fn load() -> Self {
        Self(DOING.replace(Doing::Load(0)))
    }

    /// A session runs.
    pub(crate) fn run() -> Self {
        Self(DOING.replace(Doing::Run))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DOING.set(self.0);
    }
}

type LogFunction = unsafe extern "system" fn(
    *mut c_void,
    i32,
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
);

/// The function that ONNX Runtime calls; its parameter is a pointer to a [`Host`] that lives for good.
pub(crate) fn function() -> OrtLoggingFunction {
    // SAFETY: the two types differ in that ours takes the severity as an integer of the same size,
    // for which every value is valid.
    unsafe { std::mem::transmute::<LogFunction, OrtLoggingFunction>(log) }
}

unsafe extern "system" fn log(
    host: *mut c_void,
    severity: i32,
    _category: *const c_char,
    _id: *const c_char,
    _place: *const c_char,
    message: *const c_char,
) {
    if host.is_null() || message.is_null() {
        return;
    }
    // SAFETY: the pointer that we gave when the environment was made; it lives for good.
    let host = unsafe { &*host.cast::<Host>() };
    // SAFETY: a C string for the time of the call.
    let text = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let doing = DOING.get();
    if let Doing::Load(lines) = doing {
        DOING.set(Doing::Load(lines.saturating_add(1)));
    }
    host.log(
        level(severity, doing),
        &format!("ONNX Runtime: {}", text.trim_end()),
    );
    if doing == Doing::Load(LINES - 1) {
        host.log(
            LogLevel::Warning,
            "ONNX Runtime: more lines of this model go to the details",
        );
    }
}

/// How loud a line is.
fn level(severity: i32, doing: Doing) -> LogLevel {
    let told = match doing {
        Doing::Other => true,
        Doing::Load(lines) => lines < LINES,
        Doing::Run => false,
    };
    if told && severity >= SEVERITY_WARNING {
        LogLevel::Warning
    } else {
        LogLevel::Verbose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_cause_is_limited() {
        assert_eq!(level(2, Doing::Other), LogLevel::Warning);
        assert_eq!(level(1, Doing::Other), LogLevel::Verbose);
        assert_eq!(level(3, Doing::Run), LogLevel::Verbose);
        assert_eq!(level(2, Doing::Load(0)), LogLevel::Warning);
        assert_eq!(level(2, Doing::Load(LINES)), LogLevel::Verbose);
    }

    #[test]
    fn scopes_nest() {
        let outer = Scope::load();
        {
            let _inner = Scope::run();
            assert_eq!(DOING.get(), Doing::Run);
        }
        assert_eq!(DOING.get(), Doing::Load(0));
        drop(outer);
        assert_eq!(DOING.get(), Doing::Other);
    }
}
