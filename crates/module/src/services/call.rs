//! `redis.execute`: a command of the server for a script.

use super::caller::Caller;
use super::post::Step;
use super::{log_unprotected, over};
use crate::park;
use crate::server::{Ctx, features};
use redisai_core::BackendError;

/// Runs a command as its caller would, but as a script: the reply, an error too, as RESP2. Main thread.
///
/// It replicates as any command does, in its own turn: before the outputs of the run.
pub(super) fn step(
    ctx: Ctx<'_>,
    caller: &Caller,
    argv: &[Vec<u8>],
) -> Step<Result<Vec<u8>, BackendError>> {
    let Some(name) = argv.first() else {
        return Step::Done(Ok(
            b"-ERR redis.execute needs the name of a command\r\n".to_vec()
        ));
    };
    if !ctx.select(caller.db()) {
        return Step::Done(Err(over()));
    }
    // A write would abort the server now; what only reads goes on.
    if park::writes_paused() && !ctx.command_is(name, "readonly") {
        return Step::WhenWritable;
    }
    let writes = caller.writes() && ctx.flags().primary();
    // Servers with a script mode refuse by themselves what would end or hang them, and writes.
    if !features().call_modes {
        if http(name) || ctx.command_is(name, "noscript") {
            return Step::Done(Ok(refused(name, "is not allowed on script mode")));
        }
        if !writes && ctx.command_is(name, "write") {
            return Step::Done(Ok(refused(name, "may not write now")));
        }
    }
    let Ok(user) = caller.user() else {
        let gone = b"-NOPERM the user of this script does not exist any more\r\n";
        return Step::Done(Ok(gone.to_vec()));
    };
    if user.is_none() {
        log_unprotected();
    }
    Step::Done(Ok(ctx.call(argv, user.as_ref(), writes)))
}

/// What 6.2 has against requests of browsers: it ends its client, which a script's calls do not survive.
fn http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

fn refused(name: &[u8], why: &str) -> Vec<u8> {
    let shown = String::from_utf8_lossy(name).replace(char::is_control, " ");
    format!("-ERR command '{shown}' {why}\r\n").into_bytes()
}
