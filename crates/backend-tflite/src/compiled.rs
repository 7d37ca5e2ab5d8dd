//! A compiled model: one thread at a time.

use crate::environment::Environment;
use crate::error::{MEMORY, NO_INTERPRETER, NO_RESIZE, NO_TENSORS, bad_input, with_detail};
use crate::handles::{self, Model};
use crate::options;
use crate::padded::Fitting;
use crate::signature::Signature;
use crate::survey::Survey;
use crate::sys::{Layout, Raw};
use redisai_core::{BackendError, Status};
use smallvec::SmallVec;
use std::ffi::{CStr, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Layouts of a signature's outputs.
pub(crate) type Layouts = SmallVec<[Layout; 4]>;

/// A model's bytes and what LiteRT read from them, shared by all that were compiled from it.
pub(crate) struct Source {
    // In the order in which they must go.
    pub(crate) model: Model,
    /// Weights are used where they lie here.
    pub(crate) bytes: Fitting,
    pub(crate) survey: Survey,
}

/// A compiled model.
pub(crate) struct Compiled {
    // In the order in which they must go.
    raw: handles::Compiled,
    _source: Arc<Source>,
    environment: &'static Environment,
    /// Ends the run that is going on.
    stop: Arc<AtomicBool>,
    /// Whether LiteRT has failed in a way after which a run might crash.
    broken: bool,
    /// Whether tensors must be laid out anew before every run.
    pub(crate) fickle: bool,
}

impl Compiled {
    /// Compiles a model and lays the tensors of a signature out, which shows whether it can run.
    pub(crate) fn make(
        environment: &'static Environment,
        source: &Arc<Source>,
        signature: &Signature,
    ) -> Result<Self, BackendError> {
        let api = environment.api;
        let options = options::make(environment)?;
        let blocked = Blocked::now();
        // SAFETY: all three are valid; a compiled model is written that the caller owns.
        let made = unsafe {
            handles::Compiled::make(api, |out| {
                (api.compile)(
                    environment.as_ptr(),
                    source.model.as_ptr(),
                    options.as_ptr(),
                    out,
                )
            })
        };
        drop(blocked);
        let raw = made.map_err(|status| match status {
            MEMORY => BackendError::new(Status::NoMemory, NO_INTERPRETER),
            _ => with_detail(
                Status::BadModel,
                NO_INTERPRETER,
                &source.survey.why_not_compiled(),
            ),
        })?;
        let mut compiled = Self {
            raw,
            _source: Arc::clone(source),
            environment,
            stop: Arc::default(),
            broken: false,
            fickle: false,
        };
        compiled.listen()?;
        compiled.allocate(signature)?;
        Ok(compiled)
    }

    /// Lets the flag end runs.
    fn listen(&mut self) -> Result<(), BackendError> {
        let flag = Arc::as_ptr(&self.stop).cast_mut().cast();
        // SAFETY: the flag lives as long as the compiled model does.
        let status =
            unsafe { (self.environment.api.set_cancellation)(self.raw(), flag, is_stopped) };
        self.check(status, Status::Unsupported, NO_INTERPRETER)
    }

    /// The flag that ends the run that is going on.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Whether it must not run again.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The shape that an input has now.
    pub(crate) fn input_layout(
        &mut self,
        signature: &Signature,
        place: usize,
    ) -> Result<Layout, BackendError> {
        let mut layout = Layout::default();
        let api = self.environment.api;
        // SAFETY: the compiled model is valid; a layout is written.
        let status =
            unsafe { (api.input_layout)(self.raw(), signature.index, place, &raw mut layout) };
        self.check(status, Status::BadInput, NO_RESIZE)?;
        Ok(layout)
    }

    /// Gives an input another shape. After a failure the tensors are in no known state.
    pub(crate) fn resize(
        &mut self,
        signature: &Signature,
        place: usize,
        dims: &[i32],
        strict: bool,
    ) -> Result<(), BackendError> {
        let api = self.environment.api;
        let function = if strict {
            api.resize_strict
        } else {
            api.resize
        };
        // SAFETY: the compiled model is valid; as many dimensions are given as is said.
        let status = unsafe {
            function(
                self.raw(),
                signature.index,
                place,
                dims.as_ptr(),
                dims.len(),
            )
        };
        self.broken |= status != 0;
        self.check(status, Status::BadInput, NO_RESIZE)
    }

    /// Lays the tensors out; the shapes of the outputs as far as they are known before a run.
    pub(crate) fn allocate(&mut self, signature: &Signature) -> Result<Layouts, BackendError> {
        let (status, layouts) = self.output_layouts(signature, true);
        // A run after a failed allocation may crash, even if a later one works.
        self.broken |= status != 0;
        self.check(status, Status::BadModel, NO_TENSORS)?;
        Ok(layouts)
    }

    /// The shapes of the outputs of the last run.
    pub(crate) fn layouts(&mut self, signature: &Signature) -> Result<Layouts, BackendError> {
        let (status, layouts) = self.output_layouts(signature, false);
        self.check(status, Status::RunFailed, NO_TENSORS)?;
        Ok(layouts)
    }

    fn output_layouts(&mut self, signature: &Signature, allocate: bool) -> (i32, Layouts) {
        let count = signature.outputs.len();
        // LiteRT writes only a part of each: the rest must be zero.
        let mut layouts: Layouts = SmallVec::from_elem(Layout::default(), count);
        let api = self.environment.api;
        // SAFETY: the compiled model is valid, and there are `count` layouts to write to.
        let status = unsafe {
            (api.output_layouts)(
                self.raw(),
                signature.index,
                count,
                layouts.as_mut_ptr(),
                allocate,
            )
        };
        (status, layouts)
    }

    /// Runs the signature on buffers: LiteRT's status.
    ///
    /// # Safety
    /// The buffers are as many as the signature has inputs and outputs, none is null, each has the
    /// element type and the bytes that the tensor now needs, and their memory lives during the call.
    pub(crate) unsafe fn invoke(
        &mut self,
        signature: &Signature,
        inputs: &mut [Raw],
        outputs: &mut [Raw],
    ) -> i32 {
        // SAFETY: the caller's promise, and the compiled model is valid and used by us alone.
        unsafe {
            (self.environment.api.run)(
                self.raw(),
                signature.index,
                inputs.len(),
                inputs.as_mut_ptr(),
                outputs.len(),
                outputs.as_mut_ptr(),
            )
        }
    }

    /// What LiteRT has said since the last call; mostly nothing.
    pub(crate) fn take_errors(&mut self) -> String {
        let api = self.environment.api;
        let mut text = std::ptr::null_mut();
        // SAFETY: the compiled model is valid; a C string of the C library's allocator is written.
        let status = unsafe { (api.error_messages)(self.raw(), &raw mut text) };
        if status != 0 || text.is_null() {
            return String::new();
        }
        // SAFETY: a C string, which is ours.
        let owned = unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned();
        // SAFETY: from the C library's allocator, freed once.
        unsafe { libc::free(text.cast::<c_void>()) };
        // SAFETY: the compiled model is valid. What it says is of no use.
        let _ = unsafe { (api.clear_errors)(self.raw()) };
        owned
    }

    /// An error with LiteRT's own words, unless the status is 0.
    pub(crate) fn check(
        &mut self,
        status: i32,
        class: Status,
        text: &'static str,
    ) -> Result<(), BackendError> {
        match status {
            0 => Ok(()),
            MEMORY => Err(BackendError::new(Status::NoMemory, text)),
            _ if class == Status::BadInput => Err(bad_input(text)),
            _ => Err(with_detail(class, text, &self.take_errors())),
        }
    }

    fn raw(&self) -> Raw {
        self.raw.as_ptr()
    }
}

/// Asked by LiteRT before each operator of a run, on the run's thread.
unsafe extern "C" fn is_stopped(flag: *mut c_void) -> bool {
    // SAFETY: the flag of the compiled model that runs.
    unsafe { &*flag.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}

/// Keeps all signals off this thread, and so off the threads that it starts meanwhile.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn now() -> Self {
        // SAFETY: a set of signals is plain memory, filled by the next call.
        let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
        let mut before = all;
        // SAFETY: both are ours; the calls cannot fail with these arguments.
        unsafe {
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        }
        Self(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set that was in force before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }
}
