//! A package of AOTInductor (`.pt2`): a model as machine code.
//!
//! Torch's loader says neither how many inputs there are nor what they must be, and the code computes on
//! whatever it gets. So a package is taken only with the source from which it was compiled, as torch
//! writes it: the checks in it name each input's type and dimensions. They are made here before a run.
//! What they do not say, which dimensions must be equal, the package's own checks see (`checks_on`).

use crate::error::{bad_input, bad_model};
use redisai_core::{BackendError, DType, Tensor, ValueInfo};
use std::io::{Cursor, Read};
use std::sync::Arc;
use zip::ZipArchive;

/// The folder of the one model in a package, below the archive's own.
const FOLDER: &str = "data/aotinductor/model/";
/// More of a source is not read.
const SOURCE_BYTES: u64 = 256 << 20;

/// The bounds of a dimension, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dim {
    least: i64,
    most: i64,
}

#[derive(Debug, PartialEq, Eq)]
struct Input {
    name: String,
    dtype: DType,
    dims: Vec<Dim>,
}

/// What a package takes and gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    inputs: Vec<Input>,
    outputs: usize,
}

/// Turns the checks on that every package has. They look at the environment at their first run.
pub(crate) fn checks_on() {
    // SAFETY: both are C strings. Other threads may read the environment meanwhile: this happens once a
    // process, and the C library leaves the list that they read in place.
    unsafe { libc::setenv(c"AOTI_RUNTIME_CHECK_INPUTS".as_ptr(), c"1".as_ptr(), 1) };
}

impl Package {
    /// Reads what the package says of itself.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BackendError> {
        let source = source(bytes).ok_or_else(|| {
            bad_model(
                "ERR the package holds no source of its checks, so its inputs cannot be checked: \
                 compile it with torch._inductor.aoti_compile_and_package and one model named `model`",
            )
        })?;
        Self::parse(&source).ok_or_else(|| {
            bad_model(
                "ERR the package's source names its inputs in a way that is not known: compile it with \
                 the torch that the server runs",
            )
        })
    }

    fn parse(source: &str) -> Option<Self> {
        let (checks, rest) = source.split_once("void __check_inputs_outputs(")?;
        rest.contains("__check_inputs_outputs(input_handles")
            .then_some(())?;
        let blocks = checks.split("static void check_input_").skip(1);
        let inputs = blocks
            .enumerate()
            .map(|(place, block)| input(place, block, source));
        Some(Self {
            inputs: inputs.collect::<Option<_>>()?,
            outputs: checks.matches("outputs_info_[").count(),
        })
    }

    pub(crate) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    pub(crate) fn n_outputs(&self) -> usize {
        self.outputs
    }

    /// What the signature says of the inputs.
    pub(crate) fn inputs(&self) -> Vec<ValueInfo> {
        let fixed = |dim: &Dim| (dim.least == dim.most).then_some(dim.least);
        let inputs = self.inputs.iter();
        inputs
            .map(|input| ValueInfo {
                name: input.name.as_bytes().into(),
                dtype: Some(input.dtype),
                dims: Some(input.dims.iter().map(fixed).collect()),
                ..ValueInfo::default()
            })
            .collect()
    }

    /// Refuses inputs that the code was not compiled for.
    pub(crate) fn check(&self, given: &[Arc<Tensor>]) -> Result<(), BackendError> {
        for (input, tensor) in self.inputs.iter().zip(given) {
            let refused = |what: String| {
                let name = &input.name;
                Err(bad_input(format!("ERR the model's input {name} {what}")))
            };
            if tensor.dtype() != input.dtype {
                return refused(format!(
                    "is of type {}, not {}",
                    input.dtype.name(),
                    tensor.dtype().name()
                ));
            }
            let dims = tensor.shape().dims();
            if dims.len() != input.dims.len() {
                return refused(format!(
                    "has {} dimensions, not {}",
                    input.dims.len(),
                    dims.len()
                ));
            }
            for (place, (&dim, bounds)) in dims.iter().zip(&input.dims).enumerate() {
                let Dim { least, most } = *bounds;
                if dim < least || dim > most {
                    let wanted = match (least, most) {
                        (least, most) if least == most => least.to_string(),
                        (least, i64::MAX) => format!("{least} or more"),
                        (least, most) => format!("{least} to {most}"),
                    };
                    return refused(format!("has {wanted} in dimension {place}, not {dim}"));
                }
            }
        }
        Ok(())
    }
}

