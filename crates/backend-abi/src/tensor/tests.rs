use super::*;
use crate::owner;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A tensor as a library in C would make it, and a count of its deletions.
struct Made {
    managed: Box<DLManagedTensorVersioned>,
    deleted: Arc<AtomicUsize>,
    dims: Vec<i64>,
    strides: Vec<i64>,
    data: Vec<u8>,
    offsets: Vec<u64>,
}

unsafe extern "C" fn count(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: the context is the counter of `Made`, which lives through the test.
    let deleted = unsafe { &*(*managed).manager_ctx.cast::<AtomicUsize>() };
    deleted.fetch_add(1, Ordering::SeqCst);
}

impl Made {
    /// A FLOAT `[2, 2]`, with changes.
    fn new(change: impl FnOnce(&mut Self)) -> Self {
        let deleted = Arc::new(AtomicUsize::new(0));
        let managed = Box::new(DLManagedTensorVersioned {
            version: DLPackVersion { major: 1, minor: 0 },
            manager_ctx: Arc::as_ptr(&deleted).cast_mut().cast::<c_void>(),
            deleter: Some(count),
            flags: 0,
            dl_tensor: DLTensor {
                data: ptr::null_mut(),
                device: DLDevice::cpu(),
                ndim: 2,
                dtype: DLDataType::from_dtype(DType::Float),
                shape: ptr::null_mut(),
                strides: ptr::null_mut(),
                byte_offset: 0,
            },
        });
        let mut made = Self {
            managed,
            deleted,
            dims: vec![2, 2],
            strides: Vec::new(),
            data: (0..32).collect(),
            offsets: Vec::new(),
        };
        made.managed.dl_tensor.shape = made.dims.as_mut_ptr();
        made.managed.dl_tensor.data = made.data.as_mut_ptr().cast();
        change(&mut made);
        made
    }

    fn dims(&mut self, dims: &[i64]) {
        self.dims = dims.to_vec();
        self.managed.dl_tensor.shape = self.dims.as_mut_ptr();
        self.managed.dl_tensor.ndim = dims.len() as i32;
    }

    fn strides(&mut self, strides: &[i64]) {
        self.strides = strides.to_vec();
        self.managed.dl_tensor.strides = self.strides.as_mut_ptr();
    }

    fn strings(&mut self, text: &[u8], offsets: &[u64]) {
        self.data = text.to_vec();
        self.managed.dl_tensor.data = self.data.as_mut_ptr().cast();
        self.managed.dl_tensor.dtype = DLDataType::from_dtype(DType::String);
        self.offsets = offsets.to_vec();
    }

    fn import(&mut self) -> Result<Option<Arc<Tensor>>, BackendError> {
        let offsets = if self.offsets.is_empty() {
            ptr::null()
        } else {
            self.offsets.as_ptr()
        };
        let tensor = RaiTensor {
            managed: &raw mut *self.managed,
            offsets,
            tail: 0,
            flags: 0,
        };
        // SAFETY: made as the ABI says, but for the sizes and types that are checked.
        unsafe { import_tensor(&tensor) }
    }

    fn deletions(&self) -> usize {
        self.deleted.load(Ordering::SeqCst)
    }
}

#[test]
fn good_tensors_are_taken_over_and_deleted_once() {
    let mut made = Made::new(|made| made.managed.dl_tensor.byte_offset = 4);
    let tensor = made.import().unwrap().unwrap();
    assert_eq!(tensor.shape().dims(), [2, 2]);
    assert_eq!(tensor.bytes(), (4..20).collect::<Vec<u8>>());
    assert!(tensor.buffer().is_foreign());
    let other = Arc::clone(&tensor);
    drop(tensor);
    assert_eq!(made.deletions(), 0);
    drop(other);
    assert_eq!(made.deletions(), 1);
}

#[test]
fn strides_are_fine_where_they_are_compact() {
    let fine: [(&[i64], &[i64]); 5] = [
        (&[2, 2], &[2, 1]),
        (&[2, 1, 2], &[2, 77, 1]),
        (&[1, 4], &[99, 1]),
        (&[0, 3], &[1, 1]),
        (&[4], &[1]),
    ];
    for (dims, strides) in fine {
        let mut made = Made::new(|made| {
            made.dims(dims);
            made.strides(strides);
        });
        assert!(made.import().is_ok(), "{dims:?} {strides:?}");
        assert_eq!(made.deletions(), 1);
    }
    for (dims, strides) in [(&[2, 2][..], &[1, 2][..]), (&[2, 2], &[4, 1]), (&[4], &[2])] {
        let mut made = Made::new(|made| {
            made.dims(dims);
            made.strides(strides);
        });
        let error = made.import().unwrap_err();
        assert!(error.text.contains("not compact"), "{error}");
        assert_eq!(made.deletions(), 1);
    }
}

