//! LiteRT's library: opened, checked, and the functions that we call.
//!
//! The declarations are our own: the C API calls these structures stable. Enumerations are read as
//! plain integers, since a newer library may return a value that is not known here.

use redisai_backend_abi::FrameworkLibrary;
use redisai_core::{BackendError, Status};
use std::ffi::{CStr, c_char, c_int, c_void};

/// An object of the C API.
pub(crate) type Raw = *mut c_void;

/// The rank that a layout can hold.
pub(crate) const MAX_RANK: usize = 8;

/// Dimensions of a tensor. The strides count only where a bit of `bits` says so; it never does here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    bits: u32,
    dims: [i32; MAX_RANK],
    strides: [u32; MAX_RANK],
}

impl Layout {
    /// A layout of these dimensions; none where they are more than it can hold.
    pub(crate) fn of(dims: &[i32]) -> Option<Self> {
        let mut layout = Self::default();
        layout.dims.get_mut(..dims.len())?.copy_from_slice(dims);
        layout.bits = u32::try_from(dims.len()).ok()?;
        Some(layout)
    }

    /// The dimensions; -1 is one that is not fixed.
    pub(crate) fn dims(&self) -> &[i32] {
        let rank = (self.bits & 0x7f) as usize;
        self.dims.get(..rank).unwrap_or_default()
    }
}

/// Element type and dimensions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RankedType {
    pub(crate) element: c_int,
    pub(crate) layout: Layout,
}

const _: () = {
    assert!(size_of::<Layout>() == 68 && size_of::<RankedType>() == 72);
};

/// An option of an environment.
#[repr(C)]
pub(crate) struct Tagged {
    pub(crate) tag: c_int,
    pub(crate) any: Any,
}

/// Its value. All that we give are whole numbers, which fill the C union's eight bytes.
#[repr(C)]
pub(crate) struct Any {
    pub(crate) kind: c_int,
    pub(crate) value: i64,
}

const _: () = assert!(size_of::<Tagged>() == 24);

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
    create_environment = LiteRtCreateEnvironment(n: c_int, options: *const Tagged, out: *mut Raw) -> c_int;
    create_model = LiteRtCreateModelFromBuffer(environment: Raw, data: *const c_void, len: usize, out: *mut Raw) -> c_int;
    destroy_model = LiteRtDestroyModel(model: Raw);
    num_signatures = LiteRtGetNumModelSignatures(model: Raw, out: *mut usize) -> c_int;
    signature = LiteRtGetModelSignature(model: Raw, index: usize, out: *mut Raw) -> c_int;
    signature_key = LiteRtGetSignatureKey(signature: Raw, out: *mut *const c_char) -> c_int;
    num_inputs = LiteRtGetNumSignatureInputs(signature: Raw, out: *mut usize) -> c_int;
    num_outputs = LiteRtGetNumSignatureOutputs(signature: Raw, out: *mut usize) -> c_int;
    input_tensor = LiteRtGetSignatureInputTensorByIndex(signature: Raw, index: usize, out: *mut Raw) -> c_int;
    output_tensor = LiteRtGetSignatureOutputTensorByIndex(signature: Raw, index: usize, out: *mut Raw) -> c_int;
    tensor_name = LiteRtGetTensorName(tensor: Raw, out: *mut *const c_char) -> c_int;
    tensor_index = LiteRtGetTensorIndex(tensor: Raw, out: *mut u32) -> c_int;
    tensor_type_id = LiteRtGetTensorTypeId(tensor: Raw, out: *mut c_int) -> c_int;
    ranked_type = LiteRtGetRankedTensorType(tensor: Raw, out: *mut RankedType) -> c_int;
    create_options = LiteRtCreateOptions(out: *mut Raw) -> c_int;
    destroy_options = LiteRtDestroyOptions(options: Raw);
    set_accelerators = LiteRtSetOptionsHardwareAccelerators(options: Raw, bits: c_int) -> c_int;
    create_opaque = LiteRtCreateOpaqueOptions(id: *const c_char, payload: *mut c_void, free: unsafe extern "C" fn(*mut c_void), out: *mut Raw) -> c_int;
    add_opaque = LiteRtAddOpaqueOptions(options: Raw, opaque: Raw) -> c_int;
    compile = LiteRtCreateCompiledModel(environment: Raw, model: Raw, options: Raw, out: *mut Raw) -> c_int;
    destroy_compiled = LiteRtDestroyCompiledModel(compiled: Raw);
    input_layout = LiteRtGetCompiledModelInputTensorLayout(compiled: Raw, signature: usize, input: usize, out: *mut Layout) -> c_int;
    resize_strict = LiteRtCompiledModelResizeInputTensor(compiled: Raw, signature: usize, input: usize, dims: *const c_int, n: usize) -> c_int;
    resize = LiteRtCompiledModelResizeInputTensorNonStrict(compiled: Raw, signature: usize, input: usize, dims: *const c_int, n: usize) -> c_int;
    output_layouts = LiteRtGetCompiledModelOutputTensorLayouts(compiled: Raw, signature: usize, n: usize, out: *mut Layout, allocate: bool) -> c_int;
    run = LiteRtRunCompiledModel(compiled: Raw, signature: usize, n_inputs: usize, inputs: *mut Raw, n_outputs: usize, outputs: *mut Raw) -> c_int;
    set_cancellation = LiteRtSetCompiledModelCancellationFunction(compiled: Raw, data: *mut c_void, function: unsafe extern "C" fn(*mut c_void) -> bool) -> c_int;
    error_messages = LiteRtCompiledModelGetErrorMessages(compiled: Raw, out: *mut *mut c_char) -> c_int;
    clear_errors = LiteRtCompiledModelClearErrors(compiled: Raw) -> c_int;
    wrap = LiteRtCreateTensorBufferFromHostMemory(kind: *const RankedType, data: *mut c_void, len: usize, free: Option<unsafe extern "C" fn(*mut c_void)>, out: *mut Raw) -> c_int;
    destroy_buffer = LiteRtDestroyTensorBuffer(buffer: Raw);
}

