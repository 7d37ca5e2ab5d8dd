//! Reads module values out of `DUMP` payloads and RDB files: just enough for the files here.

use redisai_codec::{Field, Fields};

const MODULE_2: u8 = 7;
const FOOTER: usize = 10;

struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// A length, or the number of a special encoding.
    fn length(&mut self) -> Result<u64, u8> {
        let first = self.byte();
        let low = u64::from(first & 0x3f);
        match (first >> 6, first) {
            (0, _) => Ok(low),
            (1, _) => Ok(low << 8 | u64::from(self.byte())),
            (2, 0x80) => Ok(u32::from_be_bytes(self.take(4).try_into().unwrap()).into()),
            (2, 0x81) => Ok(u64::from_be_bytes(self.take(8).try_into().unwrap())),
            (3, _) => Err(first & 0x3f),
            _ => panic!("length {first:#x}"),
        }
    }

    fn string(&mut self) -> Vec<u8> {
        match self.length() {
            Ok(length) => self.take(length as usize).to_vec(),
            Err(0) => i8::from_le_bytes([self.byte()]).to_string().into_bytes(),
            Err(2) => i32::from_le_bytes(self.take(4).try_into().unwrap())
                .to_string()
                .into_bytes(),
            Err(3) => {
                let packed = self.length().unwrap() as usize;
                let length = self.length().unwrap() as usize;
                let unpacked = lzf(self.take(packed));
                assert_eq!(unpacked.len(), length);
                unpacked
            }
            Err(other) => panic!("string encoding {other}"),
        }
    }
}

/// Unpacks LZF.
fn lzf(packed: &[u8]) -> Vec<u8> {
    let mut input = Body(packed);
    let mut out = Vec::new();
    while !input.0.is_empty() {
        let control = usize::from(input.byte());
        if control < 32 {
            out.extend_from_slice(input.take(control + 1));
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length += usize::from(input.byte());
        }
        let back = ((control & 0x1f) << 8 | usize::from(input.byte())) + 1;
        for _ in 0..length + 2 {
            out.push(out[out.len() - back]);
        }
    }
    out
}

/// The encoding version and the fields of a payload.
pub(crate) fn fields(dump: &[u8]) -> (i32, Fields) {
    let mut body = Body(&dump[..dump.len() - FOOTER]);
    assert_eq!(body.byte(), MODULE_2);
    let (module, fields) = body.module_value();
    assert!(body.0.is_empty());
    (module.version, fields)
}

/// A module's type: its name of nine characters and the encoding version.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) version: i32,
}

impl Module {
    /// Six bits a character from the top, the version in the lowest ten.
    fn of(id: u64) -> Self {
        const CHARACTERS: &[u8] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let character = |at: u32| CHARACTERS[(id >> (58 - 6 * at) & 63) as usize];
        Self {
            name: (0..9).map(|at| char::from(character(at))).collect(),
            version: (id & 1023) as i32,
        }
    }
}

impl Body<'_> {
    fn module_value(&mut self) -> (Module, Fields) {
        let module = Module::of(self.length().unwrap());
        let mut fields = Fields::default();
        loop {
            match self.length().unwrap() {
                0 => return (module, fields),
                2 => fields.0.push(Field::Number(self.length().unwrap())),
                5 => fields.0.push(Field::Bytes(self.string())),
                other => panic!("opcode {other}"),
            }
        }
    }
}

/// Every key of an RDB file: its name, its type, its fields.
pub(crate) fn rdb(file: &[u8]) -> Vec<(String, Module, Fields)> {
    const AUX: u8 = 0xfa;
    const RESIZE_DB: u8 = 0xfb;
    const SELECT_DB: u8 = 0xfe;
    const END: u8 = 0xff;
    const CHECKSUM: usize = 8;

    let body = file.strip_prefix(b"REDIS0010").unwrap();
    let mut body = Body(&body[..body.len() - CHECKSUM]);
    let mut keys = Vec::new();
    loop {
        match body.byte() {
            AUX => {
                body.string();
                body.string();
            }
            SELECT_DB => assert_eq!(body.length(), Ok(0)),
            RESIZE_DB => {
                body.length().unwrap();
                assert_eq!(body.length(), Ok(0), "no key expires");
            }
            MODULE_2 => {
                let name = String::from_utf8(body.string()).unwrap();
                let (module, fields) = body.module_value();
                keys.push((name, module, fields));
            }
            END => break,
            other => panic!("opcode {other:#x}"),
        }
    }
    assert!(body.0.is_empty());
    keys
}