#[test]
fn bad_tensors_are_refused_and_deleted_once() {
    type Change = fn(&mut Made);
    let bad: [(&str, Change); 12] = [
        ("host memory", |made| {
            made.managed.dl_tensor.device.device_type = 2;
        }),
        ("valid shape", |made| made.managed.dl_tensor.ndim = -1),
        ("valid shape", |made| made.managed.dl_tensor.ndim = 5000),
        ("valid shape", |made| {
            made.managed.dl_tensor.shape = ptr::null_mut();
        }),
        ("valid shape", |made| made.dims(&[2, -2])),
        ("valid shape", |made| made.dims(&[i64::MAX, 2])),
        ("data type", |made| made.managed.dl_tensor.dtype.code = 5),
        ("data type", |made| made.managed.dl_tensor.dtype.lanes = 4),
        ("no data", |made| {
            made.managed.dl_tensor.data = ptr::null_mut();
        }),
        ("other than 0 and 1", |made| {
            made.managed.dl_tensor.dtype = DLDataType::from_dtype(DType::Bool);
        }),
        ("without offsets", |made| made.strings(b"a\0b\0c\0d\0", &[])),
        ("offsets do not fit", |made| {
            made.strings(b"a\0b\0c\0d\0", &[0, 2, 4, 7, 8]);
        }),
    ];
    for (words, change) in bad {
        let mut made = Made::new(change);
        let error = made.import().unwrap_err();
        assert!(error.text.contains(words), "{words}: {error}");
        assert_eq!(error.status, Status::RunFailed);
        assert_eq!(made.deletions(), 1, "{words}");
    }
}

#[test]
fn another_dlpack_is_refused_and_left_alone() {
    let mut made = Made::new(|made| made.managed.version.major = 2);
    assert!(made.import().unwrap_err().text.contains("DLPack 2"));
    assert_eq!(made.deletions(), 0);
}

#[test]
fn null_is_no_tensor_and_empty_may_be_null() {
    // SAFETY: no tensor.
    let none = unsafe { import_tensor(&RaiTensor::NONE) };
    assert!(none.unwrap().is_none());
    let mut made = Made::new(|made| {
        made.dims(&[0, 3]);
        made.managed.dl_tensor.data = ptr::null_mut();
        made.managed.deleter = None;
    });
    let tensor = made.import().unwrap().unwrap();
    assert_eq!(tensor.bytes(), b"");
}

#[test]
fn strings_come_with_any_bytes() {
    let mut made = Made::new(|made| {
        made.dims(&[2]);
        made.strings(b"a\0b\0\0", &[0, 4, 5]);
    });
    let tensor = made.import().unwrap().unwrap();
    let strings: Vec<&[u8]> = tensor.strings().collect();
    assert_eq!(strings, [b"a\0b" as &[u8], b""]);
}

#[test]
fn one_bad_tensor_releases_them_all() {
    let mut all = [
        Made::new(|_| {}),
        Made::new(|it| it.dims(&[-1])),
        Made::new(|_| {}),
    ];
    let tensors = all.each_mut().map(|made| RaiTensor {
        managed: &raw mut *made.managed,
        ..RaiTensor::NONE
    });
    // SAFETY: made as the ABI says, but for the shape.
    assert!(unsafe { crate::import_all(&tensors) }.is_err());
    assert_eq!(all.each_ref().map(Made::deletions), [1, 1, 1]);
}

#[test]
fn views_retain_only_as_long_as_they_are_kept() {
    let shape = Shape::new(&[2]).unwrap();
    let data = Box::new(vec![7_u8; 8]);
    let tensor = Arc::new(Tensor::new(DType::Float, shape, data).unwrap());
    let view = view_of(&tensor, owner::tensor_owner(&tensor));
    // SAFETY: the tensor lives.
    let adopted = unsafe { adopt_view(Host::system(), &view) }.unwrap();
    assert_eq!(adopted.bytes().as_ptr(), tensor.bytes().as_ptr());
    assert_eq!(Arc::strong_count(&tensor), 2);
    let exported = export_tensor(Some(Arc::clone(&adopted)));
    assert_eq!(exported.flags, RAI_TENSOR_HOST_MEMORY);
    drop(adopted);
    assert_eq!(Arc::strong_count(&tensor), 2);
    // SAFETY: just exported, released once.
    unsafe { release_tensor(&exported) };
    assert_eq!(Arc::strong_count(&tensor), 1);
}

#[test]
fn a_librarys_own_heap_is_not_the_hosts() {
    static BYTES: [u8; 3] = [1, 2, 3];
    let tensor = |data: Box<dyn Buffer>| {
        let tensor = Tensor::new(DType::UInt8, Shape::new(&[3]).unwrap(), data);
        Some(Arc::new(tensor.unwrap()))
    };
    // SAFETY: static.
    let shared = || unsafe { SharedBytes::new(BYTES.as_ptr(), 3, ()) };
    let host = crate::HostBytes::copy_of(Host::system(), &BYTES).unwrap();
    for (data, flags) in [
        (Box::new(BYTES.to_vec()) as Box<dyn Buffer>, 0),
        (Box::new(shared()), 0),
        (Box::new(shared().in_host_memory()), RAI_TENSOR_HOST_MEMORY),
        (Box::new(host), RAI_TENSOR_HOST_MEMORY),
    ] {
        let exported = export_tensor(tensor(data));
        assert_eq!(exported.flags, flags);
        // SAFETY: just exported, released once.
        unsafe { release_tensor(&exported) };
    }
    // On the host's own side a plain vector is the host's.
    let exported = export_host_tensor(tensor(Box::new(BYTES.to_vec())));
    assert_eq!(exported.flags, RAI_TENSOR_HOST_MEMORY);
    // SAFETY: just exported, released once.
    unsafe { release_tensor(&exported) };
}
