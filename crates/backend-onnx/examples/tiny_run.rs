//! Time of one run of `tests/data/tiny.onnx` (256-64-32-2, one row, one thread): through
//! `LoadedModel::run`, and through the C API alone with the output made by ONNX Runtime or written
//! into our memory.
//!
//!     cargo run --release -p redisai-backend-onnx --example tiny_run -- /path/libonnxruntime.so
//!
//! With `/path/redisai_onnxruntime.so` as a second argument the model runs through the library, as in
//! the server (the framework must then lie in a `site-packages`).
//!
//! A measurement, not a test: medians of rounds, so that the ways can be compared on one machine.

use ort_sys::{OrtApi, OrtApiBase, OrtMemoryInfo, OrtSession, OrtValue};
use redisai_backend_abi::{Host, InitOptions};
use redisai_backend_loader::{Environment, Loader, LoaderConfig};
use redisai_core::{
    AlignedBytes, Backend, BackendKind, Buffer, DType, Device, HostServices, LoadKind, LoadRequest,
    LoadedModel, LogLevel, Run, Shape, Tensor,
};
use redisai_onnxruntime::OnnxBackend;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;

const ROUNDS: usize = 40;
const RUNS: u32 = 2000;

fn main() {
    let library = std::env::args()
        .nth(1)
        .expect("the path of libonnxruntime.so");
    let blob = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny.onnx")).unwrap();
    let backend = match std::env::args().nth(2) {
        None => native(&library),
        Some(path) => loaded(&library, &path),
    };
    let held: Arc<dyn Buffer> = Arc::new(blob.clone());
    let request = LoadRequest {
        kind: LoadKind::Model,
        blob: &held,
        device: &Device::cpu(),
        options: Vec::new(),
    };
    let model = backend.load(&request).unwrap();
    let input: Vec<u8> = (0..256)
        .flat_map(|i| ((i % 7) as f32 / 7.0).to_ne_bytes())
        .collect();
    let raw = Raw::open(&library, &blob);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(time(|| through_the_trait(model.as_ref(), &input)));
        times[1].push(time(|| raw.run(&input, false)));
        times[2].push(time(|| raw.run(&input, true)));
    }
    let names = [
        "LoadedModel::run",
        "C API, output by ONNX Runtime",
        "C API, output in our memory",
    ];
    for (name, times) in names.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!(
            "{name:32} {:7.0} ns (best {:.0})",
            times[ROUNDS / 2],
            times[0]
        );
    }
}

