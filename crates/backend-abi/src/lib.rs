//! The C ABI of a backend library, and what both of its sides need to speak it.
//!
//! A backend is written in Rust against core's `Backend` and `LoadedModel`;
//! [`export_backend!`] puts the C table of `include/redisai_backend.h` over it. The loader puts core's traits over a
//! table again, so that one backend runs natively and through a library under the same tests. A
//! backend in C fills the table itself.
//!
//! Types that cross the border have the prefix `Rai` and the same name in both languages; DLPack's
//! have DLPack's own. Handles are numbers and replies are bytes: the same table will also be served
//! by a worker process. The alternative, a stable Rust ABI (`abi_stable`, `stabby`), was refused: it would bind
//! backends to Rust and to a version of that crate, for a table of six functions.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod buffers;
mod clock;
mod counted;
mod dlpack;
mod export;
mod framework;
mod guard;
mod host;
mod host_table;
pub mod memory;
mod options;
pub mod owner;
mod settings;
mod signature;
mod signature_table;
mod status;
mod stops;
mod table;
mod tensor;
mod text;

pub use buffers::{HostBytes, HostMemory, SharedBytes};
pub use clock::now;
pub use counted::{Charge, CountedMemory, Refusal, tally};
pub use dlpack::*;
pub use export::{Exported, State, entry};
pub use framework::FrameworkLibrary;
pub use guard::guard;
pub use host::{Host, SYSTEM, error_of, import_all, no_memory, put_error};
pub use host_table::*;
pub use options::*;
/// The crate whose traits a backend implements; the macro's own path to it.
pub use redisai_core as core;
pub use settings::Settings;
pub use signature::{ExportedSignature, import_signature};
pub use signature_table::*;
pub use status::*;
pub use stops::{Stoppable, Stops};
pub use table::*;
pub use tensor::{
    MAX_RANK, adopt_view, export_host_tensor, export_tensor, import_tensor, release_tensor, view_of,
};
pub use text::{RaiBytes, RaiPair, RaiPairs, RaiText, slice_of};
