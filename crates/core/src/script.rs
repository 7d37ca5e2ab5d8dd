//! What a script key holds.

use crate::{Buffer, Device};
use std::sync::Arc;

/// The immutable definition of a script; its backend is always TORCH.
#[derive(Clone)]
pub struct ScriptDef {
    /// Where it runs.
    pub device: Device,
    /// The user's label, any bytes.
    pub tag: Box<[u8]>,
    /// Functions that `AI.SCRIPTEXECUTE` may call; none where the script came by `AI.SCRIPTSET`.
    pub entry_points: Vec<Box<[u8]>>,
    /// The source text, without a NUL at its end.
    pub source: Arc<dyn Buffer>,
}

impl ScriptDef {
    /// Bytes of memory that the definition keeps.
    pub fn held(&self) -> usize {
        let names = self.entry_points.iter();
        size_of::<Self>()
            + self.tag.len()
            + self.device.text().len()
            + names
                .map(|name| name.len() + size_of::<Box<[u8]>>())
                .sum::<usize>()
            + self.source.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_counted() {
        let of = |device: &[u8], tag: usize, names: &[usize], source: usize| {
            ScriptDef {
                device: Device::lenient(device),
                tag: vec![0; tag].into(),
                entry_points: names.iter().map(|&name| vec![0; name].into()).collect(),
                source: Arc::new(vec![0_u8; source]),
            }
            .held()
        };
        let empty = of(b"", 0, &[], 0);
        assert!(empty >= size_of::<ScriptDef>());
        assert_eq!(of(b"CPU", 10, &[], 1000), empty + 1013);
        assert!(of(b"", 0, &[100, 100], 0) >= empty + 200);
    }
}
