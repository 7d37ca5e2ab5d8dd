//! Work that a worker has done on the main thread, and waits for.

use crate::guard;
use crate::park;
use crate::server::{Ctx, features, is_main_thread, raw, rm, with_lock};
use std::os::raw::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How far a piece of work came.
pub(super) enum Step<R> {
    Done(R),
    /// It is to be tried again when the server may write.
    WhenWritable,
}

type Work<R> = Box<dyn FnMut(Ctx<'_>) -> Step<R> + Send>;

enum State<R> {
    Waiting(Work<R>),
    Running,
    Done(R),
    /// Nobody waits for it, or it panicked.
    Over,
}

struct Post<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
}

/// A context of the module and of no client. Made at load, never freed.
static CONTEXT: AtomicPtr<raw::RedisModuleCtx> = AtomicPtr::new(null_mut());

/// Makes the context that outlives this call. Once a load, on the main thread.
pub(crate) fn remember_context(ctx: Ctx<'_>) {
    // SAFETY: the context is the load's; what is made of it lives for good.
    let made = unsafe { rm!(RedisModule_GetDetachedThreadSafeContext(ctx.raw())) };
    CONTEXT.store(made, Ordering::Release);
}

/// Runs `work` on the main thread and waits for it, until `deadline` at the latest; work that has begun
/// is waited for. `None`: it was not done. Not for the main thread itself, which would wait for itself.
pub(super) fn on_main_thread<R: Send + 'static>(
    deadline: Option<Instant>,
    work: impl FnMut(Ctx<'_>) -> Step<R> + Send + 'static,
) -> Option<R> {
    if is_main_thread() {
        return None;
    }
    let post = Arc::new(Post {
        state: Mutex::new(State::Waiting(Box::new(work) as Work<R>)),
        changed: Condvar::new(),
    });
    send(Arc::clone(&post));
    post.wait(deadline)
}

fn send<R: Send + 'static>(post: Arc<Post<R>>) {
    if !features().one_shot {
        with_lock(|_| post.run(context()));
        return;
    }
    let turn: Turn = Box::new(move |ctx| post.run(ctx));
    let data = Box::into_raw(Box::new(turn)).cast();
    // SAFETY: any thread may call it; the box passes to the callback, which comes once.
    unsafe { rm!(RedisModule_EventLoopAddOneShot(Some(posted), data)) };
}

/// A piece of work's turn on the main thread.
type Turn = Box<dyn FnOnce(Ctx<'_>) + Send>;

/// In this callback nothing may be replicated: 7.0 aborts at the end of it. It may be from a timer.
extern "C" fn posted(data: *mut c_void) {
    guard::run("one-shot", (), || context().run_soon(Some(turn), data));
}

extern "C" fn turn(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    guard::run("timer", (), || {
        // SAFETY: the box of `send`, given once.
        let turn = unsafe { Box::from_raw(data.cast::<Turn>()) };
        // SAFETY: valid during the callback.
        turn(unsafe { Ctx::new(ctx) });
    });
}

/// The context of the module.
fn context() -> Ctx<'static> {
    // SAFETY: made at load, never freed; used on the main thread or with its lock.
    unsafe { Ctx::new(CONTEXT.load(Ordering::Acquire)) }
}

impl<R: Send + 'static> Post<R> {
    fn state(&self) -> MutexGuard<'_, State<R>> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A try. Main thread, or with its lock.
    fn run(self: Arc<Self>, ctx: Ctx<'_>) {
        let work = std::mem::replace(&mut *self.state(), State::Running);
        let State::Waiting(mut work) = work else {
            *self.state() = State::Over;
            return;
        };
        // A panic in the work must not leave its worker waiting.
        let end = End(&self);
        let step = work(ctx);
        std::mem::forget(end);
        match step {
            Step::Done(result) => self.set(State::Done(result)),
            Step::WhenWritable => {
                self.set(State::Waiting(work));
                park::when_writable(Box::new(move |ctx| self.run(ctx)));
            }
        }
    }

    fn set(&self, state: State<R>) {
        *self.state() = state;
        self.changed.notify_one();
    }

    fn wait(&self, deadline: Option<Instant>) -> Option<R> {
        let mut state = self.state();
        loop {
            match std::mem::replace(&mut *state, State::Over) {
                State::Done(result) => return Some(result),
                State::Over => return None,
                other => *state = other,
            }
            let waiting = matches!(*state, State::Waiting(_));
            let left = deadline
                .filter(|_| waiting)
                .map(|end| end.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => {
                    *state = State::Over;
                    return None;
                }
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.changed.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}

/// Ends the wait if the work does not come back.
struct End<'p, R: Send + 'static>(&'p Post<R>);

impl<R: Send + 'static> Drop for End<'_, R> {
    fn drop(&mut self) {
        self.0.set(State::Over);
    }
}
