//! The host's side of owners: what `retain` and `release` of a host in this process do.
//!
//! An owner is the address of an `Arc`'s value. Values are aligned to 8 at least, so the lowest bit
//! says which of the two kinds it is: 0 a tensor, 1 a model's blob.

use redisai_core::{Buffer, Tensor};
use std::ptr;
use std::sync::Arc;

const BLOB: u64 = 1;

/// The owner of a tensor's memory. The handle counts as no reference: it is good as long as `tensor`
/// or a retain of it lives.
pub fn tensor_owner(tensor: &Arc<Tensor>) -> u64 {
    Arc::as_ptr(tensor).expose_provenance() as u64
}

/// A blob that can have an owner.
pub struct Blob(Arc<Arc<dyn Buffer>>);

impl Blob {
    /// Makes `blob` one.
    pub fn new(blob: Arc<dyn Buffer>) -> Self {
        Self(Arc::new(blob))
    }

    /// Its owner, good as long as this value or a retain of it lives.
    pub fn owner(&self) -> u64 {
        Arc::as_ptr(&self.0).expose_provenance() as u64 | BLOB
    }
}

/// Adds a reference to what `owner` stands for.
///
/// # Safety
/// `owner` came from [`tensor_owner`] or [`Blob::owner`] in this process, and what it stands for
/// lives.
pub unsafe fn retain(owner: u64) {
    let address = (owner & !BLOB) as usize;
    if owner & BLOB == 0 {
        // SAFETY: the address of an `Arc<Tensor>`'s value that lives, says the caller.
        unsafe { Arc::increment_strong_count(ptr::with_exposed_provenance::<Tensor>(address)) };
    } else {
        let blob = ptr::with_exposed_provenance::<Arc<dyn Buffer>>(address);
        // SAFETY: likewise for the outer `Arc` of a `Blob`.
        unsafe { Arc::increment_strong_count(blob) };
    }
}

/// Gives a reference back.
///
/// # Safety
/// As [`retain`], which was called for it before; once for each.
pub unsafe fn release(owner: u64) {
    let address = (owner & !BLOB) as usize;
    if owner & BLOB == 0 {
        // SAFETY: gives back the reference that `retain` took, says the caller.
        unsafe { Arc::decrement_strong_count(ptr::with_exposed_provenance::<Tensor>(address)) };
    } else {
        let blob = ptr::with_exposed_provenance::<Arc<dyn Buffer>>(address);
        // SAFETY: likewise.
        unsafe { Arc::decrement_strong_count(blob) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::{DType, Shape};

    #[test]
    fn owners_count() {
        let tensor = Arc::new(Tensor::zeros(DType::Float, Shape::scalar()).unwrap());
        let buffer: Arc<dyn Buffer> = Arc::new(vec![1_u8]);
        let blob = Blob::new(Arc::clone(&buffer));
        for owner in [tensor_owner(&tensor), blob.owner()] {
            // SAFETY: both live.
            unsafe { retain(owner) };
        }
        assert_eq!(Arc::strong_count(&tensor), 2);
        let owner = blob.owner();
        drop(blob);
        assert_eq!(Arc::strong_count(&buffer), 2, "kept by the retain");
        // SAFETY: retained above.
        unsafe { release(owner) };
        assert_eq!(Arc::strong_count(&buffer), 1);
        // SAFETY: retained above.
        unsafe { release(tensor_owner(&tensor)) };
        assert_eq!(Arc::strong_count(&tensor), 1);
    }
}