/// Only libraries since 2.2 have both. Before, a function of the same name took other arguments.
const GATE: [&CStr; 2] = [
    c"LiteRtCreateModelFromFd",
    c"LiteRtGetCompiledModelEnvironment",
];

impl Api {
    /// Opens the library at `path`, which stays in the process, and checks what it has.
    pub(crate) fn open(path: &[u8]) -> Result<Self, BackendError> {
        // SAFETY: the path comes from the operator's environment; LiteRT's initialisers touch nothing
        // of ours.
        let library = unsafe { FrameworkLibrary::open("LiteRT", "ai-edge-litert", path) }?;
        if let Some(missing) = GATE.into_iter().find(|symbol| !library.has(symbol)) {
            let text = format!(
                "ERR {} is no LiteRT of version 2.2 or newer: it has no {}; install it with \
                 `pip install 'ai-edge-litert>=2.2'`",
                String::from_utf8_lossy(path),
                missing.to_string_lossy()
            );
            return Err(BackendError::new(Status::Unsupported, text));
        }
        let api = Self::resolve(&library)?;
        library.keep();
        Ok(api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_library_is_refused_by_what_it_lacks() {
        let text = |path: &[u8]| Api::open(path).err().expect("refused").text.into_owned();
        assert!(text(b"").contains("pip install ai-edge-litert"));
        let text = text(b"libm.so.6");
        assert!(
            text.contains("2.2") && text.contains("LiteRtCreateModelFromFd"),
            "{text}"
        );
    }

    #[test]
    fn a_layout_holds_eight_dimensions() {
        assert_eq!(Layout::of(&[]).unwrap().dims(), [0_i32; 0]);
        assert_eq!(
            Layout::of(&[1, -1, 3, 4, 5, 6, 7, 8]).unwrap().dims(),
            [1, -1, 3, 4, 5, 6, 7, 8]
        );
        assert_eq!(Layout::of(&[1; 9]), None);
    }
}
