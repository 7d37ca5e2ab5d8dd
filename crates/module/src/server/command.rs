//! Registering commands: function, flags, ACL categories, key specs, documentation.

use super::{Ctx, Features, features, raw, rm};
use redisai_command::{Access, ArgKind, ArgSpec, Begin, CommandSpec, Find, KeySpec};
use std::ffi::CString;
use std::os::raw::{c_char, c_int};
use std::ptr::{NonNull, null, null_mut};

const OK: c_int = raw::REDISMODULE_OK as c_int;

/// A command's function for the server.
pub(crate) type RawCommand = unsafe extern "C" fn(
    *mut raw::RedisModuleCtx,
    *mut *mut raw::RedisModuleString,
    c_int,
) -> c_int;

/// Registers a command with all that this server takes. `None`: refused.
pub(crate) fn register_command(
    ctx: Ctx<'_>,
    spec: &CommandSpec,
    command: RawCommand,
) -> Option<()> {
    let name = CString::new(spec.name).ok()?;
    let flags = CString::new(spec.flags).ok()?;
    let (first, last, step) = spec.static_keys;
    // SAFETY: the context is the load's; the texts end with a NUL and are copied.
    let created = unsafe {
        rm!(RedisModule_CreateCommand(
            ctx.raw(),
            name.as_ptr(),
            Some(command),
            flags.as_ptr(),
            first,
            last,
            step
        ))
    };
    (created == OK).then_some(())?;
    let Features {
        command_info,
        acl_categories,
        ..
    } = features();
    if !command_info {
        return Some(());
    }
    // SAFETY: the command was registered above.
    let command = unsafe { rm!(RedisModule_GetCommand(ctx.raw(), name.as_ptr())) };
    NonNull::new(command)?;
    let mut arena = Arena::default();
    let info = arena.info(spec);
    // SAFETY: the command is registered; the server copies what `info` points to, which the arena
    // keeps until then.
    (unsafe { rm!(RedisModule_SetCommandInfo(command, &raw const info)) } == OK).then_some(())?;
    if acl_categories {
        let categories = CString::new(spec.categories).ok()?;
        // SAFETY: the command is registered, the text ends with a NUL and is read at once.
        let set = unsafe {
            rm!(RedisModule_SetCommandACLCategories(
                command,
                categories.as_ptr()
            ))
        };
        (set == OK).then_some(())?;
    }
    Some(())
}

/// What is done with a key, in the server's flags.
pub(crate) fn key_flags(access: Access) -> u32 {
    match access {
        Access::Read => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
        Access::Overwrite => raw::REDISMODULE_CMD_KEY_OW | raw::REDISMODULE_CMD_KEY_UPDATE,
        Access::Delete => raw::REDISMODULE_CMD_KEY_RM | raw::REDISMODULE_CMD_KEY_DELETE,
        Access::Update => {
            raw::REDISMODULE_CMD_KEY_RW
                | raw::REDISMODULE_CMD_KEY_ACCESS
                | raw::REDISMODULE_CMD_KEY_UPDATE
        }
        // The server wants one of RO, RW, OW, RM even here.
        Access::Route => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_NOT_KEY,
    }
}

struct Version(raw::RedisModuleCommandInfoVersion);

// SAFETY: plain numbers, never written.
unsafe impl Sync for Version {}

/// The sizes by which the server walks our arrays.
static VERSION: Version = Version(raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
});

/// Memory of everything that one command's info points to. Boxes do not move when the lists grow.
#[derive(Default)]
struct Arena {
    texts: Vec<CString>,
    specs: Vec<Box<[raw::RedisModuleCommandKeySpec]>>,
    args: Vec<Box<[raw::RedisModuleCommandArg]>>,
    history: Vec<Box<[raw::RedisModuleCommandHistoryEntry]>>,
}

impl Arena {
    fn info(&mut self, spec: &CommandSpec) -> raw::RedisModuleCommandInfo {
        raw::RedisModuleCommandInfo {
            version: &raw const VERSION.0,
            summary: self.text(spec.summary),
            complexity: self.text(spec.complexity),
            since: self.text(spec.since),
            history: self.history(spec.history),
            tips: null(),
            // 0: the server must not check it, since its text would not be ours.
            arity: 0,
            key_specs: self.key_specs(spec.key_specs),
            args: self.args(spec.args),
        }
    }

    fn text(&mut self, text: &str) -> *const c_char {
        let Ok(text) = CString::new(text) else {
            return null();
        };
        let start = text.as_ptr();
        self.texts.push(text);
        start
    }

    fn history(&mut self, history: &[(&str, &str)]) -> *mut raw::RedisModuleCommandHistoryEntry {
        if history.is_empty() {
            return null_mut();
        }
        let mut entries: Vec<_> = history
            .iter()
            .map(|&(since, changes)| raw::RedisModuleCommandHistoryEntry {
                since: self.text(since),
                changes: self.text(changes),
            })
            .collect();
        entries.push(raw::RedisModuleCommandHistoryEntry {
            since: null(),
            changes: null(),
        });
        keep(&mut self.history, entries)
    }

