//! Status codes.

use redisai_core::Status;

/// Done.
pub const RAI_OK: i32 = 0;
/// The model cannot be used: the user's file.
pub const RAI_BAD_MODEL: i32 = 1;
/// The inputs do not fit the model: the user's request.
pub const RAI_BAD_INPUT: i32 = 2;
/// The backend cannot do this (device, dtype, format, function).
pub const RAI_UNSUPPORTED: i32 = 3;
/// The run itself failed.
pub const RAI_RUN_FAILED: i32 = 4;
/// The run was stopped on request.
pub const RAI_CANCELLED: i32 = 5;
/// An allocation was refused.
pub const RAI_NO_MEMORY: i32 = 6;
/// The device went away.
pub const RAI_DEVICE_LOST: i32 = 7;
/// The backend's process went away.
pub const RAI_LOST: i32 = 8;
/// From `run`: this session must not be used again, build a new one. From `init` and `load`: this
/// backend must not be used again.
pub const RAI_POISONED: i32 = 9;

/// The code of a status.
pub fn code_of(status: Status) -> i32 {
    match status {
        Status::BadModel => RAI_BAD_MODEL,
        Status::BadInput => RAI_BAD_INPUT,
        Status::Unsupported => RAI_UNSUPPORTED,
        Status::Cancelled => RAI_CANCELLED,
        Status::NoMemory => RAI_NO_MEMORY,
        Status::DeviceLost => RAI_DEVICE_LOST,
        Status::Lost => RAI_LOST,
        Status::Poisoned => RAI_POISONED,
        // `RunFailed`, and whatever core adds before this table does.
        _ => RAI_RUN_FAILED,
    }
}

/// The status of a code that is not [`RAI_OK`]; an unknown one is a failed run.
pub fn status_of(code: i32) -> Status {
    match code {
        RAI_BAD_MODEL => Status::BadModel,
        RAI_BAD_INPUT => Status::BadInput,
        RAI_UNSUPPORTED => Status::Unsupported,
        RAI_CANCELLED => Status::Cancelled,
        RAI_NO_MEMORY => Status::NoMemory,
        RAI_DEVICE_LOST => Status::DeviceLost,
        RAI_LOST => Status::Lost,
        RAI_POISONED => Status::Poisoned,
        _ => Status::RunFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for code in RAI_BAD_MODEL..=RAI_POISONED {
            assert_eq!(code_of(status_of(code)), code);
        }
        assert_eq!(status_of(1000), Status::RunFailed);
        assert_eq!(status_of(-1), Status::RunFailed);
    }
}
