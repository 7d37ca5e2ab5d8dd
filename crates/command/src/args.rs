//! Walking along argv.

use crate::{Error, number};
use std::ops::Range;

/// Whether an argument is this keyword, without regard to case.
pub(crate) fn is(arg: &[u8], keyword: &str) -> bool {
    arg.eq_ignore_ascii_case(keyword.as_bytes())
}

/// Refuses a number of arguments outside of `allowed`.
pub(crate) fn arity(
    name: &'static str,
    argc: usize,
    allowed: impl std::ops::RangeBounds<usize>,
) -> Result<(), Error> {
    if allowed.contains(&argc) {
        Ok(())
    } else {
        Err(Error::Arity(name))
    }
}

/// A position in argv.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    argv: &'a [&'a [u8]],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(argv: &'a [&'a [u8]], at: usize) -> Self {
        Self { argv, at }
    }

    /// The index of the next argument.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [&'a [u8]] {
        self.argv.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(crate) fn peek(&self) -> Option<&'a [u8]> {
        self.rest().first().copied()
    }

    pub(crate) fn next(&mut self) -> Option<&'a [u8]> {
        let arg = self.peek()?;
        self.at += 1;
        Some(arg)
    }

    /// Steps over `keyword` if it comes next.
    pub(crate) fn skip(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|arg| is(arg, keyword));
        self.at += usize::from(found);
        found
    }

    /// The indices of the next `count` arguments, if there are as many.
    pub(crate) fn take(&mut self, count: u64) -> Option<Range<usize>> {
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.rest().len())?;
        let start = self.at;
        self.at += count;
        Some(start..self.at)
    }

    /// The next `count` arguments, if there are as many.
    pub(crate) fn take_slice(&mut self, count: u64) -> Option<&'a [&'a [u8]]> {
        self.take(count).and_then(|range| self.argv.get(range))
    }

    /// The arguments before the next of `keywords`, or all that are left.
    pub(crate) fn until(&mut self, keywords: &[&str]) -> Range<usize> {
        let start = self.at;
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|arg| keywords.iter().any(|keyword| is(arg, keyword)))
            .unwrap_or(rest.len());
        self.at += length;
        start..self.at
    }

    /// The next argument as a count.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.next().and_then(number::count)
    }
}
