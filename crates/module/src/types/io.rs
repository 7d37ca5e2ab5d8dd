//! The server's file stream as the codec's reader and writer; emitted commands; digests.

use crate::server::{OwnedString, Words, raw, rm};
use redisai_codec::{Arg, Error, RdbRead, RdbWrite};
use redisai_core::Buffer;
use std::ffi::CStr;

/// Bytes up to which a server may look at a saved string as a number; more than it does (11).
const SHORT: usize = 31;

/// A stream of one key's payload, inside a callback of its type.
pub(super) struct Io {
    io: *mut raw::RedisModuleIO,
}

impl Io {
    /// # Safety
    /// `io` is valid for as long as the value is used.
    pub(super) unsafe fn new(io: *mut raw::RedisModuleIO) -> Self {
        Self { io }
    }

    /// The key's name, where the stream knows one (a `DUMP` does not).
    pub(super) fn key_name(&self) -> Option<&[u8]> {
        // SAFETY: the stream is valid; the name lives as long as the callback.
        let name = unsafe { rm!(RedisModule_GetKeyNameFromIO(self.io)) };
        // SAFETY: as above.
        unsafe { crate::server::Arg::new(name.cast_mut()) }.map(crate::server::Arg::bytes)
    }

    /// The database, where the server tells (7.0).
    pub(super) fn db(&self) -> Option<i32> {
        if !crate::server::features().db_of_io {
            return None;
        }
        // SAFETY: the stream is valid.
        let db = unsafe { rm!(RedisModule_GetDbIdFromIO(self.io)) };
        (db >= 0).then_some(db)
    }

    /// Emits a command into an append-only file that is being rewritten.
    pub(super) fn emit(
        &mut self,
        command: &CStr,
        key: *mut raw::RedisModuleString,
        args: &[Arg<'_>],
    ) {
        // Memory ran out in the child: the file cannot be written, so its process must not pretend.
        let Some(words) = Words::new(args) else {
            std::process::abort();
        };
        let mut vector = words.vector(&[]);
        // SAFETY: "s" takes a string, "v" a vector and its length.
        unsafe {
            rm!(RedisModule_EmitAOF(
                self.io,
                command.as_ptr(),
                c"sv".as_ptr(),
                key,
                vector.as_mut_ptr(),
                vector.len()
            ));
        };
    }

    /// Whether a read has failed: what it gave is then nothing.
    fn check<T>(&self, value: T) -> Result<T, Error> {
        // SAFETY: the stream is valid.
        if unsafe { rm!(RedisModule_IsIOError(self.io)) } == 0 {
            Ok(value)
        } else {
            Err(Error::Short)
        }
    }
}

impl RdbWrite for Io {
    fn unsigned(&mut self, value: u64) {
        // SAFETY: the stream is valid.
        unsafe { rm!(RedisModule_SaveUnsigned(self.io, value)) };
    }

    fn signed(&mut self, value: i64) {
        // SAFETY: the stream is valid.
        unsafe { rm!(RedisModule_SaveSigned(self.io, value)) };
    }

    fn bytes(&mut self, value: &[u8]) {
        // Redis 6.2 reads a short string up to a NUL to see whether it is a number: also one that
        // ends where its memory ends, and an empty one, whose pointer points nowhere.
        let mut ended = [0; SHORT + 1];
        let start = match ended.get_mut(..value.len()) {
            Some(place) if value.len() <= SHORT => {
                place.copy_from_slice(value);
                ended.as_ptr()
            }
            _ => value.as_ptr(),
        };
        // SAFETY: the stream is valid; the server reads so many bytes, and behind short ones a NUL.
        unsafe {
            rm!(RedisModule_SaveStringBuffer(
                self.io,
                start.cast(),
                value.len()
            ));
        };
    }
}

impl RdbRead for Io {
    fn unsigned(&mut self) -> Result<u64, Error> {
        // SAFETY: the stream is valid.
        self.check(unsafe { rm!(RedisModule_LoadUnsigned(self.io)) })
    }

    fn signed(&mut self) -> Result<i64, Error> {
        // SAFETY: the stream is valid.
        self.check(unsafe { rm!(RedisModule_LoadSigned(self.io)) })
    }

    fn bytes(&mut self) -> Result<Box<dyn Buffer>, Error> {
        let mut len = 0;
        // SAFETY: the stream is valid; the memory that comes back is ours.
        let start = unsafe { rm!(RedisModule_LoadStringBuffer(self.io, &raw mut len)) };
        // SAFETY: as above; null after an error.
        let owned = unsafe { OwnedString::adopt(start.cast(), len) };
        match self.check(owned)? {
            Some(bytes) => Ok(Box::new(bytes)),
            None => Err(Error::Short),
        }
    }
}

/// Adds one element to a key's digest.
pub(super) fn add_to_digest(digest: *mut raw::RedisModuleDigest, arg: &Arg<'_>) {
    let add = |bytes: &[u8]| {
        // SAFETY: the digest is valid during the callback; the server reads so many bytes.
        unsafe {
            rm!(RedisModule_DigestAddStringBuffer(
                digest,
                bytes.as_ptr().cast(),
                bytes.len()
            ));
        }
    };
    match arg {
        Arg::Bytes(bytes) => add(bytes),
        Arg::Blob(blob) => add(blob.bytes()),
        Arg::Number(number) => add(number.to_string().as_bytes()),
    }
}

/// Ends an ordered sequence of elements.
pub(super) fn end_digest(digest: *mut raw::RedisModuleDigest) {
    // SAFETY: the digest is valid during the callback.
    unsafe { rm!(RedisModule_DigestEndSequence(digest)) };
}
