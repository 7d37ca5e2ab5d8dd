//! Devices as clients name them.

use std::fmt;

/// What a device text means to a framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Everything that starts with `CPU`: `CPU:1` is one more queue of the same processor.
    Cpu,
    /// `GPU` (index 0) or `GPU:n`.
    Gpu(u32),
    /// A text that names no device; kept because old files and `AI.MODELSET` may hold it. A
    /// backend refuses it when the session is built.
    Unknown,
}

/// A device: the text as it was given, which replies and files show again, and what it means.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Device {
    text: Box<[u8]>,
    kind: DeviceKind,
}

impl Device {
    /// The processor.
    pub fn cpu() -> Self {
        Self::lenient(b"CPU")
    }

    /// A device under the rule of `AI.MODELSTORE`: `CPU` or `GPU`, without regard to case, then
    /// optionally `:` and digits (none at all is accepted), under 10 characters in all.
    pub fn strict(text: &[u8]) -> Option<Self> {
        let (name, rest) = text.split_at_checked(3)?;
        let known = name.eq_ignore_ascii_case(b"CPU") || name.eq_ignore_ascii_case(b"GPU");
        let number = match rest.split_first() {
            None => true,
            Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
            Some(_) => false,
        };
        (known && number && text.len() < 10).then(|| Self::lenient(text))
    }

    /// A device of any text: what a file or `AI.MODELSET` says.
    pub fn lenient(text: &[u8]) -> Self {
        Self::from(Box::from(text))
    }

    /// The text as it was given.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What the text means.
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    /// The name of the queue that serves this device: upper case, and one name for `GPU` and
    /// `GPU:0`. Bytes that are no printable ASCII become `_`, since the name is shown by `INFO`.
    pub fn queue(&self) -> String {
        match self.kind {
            DeviceKind::Gpu(0) => "GPU".to_owned(),
            DeviceKind::Gpu(index) => format!("GPU:{index}"),
            DeviceKind::Cpu | DeviceKind::Unknown => self
                .text
                .iter()
                .map(|byte| {
                    if byte.is_ascii_graphic() {
                        byte.to_ascii_uppercase().into()
                    } else {
                        '_'
                    }
                })
                .collect(),
        }
    }
}

/// A device of any text, as [`Device::lenient`] makes it, without a copy.
impl From<Box<[u8]>> for Device {
    fn from(text: Box<[u8]>) -> Self {
        let kind = kind(&text);
        Self { text, kind }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.text), f)
    }
}

fn kind(text: &[u8]) -> DeviceKind {
    let Some((name, rest)) = text.split_at_checked(3) else {
        return DeviceKind::Unknown;
    };
    if name.eq_ignore_ascii_case(b"CPU") {
        return DeviceKind::Cpu;
    }
    if !name.eq_ignore_ascii_case(b"GPU") {
        return DeviceKind::Unknown;
    }
    match rest.split_first() {
        None | Some((b':', [])) => DeviceKind::Gpu(0),
        Some((b':', digits)) => std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map_or(DeviceKind::Unknown, DeviceKind::Gpu),
        Some(_) => DeviceKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_follows_modelstore() {
        for good in ["CPU", "cpu", "GPU:0", "gpu:12", "CPU:", "CPU:12345"] {
            assert!(Device::strict(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["", "CP", "CPUX", "GPU:x", "CPU:123456", "TPU", "GPU:-1"] {
            assert!(Device::strict(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn queues_fold_case_and_the_first_gpu() {
        let queue = |text: &str| Device::lenient(text.as_bytes()).queue();
        assert_eq!(queue("gpu:00"), "GPU");
        assert_eq!(queue("GPU"), "GPU");
        assert_eq!(queue("gpu:3"), "GPU:3");
        assert_eq!(queue("cpu:1"), "CPU:1");
        assert_eq!(queue("a b\n"), "A_B_");
    }

    #[test]
    fn old_texts_have_a_meaning() {
        assert_eq!(Device::lenient(b"cpuxyz").kind(), DeviceKind::Cpu);
        assert_eq!(Device::lenient(b"GPU:").kind(), DeviceKind::Gpu(0));
        assert_eq!(
            Device::lenient(b"GPU:99999999999").kind(),
            DeviceKind::Unknown
        );
        assert_eq!(Device::lenient(b"\xff").kind(), DeviceKind::Unknown);
    }
}
