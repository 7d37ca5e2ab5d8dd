//! Keys, opened for as long as a borrow lasts.

use super::{Ctx, raw, rm};
use std::marker::PhantomData;
use std::os::raw::c_void;
use std::ptr::NonNull;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// No such key.
    Empty,
    /// A value of this type of ours.
    Ours(NonNull<c_void>),
    /// A value of another type.
    Other,
}

/// An open key; closed when dropped.
pub(crate) struct Key<'a> {
    key: *mut raw::RedisModuleKey,
    _ctx: PhantomData<&'a Ctx<'a>>,
}

impl<'a> Key<'a> {
    /// Opens for reading: does not touch watchers.
    pub(crate) fn read(ctx: Ctx<'a>, name: *mut raw::RedisModuleString) -> Self {
        Self::open(ctx, name, raw::REDISMODULE_READ as i32)
    }

    /// Opens for reading without touching what eviction looks at or counting a miss.
    pub(crate) fn peek(ctx: Ctx<'a>, name: *mut raw::RedisModuleString) -> Self {
        let flags = raw::REDISMODULE_READ | raw::REDISMODULE_OPEN_KEY_NOTOUCH;
        Self::open(ctx, name, flags as i32)
    }

    /// Opens for writing: closing it tells watchers, so only where something is stored.
    pub(crate) fn write(ctx: Ctx<'a>, name: *mut raw::RedisModuleString) -> Self {
        Self::open(
            ctx,
            name,
            (raw::REDISMODULE_READ | raw::REDISMODULE_WRITE) as i32,
        )
    }

    fn open(ctx: Ctx<'a>, name: *mut raw::RedisModuleString, mode: i32) -> Self {
        // SAFETY: the context and the name are alive.
        let key = unsafe { rm!(RedisModule_OpenKey(ctx.raw(), name, mode)) };
        Self {
            key: key.cast(),
            _ctx: PhantomData,
        }
    }

    /// What it holds, with respect to this type of ours.
    pub(crate) fn kind(&self, of: *mut raw::RedisModuleType) -> Kind {
        if self.key.is_null() {
            return Kind::Empty;
        }
        // SAFETY: the key is open.
        let kind = unsafe { rm!(RedisModule_KeyType(self.key)) };
        if kind == raw::REDISMODULE_KEYTYPE_EMPTY as i32 {
            return Kind::Empty;
        }
        if kind != raw::REDISMODULE_KEYTYPE_MODULE as i32 {
            return Kind::Other;
        }
        // SAFETY: the key is open and of a module type.
        if unsafe { rm!(RedisModule_ModuleTypeGetType(self.key)) } != of {
            return Kind::Other;
        }
        // SAFETY: as above.
        let value = unsafe { rm!(RedisModule_ModuleTypeGetValue(self.key)) };
        NonNull::new(value).map_or(Kind::Other, Kind::Ours)
    }

    /// Stores a value where the key is empty. False: refused.
    pub(crate) fn set(&self, of: *mut raw::RedisModuleType, value: *mut c_void) -> bool {
        // SAFETY: the key is open for writing; the value passes to the keyspace.
        unsafe { rm!(RedisModule_ModuleTypeSetValue(self.key, of, value)) == OK }
    }

    /// Puts a value in the place of one of the same type, which comes back unfreed; the time to
    /// live goes, as with `SET`. `None`: refused.
    pub(crate) fn replace(
        &self,
        of: *mut raw::RedisModuleType,
        value: *mut c_void,
    ) -> Option<NonNull<c_void>> {
        let mut old = std::ptr::null_mut();
        // SAFETY: the key is open for writing; the value passes to the keyspace, the old one to us.
        let done = unsafe {
            rm!(RedisModule_ModuleTypeReplaceValue(
                self.key,
                of,
                value,
                &raw mut old
            ))
        };
        if done != OK {
            return None;
        }
        // SAFETY: the key is open for writing.
        unsafe {
            rm!(RedisModule_SetExpire(
                self.key,
                i64::from(raw::REDISMODULE_NO_EXPIRE)
            ))
        };
        NonNull::new(old)
    }

    /// Deletes it.
    pub(crate) fn delete(&self) -> bool {
        // SAFETY: the key is open for writing.
        unsafe { rm!(RedisModule_DeleteKey(self.key)) == OK }
    }
}

const OK: i32 = raw::REDISMODULE_OK as i32;

impl Drop for Key<'_> {
    fn drop(&mut self) {
        if !self.key.is_null() {
            // SAFETY: the key is open and closed once.
            unsafe { rm!(RedisModule_CloseKey(self.key)) };
        }
    }
}
