//! What the conformance cases do not see: files of all kinds, writes to inputs, lists, state.

mod common;

use common::{archive, floats, load, model, request, run, tensor, value, values};
use redisai_core::{Backend, DType, LoadKind, Status};
use std::sync::Arc;

fn forward(signature: &str, body: &str) -> String {
    format!("def forward(self: __torch__.M, {signature}:\n{body}")
}

fn refused(blob: Vec<u8>) -> String {
    let error = load(blob).err().expect("refused");
    assert_eq!(error.status, Status::BadModel, "{error}");
    assert!(!error.text.contains('\n'), "{error}");
    error.text.into_owned()
}

#[test]
fn a_wrong_file_is_told_in_one_line() {
    let good = archive::of(&forward("x: Tensor) -> Tensor", "  return x"));
    let checkpoint = archive::zip(&[("m/data.pkl", b"\x80\x02}."), ("m/version", b"3")]);
    let pt2 = archive::zip(&[("m/archive_format", b"pt2"), ("m/version", b"0")]);
    let package = archive::zip(&[("m/data/aotinductor/model/a.so", b"\x7fELF")]);
    let cases: [(Vec<u8>, &str); 17] = [
        (checkpoint, "checkpoint of torch.save"),
        (pt2, "torch._inductor.aoti_compile_and_package"),
        (package, "ALLOW_NATIVE_MODELS yes"),
        (
            archive::zip(&[("saved_model.pb", b"\x08\x01")]),
            "backend TF",
        ),
        (b"\x08\x01\x12\x40\x0a".to_vec(), "backend TF"),
        (b"\x10\0\0\0\0\0\0\0{\"a\": {}}".to_vec(), "safetensors"),
        (b"\x93NUMPY\x01\0".to_vec(), "NumPy"),
        (b"<!DOCTYPE html>".to_vec(), "web page"),
        (b"\x1f\x8b\x08".to_vec(), "gzip"),
        (archive::zip(&[("a.txt", b"x")]), "no TorchScript model"),
        (b"\x80\x02}q\x00.".to_vec(), "pickle"),
        (
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "git lfs pull",
        ),
        (b"\x20\0\0\0TFL3rest".to_vec(), "backend TFLITE"),
        (b"\x08\x09\x12\x07pytorch".to_vec(), "backend ONNX"),
        (b"\x0a\x05graph".to_vec(), "backend TF"),
        (Vec::new(), "empty"),
        (good[..good.len() - 20].to_vec(), "damaged or cut short"),
    ];
    for (blob, part) in cases {
        let text = refused(blob);
        assert!(text.contains(part), "{part}: {text}");
    }
    let script = b"def f(a):\n    return a\n".to_vec();
    assert!(refused(script).contains("torch.jit.script"));
}

#[test]
fn a_newer_format_names_both_numbers() {
    let methods = forward("x: Tensor) -> Tensor", "  return x");
    let text = refused(archive::with_version(&methods, "99\n"));
    assert!(
        text.contains("format 99") && text.contains("up to 10"),
        "{text}"
    );
}

#[test]
fn a_transposed_output_is_compact() {
    let model = model(&forward("x: Tensor) -> Tensor", "  return torch.t(x)"));
    let outputs = run(
        model.as_ref(),
        &[floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
    )
    .unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.shape().dims(), [3, 2]);
    assert_eq!(values(output), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

/// Of an input, of one storage twice, a small view of a large block: each is its own memory.
#[test]
fn outputs_share_nothing_that_can_change() {
    let body = "  y = torch.mul(x, 2)\n  z = torch.repeat(x, [50000])\n  \
                return (x, y, y, torch.slice(z, 0, 0, 2))";
    let model = model(&forward(
        "x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]",
        body,
    ));
    let inputs = [floats(&[2], &[1.0, 2.0])];
    let outputs = run(model.as_ref(), &inputs).unwrap();
    let outputs: Vec<_> = outputs.iter().map(|it| it.as_ref().unwrap()).collect();
    let found: Vec<_> = outputs.iter().map(|it| values(it)).collect();
    assert_eq!(found, [[1.0, 2.0], [2.0, 4.0], [2.0, 4.0], [1.0, 2.0]]);
    let mut places: Vec<_> = outputs.iter().map(|it| it.bytes().as_ptr()).collect();
    places.push(inputs[0].bytes().as_ptr());
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 5);
    assert!(
        common::figure("torch_memory") < 200_000,
        "the large block is gone"
    );
}

/// A key's value never changes, whatever a model does to its input.
#[test]
fn a_model_that_writes_to_its_input_gets_a_copy() {
    let inputs = [floats(&[2], &[1.0, 2.0]), floats(&[2], &[3.0, 4.0])];
    for (signature, body) in [
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  return torch.add_(x, 1)",
        ),
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  v = torch.view(x, [2])\n  return torch.add_(v, 1)",
        ),
        ("x: List[Tensor]) -> Tensor", "  return torch.add_(x[0], 1)"),
        // These give their input, and do not declare it.
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  return torch.add_(torch.type_as(x, y), 1)",
        ),
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  return torch.add_(torch.dropout(x, 0.5, False), 1)",
        ),
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  return torch.add_(torch.set_(torch.zeros_like(y), x), 1)",
        ),
        // Writes to statistics, and does not declare it.
        (
            "x: Tensor, y: Tensor) -> Tensor",
            "  z = torch.batch_norm(torch.stack([y, y]), None, None, x, y, True, 0.5, 0.1, False)\n  \
             return torch.tensor([2, 3], dtype=6)",
        ),
    ] {
        let model = model(&forward(signature, body));
        for _ in 0..2 {
            assert_eq!(
                value(&run(model.as_ref(), &inputs).unwrap()),
                [2.0, 3.0],
                "{body}"
            );
        }
        let found = [values(&inputs[0]), values(&inputs[1])];
        assert_eq!(found, [[1.0, 2.0], [3.0, 4.0]], "{body}");
    }
}

