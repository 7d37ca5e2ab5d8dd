//! Inputs and outputs of a run, as buffers of LiteRT.

use crate::compiled::Layouts;
use crate::element::dtype_of;
use crate::environment::Environment;
use crate::error::{NO_OUTPUT_TYPE, NO_RUN, unsupported};
use crate::handles::TensorBuffer;
use crate::padded::{Padded, fits};
use crate::resize::{Dims, layout_of};
use crate::signature::{Alias, Signature, Value};
use crate::sys::{Layout, RankedType, Raw};
use redisai_core::{BackendError, DType, RunOutput, Shape, Status, Tensor, zeros_and_ones};
use smallvec::SmallVec;
use std::sync::Arc;

/// What outputs hold before a run, in turn: one that still holds it afterwards was not written.
const FILLS: [u8; 2] = [0xa5, 0x5a];

/// The inputs of a run.
pub(crate) struct Feeds {
    buffers: SmallVec<[TensorBuffer; 4]>,
    /// Copies of inputs that lie where LiteRT must not read.
    _copies: SmallVec<[Padded; 4]>,
}

impl Feeds {
    /// Wraps inputs, which must outlive this. One without alignment or without room behind its end is
    /// copied.
    pub(crate) fn new(
        environment: &'static Environment,
        signature: &Signature,
        inputs: &[Arc<Tensor>],
        shapes: &[Dims],
    ) -> Result<Self, BackendError> {
        let mut copies: SmallVec<[Padded; 4]> = SmallVec::new();
        let mut buffers = SmallVec::new();
        for ((value, input), dims) in signature.inputs.iter().zip(inputs).zip(shapes) {
            let layout = layout_of(dims)?;
            let mut bytes = input.bytes();
            if !fits(input.buffer()) {
                copies.push(Padded::copy_of(environment.host, bytes)?);
                bytes = copies.last().map_or(bytes, Padded::bytes);
            }
            let data = bytes.as_ptr().cast_mut();
            // SAFETY: an input's bytes, which LiteRT only reads. Copies do not move with their owner.
            buffers.push(unsafe { wrap(environment, value.element, layout, data, bytes.len()) }?);
        }
        Ok(Self {
            buffers,
            _copies: copies,
        })
    }

    /// LiteRT's handles of them.
    pub(crate) fn raw(&self) -> SmallVec<[Raw; 8]> {
        self.buffers.iter().map(TensorBuffer::as_ptr).collect()
    }
}

/// The outputs of one try.
pub(crate) struct Outputs<'a> {
    environment: &'static Environment,
    signature: &'a Signature,
    layouts: Layouts,
    memory: SmallVec<[Padded; 4]>,
    fill: u8,
}

impl<'a> Outputs<'a> {
    /// Memory for outputs of these layouts. One that is an input holds the input: the run reads it
    /// there.
    pub(crate) fn new(
        environment: &'static Environment,
        signature: &'a Signature,
        inputs: &[Arc<Tensor>],
        layouts: &Layouts,
        turn: u8,
    ) -> Result<Self, BackendError> {
        let fill = if turn.is_multiple_of(2) {
            FILLS[0]
        } else {
            FILLS[1]
        };
        let memory = signature
            .outputs
            .iter()
            .zip(layouts)
            .map(|(value, layout)| {
                let mut memory = Padded::zeroed(environment.host, bytes_of(value, layout)?)?;
                memory.bytes_mut().fill(fill);
                if let Some(Alias::Input(input)) = value.alias {
                    let input = inputs.get(input).map_or(&[][..], |input| input.bytes());
                    for (to, from) in memory.bytes_mut().iter_mut().zip(input) {
                        *to = *from;
                    }
                }
                Ok(memory)
            });
        Ok(Self {
            environment,
            signature,
            layouts: layouts.clone(),
            memory: memory.collect::<Result<_, BackendError>>()?,
            fill,
        })
    }

    /// Wraps them. The buffers must go before this does.
    pub(crate) fn wrap(&mut self) -> Result<SmallVec<[TensorBuffer; 4]>, BackendError> {
        let values = self.signature.outputs.iter().zip(&self.layouts);
        values
            .zip(&mut self.memory)
            .map(|((value, layout), memory)| {
                let len = memory.bytes().len();
                // An empty shape is taken only in this form.
                let layout = if len == 0 { layout_of(&[0])? } else { *layout };
                let data = memory.bytes_mut().as_mut_ptr();
                // SAFETY: `len` bytes of memory that is ours alone.
                unsafe { wrap(self.environment, value.element, layout, data, len) }
            })
            .collect()
    }

