//! What each framework's wheel looks like.

use redisai_core::BackendKind;

/// A framework in a site-packages directory.
pub(crate) struct Framework {
    /// Whose framework it is.
    pub(crate) kind: BackendKind,
    /// The extra of our own package that installs it.
    pub(crate) extra: &'static str,
    /// The wheels that bring it, the one that wins first; their versions stand in
    /// `<name>-<version>.dist-info`.
    pub(crate) wheels: &'static [&'static str],
    /// The directory of its main library, below site-packages.
    pub(crate) directory: &'static str,
    /// The library's name: exactly this, or this, a dot and a version.
    pub(crate) file: &'static str,
    /// What the system's own search is asked for, where no site-packages has it: the first that is
    /// seen in a usual place, else the first.
    pub(crate) sonames: &'static [&'static str],
}

/// One row a framework. A backend that is added adds its row here.
const TABLE: [Framework; 4] = [
    Framework {
        kind: BackendKind::Onnx,
        extra: "onnx",
        wheels: &["onnxruntime_gpu", "onnxruntime"],
        directory: "onnxruntime/capi",
        file: "libonnxruntime.so",
        sonames: &["libonnxruntime.so.1", "libonnxruntime.so"],
    },
    Framework {
        kind: BackendKind::Torch,
        extra: "torch",
        wheels: &["torch"],
        directory: "torch/lib",
        file: "libtorch_cpu.so",
        sonames: &["libtorch_cpu.so"],
    },
    Framework {
        kind: BackendKind::TfLite,
        extra: "tflite",
        wheels: &["ai_edge_litert"],
        directory: "ai_edge_litert",
        file: "libLiteRt.so",
        sonames: &["libLiteRt.so"],
    },
    Framework {
        kind: BackendKind::Tf,
        extra: "tf",
        wheels: &["tensorflow_cpu", "tensorflow"],
        directory: "tensorflow",
        file: "libtensorflow_cc.so",
        sonames: &[
            "libtensorflow.so.2",
            "libtensorflow.so",
            "libtensorflow_cc.so.2",
        ],
    },
];

/// The row of a backend; none where there is no backend library of ours yet.
pub(crate) fn of(kind: BackendKind) -> Option<&'static Framework> {
    TABLE.iter().find(|row| row.kind == kind)
}
