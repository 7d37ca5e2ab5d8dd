//! Arguments of a command that we send or emit, as strings of the server.

use super::{Held, raw};
use redisai_codec::Arg;
use smallvec::SmallVec;
use std::io::Write;

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
    /// `None`: there was no memory for a copy.
    pub(crate) fn new(args: &[Arg<'a>]) -> Option<Self> {
        args.iter().map(word).collect::<Option<_>>().map(Self)
    }

    /// The strings, in order.
    pub(crate) fn vector(&self) -> Vector {
        let raw = |word: &Word<'_>| match word {
            Word::There(held) => held.raw(),
            Word::Made(held) => held.raw(),
        };
        self.0.iter().map(raw).collect()
    }
}

fn word<'a>(arg: &Arg<'a>) -> Option<Word<'a>> {
    match *arg {
        Arg::Bytes(bytes) => Held::copy_of(bytes).map(Word::Made),
        Arg::Number(number) => decimal(number).map(Word::Made),
        Arg::Blob(blob) => match blob.as_any().downcast_ref::<Held>() {
            Some(held) => Some(Word::There(held)),
            None => Held::copy_of(blob.bytes()).map(Word::Made),
        },
    }
}

/// A number in decimal digits, without a string on the way.
fn decimal(number: u64) -> Option<Held> {
    let mut digits = [0; 20];
    let mut rest = &mut digits[..];
    write!(rest, "{number}").ok()?;
    let left = rest.len();
    Held::copy_of(digits.get(..digits.len() - left)?)
}