/// The C++ source of the package's model.
fn source(bytes: &[u8]) -> Option<String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let names = archive.file_names();
    let name = names
        .filter_map(Result::ok)
        .find(|name| name.contains(FOLDER) && name.ends_with("wrapper.cpp"))?
        .into_owned();
    let mut text = String::new();
    let record = archive.by_name(&name).ok()?;
    record.take(SOURCE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// An input by its check, which begins behind `check_input_`.
fn input(place: usize, block: &str, source: &str) -> Option<Input> {
    let number = block.split_once('(')?.0;
    (number == place.to_string()).then_some(())?;
    let name = source
        .split_once(&format!("inputs_info_[{place}].name = \""))
        .and_then(|(_, rest)| rest.split_once('"'))?
        .0;
    let dtype = block.split_once("aoti_torch_dtype_")?.1.split_once('(')?.0;
    let mut dims = Vec::new();
    for line in block.lines() {
        bound(line.trim(), &mut dims);
    }
    Some(Input {
        name: name.to_owned(),
        dtype: dtype_of(dtype)?,
        dims,
    })
}

/// What a line of a check says: `if (8 != x_size[1]) {`, `if (x_size[0] < 2) {`, `if (1 != x_stride[1]) {`.
fn bound(line: &str, dims: &mut Vec<Dim>) -> Option<()> {
    let condition = line.strip_prefix("if (")?.strip_suffix(") {")?;
    let (left, rest) = condition.split_once(' ')?;
    let (operator, right) = rest.split_once(' ')?;
    let (value, number) = if operator == "!=" {
        (right, left)
    } else {
        (left, right)
    };
    let (value, place) = value.strip_suffix(']')?.split_once('[')?;
    let place: usize = place.parse().ok()?;
    let number: i64 = number.parse().ok()?;
    let size = value.ends_with("_size");
    // A stride says how many dimensions there are.
    (size || value.ends_with("_stride")).then_some(())?;
    // Torch has no tensors of more.
    (place < 64).then_some(())?;
    while dims.len() <= place {
        dims.push(Dim {
            least: 0,
            most: i64::MAX,
        });
    }
    let dim = dims.get_mut(place).filter(|_| size)?;
    match operator {
        "!=" => {
            *dim = Dim {
                least: number,
                most: number,
            }
        }
        "<" => dim.least = number,
        ">" => dim.most = number,
        _ => {}
    }
    Some(())
}

fn dtype_of(name: &str) -> Option<DType> {
    Some(match name {
        "float32" => DType::Float,
        "float64" => DType::Double,
        "float16" => DType::Float16,
        "bfloat16" => DType::BFloat16,
        "int8" => DType::Int8,
        "int16" => DType::Int16,
        "int32" => DType::Int32,
        "int64" => DType::Int64,
        "uint8" => DType::UInt8,
        "uint16" => DType::UInt16,
        "uint32" => DType::UInt32,
        "uint64" => DType::UInt64,
        "bool" => DType::Bool,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::{AlignedBytes, Shape};

    /// Two inputs, as torch 2.15 writes them; less what is not looked at.
    const SOURCE: &str = r#"
    inputs_info_[0].name = "arg2_1";
    inputs_info_[1].name = "arg3_1";
    outputs_info_[0].name = "output0";
AOTI_NOINLINE static void check_input_0(
    int32_t arg2_1_expected_dtype = aoti_torch_dtype_float32();
    if (arg2_1_expected_dtype != arg2_1_dtype) {
    if (arg2_1_size[0] < 2) {
    if (arg2_1_size[0] > 64) {
    if (8 != arg2_1_size[1]) {
    if (8 != arg2_1_stride[0]) {
    if (1 != arg2_1_stride[1]) {
    if (arg2_1_expected_device_type != arg2_1_device_type) {
AOTI_NOINLINE static void check_input_1(
    int32_t arg3_1_expected_dtype = aoti_torch_dtype_bool();
    if (1 != arg3_1_stride[0]) {
AOTI_NOINLINE static void __check_inputs_outputs(
    __check_inputs_outputs(input_handles, output_handles);
"#;

    fn dim(least: i64, most: i64) -> Dim {
        Dim { least, most }
    }

    fn tensor(dtype: DType, dims: &[i64]) -> Arc<Tensor> {
        let shape = Shape::new(dims).unwrap();
        let bytes = dims.iter().product::<i64>() as usize * dtype.size();
        let data = AlignedBytes::copy_of(&vec![0; bytes]);
        Arc::new(Tensor::new(dtype, shape, Box::new(data)).unwrap())
    }

    #[test]
    fn checks_are_read() {
        let package = Package::parse(SOURCE).unwrap();
        assert_eq!((package.n_inputs(), package.n_outputs()), (2, 1));
        let [first, second] = &package.inputs[..] else {
            panic!("two inputs");
        };
        assert_eq!((&*first.name, first.dtype), ("arg2_1", DType::Float));
        assert_eq!(first.dims, [dim(2, 64), dim(8, 8)]);
        assert_eq!((&*second.name, second.dtype), ("arg3_1", DType::Bool));
        // Its one dimension shows in a stride only.
        assert_eq!(second.dims, [dim(0, i64::MAX)]);
        assert_eq!(package.inputs()[0].dims, Some(vec![None, Some(8)]));
    }

    #[test]
    fn what_is_not_understood_is_no_package() {
        for (from, to) in [
            ("dtype_float32", "dtype_complex64"),
            ("check_input_1(", "check_input_7("),
            ("inputs_info_[1]", "inputs_info_[9]"),
            ("void __check_inputs_outputs", "void something"),
            (
                "__check_inputs_outputs(input_handles",
                "nothing(input_handles",
            ),
        ] {
            assert_eq!(Package::parse(&SOURCE.replace(from, to)), None, "{from}");
        }
    }

    #[test]
    fn inputs_are_compared_with_the_checks() {
        let package = Package::parse(SOURCE).unwrap();
        let text = |first: Arc<Tensor>, second: Arc<Tensor>| {
            let checked = package.check(&[first, second]);
            checked.err().map(|error| error.text.into_owned())
        };
        let (float, flags) = (
            |dims: &[i64]| tensor(DType::Float, dims),
            tensor(DType::Bool, &[3]),
        );
        assert_eq!(text(float(&[2, 8]), Arc::clone(&flags)), None);
        for (dims, says) in [
            (&[1, 8][..], "has 2 to 64 in dimension 0, not 1"),
            (&[65, 8], "has 2 to 64 in dimension 0, not 65"),
            (&[2, 9], "has 8 in dimension 1, not 9"),
            (&[8], "has 2 dimensions, not 1"),
            (&[], "has 2 dimensions, not 0"),
            (&[2, 8, 1], "has 2 dimensions, not 3"),
        ] {
            let found = text(float(dims), Arc::clone(&flags));
            assert_eq!(found, Some(format!("ERR the model's input arg2_1 {says}")));
        }
        let found = text(float(&[2, 8]), float(&[3]));
        assert_eq!(
            found,
            Some("ERR the model's input arg3_1 is of type BOOL, not FLOAT".to_owned())
        );
    }
}
