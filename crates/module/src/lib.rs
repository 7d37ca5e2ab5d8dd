//! The Redis module `ai`: commands, types and callbacks over the engine.
//!
//! The one crate that names the server. `server/` is a thin safe layer over the module API;
//! everything else is written against that layer. `OnLoad` is our own: the macro of the
//! `redis-module` crate would bring an allocator that ignores alignment and callbacks without a
//! panic guard along.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod blocked;
mod commands;
mod effects;
mod events;
mod exit;
#[cfg(feature = "faults")]
mod faults;
mod guard;
mod index;
mod info;
mod keyspace;
mod load;
mod loading;
mod park;
mod release;
mod server;
mod services;
mod state;
mod types;
mod walk;
