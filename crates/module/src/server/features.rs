//! What this server can do beyond Redis 6.2, asked once at load.

use super::{Ctx, raw, rm};
use std::ffi::CStr;
use std::sync::OnceLock;

/// Optional parts of the server's API.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    /// `RM_SetCommandInfo` (7.0): key specs, `COMMAND DOCS`.
    pub(crate) command_info: bool,
    /// Key positions with flags (7.0).
    pub(crate) key_flags: bool,
    /// ACL categories of our own choice (Valkey 8, Redis 7.4).
    pub(crate) acl_categories: bool,
    /// A callback on the main thread, posted from any thread (7.0).
    pub(crate) one_shot: bool,
    /// The database of an RDB load (7.0).
    pub(crate) db_of_io: bool,
    /// Commands as a user, and a user's rights to a key (7.0).
    pub(crate) users: bool,
    /// Script mode of commands that we run, errors as replies (7.0).
    pub(crate) call_modes: bool,
    /// Background time shows in the slow log (6.2).
    pub(crate) measure_blocked: bool,
}

/// All module options that this server knows, as bits; 0 where it does not tell.
pub(crate) fn known_options() -> u32 {
    // SAFETY: the pointer was written by RedisModule_Init on this thread; no argument.
    unsafe {
        let all = raw::RedisModule_GetModuleOptionsAll;
        all.map_or(0, |all| all().cast_unsigned())
    }
}

/// Valkey's own version, major and minor; `None` on Redis.
pub(crate) fn valkey_version(ctx: Ctx<'_>) -> Option<(u32, u32)> {
    // SAFETY: the context is valid, the texts end with a NUL; the data is given back once, and the
    // text, which lives as long, is not used afterwards.
    unsafe {
        let info = rm!(RedisModule_GetServerInfo(ctx.raw(), c"server".as_ptr()));
        let text = rm!(RedisModule_ServerInfoGetFieldC(
            info,
            c"valkey_version".as_ptr()
        ));
        let version = (!text.is_null()).then(|| major_minor(CStr::from_ptr(text).to_bytes()));
        rm!(RedisModule_FreeServerInfo(ctx.raw(), info));
        version
    }
}

/// The first two numbers of a version; 0 for what is none.
fn major_minor(version: &[u8]) -> (u32, u32) {
    let mut parts = version
        .split(|&byte| byte == b'.')
        .map(|part| std::str::from_utf8(part).ok()?.parse::<u32>().ok());
    let mut next = || parts.next().flatten().unwrap_or(0);
    (next(), next())
}

static FEATURES: OnceLock<Features> = OnceLock::new();

/// What was found at load.
pub(crate) fn features() -> Features {
    FEATURES.get().copied().unwrap_or_default()
}

/// Whether a pointer of the table was filled in; a copy is looked at, not the static itself.
macro_rules! there {
    ($name:ident) => {{
        let function = raw::$name;
        function.is_some()
    }};
}

macro_rules! absent {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), !there!($name))),*]
    };
}

/// Looks at the table once. Names a function without which the module cannot work.
pub(crate) fn probe() -> Result<(), &'static str> {
    // SAFETY: the pointers were written by RedisModule_Init on this thread and are only read since.
    let required = unsafe {
        absent![
            RedisModule_Alloc,
            RedisModule_Calloc,
            RedisModule_Realloc,
            RedisModule_Free,
            RedisModule_CreateCommand,
            RedisModule_CreateDataType,
            RedisModule_OpenKey,
            RedisModule_CloseKey,
            RedisModule_ModuleTypeSetValue,
            RedisModule_ModuleTypeReplaceValue,
            RedisModule_ModuleTypeGetValue,
            RedisModule_ModuleTypeGetType,
            RedisModule_HoldString,
            RedisModule_FreeString,
            RedisModule_BlockClient,
            RedisModule_UnblockClient,
            RedisModule_SetDisconnectCallback,
            RedisModule_AvoidReplicaTraffic,
            RedisModule_RegisterCommandFilter,
            RedisModule_CommandFilterArgGet,
            RedisModule_SubscribeToServerEvent,
            RedisModule_SubscribeToKeyspaceEvents,
            RedisModule_GetServerInfo,
            RedisModule_ServerInfoGetFieldC,
            RedisModule_FreeServerInfo,
            RedisModule_Scan,
            RedisModule_ScanCursorCreate,
            RedisModule_ScanCursorDestroy,
            RedisModule_RegisterInfoFunc,
            RedisModule_CreateTimer,
            RedisModule_GetContextFlags,
            RedisModule_GetDetachedThreadSafeContext,
            RedisModule_Replicate,
            RedisModule_ReplicateVerbatim,
            RedisModule_NotifyKeyspaceEvent,
            RedisModule_SetModuleOptions,
            RedisModule_IsIOError,
            RedisModule_Call,
            RedisModule_CallReplyProto,
            RedisModule_FreeCallReply,
            RedisModule_GetClientId,
            RedisModule_GetClientUserNameById,
        ]
    };
    if let Some((name, _)) = required.iter().find(|(_, absent)| *absent) {
        return Err(name);
    }
    // SAFETY: as above.
    let found = unsafe {
        Features {
            command_info: there!(RedisModule_SetCommandInfo) && there!(RedisModule_GetCommand),
            key_flags: there!(RedisModule_KeyAtPosWithFlags),
            acl_categories: there!(RedisModule_SetCommandACLCategories),
            one_shot: there!(RedisModule_EventLoopAddOneShot),
            db_of_io: there!(RedisModule_GetDbIdFromIO),
            users: there!(RedisModule_ACLCheckCommandPermissions)
                && there!(RedisModule_GetModuleUserFromUserName)
                && there!(RedisModule_ACLCheckKeyPermissions),
            // The letters came with this function.
            call_modes: there!(RedisModule_EventLoopAddOneShot),
            measure_blocked: there!(RedisModule_BlockedClientMeasureTimeStart)
                && there!(RedisModule_BlockedClientMeasureTimeEnd),
        }
    };
    let _ = FEATURES.set(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions() {
        for (version, numbers) in [
            ("8.1.8", (8, 1)),
            ("9.1.2-rc1", (9, 1)),
            ("10.0", (10, 0)),
            ("", (0, 0)),
        ] {
            assert_eq!(super::major_minor(version.as_bytes()), numbers);
        }
    }
}
