//! Byte strings and pairs that cross the border.

use std::ffi::c_void;
use std::{ptr, slice};

/// Bytes that somebody else keeps, for as long as the place where they stand says. Need not be UTF-8,
/// has no NUL at its end. `data` may be null where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiBytes {
    /// First byte.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl RaiBytes {
    /// No bytes.
    pub const EMPTY: Self = Self {
        data: ptr::null(),
        len: 0,
    };

    /// These bytes, without their lifetime.
    pub const fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    /// `data` points at `len` readable bytes, unchanged while the slice lives.
    pub unsafe fn as_slice<'a>(self) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { slice_of(self.data, self.len) }
    }
}

/// `len` items at `data`; none where either is null or 0.
///
/// # Safety
/// `data` is null, or points at `len` initialised items that nobody changes while the slice lives.
pub unsafe fn slice_of<'a, T>(data: *const T, len: usize) -> &'a [T] {
    if data.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller's promise.
    unsafe { slice::from_raw_parts(data, len) }
}

/// Bytes that the receiver owns: an error text, a reply. Whoever gets one calls
/// `release(ctx)` once when it has read `data`; with `release` null there is nothing to free.
///
/// An error text is one line of UTF-8 and goes to the client as it is, its prefix (`ERR …`) included.
#[repr(C)]
#[derive(Debug)]
pub struct RaiText {
    /// First byte; may be null where `len` is 0.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
    /// The owner's own.
    pub ctx: *mut c_void,
    /// Frees the text. Called with `ctx`, from any thread. May be null.
    pub release: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
}

impl RaiText {
    /// No text.
    pub const EMPTY: Self = Self {
        data: ptr::null(),
        len: 0,
        ctx: ptr::null_mut(),
        release: None,
    };

    /// A text over these bytes, which it owns.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        unsafe extern "C" fn release(ctx: *mut c_void) {
            // SAFETY: `ctx` is the box made below, released once.
            drop(unsafe { Box::from_raw(ctx.cast::<Vec<u8>>()) });
        }
        let bytes = Box::new(bytes);
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
            ctx: Box::into_raw(bytes).cast(),
            release: Some(release),
        }
    }

    /// Copies the bytes and releases them; the text is empty afterwards.
    ///
    /// # Safety
    /// The text was filled as its documentation says, and is not released elsewhere.
    pub unsafe fn take(&mut self) -> Vec<u8> {
        let text = std::mem::replace(self, Self::EMPTY);
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice_of(text.data, text.len) }.to_vec();
        if let Some(release) = text.release {
            // SAFETY: the owner's function with the owner's context, once.
            unsafe { release(text.ctx) };
        }
        bytes
    }
}

/// A name and a value. Order matters and names may repeat.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiPair {
    /// The name.
    pub name: RaiBytes,
    /// The value.
    pub value: RaiBytes,
}

impl RaiPair {
    /// A pair over these bytes, without their lifetime.
    pub fn of(name: &[u8], value: &[u8]) -> Self {
        Self {
            name: RaiBytes::of(name),
            value: RaiBytes::of(value),
        }
    }

    /// Copies of `len` pairs; a name that is not UTF-8 is shown with replacement characters.
    ///
    /// # Safety
    /// As [`slice_of`], and for each name and value as [`RaiBytes::as_slice`].
    pub unsafe fn read(items: *const Self, len: usize) -> Vec<(String, Vec<u8>)> {
        // SAFETY: the caller's promise.
        let pairs = unsafe { slice_of(items, len) };
        pairs
            .iter()
            .map(|pair| {
                // SAFETY: the caller's promise.
                let (name, value) = unsafe { (pair.name.as_slice(), pair.value.as_slice()) };
                (String::from_utf8_lossy(name).into_owned(), value.to_vec())
            })
            .collect()
    }
}

/// Pairs that the receiver owns; released as [`RaiText`].
#[repr(C)]
#[derive(Debug)]
pub struct RaiPairs {
    /// First pair; may be null where `len` is 0.
    pub items: *const RaiPair,
    /// Number of pairs.
    pub len: usize,
    /// The owner's own.
    pub ctx: *mut c_void,
    /// Frees the pairs and what they point at. May be null.
    pub release: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
}

impl RaiPairs {
    /// No pairs.
    pub const EMPTY: Self = Self {
        items: ptr::null(),
        len: 0,
        ctx: ptr::null_mut(),
        release: None,
    };

    /// Pairs over these texts, which they own.
    pub fn from_vec(texts: Vec<(String, String)>) -> Self {
        struct Owned {
            items: Vec<RaiPair>,
            _texts: Vec<(String, String)>,
        }
        unsafe extern "C" fn release(ctx: *mut c_void) {
            // SAFETY: `ctx` is the box made below, released once.
            drop(unsafe { Box::from_raw(ctx.cast::<Owned>()) });
        }
        let items = texts
            .iter()
            .map(|(name, value)| RaiPair::of(name.as_bytes(), value.as_bytes()))
            .collect();
        let owned = Box::new(Owned {
            items,
            _texts: texts,
        });
        Self {
            items: owned.items.as_ptr(),
            len: owned.items.len(),
            ctx: Box::into_raw(owned).cast(),
            release: Some(release),
        }
    }

    /// Copies the pairs and releases them.
    ///
    /// # Safety
    /// The pairs were filled as their documentation says, and are not released elsewhere.
    pub unsafe fn take(&mut self) -> Vec<(String, String)> {
        let pairs = std::mem::replace(self, Self::EMPTY);
        // SAFETY: the caller's promise.
        let copies = unsafe { RaiPair::read(pairs.items, pairs.len) };
        if let Some(release) = pairs.release {
            // SAFETY: the owner's function with the owner's context, once.
            unsafe { release(pairs.ctx) };
        }
        copies
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_owned_is_released_once() {
        unsafe extern "C" fn count(ctx: *mut c_void) {
            // SAFETY: the counter below.
            unsafe { *ctx.cast::<u32>() += 1 };
        }
        let mut released = 0_u32;
        let ctx: *mut c_void = (&raw mut released).cast();
        let release: Option<unsafe extern "C" fn(*mut c_void)> = Some(count);
        let mut text = RaiText {
            data: b"text".as_ptr(),
            len: 4,
            ctx,
            release,
        };
        // SAFETY: made as documented; the second time it is empty.
        let taken = unsafe { [text.take(), text.take()] };
        assert_eq!(taken, [b"text".to_vec(), Vec::new()]);
        let item = RaiPair::of(b"name", b"value");
        let mut pairs = RaiPairs {
            items: &raw const item,
            len: 1,
            ctx,
            release,
        };
        // SAFETY: as above.
        let taken = unsafe { [pairs.take(), pairs.take()] };
        assert_eq!(
            taken,
            [vec![("name".to_owned(), "value".to_owned())], vec![]]
        );
        assert_eq!(released, 2);
    }

    #[test]
    fn texts_and_pairs_hand_over_what_they_own() {
        let mut text = RaiText::from_vec(b"a\0b".to_vec());
        // SAFETY: just made.
        assert_eq!(unsafe { text.take() }, b"a\0b");
        // SAFETY: empty now.
        assert_eq!(unsafe { text.take() }, b"");
        let texts = vec![
            ("a".to_owned(), "1".to_owned()),
            ("a".into(), String::new()),
        ];
        let mut pairs = RaiPairs::from_vec(texts.clone());
        // SAFETY: just made.
        assert_eq!(unsafe { pairs.take() }, texts);
    }
}
