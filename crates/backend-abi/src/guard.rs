//! No panic crosses the border.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes its text.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What a panic left half done is not looked at again: the session or the backend is poisoned,
    // or (in a drop) the value is gone.
    catch_unwind(AssertUnwindSafe(work)).map_err(text_of)
}

fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "unknown panic".to_owned()
    };
    // A payload of the backend's own type could panic again when it is dropped.
    if catch_unwind(AssertUnwindSafe(|| drop(payload))).is_err() {
        return format!("{text} (and another panic when it was dropped)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_texts() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        assert_eq!(guard(|| 1), Ok(1));
        assert_eq!(guard(|| panic!("a {}", 1)), Err::<(), _>("a 1".to_owned()));
        assert_eq!(guard(|| panic!("b")), Err::<(), _>("b".to_owned()));
        let text = guard(|| std::panic::panic_any(Bomb)).unwrap_err();
        assert!(text.starts_with("unknown panic (and another"), "{text}");
    }
}
