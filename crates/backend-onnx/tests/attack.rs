//! Models and inputs made to break something. A crash ends this process, and so fails the test.
//!
//! Not here, since it cannot be contained in the process: what `docs/onnx.md` lists as not to be caught,
//! and, since their models are made by Python, the inputs of `tests/models/test_crashing_inputs.py`.

mod common;

use common::onnx::{self, field};
use common::{fixture, ints, load, logging_host, model, run};
use redisai_backend_abi::{Host, RaiHost, SYSTEM};
use redisai_core::{Backend, DType, LoadedModel, Shape, Status, Tensor};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Loads; where that works, runs on zeros. Whatever comes back is fine, as long as something does.
fn try_everything(blob: Vec<u8>) -> bool {
    let Ok(model) = load(blob) else { return false };
    let function = &model.signature().functions[0];
    let inputs: Option<Vec<_>> = function.inputs.iter().map(zeros).collect();
    if let Some(inputs) = inputs {
        let _ = run(model.as_ref(), &inputs);
    }
    true
}

/// A small tensor that fits a declared input; none if it wants too much.
fn zeros(input: &redisai_core::ValueInfo) -> Option<Arc<Tensor>> {
    let dims: Vec<i64> = input
        .dims
        .iter()
        .flatten()
        .map(|dim| dim.unwrap_or(2))
        .collect();
    let shape = Shape::new(&dims)
        .ok()
        .filter(|shape| shape.elements() < 1 << 16)?;
    Some(Arc::new(
        Tensor::zeros(input.dtype.unwrap_or(DType::Float), shape).ok()?,
    ))
}

#[test]
fn every_flipped_byte() {
    for name in [
        "branch.onnx",
        "zipmap_int.onnx",
        "optional_none.onnx",
        "aliases.onnx",
    ] {
        let whole = fixture(name);
        let mut loaded = 0;
        for place in 0..whole.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= mask;
                loaded += usize::from(try_everything(bytes));
            }
        }
        assert!(loaded > 0, "{name}: some flips do no harm");
    }
}

#[test]
fn every_truncation() {
    let whole = fixture("mlp.onnx");
    for length in 0..whole.len() {
        try_everything(whole[..length].to_vec());
    }
    assert!(try_everything(whole));
}

#[test]
fn nesting_without_end_is_refused() {
    // graph → node → attribute → graph …
    let mut graph = field(2, b"g");
    for _ in 0..20_000 {
        let attribute = field(6, &graph);
        let node = [field(4, b"If"), field(5, &attribute)].concat();
        graph = field(1, &node);
    }
    let error = load(field(7, &graph)).err().expect("refused");
    assert_eq!(
        error.text,
        "Failed to load model because protobuf parsing failed."
    );
    // Groups, which the decoder has to skip.
    let error = load(vec![0x0b; 1 << 20]).err().expect("refused");
    assert_eq!(error.status, Status::BadModel);
}

#[test]
fn lengths_that_lie() {
    for bytes in [
        &b"\x3a\xff\xff\xff\xff\x0f"[..],
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x3a",
        b"\xff\xff\xff\xff",
    ] {
        assert!(load(bytes.to_vec()).is_err(), "{bytes:?}");
    }
}

/// An initializer that says it has 2^62 elements and brings four bytes.
#[test]
fn shapes_that_lie() {
    for dim in [
        &b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f"[..],
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        let dims = [&[0x08][..], dim].concat();
        let tensor = [
            dims.clone(),
            dims,
            vec![0x10, 1],
            field(8, b"w"),
            field(9, &[0; 4]),
        ]
        .concat();
        let node = [field(1, b"w"), field(2, b"y"), field(4, b"Neg")].concat();
        let output = field(
            12,
            &[field(1, b"y"), field(2, &field(1, &[0x08, 1]))].concat(),
        );
        let graph = [field(1, &node), field(2, b"g"), field(5, &tensor), output].concat();
        let opset = field(8, &[0x10, 20]);
        let blob = [vec![0x08, 9], field(7, &graph), opset].concat();
        let error = load(blob).err().expect("refused");
        assert_eq!(error.status, Status::BadModel, "{error}");
    }
}

