//! TensorFlow's library: opened, checked, and the functions that we call.

use redisai_backend_abi::FrameworkLibrary;
use redisai_core::BackendError;
use std::ffi::{CStr, c_char, c_int, c_void};

/// An object of the C API.
pub(crate) type Raw = *mut c_void;
/// Frees the memory of a tensor: data, length, our argument.
pub(crate) type Free = unsafe extern "C" fn(*mut c_void, usize, *mut c_void);

/// Bytes, as the C API takes messages.
#[repr(C)]
pub(crate) struct Buffer {
    pub(crate) data: *const c_void,
    pub(crate) length: usize,
    pub(crate) free: Option<unsafe extern "C" fn(*mut c_void, usize)>,
}

impl Buffer {
    /// Bytes that stay ours: they must live as long as this is used.
    pub(crate) fn over(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr().cast(),
            length: bytes.len(),
            free: None,
        }
    }
}

/// An output of an operation.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) operation: Raw,
    pub(crate) index: c_int,
}

// SAFETY: an operation is part of a graph, which is only read.
unsafe impl Send for Output {}
// SAFETY: likewise.
unsafe impl Sync for Output {}

/// A string of TensorFlow: 24 bytes, short ones within.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct TString([u64; 3]);

macro_rules! functions {
    ($($field:ident = $symbol:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// The functions of the library.
        pub(crate) struct Api {
            $(pub(crate) $field: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)*
        }

        impl Api {
            fn resolve(library: &FrameworkLibrary) -> Result<Self, BackendError> {
                Ok(Self {
                    $($field: {
                        let name = concat!(stringify!($symbol), "\0").as_bytes();
                        let name = CStr::from_bytes_with_nul(name).unwrap_or_default();
                        // SAFETY: the type is that of the C API's header.
                        unsafe { library.function(name) }?
                    },)*
                })
            }
        }
    };
}

functions! {
    version = TF_Version() -> *const c_char;
    new_status = TF_NewStatus() -> Raw;
    delete_status = TF_DeleteStatus(status: Raw);
    code = TF_GetCode(status: Raw) -> c_int;
    message = TF_Message(status: Raw) -> *const c_char;
    new_graph = TF_NewGraph() -> Raw;
    delete_graph = TF_DeleteGraph(graph: Raw);
    new_import_options = TF_NewImportGraphDefOptions() -> Raw;
    delete_import_options = TF_DeleteImportGraphDefOptions(options: Raw);
    import = TF_GraphImportGraphDef(graph: Raw, bytes: *const Buffer, options: Raw, status: Raw);
    operation = TF_GraphOperationByName(graph: Raw, name: *const c_char) -> Raw;
    op_type = TF_OperationOpType(operation: Raw) -> *const c_char;
    num_outputs = TF_OperationNumOutputs(operation: Raw) -> c_int;
    output_type = TF_OperationOutputType(output: Output) -> c_int;
    num_dims = TF_GraphGetTensorNumDims(graph: Raw, output: Output, status: Raw) -> c_int;
    shape = TF_GraphGetTensorShape(graph: Raw, output: Output, dims: *mut i64, n: c_int, status: Raw);
    new_options = TF_NewSessionOptions() -> Raw;
    delete_options = TF_DeleteSessionOptions(options: Raw);
    set_config = TF_SetConfig(options: Raw, bytes: *const c_void, len: usize, status: Raw);
    new_session = TF_NewSession(graph: Raw, options: Raw, status: Raw) -> Raw;
    load_saved = TF_LoadSessionFromSavedModel(options: Raw, run_options: *const Buffer, folder: *const c_char, tags: *const *const c_char, n_tags: c_int, graph: Raw, meta: *mut Buffer, status: Raw) -> Raw;
    close_session = TF_CloseSession(session: Raw, status: Raw);
    delete_session = TF_DeleteSession(session: Raw, status: Raw);
    list_devices = TF_SessionListDevices(session: Raw, status: Raw) -> Raw;
    num_devices = TF_DeviceListCount(list: Raw) -> c_int;
    device_type = TF_DeviceListType(list: Raw, index: c_int, status: Raw) -> *const c_char;
    delete_devices = TF_DeleteDeviceList(list: Raw);
    run = TF_SessionRun(session: Raw, options: *const Buffer, inputs: *const Output, values: *const Raw, n_inputs: c_int, outputs: *const Output, results: *mut Raw, n_outputs: c_int, targets: *const Raw, n_targets: c_int, metadata: *mut Buffer, status: Raw);
    new_tensor = TF_NewTensor(kind: c_int, dims: *const i64, n: c_int, data: *mut c_void, len: usize, free: Free, argument: *mut c_void) -> Raw;
    delete_tensor = TF_DeleteTensor(tensor: Raw);
    tensor_type = TF_TensorType(tensor: Raw) -> c_int;
    tensor_rank = TF_NumDims(tensor: Raw) -> c_int;
    tensor_dim = TF_Dim(tensor: Raw, place: c_int) -> i64;
    tensor_bytes = TF_TensorByteSize(tensor: Raw) -> usize;
    tensor_data = TF_TensorData(tensor: Raw) -> *mut c_void;
    string_init = TF_StringInit(string: *mut TString);
    string_copy = TF_StringCopy(string: *mut TString, from: *const c_char, len: usize);
    string_free = TF_StringDealloc(string: *mut TString);
    string_data = TF_StringGetDataPointer(string: *const TString) -> *const c_char;
    string_len = TF_StringGetSize(string: *const TString) -> usize;
}

/// The oldest TensorFlow that this backend is tested with.
const OLDEST: (u32, u32) = (2, 15);

impl Api {
    /// Opens the library at `path`, which stays in the process, and checks its version.
    pub(crate) fn open(path: &[u8]) -> Result<Self, BackendError> {
        quieten();
        // SAFETY: the path comes from the operator's environment; what TensorFlow's initialisers do to
        // signals the loader undoes.
        let library = unsafe { FrameworkLibrary::open("TensorFlow", "tensorflow-cpu", path) }?;
        let api = Self::resolve(&library)?;
        library.keep();
        check_version(&api.version_text(), &String::from_utf8_lossy(path))?;
        Ok(api)
    }

    /// The library's version, such as `2.21.0`.
    pub(crate) fn version_text(&self) -> String {
        // SAFETY: takes nothing; a static C string.
        let text = unsafe { (self.version)() };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: not null.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }
}

/// Keeps TensorFlow's log off stderr, unless the user has said what it is to write: there is no way to
/// get it into ours.
fn quieten() {
    // SAFETY: C strings; a value that is there is kept. Other threads may read the environment
    // meanwhile, whose list the C library leaves in place.
    unsafe { libc::setenv(c"TF_CPP_MIN_LOG_LEVEL".as_ptr(), c"3".as_ptr(), 0) };
}

fn check_version(version: &str, path: &str) -> Result<(), BackendError> {
    let mut parts = version.split('.').map(str::parse::<u32>);
    if let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next())
        && (major, minor) >= OLDEST
    {
        return Ok(());
    }
    Err(crate::error::unsupported(format!(
        "ERR TensorFlow {version} at {path} is too old: {}.{} or newer is needed",
        OLDEST.0, OLDEST.1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for good in ["2.15.0", "2.21.0", "3.0.0-rc1"] {
            assert!(check_version(good, "x").is_ok(), "{good}");
        }
        for old in ["2.14.1", "1.15.0", "", "x.y"] {
            let error = check_version(old, "/lib/x.so").unwrap_err();
            assert!(error.text.contains("2.15") && error.text.contains("/lib/x.so"));
        }
    }

    #[test]
    fn a_library_without_the_functions_is_said() {
        let error = Api::open(b"libm.so.6").err().expect("refused");
        assert!(error.text.contains("TF_Version"), "{error}");
        assert_eq!(size_of::<TString>(), 24);
    }
}