    /// Whether outputs of these layouts fit.
    pub(crate) fn hold(&self, layouts: &Layouts) -> Result<bool, BackendError> {
        for ((value, layout), memory) in
            self.signature.outputs.iter().zip(layouts).zip(&self.memory)
        {
            if bytes_of(value, layout)? > memory.bytes().len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an output that a run writes still holds what it held before.
    pub(crate) fn is_unwritten(&self, layouts: &Layouts) -> Result<bool, BackendError> {
        for ((value, layout), memory) in
            self.signature.outputs.iter().zip(layouts).zip(&self.memory)
        {
            let len = bytes_of(value, layout)?;
            let bytes = memory.bytes().get(..len).unwrap_or_default();
            let untouched = bytes.iter().all(|&byte| byte == self.fill);
            if value.alias.is_none() && len > 0 && untouched {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The outputs of a run that worked, in the shapes that it gave them. Of outputs that are one
    /// tensor only the last was written.
    pub(crate) fn into_tensors(mut self, layouts: &Layouts) -> Result<RunOutput, BackendError> {
        for (place, (value, layout)) in self.signature.outputs.iter().zip(layouts).enumerate() {
            let len = bytes_of(value, layout)?;
            if let Some(Alias::Output(last)) = value.alias {
                let bytes = self.memory.get(last).map_or(&[][..], Padded::bytes);
                let copy = Padded::copy_of(self.environment.host, bytes)?;
                if let Some(memory) = self.memory.get_mut(place) {
                    *memory = copy;
                }
            }
            if let Some(memory) = self.memory.get_mut(place) {
                memory.truncate(len);
            }
        }
        let values = self.signature.outputs.iter().zip(layouts);
        values
            .zip(self.memory)
            .map(|((value, layout), memory)| tensor(value, layout, memory))
            .collect()
    }
}

fn tensor(
    value: &Value,
    layout: &Layout,
    memory: Padded,
) -> Result<Option<Arc<Tensor>>, BackendError> {
    let dtype = dtype_of(value.element).ok_or_else(|| unsupported(NO_OUTPUT_TYPE))?;
    let mut data = memory.into_buffer();
    if dtype == DType::Bool {
        let refused = || redisai_backend_abi::no_memory(0);
        data = zeros_and_ones(data).ok_or_else(refused)?;
    }
    let made = Tensor::new(dtype, shape_of(layout)?, data);
    made.map(|tensor| Some(Arc::new(tensor))).map_err(|cause| {
        let text = format!("ERR the model's output makes no tensor ({cause:?})");
        BackendError::new(Status::RunFailed, text)
    })
}

fn shape_of(layout: &Layout) -> Result<Shape, BackendError> {
    let dims: SmallVec<[i64; 8]> = layout.dims().iter().map(|&dim| i64::from(dim)).collect();
    Shape::new(&dims).map_err(|_| {
        let text = format!("{NO_RUN}: an output has the shape {dims:?}");
        BackendError::new(Status::RunFailed, text)
    })
}

/// Bytes of an output.
fn bytes_of(value: &Value, layout: &Layout) -> Result<usize, BackendError> {
    let dtype = dtype_of(value.element).ok_or_else(|| unsupported(NO_OUTPUT_TYPE))?;
    let shape = shape_of(layout)?;
    let bytes = shape.bytes(dtype.size());
    bytes.map_err(|_| redisai_backend_abi::no_memory(usize::MAX))
}

/// A buffer over memory.
///
/// # Safety
/// `data` has `len` bytes that may be read and, for an output, written as long as the buffer lives,
/// and TAIL more that may be read.
unsafe fn wrap(
    environment: &'static Environment,
    element: i32,
    layout: Layout,
    data: *mut u8,
    len: usize,
) -> Result<TensorBuffer, BackendError> {
    let kind = RankedType { element, layout };
    let api = environment.api;
    // SAFETY: the type is copied; the memory stays ours, since nothing that frees it is given.
    let made = unsafe {
        TensorBuffer::make(api, |out| {
            (api.wrap)(&raw const kind, data.cast(), len, None, out)
        })
    };
    made.map_err(|status| {
        let text = format!("{NO_RUN}: LiteRT takes no buffer of {len} bytes (status {status})");
        BackendError::new(Status::RunFailed, text)
    })
}
