//! The arguments of a command.

use super::{Arg, raw};
use smallvec::SmallVec;

/// The arguments of a command as byte slices beside the server's strings.
pub(crate) struct Args<'a> {
    args: SmallVec<[Arg<'a>; 16]>,
}

impl<'a> Args<'a> {
    /// # Safety
    /// `argv` holds `argc` strings that live, unchanged, for `'a`.
    pub(crate) unsafe fn new(argv: *mut *mut raw::RedisModuleString, argc: i32) -> Self {
        let argc = usize::try_from(argc).unwrap_or(0);
        // SAFETY: the caller's promise.
        let args = (0..argc)
            .filter_map(|i| unsafe { Arg::new(*argv.add(i)) })
            .collect();
        Self { args }
    }

    /// The arguments.
    pub(crate) fn all(&self) -> &[Arg<'a>] {
        &self.args
    }

    /// One of them.
    pub(crate) fn get(&self, index: usize) -> Option<Arg<'a>> {
        self.args.get(index).copied()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> SmallVec<[&'a [u8]; 16]> {
        self.args.iter().map(|arg| arg.bytes()).collect()
    }
}
