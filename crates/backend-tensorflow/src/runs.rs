//! Runs that are going on, so that they can be stopped by number.

use crate::session::Session;
use redisai_backend_abi::{Stoppable, Stops};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs that are going on.
#[derive(Default)]
pub(crate) struct Runs {
    stops: Stops,
    /// Sessions of those that TensorFlow does not end by itself.
    untimed: Mutex<Vec<(u64, Arc<Session>)>>,
}

impl Runs {
    /// Begins a run. One that TensorFlow ends at its deadline is `timed`.
    pub(crate) fn begin(&self, id: u64, session: &Arc<Session>, timed: bool) -> Running<'_> {
        if !timed {
            self.untimed().push((id, Arc::clone(session)));
        }
        Running {
            runs: self,
            id,
            timed,
            stoppable: self.stops.start(id),
        }
    }

    /// Stops a run. Where TensorFlow will not do it, only closing its session does, which ends the
    /// session's other runs as well: they are run again.
    pub(crate) fn cancel(&self, id: u64) {
        self.stops.cancel(id);
        let sessions = self.untimed();
        let own = sessions
            .iter()
            .find(|run| run.0 == id)
            .map(|run| Arc::clone(&run.1));
        drop(sessions);
        if let Some(session) = own {
            session.close();
        }
    }

    fn untimed(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Arc<Session>)>> {
        self.untimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is going on.
pub(crate) struct Running<'a> {
    runs: &'a Runs,
    id: u64,
    timed: bool,
    stoppable: Stoppable<'a>,
}

impl Running<'_> {
    /// Whether somebody has stopped it.
    pub(crate) fn stopped(&self) -> bool {
        self.stoppable.stopped()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.timed {
            return;
        }
        let mut sessions = self.runs.untimed();
        let ended = sessions
            .iter()
            .position(|run| run.0 == self.id)
            .map(|place| sessions.swap_remove(place));
        drop(sessions);
        // The last user of a session deletes it: not under the lock.
        drop(ended);
    }
}
