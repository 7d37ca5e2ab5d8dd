//! Owned objects of the C API.

/// An owned pointer of the C API that is released when dropped.
macro_rules! owned {
    ($(#[$doc:meta])* $name:ident($raw:ty, $release:ident)) => {
        $(#[$doc])*
        pub(crate) struct $name {
            api: &'static ort_sys::OrtApi,
            raw: std::ptr::NonNull<$raw>,
        }

        #[allow(dead_code, reason = "not every kind is made in every way")]
        impl $name {
            /// Takes `raw` over. None for null.
            ///
            /// # Safety
            /// `raw` is null, or made by this table, valid, and nobody else releases it.
            pub(crate) unsafe fn take(api: &'static ort_sys::OrtApi, raw: *mut $raw) -> Option<Self> {
                std::ptr::NonNull::new(raw).map(|raw| Self { api, raw })
            }

            /// Makes one with a function that writes it to a pointer.
            ///
            /// # Safety
            /// What the function writes on success is valid and owned by the caller.
            pub(crate) unsafe fn make(
                api: &'static ort_sys::OrtApi,
                doing: $crate::error::Doing,
                function: impl FnOnce(*mut *mut $raw) -> ort_sys::OrtStatusPtr,
            ) -> Result<Self, redisai_core::BackendError> {
                let mut raw = std::ptr::null_mut();
                $crate::sys::check(api, function(&raw mut raw), doing)?;
                std::ptr::NonNull::new(raw).map(|raw| Self { api, raw }).ok_or_else(|| {
                    $crate::error::unsupported(concat!("ERR ONNX Runtime made no ", stringify!($raw)))
                })
            }

            /// The pointer, valid as long as `self`.
            pub(crate) fn as_ptr(&self) -> *mut $raw {
                self.raw.as_ptr()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: owned by `self`, valid, released only here.
                unsafe { (self.api.$release)(self.raw.as_ptr()) }
            }
        }

        // SAFETY: the C API ties none of its objects to a thread; what may not be used by two threads
        // at once is only reached through `&mut` or under a lock (each use says which).
        unsafe impl Send for $name {}
        // SAFETY: likewise.
        unsafe impl Sync for $name {}
    };
}

owned!(
    /// A model in ONNX Runtime's memory. `Run` may be called by many threads at once.
    Session(ort_sys::OrtSession, ReleaseSession)
);
owned!(
    /// How to build a session.
    SessionOptions(ort_sys::OrtSessionOptions, ReleaseSessionOptions)
);
owned!(
    /// The environment's thread pools.
    ThreadingOptions(ort_sys::OrtThreadingOptions, ReleaseThreadingOptions)
);
owned!(
    /// Where memory is.
    MemoryInfo(ort_sys::OrtMemoryInfo, ReleaseMemoryInfo)
);
owned!(
    /// A tensor, sequence or map. Only read once it is made.
    Value(ort_sys::OrtValue, ReleaseValue)
);
owned!(
    /// A run's options; its terminate flag may be set from any thread.
    RunOptions(ort_sys::OrtRunOptions, ReleaseRunOptions)
);
owned!(
    /// A type of a model's input or output.
    TypeInfo(ort_sys::OrtTypeInfo, ReleaseTypeInfo)
);
owned!(
    /// A tensor's element type and dimensions.
    ShapeInfo(ort_sys::OrtTensorTypeAndShapeInfo, ReleaseTensorTypeAndShapeInfo)
);
owned!(
    /// CUDA's options.
    CudaOptions(ort_sys::OrtCUDAProviderOptionsV2, ReleaseCUDAProviderOptions)
);
