//! A backend written in C by the header, and what the loader says to one that is not as it should be.

use redisai_backend_abi as abi;
use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig, Reason, is_below};
use redisai_core::{Backend, BackendKind, Buffer, DType, Device, HostServices, LogLevel};
use redisai_core::{LoadKind, LoadRequest, LoadedModel, Status, Tensor};
use redisai_testkit::conformance::{Model, load, numbered, run, run_with};
use redisai_testkit::{CountedBytes, OffsetBytes, sample};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

struct Quiet;

impl HostServices for Quiet {
    fn log(&self, _: LogLevel, _: &str) {}
}

/// A directory that is gone afterwards.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redisai-c-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap().to_owned()
}

fn compiler(arguments: &[&str]) -> Output {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    Command::new(cc)
        .arg("-I")
        .arg(root().join("include"))
        .args(arguments)
        .output()
        .expect("a C compiler is there")
}

/// Compiles double.c into its place below `folder`, with macros.
fn compile(folder: &Path, macros: &[&str]) -> PathBuf {
    let library = folder.join("redisai_onnxruntime/redisai_onnxruntime.so");
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    let source = root().join("crates/testkit/tests/c/double.c");
    let mut arguments = vec![
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
    ];
    arguments.push("-D_GNU_SOURCE");
    arguments.extend(macros);
    arguments.extend([source.to_str().unwrap(), "-o", library.to_str().unwrap()]);
    let output = compiler(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    library
}

fn loader(backends: &Path, options: &[(&str, &str)]) -> Loader {
    Loader::new(config(backends, options))
}

fn config(backends: &Path, options: &[(&str, &str)]) -> LoaderConfig {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    LoaderConfig {
        module: None,
        backends_path: Some(backends.to_owned()),
        python: None,
        environment: Environment::default(),
        test_backends: false,
        options: options.iter().map(pair).collect(),
        services: Arc::new(Quiet),
    }
}

fn open(macros: &[&str]) -> Result<Arc<dyn Backend>, LoadError> {
    let temp = Temp::new();
    compile(&temp.0, macros);
    loader(&temp.0, &[]).open(BackendKind::Onnx, None)
}

fn refused(macros: &[&str], reason: Reason, words: &str) {
    let error = open(macros).err().expect("a refusal");
    assert_eq!(error.reason, reason, "{error}");
    assert!(error.text.contains(words), "{error}");
    assert!(error.text.contains("redisai_onnxruntime.so"), "{error}");
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect()
}

#[test]
fn it_doubles() {
    let backend = open(&[]).unwrap();
    assert_eq!(backend.info().version, "c-1.0");
    assert!(backend.info().capabilities.dynamic_shapes);
    let session = load(backend.as_ref(), &Model::from("double")).unwrap();
    let function = &session.signature().functions[0];
    assert_eq!(function.inputs[0].name.as_ref(), b"x");
    assert_eq!(function.inputs[0].dims, None);
    assert_eq!(function.outputs[0].dtype, Some(DType::Float));
    let shape = redisai_core::Shape::new(&[3, 1]).unwrap();
    let data = OffsetBytes::copy_of(&floats(&[1.0, -2.5, 1e30]));
    let input = Tensor::new(DType::Float, shape, Box::new(data)).unwrap();
    let outputs = run(session.as_ref(), &[Arc::new(input)]).unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.shape().dims(), [3, 1]);
    assert_eq!(output.bytes(), floats(&[2.0, -5.0, 2e30]));
    assert!(!output.buffer().is_foreign());
    // It has neither cancel nor figures.
    backend.cancel(1);
    assert_eq!(backend.figures(), []);
}

#[test]
fn its_errors_come_across() {
    let backend = open(&[]).unwrap();
    let error = load(backend.as_ref(), &Model::from("triple"))
        .err()
        .unwrap();
    assert_eq!(
        (error.status, error.text.as_ref()),
        (Status::BadModel, "ERR the model is not 'double'")
    );
    let session = load(backend.as_ref(), &Model::from("double")).unwrap();
    let error = run(session.as_ref(), &[sample(DType::Int32, &[1], 0)]).unwrap_err();
    assert_eq!(
        (error.status, error.text.as_ref()),
        (Status::BadInput, "ERR the input is not FLOAT")
    );
    let error = run_with(session.as_ref(), &numbered(&[], 1)).unwrap_err();
    assert_eq!(error.status, Status::BadInput);
}

