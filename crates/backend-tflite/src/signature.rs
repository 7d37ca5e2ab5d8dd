//! Signatures of a model: their inputs and outputs.

use crate::element::dtype_of;
use crate::error::{NO_MODEL, bad_model};
use crate::handles::{Model, text_of};
use crate::survey::Survey;
use crate::sys::{Api, RankedType, Raw};
use redisai_core::{BackendError, Function, Signature as Core, ValueInfo};

/// The signature that runs where none is named.
const DEFAULT: &[u8] = b"serving_default";
/// More than any model has, so that a number out of a broken one allocates nothing.
const MOST: usize = 65_536;

/// A signature.
pub(crate) struct Signature {
    /// Its number in the model.
    pub(crate) index: usize,
    pub(crate) key: Box<[u8]>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
}

/// An input or output.
pub(crate) struct Value {
    /// The tensor's name, which may differ from the signature's for it.
    name: Box<[u8]>,
    /// The tensor's number in its graph.
    tensor: u32,
    /// LiteRT's number of the element type.
    pub(crate) element: i32,
    /// The declared dimensions, -1 where one is not fixed; none where the rank is not known.
    pub(crate) dims: Option<Vec<i32>>,
    /// For an output that a run does not write: where its bytes are instead.
    pub(crate) alias: Option<Alias>,
}

/// Where the bytes of an output are that a run does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    /// It is an input, which the run then reads from the output's memory.
    Input(usize),
    /// A later output is the same tensor; only the last is written.
    Output(usize),
}

/// Reads the signatures: the default one first, then the others in the model's order.
pub(crate) fn read(api: &Api, model: &Model) -> Result<Vec<Signature>, BackendError> {
    let mut count = 0;
    // SAFETY: the model is valid; a number is written.
    check(unsafe { (api.num_signatures)(model.as_ptr(), &raw mut count) })?;
    let mut signatures = (0..count.min(MOST))
        .map(|index| read_one(api, model, index))
        .collect::<Result<Vec<_>, _>>()?;
    let default = signatures
        .iter()
        .position(|signature| *signature.key == *DEFAULT);
    if let Some(default) = default {
        let default = signatures.remove(default);
        signatures.insert(0, default);
    }
    if signatures.is_empty() {
        return Err(bad_model(NO_MODEL));
    }
    Ok(signatures)
}

fn read_one(api: &Api, model: &Model, index: usize) -> Result<Signature, BackendError> {
    let mut raw: Raw = std::ptr::null_mut();
    let mut key = std::ptr::null();
    let (mut inputs, mut outputs) = (0, 0);
    // SAFETY: the model is valid, and the signature part of it; each function writes one thing.
    let status = unsafe {
        check((api.signature)(model.as_ptr(), index, &raw mut raw))?;
        check((api.signature_key)(raw, &raw mut key))?;
        check((api.num_inputs)(raw, &raw mut inputs))?;
        (api.num_outputs)(raw, &raw mut outputs)
    };
    check(status)?;
    let values = |count: usize, tensor: unsafe extern "C" fn(Raw, usize, *mut Raw) -> i32| {
        let places = 0..count.min(MOST);
        places
            .map(|place| {
                let mut value: Raw = std::ptr::null_mut();
                // SAFETY: the signature is valid; a part of the model is written.
                check(unsafe { tensor(raw, place, &raw mut value) })?;
                read_value(api, value)
            })
            .collect::<Result<Vec<_>, BackendError>>()
    };
    let inputs = values(inputs, api.input_tensor)?;
    let mut outputs = values(outputs, api.output_tensor)?;
    find_aliases(&inputs, &mut outputs);
    Ok(Signature {
        index,
        // SAFETY: a C string of the model, or null.
        key: unsafe { text_of(key) },
        inputs,
        outputs,
    })
}

fn read_value(api: &Api, raw: Raw) -> Result<Value, BackendError> {
    let mut name = std::ptr::null();
    let (mut tensor, mut unranked) = (0, 0);
    let mut kind = RankedType::default();
    // SAFETY: the tensor is part of a valid model; each function writes one thing.
    unsafe {
        check((api.tensor_name)(raw, &raw mut name))?;
        check((api.tensor_index)(raw, &raw mut tensor))?;
        check((api.tensor_type_id)(raw, &raw mut unranked))?;
    }
    let ranked = unranked == 0;
    if ranked {
        // SAFETY: likewise.
        check(unsafe { (api.ranked_type)(raw, &raw mut kind) })?;
    }
    Ok(Value {
        // SAFETY: a C string of the model, or null.
        name: unsafe { text_of(name) },
        tensor,
        element: kind.element,
        dims: ranked.then(|| kind.layout.dims().to_vec()),
        alias: None,
    })
}

fn find_aliases(inputs: &[Value], outputs: &mut [Value]) {
    let tensors: Vec<u32> = outputs.iter().map(|output| output.tensor).collect();
    for (place, output) in outputs.iter_mut().enumerate() {
        let input = inputs
            .iter()
            .position(|input| input.tensor == output.tensor);
        let last = tensors.iter().rposition(|&tensor| tensor == output.tensor);
        output.alias = match (input, last) {
            (Some(input), _) => Some(Alias::Input(input)),
            (None, Some(last)) if last != place => Some(Alias::Output(last)),
            _ => None,
        };
    }
}

/// The same for the engine: the one that runs where none is named comes first.
pub(crate) fn to_core(signatures: &[Signature], survey: &Survey) -> Core {
    let functions = signatures.iter().map(|signature| Function {
        name: signature.key.clone(),
        inputs: signature.inputs.iter().map(Value::to_core).collect(),
        outputs: signature.outputs.iter().map(Value::to_core).collect(),
        ..Function::default()
    });
    Core {
        functions: functions.collect(),
        control_flow: survey.control_flow,
    }
}

impl Value {
    fn to_core(&self) -> ValueInfo {
        let fixed = |&dim: &i32| (dim >= 0).then_some(i64::from(dim));
        let dims = self.dims.as_ref();
        ValueInfo {
            name: self.name.clone(),
            dtype: dtype_of(self.element),
            dims: dims.map(|dims| dims.iter().map(fixed).collect()),
            ..ValueInfo::default()
        }
    }
}

fn check(status: i32) -> Result<(), BackendError> {
    if status == 0 {
        return Ok(());
    }
    Err(bad_model(format!(
        "{NO_MODEL}: its signatures cannot be read (status {status})"
    )))
}