fn native(framework: &str) -> Arc<dyn Backend> {
    let pairs = [("framework", framework), ("intra_op_threads", "1")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Arc::new(OnnxBackend::new(Host::system(), &InitOptions::new(pairs.into())).unwrap())
}

struct Quiet;

impl HostServices for Quiet {
    fn log(&self, _: LogLevel, text: &str) {
        eprintln!("{text}");
    }
}

fn loaded(framework: &str, library: &str) -> Arc<dyn Backend> {
    let config = LoaderConfig {
        module: None,
        backends_path: None,
        python: Path::new(framework).ancestors().nth(3).map(Into::into),
        environment: Environment::default(),
        test_backends: false,
        options: vec![("intra_op_threads".to_owned(), b"1".to_vec())],
        services: Arc::new(Quiet),
    };
    Loader::new(config)
        .open(BackendKind::Onnx, Some(Path::new(library)))
        .unwrap()
}

fn time(mut run: impl FnMut()) -> f64 {
    let start = busy();
    (0..RUNS).for_each(|_| run());
    (busy() - start) / f64::from(RUNS)
}

/// Nanoseconds that this thread has computed: what others do on the machine does not count.
fn busy() -> f64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux, and the struct is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn through_the_trait(model: &dyn LoadedModel, input: &[u8]) {
    let data = Box::new(AlignedBytes::copy_of(input));
    let tensor = Tensor::new(DType::Float, Shape::new(&[1, 256]).unwrap(), data).unwrap();
    let run = Run {
        id: 1,
        deadline: 0,
        call_context: 0,
        function: b"",
        inputs: &[Arc::new(tensor)],
        outputs: 1,
        keys: &[],
        args: &[],
    };
    std::hint::black_box(model.run(&run).unwrap());
}

/// The C API without any of our code. Everything in it lives until the process ends.
struct Raw {
    api: &'static OrtApi,
    session: *mut OrtSession,
    memory: *mut OrtMemoryInfo,
}

impl Raw {
    /// A session on ONNX Runtime's own allocator, in the environment that the backend has made.
    fn open(library: &str, blob: &[u8]) -> Self {
        // SAFETY: the C API's own functions with valid arguments; every result is checked by `ok`.
        unsafe {
            let library = libloading::Library::new(library).unwrap();
            let base = library
                .get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase")
                .unwrap();
            let api: &'static OrtApi = &*((*base()).GetApi)(17);
            std::mem::forget(library);
            let (mut env, mut options, mut session, mut memory) =
                (null_mut(), null_mut(), null_mut(), null_mut());
            let warning = ort_sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_WARNING;
            ok((api.CreateEnv)(warning, c"raw".as_ptr(), &raw mut env));
            ok((api.CreateSessionOptions)(&raw mut options));
            ok((api.DisablePerSessionThreads)(options));
            ok((api.CreateSessionFromArray)(
                env,
                blob.as_ptr().cast(),
                blob.len(),
                options,
                &raw mut session,
            ));
            ok((api.CreateCpuMemoryInfo)(
                ort_sys::OrtAllocatorType::OrtDeviceAllocator,
                ort_sys::OrtMemType::OrtMemTypeDefault,
                &raw mut memory,
            ));
            Self {
                api,
                session,
                memory,
            }
        }
    }

    fn value(&self, bytes: &mut [u8], dims: [i64; 2]) -> *mut OrtValue {
        let mut value = null_mut();
        // SAFETY: the bytes are as many as the shape says and outlive the run.
        unsafe {
            ok((self.api.CreateTensorWithDataAsOrtValue)(
                self.memory,
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                dims.as_ptr(),
                2,
                ort_sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                &raw mut value,
            ));
        }
        value
    }

    fn run(&self, input: &[u8], ours: bool) {
        let mut input = AlignedBytes::copy_of(input);
        let mut output = AlignedBytes::zeroed(8);
        let x = self.value(input.bytes_mut(), [1, 256]);
        let mut y = if ours {
            self.value(output.bytes_mut(), [1, 2])
        } else {
            null_mut()
        };
        let (x_name, y_name) = (c"x".as_ptr(), c"y".as_ptr());
        // SAFETY: one name and one value each; all are released once.
        unsafe {
            let mut options = null_mut();
            ok((self.api.CreateRunOptions)(&raw mut options));
            ok((self.api.Run)(
                self.session,
                options,
                &raw const x_name,
                (&raw const x).cast(),
                1,
                &raw const y_name,
                1,
                &raw mut y,
            ));
            if !ours {
                let mut info = null_mut();
                let (mut rank, mut dims, mut data) = (0, [0_i64; 2], null_mut());
                ok((self.api.GetTensorTypeAndShape)(y, &raw mut info));
                ok((self.api.GetDimensionsCount)(info, &raw mut rank));
                ok((self.api.GetDimensions)(info, dims.as_mut_ptr(), 2));
                (self.api.ReleaseTensorTypeAndShapeInfo)(info);
                ok((self.api.GetTensorMutableData)(y, &raw mut data));
                std::hint::black_box((rank, dims, data));
            }
            (self.api.ReleaseRunOptions)(options);
            (self.api.ReleaseValue)(x);
            (self.api.ReleaseValue)(y);
        }
        std::hint::black_box(output);
    }
}

fn ok(status: ort_sys::OrtStatusPtr) {
    assert!(status.0.is_null());
}