#[test]
fn its_session_holds_the_blob() {
    let backend = open(&[]).unwrap();
    let alive = Arc::new(AtomicUsize::new(0));
    let session: Arc<dyn LoadedModel> = {
        let blob: Arc<dyn Buffer> = Arc::new(CountedBytes::new(b"double".to_vec(), &alive));
        let request = LoadRequest {
            kind: LoadKind::Model,
            blob: &blob,
            device: &Device::cpu(),
            options: Vec::new(),
        };
        backend.load(&request).unwrap()
    };
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop(session);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn init_may_refuse() {
    let temp = Temp::new();
    let path = compile(&temp.0, &[]);
    let error = loader(&temp.0, &[("refuse", "")]).open(BackendKind::Onnx, None);
    let error = error.err().unwrap();
    assert!(error.text.contains("told to refuse"), "{error}");
    // No framework was there, so it says where it was looked for and what to do.
    assert_eq!(error.reason, Reason::FrameworkNotFound);
    assert!(
        error.text.contains("pip install 'redisai-rs[onnx]'"),
        "{error}"
    );
    // Where a framework is seen, that is not the reason.
    let mut seen = config(&temp.0, &[("refuse", "")]);
    std::fs::copy(&path, temp.0.join("libonnxruntime.so.1")).unwrap();
    seen.environment.library_path = vec![temp.0.clone()];
    let error = Loader::new(seen)
        .open(BackendKind::Onnx, None)
        .err()
        .unwrap();
    assert_eq!(error.reason, Reason::InitFailed);
    assert!(
        error
            .text
            .ends_with("the backend ONNX did not start: told to refuse"),
        "{error}"
    );
    // The same library, asked again, by its absolute path.
    loader(&temp.0, &[])
        .open(BackendKind::Onnx, Some(&path))
        .unwrap();
}

#[test]
fn a_named_python_without_the_framework_is_an_error() {
    let temp = Temp::new();
    compile(&temp.0, &[]);
    let mut config = config(&temp.0, &[]);
    config.python = Some(temp.0.clone());
    let loader = Loader::new(config);
    let error = loader.open(BackendKind::Onnx, None).err().unwrap();
    assert_eq!(error.reason, Reason::FrameworkNotFound);
    assert!(error.text.contains("PYTHON"), "{error}");
    assert!(!error.text.contains("system"), "{error}");
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    refused(
        &["-DABI=2"],
        Reason::Incompatible,
        "ABI version 2, this module has 1",
    );
    refused(&["-DREFUSE_HOST"], Reason::Incompatible, "another ABI");
    refused(&["-DTABLE_SIZE=16"], Reason::Incompatible, "16 bytes");
    refused(&["-DNO_RUN"], Reason::Incompatible, "without run");
    refused(
        &["-DNO_ENTRY", "-Wno-unused"],
        Reason::Incompatible,
        "exports no redisai_backend_v1",
    );
    refused(
        &["-DREFERENCE", "-Wno-unused"],
        Reason::Incompatible,
        "RedisAI 1.2",
    );
    refused(
        &["-DUNDEFINED"],
        Reason::Unloadable,
        "symbol_that_nobody_has",
    );
    refused(
        &["-DNAME=\"TORCH\""],
        Reason::OtherBackend,
        "is the backend TORCH, not ONNX",
    );
    refused(
        &["-DNAME=\"DOUBLE\""],
        Reason::OtherBackend,
        "TEST_BACKENDS",
    );
}

#[test]
fn a_library_with_a_later_or_shorter_table_loads() {
    // A newer backend has a longer table; one without the optional functions at the end a shorter.
    open(&["-DTABLE_SIZE=sizeof(RaiBackend)+64"]).unwrap();
    let backend = open(&["-DTABLE_SIZE=offsetof(RaiBackend,cancel)"]).unwrap();
    load(backend.as_ref(), &Model::from("double")).unwrap();
}

#[test]
fn files_that_are_no_library_are_refused_in_words() {
    let temp = Temp::new();
    let loader = loader(&temp.0, &[]);
    let missing = loader.open(BackendKind::Onnx, None).err().unwrap();
    assert_eq!(missing.reason, Reason::LibraryNotFound);
    assert!(
        missing
            .text
            .contains("redisai_onnxruntime/redisai_onnxruntime.so"),
        "{missing}"
    );
    std::fs::write(temp.0.join("text.so"), "not a library\n").unwrap();
    let text = loader
        .open(BackendKind::Onnx, Some(Path::new("text.so")))
        .err()
        .unwrap();
    assert_eq!(text.reason, Reason::NotALibrary);
    assert!(text.text.contains("is a text file"), "{text}");
    let whole = std::fs::read(compile(&temp.0, &[])).unwrap();
    std::fs::write(temp.0.join("half.so"), &whole[..whole.len() / 2]).unwrap();
    let half = loader
        .open(BackendKind::Onnx, Some(Path::new("half.so")))
        .err()
        .unwrap();
    assert_eq!(half.reason, Reason::NotALibrary);
    assert!(half.text.contains("is cut short"), "{half}");
}

#[test]
fn signal_handlers_are_put_back() {
    let ignored = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("SigIgn:"))
            .unwrap();
        u64::from_str_radix(line["SigIgn:".len()..].trim(), 16).unwrap()
    };
    let before = ignored();
    open(&["-DSTEAL_SIGNAL"]).unwrap();
    assert_eq!(ignored(), before);
}