#[test]
fn a_list_takes_what_is_left_and_gives_any_number() {
    let model = model(&forward(
        "a: Tensor, rest: List[Tensor]) -> List[Tensor]",
        "  return rest",
    ));
    let function = &model.signature().functions[0];
    assert!(function.variadic_inputs && function.variadic_outputs);
    let inputs: Vec<_> = (0..4).map(|it| floats(&[1], &[it as f32])).collect();
    for given in 1..=4 {
        let outputs = model.run(&request(&inputs[..given], given - 1)).unwrap();
        let found: Vec<_> = outputs
            .iter()
            .map(|it| values(it.as_ref().unwrap())[0])
            .collect();
        assert_eq!(found, (1..given).map(|it| it as f32).collect::<Vec<_>>());
    }
    let error = model.run(&request(&inputs, 2)).unwrap_err();
    assert_eq!(
        error.text,
        "Function returned unexpected number of outputs - forward"
    );
    assert!(model.run(&request(&[], 0)).is_err());
}

#[test]
fn dicts_keep_their_order_and_none_is_no_tensor() {
    let dict = model(&forward(
        "x: Tensor) -> Dict[str, Tensor]",
        "  return {\"z\": x, \"a\": torch.add(x, 1)}",
    ));
    let inputs = [floats(&[1], &[1.0])];
    let outputs = dict.run(&request(&inputs, 2)).unwrap();
    let found: Vec<_> = outputs
        .iter()
        .map(|it| values(it.as_ref().unwrap()))
        .collect();
    assert_eq!(found, [[1.0], [2.0]]);
    let none = model(&forward(
        "x: Tensor) -> Tuple[Tensor, Optional[Tensor]]",
        "  y: Optional[Tensor] = None\n  return (x, y)",
    ));
    let outputs = none.run(&request(&inputs, 2)).unwrap();
    assert!(outputs[0].is_some() && outputs[1].is_none());
}

#[test]
fn defaults_may_be_left_out() {
    let model = model(&forward(
        "x: Tensor, y: Optional[Tensor]=None, n: int=3) -> Tensor",
        "  if torch.__is__(y, None):\n    z = torch.mul(x, n)\n  else:\n    z = unchecked_cast(Tensor, y)\n  \
         return z",
    ));
    let inputs = [floats(&[1], &[2.0]), floats(&[1], &[5.0])];
    assert_eq!(value(&model.run(&request(&inputs[..1], 1)).unwrap()), [6.0]);
    assert_eq!(value(&model.run(&request(&inputs, 1)).unwrap()), [5.0]);
    assert!(model.signature().control_flow);
}

#[test]
fn strings_and_other_inputs_are_refused() {
    let identity = model(&forward("x: Tensor) -> Tensor", "  return x"));
    let text = redisai_testkit::strings_sample(&[1], 0);
    let error = run(identity.as_ref(), &[text]).unwrap_err();
    assert_eq!(
        (&*error.text, error.status),
        ("Unsupported code 7", Status::BadInput)
    );
    let blob = archive::of(&forward("x: Tensor, n: int) -> Tensor", "  return x"));
    assert!(refused(blob).contains("input n is neither"));
    let complex = model(&forward(
        "x: Tensor) -> Tensor",
        "  return torch.view_as_complex(x)",
    ));
    let error = run(complex.as_ref(), &[floats(&[1, 2], &[1.0, 2.0])]).unwrap_err();
    assert_eq!(error.text, "ComplexFloat is not supported by dlpack");
}

