//! `AI.INFO`.

use crate::Error;
use crate::args::{arity, is};

/// A checked `AI.INFO key [RESETSTAT | FULL]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    /// The counters.
    Short,
    /// The counters, and what the model says of its inputs and outputs.
    Full,
    /// Set the counters to zero.
    ResetStat,
}

impl Info {
    /// Index of the key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments: what comes before the key is looked up.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.INFO", argc, 2..=3)
    }

    /// Reads the option: what comes after the key was looked up.
    pub fn parse(argv: &[&[u8]]) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        match argv.get(2) {
            None => Ok(Self::Short),
            Some(arg) if is(arg, "FULL") => Ok(Self::Full),
            Some(arg) if is(arg, "RESETSTAT") => Ok(Self::ResetStat),
            Some(&arg) => Err(Error::UnknownOption(arg.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{argv, refused};

    #[test]
    fn info_options() {
        assert_eq!(Info::parse(&argv("AI.INFO k")), Ok(Info::Short));
        assert_eq!(Info::parse(&argv("AI.INFO k full")), Ok(Info::Full));
        assert_eq!(
            Info::parse(&argv("AI.INFO k ResetStat")),
            Ok(Info::ResetStat)
        );
        refused(
            Info::parse,
            &[
                ("AI.INFO", Error::Arity("AI.INFO")),
                ("AI.INFO k FULL x", Error::Arity("AI.INFO")),
                ("AI.INFO k x", Error::UnknownOption(b"x".as_slice().into())),
            ],
        );
    }
}