#[test]
fn discovery_says_what_is_there() {
    let temp = Temp::new();
    let library = compile(&temp.0.join("backends"), &[]);
    let site = temp.0.join("lib/python3.12/site-packages");
    std::fs::create_dir_all(site.join("onnxruntime/capi")).unwrap();
    std::fs::create_dir_all(site.join("onnxruntime-1.40.0.dist-info")).unwrap();
    let framework = site.join("onnxruntime/capi/libonnxruntime.so.1.40.0");
    std::fs::copy(&library, &framework).unwrap();
    let mut config = config(&temp.0.join("backends"), &[]);
    config.module = Some(temp.0.join("redisai.so"));
    config.backends_path = None;
    config.python = Some(temp.0.clone());
    let loader = Loader::new(config);
    let found = loader.discover();
    assert_eq!(found.len(), 4);
    let onnx = found.iter().find(|it| it.backend == "ONNX").unwrap();
    assert_eq!(onnx.problem, None);
    assert!(onnx.installed);
    assert_eq!(onnx.library, library.to_string_lossy());
    assert_eq!(onnx.framework.as_deref(), framework.to_str());
    assert_eq!(onnx.wheel.as_deref(), Some("onnxruntime"));
    assert_eq!(onnx.version.as_deref(), Some("1.40.0"));
    assert!(onnx.searched[0].contains("PYTHON"));
    let torch = found.iter().find(|it| it.backend == "TORCH").unwrap();
    let problem = torch.problem.as_ref().unwrap();
    assert!(problem.contains("redisai_torch.so"), "{problem}");
    assert!(!torch.installed);
    std::fs::write(&framework, "text").unwrap();
    let onnx = loader.discover_one(BackendKind::Onnx);
    assert!(onnx.problem.unwrap().contains("is a text file"));
    std::fs::remove_file(&framework).unwrap();
    let onnx = loader.discover_one(BackendKind::Onnx);
    assert!(onnx.problem.unwrap().contains("pip install"));
}

#[test]
fn discovery_looks_where_the_system_does() {
    let temp = Temp::new();
    let library = compile(&temp.0, &[]);
    let real = temp.0.join("libonnxruntime.so.1.17.3");
    std::fs::copy(&library, &real).unwrap();
    std::os::unix::fs::symlink(&real, temp.0.join("libonnxruntime.so")).unwrap();
    let mut config = config(&temp.0, &[]);
    config.environment.library_path = vec![temp.0.clone()];
    let onnx = Loader::new(config).discover_one(BackendKind::Onnx);
    assert_eq!(onnx.problem, None);
    let link = temp.0.join("libonnxruntime.so");
    assert_eq!(onnx.framework.as_deref(), link.to_str());
    assert_eq!(
        (onnx.wheel, onnx.version),
        (None, Some("1.17.3".to_owned()))
    );
}

