//! Whatever can be stored is read back the same.

use proptest::prelude::*;
use redisai_codec::{
    Field, Fields, VERSION, decode_model, decode_script, decode_tensor, encode_model,
    encode_script, encode_tensor,
};
use redisai_core::{BackendKind, Batch, DType, Device, ModelDef, ScriptDef, Shape, Tensor};
use std::fmt;
use std::sync::Arc;

fn tensors() -> impl Strategy<Value = Tensor> {
    let dtype = prop::sample::select(DType::all().collect::<Vec<_>>());
    let dims = prop::collection::vec(0_i64..4, 0..6);
    (dtype, dims, any::<u64>()).prop_map(|(dtype, dims, seed)| {
        let shape = Shape::new(&dims).unwrap();
        let byte = |at: usize| (seed >> (at % 57)) as u8;
        if dtype == DType::String {
            let element = |at: usize| (0..at % 4).map(byte).chain([0]).collect::<Vec<_>>();
            let elements: Vec<_> = (0..shape.elements()).map(element).collect();
            let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
            return Tensor::from_strings(shape, &elements).unwrap();
        }
        let mask = if dtype == DType::Bool { 1 } else { 0xff };
        let bytes = shape.bytes(dtype.size()).unwrap();
        let bytes: Vec<u8> = (0..bytes).map(|at| byte(at) & mask).collect();
        Tensor::new(dtype, shape, Box::new(bytes)).unwrap()
    })
}

fn any_bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..9).prop_map(Into::into)
}

/// What a script's parts are made of.
fn c_strings() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(1..=u8::MAX, 0..9).prop_map(Into::into)
}

/// A model, printable.
struct Printable(ModelDef);

impl fmt::Debug for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.0;
        f.debug_tuple("ModelDef")
            .field(&(model.backend, &model.device, &model.tag, model.batch))
            .field(&(&model.inputs, &model.outputs, model.blob.bytes()))
            .finish()
    }
}

prop_compose! {
    fn models()(
        backend in prop::sample::select(BackendKind::ALL.to_vec()),
        device in any_bytes(),
        tag in any_bytes(),
        batch in any::<[u32; 3]>(),
        inputs in prop::collection::vec(any_bytes(), 0..4),
        outputs in prop::collection::vec(any_bytes(), 0..4),
        blob in prop::collection::vec(any::<u8>(), 0..40),
    ) -> Printable {
        let [size, min_size, min_timeout_ms] = batch.map(u64::from);
        Printable(ModelDef {
            backend,
            device: Device::lenient(&device),
            tag,
            batch: Batch { size, min_size, min_timeout_ms },
            inputs,
            outputs,
            blob: Arc::new(blob),
        })
    }
}

prop_compose! {
    /// Device, tag, entry points, source.
    fn scripts()(
        device in any_bytes(),
        tag in any_bytes(),
        entry_points in prop::collection::vec(c_strings(), 0..4),
        source in c_strings(),
    ) -> (Box<[u8]>, Box<[u8]>, Vec<Box<[u8]>>, Box<[u8]>) {
        (device, tag, entry_points, source)
    }
}

proptest! {
    #[test]
    fn a_script((device, tag, entry_points, source) in scripts()) {
        let mut fields = Fields::default();
        encode_script(&mut fields, &ScriptDef {
            device: Device::lenient(&device),
            tag: tag.clone(),
            entry_points: entry_points.clone(),
            source: Arc::new(source.to_vec()),
        });
        let mut reader = fields.reader();
        let read = decode_script(&mut reader, VERSION).unwrap();
        prop_assert!(reader.rest().is_empty());
        prop_assert_eq!(read.device.text(), &*device);
        prop_assert_eq!(read.tag, tag);
        prop_assert_eq!(read.entry_points, entry_points);
        prop_assert_eq!(read.source.bytes(), &*source);
    }

    #[test]
    fn a_tensor(tensor in tensors()) {
        let mut fields = Fields::default();
        encode_tensor(&mut fields, &tensor);
        let mut reader = fields.reader();
        let read = decode_tensor(&mut reader, VERSION).unwrap();
        prop_assert!(reader.rest().is_empty());
        prop_assert_eq!(read.dtype(), tensor.dtype());
        prop_assert_eq!(read.shape(), tensor.shape());
        prop_assert_eq!(read.bytes(), tensor.bytes());
        prop_assert_eq!(read.offsets(), tensor.offsets());
    }

    #[test]
    fn a_model(Printable(model) in models(), chunk in 0_u64..50) {
        let mut fields = Fields::default();
        encode_model(&mut fields, &model, chunk);
        let longest = fields.0.iter().rev().take_while(|field| matches!(field, Field::Bytes(_)));
        let longest = longest.map(|field| match field {
            Field::Bytes(chunk) => chunk.len() as u64,
            Field::Number(_) => 0,
        });
        prop_assert!(longest.max().unwrap_or(0) <= chunk.max(1));
        let mut reader = fields.reader();
        let read = decode_model(&mut reader, VERSION).unwrap();
        prop_assert!(reader.rest().is_empty());
        prop_assert_eq!(read.backend, model.backend);
        prop_assert_eq!(read.device, model.device);
        prop_assert_eq!(read.tag, model.tag);
        prop_assert_eq!(read.batch, model.batch);
        prop_assert_eq!(read.inputs, model.inputs);
        prop_assert_eq!(read.outputs, model.outputs);
        prop_assert_eq!(read.blob.bytes(), model.blob.bytes());
    }

    /// Fields cut off anywhere are an error, never a panic and never a value.
    #[test]
    fn a_short_one_is_refused(Printable(model) in models(), tensor in tensors(), cut in 0_usize..8) {
        let mut fields = Fields::default();
        encode_model(&mut fields, &model, 8);
        fields.0.truncate(fields.0.len().saturating_sub(cut + 1));
        prop_assert!(decode_model(&mut fields.reader(), VERSION).is_err());
        let mut fields = Fields::default();
        encode_tensor(&mut fields, &tensor);
        fields.0.truncate(fields.0.len().saturating_sub(cut + 1));
        prop_assert!(decode_tensor(&mut fields.reader(), VERSION).is_err());
    }
}
