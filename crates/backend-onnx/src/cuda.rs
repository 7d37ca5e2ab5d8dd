//! Sessions on a CUDA device.

use crate::environment::Environment;
use crate::error::{Doing, NO_CUDA, unsupported};
use crate::handles::{CudaOptions, SessionOptions};
use crate::sys::ort;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use redisai_core::BackendError;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The libraries that the CUDA provider names, each after those that it needs.
const LIBRARIES: [&str; 8] = [
    "libcudart.so.",
    "libnvrtc.so.",
    "libnvJitLink.so.",
    "libcublasLt.so.",
    "libcublas.so.",
    "libcurand.so.",
    "libcufft.so.",
    "libcudnn.so.",
];

/// Lets the session run on a CUDA device. One that is not there is an error here or when the session
/// is built; nothing falls back to the processor in silence.
pub(crate) fn use_device(
    environment: &'static Environment,
    options: &SessionOptions,
    index: u32,
) -> Result<(), BackendError> {
    static OPENED: Once = Once::new();
    if !environment.cuda {
        return Err(unsupported(NO_CUDA));
    }
    OPENED.call_once(|| {
        open_libraries(Path::new(OsStr::from_bytes(
            &environment.settings.framework,
        )));
    });
    let api = environment.api();
    // A failure is about the machine, not about the model: that is what `Init` says.
    let value = CString::new(index.to_string()).unwrap_or_default();
    let (keys, values) = ([c"device_id".as_ptr()], [value.as_ptr()]);
    // SAFETY: the options are valid; keys and values are one C string each and are copied.
    unsafe {
        let cuda = CudaOptions::make(api, Doing::Init, |out| (api.CreateCUDAProviderOptions)(out))?;
        ort!(
            api,
            Doing::Init,
            UpdateCUDAProviderOptions(cuda.as_ptr(), keys.as_ptr(), values.as_ptr(), 1)
        )?;
        ort!(
            api,
            Doing::Init,
            SessionOptionsAppendExecutionProvider_CUDA_V2(options.as_ptr(), cuda.as_ptr())
        )
    }
}

/// Opens NVIDIA's libraries of the same site-packages, for good. The provider asks for them by name
/// alone, and a name that the process has already is found wherever it lies. What is not there, or does
/// not open, is left to the system's path; the provider says so if it is missing there too.
fn open_libraries(onnxruntime: &Path) {
    for path in libraries(onnxruntime) {
        // SAFETY: opening runs the library's initialisers, as ONNX Runtime's provider would do a
        // moment later. The path is the operator's environment, never from a client.
        if let Ok(library) = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) } {
            std::mem::forget(library);
        }
    }
}

/// Where the wheels `nvidia-…` put them: `nvidia/<any>/lib` beside `onnxruntime/capi`.
fn libraries(onnxruntime: &Path) -> Vec<PathBuf> {
    let site_packages = onnxruntime.ancestors().nth(3);
    let wheels = site_packages.map(|site| entries(&site.join("nvidia")));
    let mut found: Vec<PathBuf> = wheels
        .unwrap_or_default()
        .iter()
        .flat_map(|wheel| entries(&wheel.join("lib")))
        .collect();
    found.sort();
    let named = |name: &'static str| {
        let own = move |path: &&PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let version = file.strip_prefix(name).unwrap_or_default();
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
        };
        found.iter().filter(own).cloned()
    };
    LIBRARIES.into_iter().flat_map(named).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_wheels_come_in_the_order_of_their_needs() {
        let site = std::env::temp_dir().join(format!("redisai-cuda-{}", std::process::id()));
        let (cuda, cudnn) = ("nvidia/cu13/lib", "nvidia/cudnn/lib");
        for name in ["libcublas.so.13", "libcublasLt.so.13", "libcudart.so.13"] {
            make(&site, cuda, name);
        }
        make(&site, cuda, "libcublas.so.13.1.0");
        make(&site, cudnn, "libcudnn.so.9");
        make(&site, cudnn, "libcudnn_ops.so.9");
        make(&site, "onnxruntime/capi", "libonnxruntime.so.1.31.1");
        let library = site.join("onnxruntime/capi/libonnxruntime.so.1.31.1");
        let names = [
            "cu13/lib/libcudart.so.13",
            "cu13/lib/libcublasLt.so.13",
            "cu13/lib/libcublas.so.13",
            "cudnn/lib/libcudnn.so.9",
        ];
        let wanted: Vec<_> = names
            .iter()
            .map(|name| site.join("nvidia").join(name))
            .collect();
        assert_eq!(libraries(&library), wanted);
        // A library elsewhere has no wheels beside it; one that is none of NVIDIA's is no harm.
        assert!(libraries(Path::new("/libonnxruntime.so")).is_empty());
        open_libraries(&library);
        fs::remove_dir_all(site).unwrap();
    }

    fn make(site: &Path, folder: &str, name: &str) {
        fs::create_dir_all(site.join(folder)).unwrap();
        fs::write(site.join(folder).join(name), "no library").unwrap();
    }
}
