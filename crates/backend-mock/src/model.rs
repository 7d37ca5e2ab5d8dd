//! A session: runs the operation.

use crate::Shared;
use crate::parse::{Definition, Operation};
use crate::waiting::{cancelled, now};
use redisai_backend_abi::{HostBytes, no_memory};
use redisai_core::{
    AlignedBytes, BackendError, Buffer, DType, LoadedModel, Run, RunOutput, Shape, Signature,
    Status, Tensor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The number of a wait that belongs to no run.
const NO_RUN: u64 = u64::MAX;

/// A loaded model of the mock.
pub(crate) struct MockModel {
    definition: Definition,
    shared: Arc<Shared>,
    runs: AtomicU64,
}

impl MockModel {
    /// A session of this definition; what is to fail at load does so here.
    pub(crate) fn new(definition: Definition, shared: Arc<Shared>) -> Result<Self, BackendError> {
        match definition.at_load.as_ref().unwrap_or(&Operation::Identity) {
            Operation::FailLoad(text) => {
                return Err(BackendError::new(Status::BadModel, text.clone()));
            }
            Operation::PanicLoad(text) => panic!("{text}"),
            Operation::GateLoad(path) => shared.waiting.gate(NO_RUN, path)?,
            _ => {}
        }
        shared.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            definition,
            shared,
            runs: AtomicU64::new(0),
        })
    }

    /// What the function of a run does.
    fn operation(&self, run: &Run<'_>) -> Result<&Operation, BackendError> {
        let mut functions = self.definition.signature.functions.iter();
        let found = functions.position(|one| *one.name == *run.function);
        let found = found.and_then(|at| self.definition.operations.get(at));
        found.ok_or_else(|| {
            let name = String::from_utf8_lossy(run.function);
            bad_input(format!("Function does not exist: {name}"))
        })
    }

    fn check_counts(&self, run: &Run<'_>) -> Result<(), BackendError> {
        // Functions of scripts take any number.
        let Some(function) = self.definition.signature.functions.first() else {
            return Ok(());
        };
        let check = |what, variadic, declared: usize, given: usize| {
            if variadic || declared == given {
                return Ok(());
            }
            Err(bad_input(format!(
                "ERR Number of {what} given does not match: {given}, the model has {declared}"
            )))
        };
        check(
            "inputs",
            function.variadic_inputs,
            function.inputs.len(),
            run.inputs.len(),
        )?;
        check(
            "outputs",
            function.variadic_outputs,
            function.outputs.len(),
            run.outputs,
        )
    }

    fn execute(&self, run: &Run<'_>, number: u64) -> Result<RunOutput, BackendError> {
        let host = self.shared.host;
        match self.operation(run)? {
            Operation::Identity | Operation::GateLoad(_) => identity(run),
            Operation::Copy => each(run, |input| {
                let data = HostBytes::copy_of(host, input.bytes());
                let data = data.ok_or_else(|| no_memory(input.bytes().len()))?;
                tensor_like(input, Box::new(data))
            }),
            Operation::Foreign => each(run, |input| {
                tensor_like(input, Box::new(AlignedBytes::copy_of(input.bytes())))
            }),
            Operation::Add => {
                let sum = crate::add::sum(host, run.inputs)?;
                Ok((0..run.outputs).map(|_| Some(Arc::clone(&sum))).collect())
            }
            Operation::Tell => {
                let told = tell(run.inputs, number)?;
                Ok((0..run.outputs).map(|_| Some(Arc::clone(&told))).collect())
            }
            Operation::Picky(path) => {
                let has = |byte| {
                    run.inputs
                        .first()
                        .is_some_and(|x| x.bytes().contains(&byte))
                };
                if has(255) {
                    return Err(BackendError::new(
                        Status::RunFailed,
                        "ERR mock: a byte is 255",
                    ));
                }
                if has(254) {
                    self.shared.waiting.gate(run.id, path)?;
                }
                identity(run)
            }
            Operation::Sleep(time) => {
                self.shared.waiting.sleep(run.id, *time)?;
                identity(run)
            }
            Operation::Burn(time) => {
                if run
                    .inputs
                    .first()
                    .is_some_and(|input| input.bytes().contains(&255))
                {
                    let begun = Instant::now();
                    while begun.elapsed() < *time {
                        std::hint::spin_loop();
                    }
                }
                identity(run)
            }
            Operation::Gate(path) => {
                self.shared.waiting.gate(run.id, path)?;
                identity(run)
            }
            Operation::Fail(text) | Operation::FailLoad(text) => {
                Err(BackendError::new(Status::RunFailed, text.clone()))
            }
            Operation::Panic(text) | Operation::PanicLoad(text) => panic!("{text}"),
            Operation::Crash { segv } => crash(*segv),
            Operation::Allocate(bytes) => (0..run.outputs)
                .map(|_| allocate(&self.shared, *bytes).map(Some))
                .collect(),
            Operation::None => Ok((0..run.outputs).map(|_| None).collect()),
            Operation::Give(count) => Ok((0..*count).map(|_| None).collect()),
            Operation::Aligned { align, tail } => {
                check_alignment(run.inputs, *align, *tail)?;
                identity(run)
            }
            Operation::Words => {
                let words = std::iter::once(run.function)
                    .chain(run.keys.iter().chain(run.args).map(Vec::as_slice))
                    .collect::<Vec<&[u8]>>();
                only(run, strings(&[words.len() as i64], &words)?)
            }
            Operation::Call(words) => {
                let mut argv: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                argv.extend(run.args.iter().map(Vec::as_slice));
                let reply = host.call(run.call_context, &argv)?;
                only(run, strings(&[], &[&reply])?)
            }
            Operation::RunModel(key) => {
                let inputs = run.inputs.to_vec();
                let key = run.args.first().map_or(key.as_bytes(), Vec::as_slice);
                host.run_model(run.call_context, key, inputs, run.outputs)
            }
        }
    }
}