#[test]
fn empty_and_odd_shapes_run_or_fail() {
    for name in ["expand.onnx", "tile.onnx", "constant_of_shape.onnx"] {
        let model = model(name);
        for size in [0, 1, -1, i64::MIN, i64::MAX, 1 << 62, 1 << 40] {
            let _ = run(model.as_ref(), &[ints(&[1], &[size])]);
        }
        let _ = run(model.as_ref(), &[ints(&[0], &[])]);
    }
    let range = model("range.onnx");
    for size in [0, -5, i64::MIN, i64::MAX, 1 << 40] {
        let _ = run(range.as_ref(), &[ints(&[], &[size])]);
    }
    // No element, and dimensions whose product would not fit were it not for the 0.
    let mlp = model("unknown_rank.onnx");
    let empty =
        |dims: &[i64]| Arc::new(Tensor::zeros(DType::Float, Shape::new(dims).unwrap()).unwrap());
    for dims in [
        &[0][..],
        &[0, 1 << 40, 1 << 40],
        &[1 << 40, 1 << 40, 0],
        &[1; 64],
        &[0; 200],
    ] {
        let _ = run(mlp.as_ref(), &[empty(dims)]);
    }
}

/// The most memory that the process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// Loading computes what follows from constants alone, in memory that nobody limits: a model of a
/// hundred bytes must not take gigabytes of it.
#[test]
fn constants_that_grow_are_left_to_the_run() {
    let huge = onnx::initializer("n", DType::Int64, &[1], &(1_i64 << 31).to_le_bytes());
    let one = onnx::initializer("one", DType::Float, &[1], &1_f32.to_le_bytes());
    let line = onnx::initializer("line", DType::Float, &[1 << 15, 1], &vec![0; 4 << 15]);
    let row = onnx::initializer("row", DType::Float, &[1, 1 << 15], &vec![0; 4 << 15]);
    let small = onnx::initializer("c0", DType::Float, &[1 << 10], &[0; 4 << 10]);
    let doubling: Vec<_> = (0..22)
        .map(|step| {
            let (from, to) = (format!("c{step}"), format!("c{}", step + 1));
            // An attribute `axis` of 0.
            let axis = [field(1, b"axis"), onnx::number(3, 0), onnx::number(20, 2)].concat();
            [
                onnx::node("Concat", &[&from, &from], &[&to]),
                field(5, &axis),
            ]
            .concat()
        })
        .collect();
    let last = |name: &str| onnx::node("Identity", &[name], &["big"]);
    let models = [
        (
            vec![onnx::node("ConstantOfShape", &["n"], &["big"])],
            vec![huge.clone()],
        ),
        (
            vec![onnx::node("Expand", &["one", "n"], &["big"])],
            vec![huge.clone(), one.clone()],
        ),
        (
            vec![onnx::node("Tile", &["one", "n"], &["big"])],
            vec![huge, one],
        ),
        (
            vec![onnx::node("Add", &["line", "row"], &["big"])],
            vec![line.clone(), row.clone()],
        ),
        (
            vec![onnx::node("MatMul", &["line", "row"], &["big"])],
            vec![line, row],
        ),
        ([doubling, vec![last("c22")]].concat(), vec![small]),
    ];
    let before = peak();
    for (place, (mut nodes, initializers)) in models.into_iter().enumerate() {
        nodes.push(onnx::node("ReduceSum", &["big"], &["sum"]));
        nodes.push(onnx::node("Add", &["x", "sum"], &["y"]));
        for order in [false, true] {
            if order {
                nodes.reverse();
            }
            let (x, y) = (
                onnx::value("x", DType::Float),
                onnx::value("y", DType::Float),
            );
            let blob = onnx::model(&nodes, &initializers, &[x], &[y]);
            assert!(blob.len() < 1 << 20);
            let loaded = load(blob);
            assert!(order || loaded.is_ok(), "model {place}: {:?}", loaded.err());
            let taken = peak().saturating_sub(before);
            assert!(taken < 1 << 30, "model {place} took {taken} bytes");
        }
    }
}

#[test]
fn sparse_tensors_that_would_be_large_are_refused() {
    let values = onnx::initializer("w", DType::Float, &[1], &1_f32.to_le_bytes());
    let indices = onnx::initializer("i", DType::Int64, &[1], &0_i64.to_le_bytes());
    let sparse = |size| [field(1, &values), field(2, &indices), onnx::number(3, size)].concat();
    let model = |size| {
        let graph = [
            field(1, &onnx::node("Add", &["x", "w"], &["y"])),
            field(2, b"g"),
            field(11, &onnx::value("x", DType::Float)),
            field(12, &onnx::value("y", DType::Float)),
            field(15, &sparse(size)),
        ];
        [
            onnx::number(1, 9),
            field(7, &graph.concat()),
            field(8, &onnx::number(2, 20)),
        ]
        .concat()
    };
    assert!(load(model(4)).is_ok());
    let error = load(model(1 << 36)).err().expect("refused");
    assert!(error.text.contains("sparse"), "{error}");
}

