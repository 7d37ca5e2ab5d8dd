//! The panic boundary: every `extern "C"` function of this crate is one call of [`run`].
//!
//! A panic that crossed the boundary would abort the server. A test reads the sources and fails on
//! a callback that does not begin with the guard; another one provokes a panic in each (`faults`).

use crate::server::{Ctx, log_line, raw};
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic is logged (by the hook) and gives `fallback`.
///
/// Values behind shared references may be left half changed by a panic. They are immutable here,
/// or behind locks that ignore poisoning where every state is whole.
pub(crate) fn run<R>(name: &'static str, fallback: R, body: impl FnOnce() -> R) -> R {
    let guarded = || {
        #[cfg(feature = "faults")]
        crate::faults::point(name);
        body()
    };
    catch_unwind(AssertUnwindSafe(guarded)).unwrap_or_else(|_| {
        // Logging itself allocates; a panic inside it must not get out either.
        let _ = catch_unwind(|| log_line!(Warning, "a bug of redisai-rs was caught in {name}"));
        fallback
    })
}

/// Runs what replies to a client; a panic replies an error, so that no client waits for ever.
///
/// `ctx` is what the server gave to the command or reply callback that is running.
pub(crate) fn replying(
    name: &'static str,
    ctx: *mut raw::RedisModuleCtx,
    body: impl FnOnce(Ctx<'_>),
) -> c_int {
    // SAFETY: callbacks run on the main thread with a valid context; the borrow ends with this call.
    let ctx = unsafe { Ctx::new(ctx) };
    let done = run(name, false, || {
        body(ctx);
        true
    });
    if !done {
        // Without `run`'s fault point: it would provoke the same panic again.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            ctx.reply_error(b"ERR a bug of redisai-rs was caught: see the server's log");
        }));
    }
    raw::REDISMODULE_OK as c_int
}

/// Sends panic messages to the server's log: a daemon has no standard error.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("main").to_owned();
        log_line!(Warning, "panic on thread {name}: {panic}");
    }));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every `extern "C" fn` with a body starts with the guard.
    #[test]
    fn no_callback_is_bare() {
        let mut seen = 0;
        let mut bare = Vec::new();
        scan(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
            &mut |file, text| {
                for (at, _) in text.match_indices("extern \"C\" fn ") {
                    let rest = &text[at..];
                    // A type or a declaration has no body before the next `;` or `,`.
                    let name = rest["extern \"C\" fn ".len()..]
                        .split(['(', '<'])
                        .next()
                        .unwrap();
                    if name.is_empty()
                        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    {
                        continue;
                    }
                    seen += 1;
                    let body = rest
                        .split_once(" {\n")
                        .map_or("", |(_, body)| body.trim_start());
                    if !body.starts_with("guard::") {
                        bare.push(format!("{file}: {name}"));
                    }
                }
            },
        );
        assert!(
            seen > 20,
            "the scan saw only {seen} callbacks: does it still look in the right place?"
        );
        assert!(bare.is_empty(), "callbacks without the guard: {bare:?}");
    }

    fn scan(dir: &Path, each: &mut dyn FnMut(&str, &str)) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scan(&path, each);
            } else if !path.ends_with("guard.rs") {
                each(
                    &path.display().to_string(),
                    &fs::read_to_string(&path).unwrap(),
                );
            }
        }
    }
}
