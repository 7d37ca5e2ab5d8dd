//! What a model and a script have in common: functions in torch's memory, and their runs.

use crate::error::{Doing, FILES, FORBIDDEN, STOPPED, bad_model};
use crate::sys::{self, RawArgument, RawDescription, RawModel, RawRun, RawTensor, Text};
use crate::torch::{Torch, check};
use crate::{error, log, stack, tensor};
use redisai_backend_abi::Stops;
use redisai_backend_abi::{RaiBytes, now, slice_of, tally};
use redisai_core::{BackendError, Run, RunOutput, Status, Tensor};
use smallvec::SmallVec;
use std::ffi::{CStr, c_char, c_int};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// What an argument or result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tensor,
    /// A list of tensors, or as a result a dict of them.
    Tensors,
    Strings,
    Other,
}

/// An argument or result of a function.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: Kind,
    pub(crate) has_default: bool,
}

/// A function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: Box<[u8]>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
}

/// Functions that torch has loaded or compiled.
pub(crate) struct Session {
    torch: &'static Torch,
    runs: Arc<Stops>,
    raw: NonNull<RawModel>,
    pub(crate) functions: Vec<Function>,
    pub(crate) control_flow: bool,
    /// Held by a run where the functions change attributes of their own: two at once would race.
    state: Option<Mutex<()>>,
    /// Bytes of counted memory that loading took.
    allocated: usize,
}

// SAFETY: torch's functions may be called by any thread, by many at once; what may not is under `state`.
unsafe impl Send for Session {}
// SAFETY: likewise.
unsafe impl Sync for Session {}

/// Where the arguments of a call come from.
#[derive(Default)]
pub(crate) struct Call<'a> {
    pub(crate) function: usize,
    pub(crate) arguments: SmallVec<[RawArgument; 8]>,
    pub(crate) inputs: &'a [Arc<Tensor>],
    pub(crate) strings: Vec<RaiBytes>,
}

impl Session {
    /// A session of what `make` loads or compiles, on a deep stack.
    pub(crate) fn new(
        torch: &'static Torch,
        runs: Arc<Stops>,
        make: impl FnOnce(*mut *mut RawModel, *mut Text) -> c_int,
    ) -> Result<Self, BackendError> {
        log::begin();
        let mut raw = std::ptr::null_mut();
        let (made, allocated) = tally(|| {
            stack::deep(|| check(Doing::Load, |error| make(&raw mut raw, error))).flatten()
        });
        made?;
        let raw = NonNull::new(raw).ok_or_else(|| bad_model("ERR torch made no model"))?;
        let mut session = Self {
            torch,
            runs,
            raw,
            functions: Vec::new(),
            control_flow: false,
            state: None,
            allocated,
        };
        session.describe()?;
        Ok(session)
    }

    /// Reads what it is; refuses what may not be.
    fn describe(&mut self) -> Result<(), BackendError> {
        let mut description = std::mem::MaybeUninit::<RawDescription>::uninit();
        // SAFETY: the shim fills the description; what it points at lives as long as the model.
        let (description, functions, operators) = unsafe {
            (self.torch.table.describe)(self.raw.as_ptr(), description.as_mut_ptr());
            let description = description.assume_init();
            let functions = slice_of(description.functions, description.n_functions);
            let operators = slice_of(description.operators, description.n_operators);
            (description, functions, operators)
        };
        // SAFETY: as above.
        self.functions = functions.iter().map(|it| unsafe { function(it) }).collect();
        for operator in operators {
            // SAFETY: a C string that lives as long as the model.
            let name = unsafe { CStr::from_ptr(*operator) };
            if FORBIDDEN.contains(&name) {
                return Err(bad_model(FILES));
            }
            let flow = [c"prim::If", c"prim::Loop", c"prim::fork", c"aten::wait"];
            self.control_flow |= flow.contains(&name);
        }
        self.state = (description.keeps_state != 0).then(Mutex::default);
        Ok(())
    }

    /// Bytes of memory that it keeps.
    pub(crate) fn allocated(&self) -> usize {
        self.allocated
    }

