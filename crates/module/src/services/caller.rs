//! For whom a script runs.

use crate::server::{Ctx, Held, User, features};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The client of a run, as far as what its script does depends on it.
pub(crate) struct Caller {
    db: i32,
    /// The user's name. None: another module runs it, which may do anything.
    user: Option<Held>,
    writes: bool,
    deadline: Option<Instant>,
}

/// A caller under the number by which a backend names it, until this is dropped.
pub(crate) struct Registered(u64);

static CALLERS: Mutex<Option<HashMap<u64, Arc<Caller>>>> = Mutex::new(None);
/// 0 names nobody.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn callers() -> MutexGuard<'static, Option<HashMap<u64, Arc<Caller>>>> {
    // A map that is only inserted into and removed from is whole in every state.
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// The client of the running command. `writes`: whether that is a write command.
    pub(crate) fn register(ctx: Ctx<'_>, writes: bool, timeout: Option<Duration>) -> Registered {
        let caller = Self {
            db: ctx.db(),
            user: ctx.user_name(),
            writes,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        callers()
            .get_or_insert_default()
            .insert(number, Arc::new(caller));
        Registered(number)
    }

    /// The caller of this number, as long as somebody waits for its run.
    pub(super) fn find(number: u64) -> Option<Arc<Self>> {
        callers().as_ref()?.get(&number).cloned()
    }

    pub(super) fn db(&self) -> i32 {
        self.db
    }

    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What is left of the time; `None`: there is no limit.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        self.deadline.map(|end| end.saturating_duration_since(now))
    }

    /// The user, on servers whose commands can be run as one. `Err`: it is not there any more.
    pub(super) fn user(&self) -> Result<Option<User>, ()> {
        match &self.user {
            Some(name) if features().users => User::named(name).map(Some).ok_or(()),
            _ => Ok(None),
        }
    }

    /// Whether the user may read this key.
    pub(super) fn may_read(&self, key: &Held) -> bool {
        match self.user() {
            Ok(Some(user)) => user.may_read(key),
            Ok(None) => true,
            Err(()) => false,
        }
    }
}

impl Registered {
    /// The number.
    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let caller = callers().as_mut().and_then(|all| all.remove(&self.0));
        // Outside the lock: it may hold the last reference of a string.
        drop(caller);
    }
}
