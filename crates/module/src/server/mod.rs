//! A thin safe layer over the server's module API: the only files that call it.
//!
//! The `redis-module` crate serves as raw bindings only; its safe API holds panics and format
//! strings that a client can reach. Every function is called through [`rm!`], which reads the
//! pointer that the server filled in at load and never changes afterwards.

#[cfg_attr(test, allow(dead_code, reason = "tests run without a server"))]
mod alloc;
mod args;
mod call;
mod command;
mod ctx;
mod features;
mod info;
mod key;
mod log;
mod reply;
mod string;
mod words;

pub(crate) use args::Args;
pub(crate) use call::User;
pub(crate) use command::{RawCommand, register_command};
pub(crate) use ctx::{Blocked, Ctx, Flags, flags_of_server, with_lock};
pub(crate) use features::{Features, features, known_options, probe, valkey_version};
pub(crate) use info::InfoWriter;
pub(crate) use key::{Key, Kind};
pub(crate) use log::{log, log_line};
pub(crate) use redis_module::raw;
pub(crate) use string::{
    Arg, Held, OwnedString, drain_releases, is_main_thread, run_as_reaper, set_main_thread,
};

pub(crate) use words::{Vector, Words};

/// Calls a function of the server by its name in the table.
///
/// [`features::probe`] has checked at load that the required ones are there; calling one that is
/// optional and absent panics into the guard, which is a bug of ours and not of a client.
macro_rules! rm {
    ($name:ident($($arg:expr),* $(,)?)) => {
        match $crate::server::raw::$name {
            Some(function) => function($($arg),*),
            None => $crate::server::missing(stringify!($name)),
        }
    };
}
pub(crate) use rm;

/// Ends the call of a function that this server lacks.
#[allow(
    clippy::panic,
    reason = "caught by the guard; reached only by a bug of ours"
)]
pub(crate) fn missing(name: &str) -> ! {
    panic!("the server has no {name}")
}