/// A function of the domain `l`.
fn function(name: &str, nodes: &[(&str, &str, &str)]) -> Vec<u8> {
    let nodes = nodes.iter().flat_map(|(op, input, output)| {
        let domain = if *op == "Neg" {
            Vec::new()
        } else {
            field(7, b"l")
        };
        field(7, &[onnx::node(op, &[input], &[output]), domain].concat())
    });
    let opsets = [
        field(9, &onnx::number(2, 20)),
        field(9, &[field(1, b"l"), onnx::number(2, 1)].concat()),
    ];
    let head = [
        field(1, name.as_bytes()),
        field(4, b"a"),
        field(5, b"b"),
        field(10, b"l"),
    ];
    head.concat()
        .into_iter()
        .chain(nodes)
        .chain(opsets.concat())
        .collect()
}

fn calling(name: &str, functions: &[Vec<u8>]) -> Vec<u8> {
    let call = [onnx::node(name, &["x"], &["y"]), field(7, b"l")].concat();
    let plain = onnx::model(
        &[call],
        &[],
        &[onnx::value("x", DType::Float)],
        &[onnx::value("y", DType::Float)],
    );
    // Fields from 16 on have a key of two bytes, which the helper writes too.
    let functions = functions.iter().flat_map(|function| field(25, function));
    let opset = field(8, &[field(1, b"l"), onnx::number(2, 1)].concat());
    plain.into_iter().chain(opset).chain(functions).collect()
}

#[test]
fn functions_without_end_are_refused() {
    let plain = calling(
        "f",
        &[function("f", &[("Neg", "a", "t"), ("Neg", "t", "b")])],
    );
    assert!(load(plain).is_ok(), "functions are served");
    let chain = |length: usize| -> Vec<_> {
        let first = [function("f0", &[("Neg", "a", "b")])];
        let rest = (1..length).map(|step| {
            function(
                &format!("f{step}"),
                &[(&format!("f{}", step - 1), "a", "b")],
            )
        });
        first.into_iter().chain(rest).collect()
    };
    assert!(load(calling("f9", &chain(10))).is_ok());
    let doubling: Vec<_> = [function("f0", &[("Neg", "a", "b")])]
        .into_iter()
        .chain((1..40).map(|step| {
            let inner = format!("f{}", step - 1);
            function(
                &format!("f{step}"),
                &[(&inner, "a", "t"), (&inner, "t", "b")],
            )
        }))
        .collect();
    for blob in [
        calling("f", &[function("f", &[("f", "a", "b")])]),
        calling(
            "f",
            &[
                function("f", &[("g", "a", "b")]),
                function("g", &[("f", "a", "b")]),
            ],
        ),
        calling("f39", &doubling),
        calling("f999", &chain(1000)),
    ] {
        let error = load(blob).err().expect("refused");
        assert!(error.text.contains("functions call each other"), "{error}");
        assert_eq!(error.status, Status::BadModel);
    }
}

/// The processor refuses these, and so the process would end.
#[test]
fn divisions_that_the_processor_refuses_are_refused() {
    let int32 = |values: [i32; 2]| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect();
        common::tensor(DType::Int32, &[2], &bytes)
    };
    let divide = model("divide.onnx");
    for (x, y) in [([7, 8], [1, 0]), ([i32::MIN, 8], [-1, 1])] {
        let error = run(divide.as_ref(), &[int32(x), int32(y)]).unwrap_err();
        assert!(error.text.to_lowercase().contains("division"), "{error}");
    }
    let outputs = run(divide.as_ref(), &[int32([i32::MIN, 9]), int32([1, -1])]).unwrap();
    assert_eq!(
        outputs[0].as_ref().unwrap().bytes(),
        int32([i32::MIN, -9]).bytes()
    );
}

/// ONNX Runtime aborts on it.
#[test]
fn a_split_with_too_many_outputs_is_refused() {
    let split = |number: u64| {
        let attribute = [
            field(1, b"num_outputs"),
            onnx::number(3, number),
            onnx::number(20, 2),
        ];
        [
            onnx::node("Split", &["x"], &["y", "z"]),
            field(5, &attribute.concat()),
        ]
        .concat()
    };
    let model = |number| {
        let outputs = ["y", "z"].map(|name| onnx::value(name, DType::Float));
        onnx::model(
            &[split(number)],
            &[],
            &[onnx::value("x", DType::Float)],
            &outputs,
        )
    };
    let outputs = run(
        load(model(2)).unwrap().as_ref(),
        &[common::floats(&[2], &[1.0, 2.0])],
    );
    assert_eq!(outputs.unwrap().len(), 2);
    let error = load(model(1)).err().expect("refused");
    assert!(error.text.contains("num_outputs"), "{error}");
}

