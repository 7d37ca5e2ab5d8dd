//! A Rust [`Backend`] as a C table: what [`export_backend!`](crate::export_backend) puts its entry on.

mod calls;
mod state;

use crate::guard::guard;
use crate::{
    Host, InitOptions, RAI_ABI_VERSION, RAI_OK, RAI_UNSUPPORTED, RaiBackend, RaiBytes, RaiHost,
};
use redisai_core::{Backend, BackendError, LogLevel};
use std::sync::Arc;

pub use state::State;

/// A backend that a library exports. [`export_backend!`](crate::export_backend) implements it.
pub trait Exported: 'static {
    /// The backend's own name, without a NUL.
    const NAME: &'static str;

    /// Loads the framework.
    fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError>;

    /// The library's one state.
    fn state() -> &'static State;
}

/// The entry of a library: puts the table into `out_table`.
///
/// # Safety
/// As [`RaiEntry`](crate::RaiEntry) says.
pub unsafe fn entry<E: Exported>(host: *const RaiHost, out_table: *mut *const RaiBackend) -> i32 {
    let entered = guard(|| {
        // SAFETY: the caller's promise.
        let Some(host) = (unsafe { Host::from_raw(host) }) else {
            return RAI_UNSUPPORTED;
        };
        // A second entry of the same library keeps the first host: both live for ever.
        if E::state().host.set(host).is_ok() {
            log_panics(host);
        }
        let table: &'static RaiBackend = &Table::<E>::TABLE;
        // SAFETY: the caller's promise.
        unsafe { out_table.write(table) };
        RAI_OK
    });
    entered.unwrap_or(RAI_UNSUPPORTED)
}

/// Panics of this library go to the host's log, with their place: a daemon has no stderr. Each
/// library has a standard library, and so a hook, of its own.
fn log_panics(host: Host) {
    std::panic::set_hook(Box::new(move |info| {
        host.log(
            LogLevel::Warning,
            &format!("backend {info}").replace('\n', " "),
        );
    }));
}

struct Table<E>(std::marker::PhantomData<E>);

impl<E: Exported> Table<E> {
    const TABLE: RaiBackend = RaiBackend {
        abi_version: RAI_ABI_VERSION,
        size: size_of::<RaiBackend>() as u32,
        name: RaiBytes::of(E::NAME.as_bytes()),
        init: Some(calls::init::<E>),
        load: Some(calls::load::<E>),
        unload: Some(calls::unload::<E>),
        run: Some(calls::run::<E>),
        cancel: Some(calls::cancel::<E>),
        info: Some(calls::info::<E>),
    };
}

/// Exports a backend as a library's one symbol.
///
/// ```
/// use redisai_backend_abi::core::{Backend, BackendError, Status};
/// use redisai_backend_abi::{Host, InitOptions, export_backend};
/// use std::sync::Arc;
///
/// export_backend!("MINE", init);
///
/// fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
///     let _ = (host, options.text("framework"));
///     Err(BackendError::new(Status::Unsupported, "ERR there is no framework yet"))
/// }
/// # fn main() {}
/// ```
///
/// `init` loads the framework; it is called once, or again after an error. Every entry is guarded: a
/// panic in a run poisons that session, one in init or load the whole backend, and what panics in
/// unload, cancel and info is logged.
#[macro_export]
macro_rules! export_backend {
    ($name:expr, $init:path) => {
        struct ExportedBackend;

        impl $crate::Exported for ExportedBackend {
            const NAME: &'static str = $name;

            fn init(
                host: $crate::Host,
                options: &$crate::InitOptions,
            ) -> ::std::result::Result<
                ::std::sync::Arc<dyn $crate::core::Backend>,
                $crate::core::BackendError,
            > {
                $init(host, options)
            }

            fn state() -> &'static $crate::State {
                static STATE: $crate::State = $crate::State::new();
                &STATE
            }
        }

        /// The library's entry.
        ///
        /// # Safety
        /// As `RaiEntry` of the ABI says.
        // SAFETY: the one symbol that a backend library exports; nothing else bears its name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn redisai_backend_v1(
            host: *const $crate::RaiHost,
            out_table: *mut *const $crate::RaiBackend,
        ) -> i32 {
            // SAFETY: the caller's promise.
            unsafe { $crate::entry::<ExportedBackend>(host, out_table) }
        }
    };
}