/// Tried without the check: `save` writes and `from_file` reads the server's files.
#[test]
fn files_of_the_server_are_out_of_reach() {
    for body in [
        "  torch.save(x, \"/tmp/redisai-written\")\n  return x",
        "  return torch.from_file(\"/etc/passwd\", False, 10)",
        "  return ops.aten.from_file(\"/etc/passwd\", False, 10)",
    ] {
        let text = refused(archive::of(&forward("x: Tensor) -> Tensor", body)));
        assert!(text.contains("not allowed"), "{text}");
    }
    // A method that runs while the archive is loaded.
    let methods = "def __setstate__(self: __torch__.M, x: int) -> NoneType:\n  \
                   torch.save(x, \"/tmp/redisai-written\")\n  return None\n\
                   def __getstate__(self: __torch__.M) -> int:\n  return 1\n\
                   def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  return x";
    assert!(refused(archive::of(methods)).contains("not allowed"));
    assert!(!std::path::Path::new("/tmp/redisai-written").exists());
}

#[test]
fn devices_that_are_not_there_have_the_contracts_texts() {
    let blob = archive::of(&forward("x: Tensor) -> Tensor", "  return x"));
    let on = |device: &str| {
        let built = common::build(LoadKind::Model, device, blob.clone(), &[]);
        built.map(|_| ()).map_err(|error| error.text.into_owned())
    };
    assert_eq!(on("TPU"), Err("ERR unsupported device".to_owned()));
    assert_eq!(on("cpu:3"), Ok(()));
    let devices = &common::backend().info().capabilities.devices;
    if devices.len() == 1 {
        let text = "GPU requested but Torch couldn't find CUDA";
        assert_eq!(on("GPU:0"), Err(text.to_owned()));
    } else {
        assert_eq!(on("GPU:0"), Ok(()));
        assert!(on("GPU:99").unwrap_err().contains("there is no GPU:99"));
    }
}

/// Every dtype that torch has goes through a computation.
#[test]
fn numbers_are_computed_in_their_own_type() {
    let model = model(&forward("x: Tensor) -> Tensor", "  return torch.to(x, 7)"));
    let two = |dtype: DType| -> Arc<redisai_core::Tensor> {
        let bytes: Vec<u8> = match dtype {
            DType::Float => 2.0_f32.to_ne_bytes().to_vec(),
            DType::Double => 2.0_f64.to_ne_bytes().to_vec(),
            // Two, in both.
            DType::Float16 | DType::BFloat16 => 0x4000_u16.to_ne_bytes().to_vec(),
            DType::Bool => vec![1],
            _ => {
                let mut bytes = vec![0; dtype.size()];
                bytes[0] = 2;
                bytes
            }
        };
        tensor(dtype, &[1], &bytes)
    };
    for dtype in DType::all().filter(|&it| it != DType::String) {
        let outputs = run(model.as_ref(), &[two(dtype)]).unwrap();
        let output = outputs[0].as_ref().unwrap();
        // ScalarType 7 is Double.
        let wanted: f64 = if dtype == DType::Bool { 1.0 } else { 2.0 };
        assert_eq!(output.dtype(), DType::Double);
        assert_eq!(output.bytes(), wanted.to_ne_bytes(), "{dtype:?}");
    }
}

/// On a machine with a GPU this runs there; elsewhere the store is refused.
#[test]
fn a_gpu_computes_what_the_processor_computes() {
    let blob = archive::of(&forward(
        "x: Tensor, rest: List[Tensor]) -> Tuple[Tensor, Tensor]",
        "  y = torch.matmul(x, rest[0])\n  return (torch.relu(y), torch.t(y))",
    ));
    let devices = &common::backend().info().capabilities.devices;
    let built = common::build(LoadKind::Model, "GPU", blob.clone(), &[]);
    if !devices.contains(&"GPU:0".to_owned()) {
        let error = built.err().expect("refused");
        assert_eq!(error.text, "GPU requested but Torch couldn't find CUDA");
        return;
    }
    let (there, here) = (built.unwrap(), load(blob).unwrap());
    let inputs = [
        floats(&[2, 2], &[1.0, -2.0, 3.0, 4.0]),
        floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ];
    for _ in 0..3 {
        let outputs = there.run(&request(&inputs, 2)).unwrap();
        let expected = here.run(&request(&inputs, 2)).unwrap();
        for (output, expected) in outputs.iter().zip(&expected) {
            let (output, expected) = (output.as_ref().unwrap(), expected.as_ref().unwrap());
            assert_eq!(output.shape(), expected.shape());
            assert_eq!(values(output), values(expected));
        }
    }
    let source = "def f(a):\n    assert a.is_cuda\n    return a + 1\n";
    let script = common::build(LoadKind::Script, "GPU:0", source.into(), &[]).unwrap();
    let output = common::call(script.as_ref(), "f", &inputs[..1], 1).unwrap();
    assert_eq!(value(&output), [2.0, -1.0, 4.0, 5.0]);
}
