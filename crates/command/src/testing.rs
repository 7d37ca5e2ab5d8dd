//! Helpers of the unit tests.

use crate::Error;

/// An argv from words separated by one blank; `''` is an empty argument.
pub(crate) fn argv(line: &str) -> Vec<&[u8]> {
    line.split(' ')
        .map(|word| if word == "''" { "" } else { word }.as_bytes())
        .collect()
}

/// Checks that each line is refused with its error.
pub(crate) fn refused<T: std::fmt::Debug>(
    parse: impl Fn(&[&[u8]]) -> Result<T, Error>,
    cases: &[(&str, Error)],
) {
    for (line, error) in cases {
        assert_eq!(
            parse(&argv(line)).map(|_| ()).unwrap_err(),
            *error,
            "{line}"
        );
    }
}
