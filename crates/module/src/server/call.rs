//! Commands that we run, and users.

use super::{Ctx, Held, Vector, features, raw, rm};
use smallvec::SmallVec;
use std::ffi::{CStr, CString};
use std::io;
use std::ptr::NonNull;

impl Ctx<'_> {
    /// The name of the client's user. `None`: no client, or one without a user (another module's).
    pub(crate) fn user_name(self) -> Option<Held> {
        // SAFETY: the context is one of a command; an id that is not a client's gives null.
        let name = unsafe {
            let id = rm!(RedisModule_GetClientId(self.raw()));
            rm!(RedisModule_GetClientUserNameById(self.raw(), id))
        };
        // SAFETY: the string is new and ours.
        NonNull::new(name).map(|name| unsafe { Held::adopt(name) })
    }

    /// Runs a command in script mode, replicating what it does; the reply, an error too, as RESP2.
    /// On servers before 7.0 there is no script mode: the caller has looked at the command.
    pub(crate) fn call(self, argv: &[Vec<u8>], user: Option<&User>, writes: bool) -> Vec<u8> {
        let words = argv.iter().map(|arg| Held::copy_of(arg));
        let Some(words) = words.collect::<Option<SmallVec<[Held; 8]>>>() else {
            return b"-OOM there is no memory for the arguments\r\n".to_vec();
        };
        let name = argv.first().map_or(&[][..], Vec::as_slice);
        let Ok(name) = CString::new(name) else {
            return b"-ERR the name of a command holds a NUL\r\n".to_vec();
        };
        let shown = name.to_string_lossy();
        let mut vector: Vector = words.iter().map(Held::raw).collect();
        if user.is_some_and(|user| !user.may_run(&mut vector)) {
            let text = format!(
                "-NOPERM this user has no permissions to run the '{shown}' command or to access one of its keys or channels\r\n"
            );
            return text.into_bytes();
        }
        vector.remove(0);
        // Replicate, a vector, errors as replies, script mode, no more than the memory allows, no writes.
        let format = match (features().call_modes, writes) {
            (false, _) => c"!v",
            (true, true) => c"!vESM",
            (true, false) => c"!vESMW",
        };
        let reply = self.raw_call(&name, format, &mut vector);
        reply.unwrap_or_else(|error| format!("-ERR {shown}: {error}\r\n").into())
    }

    /// Whether a command has this flag, by `COMMAND INFO`.
    pub(crate) fn command_is(self, name: &[u8], flag: &str) -> bool {
        let words = [Held::copy_of(b"INFO"), Held::copy_of(name)];
        let [Some(info), Some(name)] = &words else {
            return false;
        };
        let mut vector: Vector = [info.raw(), name.raw()].into_iter().collect();
        let reply = self.raw_call(c"COMMAND", c"v", &mut vector);
        let line = format!("+{flag}\r\n");
        let has = |reply: Vec<u8>| {
            reply
                .windows(line.len())
                .any(|window| window == line.as_bytes())
        };
        reply.is_ok_and(has)
    }

    /// `Err`: the server did not run it.
    fn raw_call(self, name: &CStr, format: &CStr, vector: &mut Vector) -> io::Result<Vec<u8>> {
        // SAFETY: the context is valid; "v" takes a vector of strings, alive for the call, and its length.
        let reply = unsafe {
            rm!(RedisModule_Call(
                self.raw(),
                name.as_ptr(),
                format.as_ptr(),
                vector.as_mut_ptr(),
                vector.len()
            ))
        };
        if reply.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut len = 0;
        // SAFETY: the reply is ours; its text lives until it is freed, once.
        let text = unsafe {
            let text = rm!(RedisModule_CallReplyProto(reply, &raw mut len));
            let text = if text.is_null() {
                &[][..]
            } else {
                std::slice::from_raw_parts(text.cast(), len)
            };
            let text = text.to_vec();
            rm!(RedisModule_FreeCallReply(reply));
            text
        };
        Ok(text)
    }
}

/// A user of the server, by its name at this moment. Where [`features()`] say that there are users.
pub(crate) struct User(NonNull<raw::RedisModuleUser>);

impl User {
    /// `None`: there is no user of this name.
    pub(crate) fn named(name: &Held) -> Option<Self> {
        // SAFETY: the string is alive for the call.
        let user = unsafe { rm!(RedisModule_GetModuleUserFromUserName(name.raw())) };
        NonNull::new(user).map(Self)
    }

    /// Whether it may run this command with these arguments; true for one that is not there.
    ///
    /// Asked here, since 7.0 crashes where a call as a user is refused and the context has no client.
    fn may_run(&self, argv: &mut Vector) -> bool {
        let count = i32::try_from(argv.len()).unwrap_or(i32::MAX);
        // SAFETY: user and strings are alive for the call; the vector has so many.
        let allowed = unsafe {
            rm!(RedisModule_ACLCheckCommandPermissions(
                self.0.as_ptr(),
                argv.as_mut_ptr(),
                count
            ))
        };
        let unknown = || io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT);
        allowed == raw::REDISMODULE_OK as i32 || unknown()
    }

    /// Whether it may read this key.
    pub(crate) fn may_read(&self, key: &Held) -> bool {
        let access = raw::REDISMODULE_CMD_KEY_ACCESS as i32;
        // SAFETY: user and string are alive for the call.
        let allowed = unsafe {
            rm!(RedisModule_ACLCheckKeyPermissions(
                self.0.as_ptr(),
                key.raw(),
                access
            ))
        };
        allowed == raw::REDISMODULE_OK as i32
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // SAFETY: made by `named`, freed once; the server's user stays.
        unsafe { rm!(RedisModule_FreeModuleUser(self.0.as_ptr())) };
    }
}
