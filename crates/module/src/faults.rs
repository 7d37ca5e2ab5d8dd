//! Provoked panics, for the test of the guards. Only in builds with the feature `faults`.
//!
//! `AI._FAULT name` arms a fault: the next callback that runs under the guard of this name panics.
//! An empty name disarms.

use crate::server::{Arg, Args, Ctx};
use redisai_command::Error;
use std::sync::Mutex;
use std::sync::PoisonError;

static ARMED: Mutex<String> = Mutex::new(String::new());

/// Panics if this point is armed, once.
#[allow(clippy::panic, reason = "this is what the feature is for")]
pub(crate) fn point(name: &str) {
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    if !armed.is_empty() && *armed == name {
        armed.clear();
        drop(armed);
        panic!("provoked in {name}");
    }
}

/// `AI._FAULT name`.
#[allow(clippy::unnecessary_wraps, reason = "a command's handler")]
pub(crate) fn arm(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let name = args.get(1).map(Arg::bytes).unwrap_or_default();
    let name = String::from_utf8_lossy(name).into_owned();
    *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = name;
    ctx.reply_simple(c"OK");
    Ok(())
}
