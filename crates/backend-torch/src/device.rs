//! Devices.

use crate::error::{NO_CUDA, NO_DEVICE, unsupported};
use crate::torch::Torch;
use redisai_core::{BackendError, Device, DeviceKind};
use std::ffi::c_int;

/// The number of a CUDA device, −1 for the processor. One that is not there is an error.
pub(crate) fn number(torch: &Torch, device: &Device) -> Result<c_int, BackendError> {
    match device.kind() {
        DeviceKind::Cpu => Ok(-1),
        DeviceKind::Unknown => Err(unsupported(NO_DEVICE)),
        DeviceKind::Gpu(_) if torch.cuda_devices == 0 => Err(unsupported(NO_CUDA)),
        DeviceKind::Gpu(index) if index >= torch.cuda_devices => Err(unsupported(format!(
            "ERR there is no GPU:{index}: torch sees {} of them",
            torch.cuda_devices
        ))),
        DeviceKind::Gpu(index) => c_int::try_from(index).map_err(|_| unsupported(NO_DEVICE)),
    }
}
