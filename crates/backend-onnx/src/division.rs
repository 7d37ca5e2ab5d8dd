//! Integer divisions that a processor refuses: by zero, and of the smallest value by −1.

use crate::hazards::Operand;
use redisai_core::{BackendError, DType, Status, Tensor};
use std::sync::Arc;

/// A division whose divisor is known before a run.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    dividend: Option<Operand>,
    divisor: Operand,
    /// The frame length of an STFT, by which it divides in every version.
    length: bool,
}

impl Division {
    /// Of `Div` or `Mod`; the dividend is none where it is not known.
    pub(crate) fn new(dividend: Option<Operand>, divisor: Operand) -> Self {
        Self {
            dividend,
            divisor,
            length: false,
        }
    }

    /// Of `STFT`, by its frame length.
    pub(crate) fn length(divisor: Operand) -> Self {
        Self {
            dividend: None,
            divisor,
            length: true,
        }
    }

    /// Whether inputs matter: a constant divisor without the values that do harm needs no look.
    pub(crate) fn needs_inputs(&self) -> bool {
        let harmless = |operand: &Operand, harm: fn(&[u8]) -> bool| match operand {
            Operand::Input(_) => false,
            Operand::Constant(constant) => !has(constant, harm),
        };
        let divisor_is_harmless = harmless(&self.divisor, is_minus_one);
        let constant = matches!(self.divisor, Operand::Constant(_));
        !constant || (!divisor_is_harmless && self.dividend.is_some())
    }

    /// Refuses inputs with which the processor would refuse the division. `zero_is_caught`: ONNX
    /// Runtime looks for zeros of `Div` and `Mod` itself.
    pub(crate) fn check(
        &self,
        inputs: &[Arc<Tensor>],
        zero_is_caught: bool,
    ) -> Result<(), BackendError> {
        let Some(divisor) = self
            .divisor
            .of(inputs)
            .filter(|tensor| is_integer(tensor.dtype()))
        else {
            return Ok(());
        };
        let zero = |element: &[u8]| element.iter().all(|&byte| byte == 0);
        if (self.length || !zero_is_caught) && has(divisor, zero) {
            return Err(refused(if self.length {
                "ERR the model's STFT cannot take a frame_length of 0"
            } else {
                "ERR integer division by zero"
            }));
        }
        let dividend = self
            .dividend
            .as_ref()
            .and_then(|dividend| dividend.of(inputs));
        let overflows = matches!(divisor.dtype(), DType::Int32 | DType::Int64)
            && dividend.is_some_and(|dividend| overflows(dividend, divisor));
        if overflows {
            return Err(refused("ERR integer division of the smallest value by -1"));
        }
        Ok(())
    }
}

/// Whether the smallest value meets −1. Where the two are broadcast: whether both are there.
fn overflows(dividend: &Tensor, divisor: &Tensor) -> bool {
    if dividend.shape() == divisor.shape() && dividend.dtype() == divisor.dtype() {
        let size = divisor.dtype().size().max(1);
        let pairs = dividend
            .bytes()
            .chunks_exact(size)
            .zip(divisor.bytes().chunks_exact(size));
        return pairs
            .into_iter()
            .any(|(one, other)| is_smallest(one) && is_minus_one(other));
    }
    has(dividend, is_smallest) && has(divisor, is_minus_one)
}

fn refused(text: &'static str) -> BackendError {
    BackendError::new(Status::BadInput, text)
}

fn is_integer(dtype: DType) -> bool {
    !dtype.is_float() && !matches!(dtype, DType::Bool | DType::String)
}

/// The smallest value of a signed type; bytes are those of the machine, little-endian or not.
fn is_smallest(element: &[u8]) -> bool {
    let smallest = |last: &u8, rest: &[u8]| *last == 0x80 && rest.iter().all(|&byte| byte == 0);
    if cfg!(target_endian = "little") {
        element
            .split_last()
            .is_some_and(|(last, rest)| smallest(last, rest))
    } else {
        element
            .split_first()
            .is_some_and(|(first, rest)| smallest(first, rest))
    }
}

fn is_minus_one(element: &[u8]) -> bool {
    element.iter().all(|&byte| byte == 0xff)
}

fn has(tensor: &Tensor, wanted: impl Fn(&[u8]) -> bool) -> bool {
    tensor
        .bytes()
        .chunks_exact(tensor.dtype().size().max(1))
        .any(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::Shape;

    fn int32(values: &[i32]) -> Arc<Tensor> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect();
        let shape = Shape::new(&[values.len() as i64]).unwrap();
        Arc::new(Tensor::new(DType::Int32, shape, Box::new(bytes)).unwrap())
    }

    fn check(division: &Division, inputs: &[&[i32]], caught: bool) -> Result<(), BackendError> {
        let inputs: Vec<_> = inputs.iter().map(|values| int32(values)).collect();
        division.check(&inputs, caught)
    }

    #[test]
    fn what_the_processor_refuses_is_refused() {
        let division = Division::new(Some(Operand::Input(0)), Operand::Input(1));
        let check = |x: &[i32], y: &[i32], caught| check(&division, &[x, y], caught);
        assert!(check(&[7, 8], &[1, 0], false).is_err());
        assert!(check(&[7, 8], &[1, 0], true).is_ok());
        assert!(check(&[i32::MIN, 8], &[-1, 1], true).is_err());
        assert!(check(&[i32::MIN, 8], &[1, -1], true).is_ok());
        assert!(check(&[i32::MIN, 8], &[-1], true).is_err(), "broadcast");
        assert!(check(&[8, i32::MAX], &[-1, i32::MIN], false).is_ok());
        assert!(check(&[i32::MIN], &[2], false).is_ok());
    }

    #[test]
    fn constants_count() {
        let constant = |values: &[i32]| Operand::Constant(int32(values));
        let by = |values: &[i32]| Division::new(Some(Operand::Input(0)), constant(values));
        assert!(check(&by(&[-1]), &[&[5, i32::MIN]], true).is_err());
        assert!(check(&by(&[-1]), &[&[5, i32::MAX]], true).is_ok());
        assert!(by(&[2, -1]).needs_inputs());
        assert!(!by(&[2, 0]).needs_inputs(), "no input changes that");
        let of = Division::new(Some(constant(&[i32::MIN])), Operand::Input(0));
        assert!(of.needs_inputs());
        assert!(check(&of, &[&[-1]], true).is_err());
        assert!(check(&of, &[&[1]], true).is_ok());
        assert!(check(&Division::length(Operand::Input(0)), &[&[0]], true).is_err());
        assert!(check(&Division::length(Operand::Input(0)), &[&[-1]], true).is_ok());
    }
}