#[test]
fn one_file_is_one_backend_from_any_thread() {
    let temp = Temp::new();
    compile(&temp.0, &[]);
    let open = || loader(&temp.0, &[]).open(BackendKind::Onnx, None).unwrap();
    let first = open();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for other in opened {
            assert!(Arc::ptr_eq(&first, &other.join().unwrap()));
        }
    });
}

#[test]
fn below_means_below() {
    let temp = Temp::new();
    let inner = temp.0.join("in");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("a"), "").unwrap();
    std::fs::write(temp.0.join("b"), "").unwrap();
    assert!(is_below(&inner, &inner.join("a")));
    assert!(!is_below(&inner, &inner.join("../b")));
    assert!(!is_below(&inner, &temp.0.join("b")));
    assert!(!is_below(&inner, &inner.join("missing")));
    std::os::unix::fs::symlink("../b", inner.join("link")).unwrap();
    assert!(!is_below(&inner, &inner.join("link")));
}

/// A struct's name and its size and alignment in Rust.
macro_rules! layouts {
    ($($name:ident),+) => {
        [$((stringify!($name), size_of::<abi::$name>(), align_of::<abi::$name>())),+]
    };
}

#[test]
fn both_languages_lay_the_structs_out_alike() {
    let layouts = layouts!(
        DLTensor,
        DLManagedTensorVersioned,
        DLManagedTensor,
        DLDataType,
        DLDevice,
        RaiBytes,
        RaiText,
        RaiPair,
        RaiPairs,
        RaiView,
        RaiTensor,
        RaiHost,
        RaiCapabilities,
        RaiInfo,
        RaiValueInfo,
        RaiFunction,
        RaiSignature,
        RaiLoad,
        RaiLoaded,
        RaiRun,
        RaiBackend
    );
    let mut program = String::from("#include \"redisai_backend.h\"\n");
    for (name, size, align) in layouts {
        program.extend([
            format!("_Static_assert(sizeof({name}) == {size}, \"size of {name}\");\n"),
            format!("_Static_assert(_Alignof({name}) == {align}, \"alignment of {name}\");\n"),
        ]);
    }
    let temp = Temp::new();
    let path = temp.0.join("layout.c");
    std::fs::write(&path, program).unwrap();
    let output = compiler(&["-std=c11", "-fsyntax-only", path.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn the_header_compiles_everywhere_it_should() {
    let temp = Temp::new();
    let check = |name: &str, text: &str, options: &[&str]| {
        let path = temp.0.join(name);
        std::fs::write(&path, text).unwrap();
        let mut arguments = options.to_vec();
        arguments.extend(["-fsyntax-only", path.to_str().unwrap()]);
        compiler(&arguments)
    };
    let include = "#include \"redisai_backend.h\"\n";
    let twice = format!("{include}{include}int main(void) {{ return RAI_OK; }}\n");
    let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
    for (name, standard) in [
        ("a.c", "-std=c99"),
        ("b.c", "-std=c2x"),
        ("c.cc", "-std=c++17"),
    ] {
        let mut options = strict.to_vec();
        options.push(standard);
        let output = check(name, &twice, &options);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
    }
    // Behind another dlpack.h: one of version 1 is used, an older one refused.
    let old = format!("#define DLPACK_DLPACK_H_\n{include}");
    let output = check("old.c", &old, &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs DLPack 1.x"));
    let new = "#define DLPACK_DLPACK_H_\n#define DLPACK_MAJOR_VERSION 1\n#include <stdint.h>\n\
        typedef struct { void *data; } DLTensor;\n\
        typedef struct { DLTensor t; } DLManagedTensorVersioned;\n\
        typedef struct { uint8_t code; } DLDataType;\n";
    let output = check("new.c", &format!("{new}{include}"), &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