impl LoadedModel for MockModel {
    fn signature(&self) -> &Signature {
        &self.definition.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.runs.fetch_add(1, Ordering::Relaxed);
        if run.deadline != 0 && run.deadline <= now() {
            return Err(cancelled());
        }
        self.operation(run)?;
        self.check_counts(run)?;
        self.execute(run, number)
    }

    fn figures(&self) -> Vec<(String, String)> {
        let runs = self.runs.load(Ordering::Relaxed);
        vec![("runs".to_owned(), runs.to_string())]
    }
}

impl Drop for MockModel {
    fn drop(&mut self) {
        self.shared.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

fn identity(run: &Run<'_>) -> Result<RunOutput, BackendError> {
    match run.inputs.get(..run.outputs) {
        Some(inputs) => Ok(inputs.iter().map(|input| Some(Arc::clone(input))).collect()),
        None => Err(fewer(run)),
    }
}

fn each(
    run: &Run<'_>,
    make: impl Fn(&Tensor) -> Result<Arc<Tensor>, BackendError>,
) -> Result<RunOutput, BackendError> {
    let inputs = run.inputs.get(..run.outputs).ok_or_else(|| fewer(run))?;
    inputs.iter().map(|input| make(input).map(Some)).collect()
}

fn fewer(run: &Run<'_>) -> BackendError {
    bad_input(format!(
        "ERR mock: {} outputs of {} inputs",
        run.outputs,
        run.inputs.len()
    ))
}

fn only(run: &Run<'_>, tensor: Arc<Tensor>) -> Result<RunOutput, BackendError> {
    if run.outputs == 1 {
        return Ok(std::iter::once(Some(tensor)).collect());
    }
    Err(bad_input("ERR mock: there is one output".to_owned()))
}

fn tensor_like(like: &Tensor, data: Box<dyn Buffer>) -> Result<Arc<Tensor>, BackendError> {
    let shape = like.shape().clone();
    match like.offsets() {
        Some(offsets) => Tensor::with_offsets(shape, data, offsets.into()),
        None => Tensor::new(like.dtype(), shape, data),
    }
    .map(Arc::new)
    .map_err(|error| bad_input(format!("ERR mock: {error:?}")))
}

/// What each row of a run is told of it.
fn tell(inputs: &[Arc<Tensor>], number: u64) -> Result<Arc<Tensor>, BackendError> {
    let first = inputs
        .first()
        .and_then(|input| input.shape().dims().first());
    let rows = *first.ok_or_else(|| bad_input("ERR mock: there are no rows".to_owned()))?;
    let words = (0..rows).flat_map(|place| [rows, number as i64, place]);
    let bytes: Vec<u8> = words.flat_map(i64::to_ne_bytes).collect();
    Shape::new(&[rows, 3])
        .map_err(Into::into)
        .and_then(|shape| {
            let data = Box::new(AlignedBytes::copy_of(&bytes));
            Tensor::new(DType::Int64, shape, data)
        })
        .map(Arc::new)
        .map_err(|error| bad_input(format!("ERR mock: {error:?}")))
}

fn strings(dims: &[i64], elements: &[&[u8]]) -> Result<Arc<Tensor>, BackendError> {
    Shape::new(dims)
        .map_err(Into::into)
        .and_then(|shape| Tensor::from_strings(shape, elements))
        .map(Arc::new)
        .map_err(|error| bad_input(format!("ERR mock: {error:?}")))
}

fn allocate(shared: &Shared, bytes: usize) -> Result<Arc<Tensor>, BackendError> {
    let data = HostBytes::zeroed(shared.host, bytes).ok_or_else(|| no_memory(bytes))?;
    Shape::new(&[bytes as i64])
        .map_err(Into::into)
        .and_then(|shape| Tensor::new(DType::UInt8, shape, Box::new(data)))
        .map(Arc::new)
        .map_err(|error| bad_input(format!("ERR mock: {error:?}")))
}

fn check_alignment(inputs: &[Arc<Tensor>], align: usize, tail: usize) -> Result<(), BackendError> {
    for input in inputs {
        let address = input.bytes().as_ptr() as usize;
        if address.checked_rem(align) != Some(0) || input.buffer().tail() < tail {
            let tail = input.buffer().tail();
            return Err(bad_input(format!(
                "ERR mock: at {address:#x} with a tail of {tail}"
            )));
        }
    }
    Ok(())
}

fn crash(segv: bool) -> ! {
    if segv {
        let nowhere = std::hint::black_box(std::ptr::null_mut::<u8>());
        // SAFETY: none: this is meant to kill the process, as a framework's bug would.
        unsafe { nowhere.write_volatile(1) };
    }
    std::process::abort()
}

pub(crate) fn bad_input(text: String) -> BackendError {
    BackendError::new(Status::BadInput, text)
}