/// Each of these would end the process.
#[test]
fn operators_that_cannot_take_nothing_do_not_get_it() {
    let weights = |name, dims: &[u64]| {
        let bytes = dims.iter().product::<u64>() as usize * 4;
        onnx::initializer(name, DType::Float, dims, &vec![0; bytes])
    };
    let hidden = [
        field(1, b"hidden_size"),
        onnx::number(3, 5),
        onnx::number(20, 2),
    ]
    .concat();
    let gru = [
        onnx::node("GRU", &["x", "w", "r"], &["y"]),
        field(5, &hidden),
    ]
    .concat();
    let axis = [field(1, b"axis"), onnx::number(3, 0), onnx::number(20, 2)].concat();
    let unique = [onnx::node("Unique", &["x"], &["y"]), field(5, &axis)].concat();
    let none = |dims: &[i64]| vec![common::floats(dims, &[])];
    for (node, initializers, empty, full) in [
        (
            gru,
            vec![weights("w", &[1, 15, 2]), weights("r", &[1, 15, 5])],
            none(&[0, 3, 2]),
            &[1, 1, 2][..],
        ),
        (unique, vec![], none(&[3, 0]), &[2, 1]),
    ] {
        let (x, y) = (
            onnx::value("x", DType::Float),
            onnx::value("y", DType::Float),
        );
        let model = load(onnx::model(&[node], &initializers, &[x], &[y])).unwrap();
        let error = run(model.as_ref(), &empty).unwrap_err();
        assert!(error.text.contains("without elements"), "{error}");
        assert_eq!(error.status, Status::BadInput);
        assert!(run(model.as_ref(), &[common::floats(full, &[0.5, 0.25])]).is_ok());
    }
}

/// Blocks larger than this are refused; as many bytes as a whole server.
static LARGEST: AtomicUsize = AtomicUsize::new(usize::MAX);

unsafe extern "C" fn refuse_large(host: *const RaiHost, bytes: usize, align: usize) -> *mut c_void {
    if bytes > LARGEST.load(Ordering::Relaxed) {
        return std::ptr::null_mut();
    }
    // SAFETY: the arguments are the caller's.
    SYSTEM
        .tensor_alloc
        .map_or(std::ptr::null_mut(), |alloc| unsafe {
            alloc(host, bytes, align)
        })
}

#[test]
fn memory_that_the_host_refuses_is_an_error() {
    static TABLE: RaiHost = RaiHost {
        alloc: Some(refuse_large),
        ..SYSTEM
    };
    // SAFETY: a whole table that lives for ever.
    let host = unsafe { Host::from_raw(&raw const TABLE) }.unwrap();
    // The environment is the process's, so the test runs in a process of its own.
    if std::env::var_os("REDISAI_TEST_REFUSE").is_none() {
        let test = "memory_that_the_host_refuses_is_an_error";
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("REDISAI_TEST_REFUSE", "1")
            .status()
            .unwrap();
        assert!(ended.success());
        return;
    }
    common::backend_with(host, &[("intra_op_threads", "1")]);
    let models: Vec<Arc<dyn LoadedModel>> = ["expand.onnx", "tile.onnx", "constant_of_shape.onnx"]
        .map(model)
        .into();
    LARGEST.store(1 << 16, Ordering::Relaxed);
    for model in models {
        let error = run(model.as_ref(), &[ints(&[1], &[1 << 20])]).unwrap_err();
        assert_eq!(error.status, Status::NoMemory, "{error}");
        assert!(
            error
                .text
                .contains("memory allocation was refused by the server"),
            "{error}"
        );
        assert!(run(model.as_ref(), &[ints(&[1], &[100])]).is_ok());
    }
    LARGEST.store(0, Ordering::Relaxed);
    // Not even a string's tensor, an alias' copy or a name.
    for (name, inputs) in [
        ("mlp.onnx", vec![]),
        ("concat_string.onnx", vec![]),
        ("zipmap_int.onnx", vec![]),
    ] as [(&str, Vec<Arc<Tensor>>); 3]
    {
        let loaded = load(fixture(name));
        assert!(
            loaded.is_err() || run(loaded.unwrap().as_ref(), &inputs).is_err(),
            "{name}"
        );
    }
    assert!(common::backend().info().version.starts_with("1."));
    let _ = logging_host();
}