    fn key_specs(&mut self, specs: &[KeySpec]) -> *mut raw::RedisModuleCommandKeySpec {
        if specs.is_empty() {
            return null_mut();
        }
        let mut entries: Vec<_> = specs.iter().map(|spec| self.key_spec(spec)).collect();
        // SAFETY: numbers and pointers, for which zero is a value: it ends the list.
        entries.push(unsafe { std::mem::zeroed() });
        keep(&mut self.specs, entries)
    }

    fn key_spec(&mut self, spec: &KeySpec) -> raw::RedisModuleCommandKeySpec {
        // SAFETY: numbers and pointers, for which zero is a value.
        let mut entry: raw::RedisModuleCommandKeySpec = unsafe { std::mem::zeroed() };
        entry.flags = key_flags(spec.access).into();
        if spec.incomplete {
            entry.flags |= u64::from(raw::REDISMODULE_CMD_KEY_INCOMPLETE);
        }
        match spec.begin {
            Begin::Index(index) => {
                entry.begin_search_type =
                    raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
                entry.bs.index.pos = index;
            }
            Begin::Keyword(word, from) => {
                entry.begin_search_type =
                    raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD;
                entry.bs.keyword = raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_2 {
                    keyword: self.text(word),
                    startfrom: from,
                };
            }
        }
        match spec.find {
            Find::Range { last, step } => {
                entry.find_keys_type =
                    raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
                entry.fk.range = raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
                    lastkey: last,
                    keystep: step,
                    limit: 0,
                };
            }
            Find::KeyNum { index, first, step } => {
                entry.find_keys_type =
                    raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_KEYNUM;
                entry.fk.keynum = raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_2 {
                    keynumidx: index,
                    firstkey: first,
                    keystep: step,
                };
            }
        }
        entry
    }

    fn args(&mut self, args: &[ArgSpec]) -> *mut raw::RedisModuleCommandArg {
        if args.is_empty() {
            return null_mut();
        }
        let mut entries: Vec<_> = args.iter().map(|arg| self.arg(arg)).collect();
        // SAFETY: numbers and pointers, for which zero is a value: it ends the list.
        entries.push(unsafe { std::mem::zeroed() });
        keep(&mut self.args, entries)
    }

    fn arg(&mut self, arg: &ArgSpec) -> raw::RedisModuleCommandArg {
        let mut flags = raw::REDISMODULE_CMD_ARG_NONE;
        if arg.optional {
            flags |= raw::REDISMODULE_CMD_ARG_OPTIONAL;
        }
        if arg.multiple {
            flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE;
        }
        if arg.token_repeats {
            flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE_TOKEN;
        }
        raw::RedisModuleCommandArg {
            name: self.text(arg.name),
            type_: match arg.kind {
                ArgKind::String => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
                ArgKind::Integer => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
                ArgKind::Key => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY,
                ArgKind::PureToken => {
                    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN
                }
                ArgKind::Block => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK,
                ArgKind::OneOf => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF,
            },
            key_spec_index: arg
                .key_spec
                .and_then(|index| c_int::try_from(index).ok())
                .unwrap_or(-1),
            token: arg.token.map_or(null(), |token| self.text(token)),
            summary: null(),
            since: null(),
            flags: flags.cast_signed(),
            deprecated_since: null(),
            subargs: self.args(arg.args),
            display_text: null(),
        }
    }
}

/// Keeps a list that ends with a zero entry and gives its start.
fn keep<T>(lists: &mut Vec<Box<[T]>>, entries: Vec<T>) -> *mut T {
    let mut list = entries.into_boxed_slice();
    let start = list.as_mut_ptr();
    lists.push(list);
    start
}

impl Ctx<'_> {
    /// The server wants the positions of the keys, not the command.
    pub(crate) fn asks_for_keys(self) -> bool {
        // SAFETY: the context is one of a command.
        unsafe { rm!(RedisModule_IsKeysPositionRequest(self.raw())) != 0 }
    }

    /// Tells that the argument at `position` is a key.
    pub(crate) fn key_at(self, position: usize, access: Access) {
        let Ok(position) = c_int::try_from(position) else {
            return;
        };
        if features().key_flags {
            let flags = key_flags(access).cast_signed();
            // SAFETY: the server has asked for key positions.
            unsafe { rm!(RedisModule_KeyAtPosWithFlags(self.raw(), position, flags)) };
        } else {
            // SAFETY: as above.
            unsafe { rm!(RedisModule_KeyAtPos(self.raw(), position)) };
        }
    }
}
