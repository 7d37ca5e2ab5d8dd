//! Arguments of a command that we send or emit, as strings of the server.

use super::{Held, raw};
use redisai_codec::Arg;
use smallvec::SmallVec;
use std::io::Write;
use std::sync::OnceLock;

/// One argument: a string that is there already, or one made for the call.
enum Word<'a> {
    There(&'a Held),
    Made(Held),
}

/// The arguments; a held string serves as it is, everything else is copied.
pub(crate) struct Words<'a>(SmallVec<[Word<'a>; 12]>);

/// Pointers of the arguments, valid as long as the [`Words`] are.
pub(crate) type Vector = SmallVec<[*mut raw::RedisModuleString; 16]>;

impl<'a> Words<'a> {
    /// `None`: there was no memory for a copy. Main thread, or the child that saves.
    pub(crate) fn new(args: &[Arg<'a>]) -> Option<Self> {
        args.iter().map(word).collect::<Option<_>>().map(Self)
    }

    /// The strings, in order, behind those of `first`.
    pub(crate) fn vector(&self, first: &[*mut raw::RedisModuleString]) -> Vector {
        let raw = |word: &Word<'_>| match word {
            Word::There(held) => held.raw(),
            Word::Made(held) => held.raw(),
        };
        let mut vector = Vector::from_slice(first);
        vector.extend(self.0.iter().map(raw));
        vector
    }
}

fn word<'a>(arg: &Arg<'a>) -> Option<Word<'a>> {
    match *arg {
        Arg::Bytes(bytes) => match kept_word(bytes) {
            Some(held) => Some(Word::There(held)),
            None => Held::copy_of(bytes).map(Word::Made),
        },
        Arg::Number(number) => match kept_number(number) {
            Some(held) => Some(Word::There(held)),
            None => decimal(number).map(Word::Made),
        },
        Arg::Blob(blob) => match blob.as_any().downcast_ref::<Held>() {
            Some(held) => Some(Word::There(held)),
            None => Held::copy_of(blob.bytes()).map(Word::Made),
        },
    }
}

/// Words that most tensors are sent with. Each becomes a string once, which stays.
static WORDS: [(&[u8], OnceLock<Held>); 6] = [
    (b"BLOB", OnceLock::new()),
    (b"FLOAT", OnceLock::new()),
    (b"INT64", OnceLock::new()),
    (b"DOUBLE", OnceLock::new()),
    (b"INT32", OnceLock::new()),
    (b"UINT8", OnceLock::new()),
];

/// Dimensions below this are kept too.
const NUMBERS: usize = 1025;
static KEPT: [OnceLock<Held>; NUMBERS] = [const { OnceLock::new() }; NUMBERS];

fn kept_word(bytes: &[u8]) -> Option<&'static Held> {
    let (word, cell) = WORDS.iter().find(|(word, _)| *word == bytes)?;
    kept(cell, || Held::copy_of(word))
}

fn kept_number(number: u64) -> Option<&'static Held> {
    let cell = KEPT.get(usize::try_from(number).ok()?)?;
    kept(cell, || decimal(number))
}

fn kept(
    cell: &'static OnceLock<Held>,
    make: impl FnOnce() -> Option<Held>,
) -> Option<&'static Held> {
    if cell.get().is_none() {
        // Only the main thread makes strings, so nobody else has set it meanwhile.
        drop(cell.set(make()?));
    }
    cell.get()
}

/// A number in decimal digits, without a string on the way.
fn decimal(number: u64) -> Option<Held> {
    let mut digits = [0; 20];
    let mut rest = &mut digits[..];
    write!(rest, "{number}").ok()?;
    let left = rest.len();
    Held::copy_of(digits.get(..digits.len() - left)?)
}
