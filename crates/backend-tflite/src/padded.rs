//! Memory as LiteRT needs it: 64-byte aligned, with 64 bytes behind it that may be read.
//!
//! XNNPACK reads past the end of inputs, weights and outputs; at the end of a page that is a crash.

use redisai_backend_abi::{Host, HostBytes, SharedBytes, no_memory};
use redisai_core::{BackendError, Buffer};
use std::sync::Arc;

/// What every address is a multiple of.
pub(crate) const ALIGN: usize = 64;
/// Bytes behind the end.
pub(crate) const TAIL: usize = 64;

/// Aligned memory of `len` bytes, to be filled.
pub(crate) struct Padded {
    memory: HostBytes,
    len: usize,
}

impl Padded {
    /// Zeroed memory.
    pub(crate) fn zeroed(host: Host, len: usize) -> Result<Self, BackendError> {
        let memory = len
            .checked_add(TAIL)
            .and_then(|whole| HostBytes::zeroed(host, whole));
        memory
            .map(|memory| Self { memory, len })
            .ok_or_else(|| no_memory(len))
    }

    /// A copy of `bytes`.
    pub(crate) fn copy_of(host: Host, bytes: &[u8]) -> Result<Self, BackendError> {
        let mut padded = Self::zeroed(host, bytes.len())?;
        padded.bytes_mut().copy_from_slice(bytes);
        Ok(padded)
    }

    /// The bytes, without what lies behind them.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.bytes().get(..self.len).unwrap_or_default()
    }

    /// The same, to write to.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.memory.bytes_mut().get_mut(..len).unwrap_or_default()
    }

    /// Lets bytes at the end go, which then lie behind it.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The memory as a tensor's; the server keeps it without a copy.
    pub(crate) fn into_buffer(self) -> Box<dyn Buffer> {
        let (data, len) = (self.bytes().as_ptr(), self.len);
        // SAFETY: `len` bytes of the memory, with TAIL bytes behind them, which stay where they are
        // for as long as the owner lives; nobody writes to them any more.
        let bytes = unsafe { SharedBytes::new(data, len, self.memory).with_tail(TAIL) };
        Box::new(bytes.in_host_memory())
    }
}

/// Bytes that are aligned and padded: where they lie, if they are already, else a copy.
pub(crate) enum Fitting {
    /// They were.
    Kept(Arc<dyn Buffer>),
    /// A copy.
    Copied(Padded),
}

impl Fitting {
    /// These bytes.
    pub(crate) fn of(host: Host, buffer: &Arc<dyn Buffer>) -> Result<Self, BackendError> {
        if fits(buffer.as_ref()) {
            return Ok(Self::Kept(Arc::clone(buffer)));
        }
        Padded::copy_of(host, buffer.bytes()).map(Self::Copied)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Kept(buffer) => buffer.bytes(),
            Self::Copied(padded) => padded.bytes(),
        }
    }

    /// Bytes of memory that were taken for it.
    pub(crate) fn taken(&self) -> usize {
        match self {
            Self::Kept(_) => 0,
            Self::Copied(padded) => padded.memory.held(),
        }
    }
}

/// Whether LiteRT may read these bytes where they lie.
pub(crate) fn fits(buffer: &dyn Buffer) -> bool {
    let address = buffer.bytes().as_ptr() as usize;
    address.is_multiple_of(ALIGN) && buffer.tail() >= TAIL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_aligned_with_zeroes_behind() {
        let host = Host::system();
        for len in [0, 1, 63, 64, 200] {
            let padded = Padded::copy_of(host, &vec![7; len]).unwrap();
            assert_eq!(padded.bytes(), vec![7; len]);
            assert!(padded.memory.bytes()[len..].iter().all(|&byte| byte == 0));
            assert!(padded.memory.bytes().len() >= len + TAIL);
            assert_eq!(padded.bytes().as_ptr() as usize % ALIGN, 0);
            let buffer = padded.into_buffer();
            assert_eq!(buffer.bytes(), vec![7; len]);
            // No bytes have no place.
            assert!(len == 0 || fits(buffer.as_ref()));
        }
        assert!(Padded::zeroed(host, usize::MAX).is_err());
    }

    #[test]
    fn what_fits_is_not_copied() {
        let host = Host::system();
        let fitting: Arc<dyn Buffer> = Padded::copy_of(host, b"abc").unwrap().into_buffer().into();
        let kept = Fitting::of(host, &fitting).unwrap();
        assert_eq!(kept.bytes().as_ptr(), fitting.bytes().as_ptr());
        assert_eq!(kept.taken(), 0);
        let plain: Arc<dyn Buffer> = Arc::new(b"abc".to_vec());
        let copied = Fitting::of(host, &plain).unwrap();
        assert_ne!(copied.bytes().as_ptr(), plain.bytes().as_ptr());
        assert_eq!((copied.bytes(), copied.taken()), (b"abc" as &[u8], 128));
    }
}