    /// Runs a function on the calling thread.
    pub(crate) fn run(&self, run: &Run<'_>, call: Call<'_>) -> Result<RunOutput, BackendError> {
        let stopped = || BackendError::new(Status::Cancelled, STOPPED);
        let over = || run.deadline != 0 && now() >= run.deadline;
        if over() {
            return Err(stopped());
        }
        let function = self
            .functions
            .get(call.function)
            .ok_or_else(|| bad_model("ERR no such function"))?;
        let inputs = call.inputs.iter().map(|tensor| tensor::input(tensor));
        let inputs: SmallVec<[RawTensor; 8]> = inputs.collect::<Result<_, _>>()?;
        let running = self.runs.start(run.id);
        let request = RawRun {
            function: call.function,
            stop: running.flag(),
            call_context: run.call_context,
            arguments: call.arguments.as_ptr(),
            n_arguments: call.arguments.len(),
            inputs: inputs.as_ptr(),
            strings: call.strings.as_ptr(),
        };
        log::begin();
        let _alone = self
            .state
            .as_ref()
            .map(|state| state.lock().unwrap_or_else(PoisonError::into_inner));
        let outcome = stack::deep(|| self.execute(&request, run.outputs, function)).flatten();
        match outcome {
            // A command of the server that was refused because the time is over is an error of the
            // script, which comes before anybody has asked it to stop.
            Err(_) if running.stopped() || over() => Err(stopped()),
            outcome => outcome,
        }
    }

    fn execute(
        &self,
        request: &RawRun,
        wanted: usize,
        function: &Function,
    ) -> Result<RunOutput, BackendError> {
        let Torch { table, host, .. } = *self.torch;
        let mut outputs: SmallVec<[RawTensor; 8]> = SmallVec::from_elem(RawTensor::NONE, wanted);
        let mut count = 0;
        let mut text = Text::EMPTY;
        // SAFETY: everything in the request lives during the call; there are `wanted` places.
        let code = unsafe {
            (table.run)(
                self.raw.as_ptr(),
                request,
                outputs.as_mut_ptr(),
                wanted,
                &raw mut count,
                &raw mut text,
            )
        };
        let name = || String::from_utf8_lossy(&function.name);
        if code == sys::NO_TENSOR {
            let text = format!("Function returned non-tensor values{}", name());
            return Err(BackendError::new(Status::RunFailed, text));
        }
        if code != sys::OK {
            // SAFETY: the shim filled it, or it is empty.
            let text = unsafe { text.take() };
            return Err(error::from_shim(code, &text, Doing::Run));
        }
        let given = outputs.iter().take(if count > wanted { 0 } else { count });
        // All are taken over, whatever becomes of the first.
        // SAFETY: the shim filled so many places, whose handles are ours.
        let results: SmallVec<[_; 2]> = given
            .map(|raw| unsafe { tensor::output(table, host, raw) })
            .collect();
        if count != wanted {
            let text = format!(
                "Function returned unexpected number of outputs - {}",
                name()
            );
            return Err(BackendError::new(Status::RunFailed, text));
        }
        results.into_iter().collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let drop_model = self.torch.table.drop_model;
        let raw = self.raw.as_ptr();
        // Without a deep stack a usual one has to do: most models are shallow.
        // SAFETY: ours, dropped once; no run of it goes on.
        let dropped = stack::deep(|| unsafe { drop_model(raw) });
        if dropped.is_err() {
            // SAFETY: as above; the first try did not begin.
            unsafe { drop_model(raw) };
        }
    }
}

/// # Safety
/// The shim filled it.
unsafe fn function(raw: &sys::RawFunction) -> Function {
    // SAFETY: the caller's promise.
    unsafe {
        Function {
            name: bytes(raw.name),
            inputs: values(raw.inputs, raw.n_inputs),
            outputs: values(raw.outputs, raw.n_outputs),
        }
    }
}

/// # Safety
/// The shim filled so many.
unsafe fn values(raw: *const sys::RawValue, len: usize) -> Vec<Value> {
    // SAFETY: the caller's promise.
    let raw = unsafe { slice_of(raw, len) };
    raw.iter()
        .map(|value| Value {
            // SAFETY: the caller's promise.
            name: unsafe { bytes(value.name) },
            kind: match value.kind {
                sys::TENSOR => Kind::Tensor,
                sys::TENSORS => Kind::Tensors,
                sys::STRINGS => Kind::Strings,
                _ => Kind::Other,
            },
            has_default: value.has_default != 0,
        })
        .collect()
}

/// # Safety
/// A C string.
unsafe fn bytes(text: *const c_char) -> Box<[u8]> {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes().into()
}

#[cfg(test)]
impl Function {
    /// A function of these parameters: what they are, and whether they have a default.
    pub(crate) fn of_kinds(inputs: &[(Kind, bool)]) -> Self {
        let value = |&(kind, has_default): &(Kind, bool)| Value {
            name: Box::default(),
            kind,
            has_default,
        };
        Self {
            name: Box::default(),
            inputs: inputs.iter().map(value).collect(),
            outputs: Vec::new(),
        }
    }
}
