//! The error tables and forms of the commands that store and read scripts.

use super::store::*;
use crate::Error;
use crate::testing::{argv, refused};
use std::sync::Arc;

fn client<'a>(argv: &'a [&'a [u8]]) -> Result<ScriptStore<'a>, Error> {
    ScriptStore::parse(argv, false)
}

/// What was read: tag, entry points, index of the source, whether the form is an old one.
fn read(
    store: Result<ScriptStore<'_>, Error>,
) -> Result<(String, Vec<String>, usize, bool), Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store.map(|store| {
        let names = store.entry_points.iter().map(|name| text(name)).collect();
        (text(store.tag), names, store.source, store.rewrite)
    })
}

#[test]
fn scriptstore_refuses_in_the_order_of_the_contract() {
    let arity = Error::Arity("AI.SCRIPTSTORE");
    let store = |argv: &[&[u8]]| read(client(argv));
    refused(
        store,
        &[
            ("AI.SCRIPTSTORE", arity.clone()),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 1 f SOURCE",
                arity.clone(),
            ),
            ("AI.SCRIPTSTORE k CPU TAG t SOURCE s", arity),
            (
                "AI.SCRIPTSTORE k CPU 1 f SOURCE s x x",
                Error::MissingEntryPoints,
            ),
            (
                "AI.SCRIPTSTORE k CPU TAG t SOURCE s x",
                Error::MissingEntryPoints,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS x f SOURCE s",
                Error::InvalidEntryPointCount,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 1.0 f SOURCE s",
                Error::InvalidEntryPointCount,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 9 f SOURCE s",
                Error::MissingEntryPoints,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 9223372036854775807 f SOURCE s",
                Error::MissingEntryPoints,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 1 f s x",
                Error::MissingSource,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 2 f g SOURCE",
                Error::MissingSource,
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS -1 f SOURCE s",
                Error::MissingSource,
            ),
        ],
    );
}

#[test]
fn scriptstore_gives_what_stands_there() {
    let line = "ai.scriptstore k gpu tag source entry_points 2 SOURCE f source s ignored";
    let words = argv(line);
    let store = client(&words).unwrap();
    assert_eq!(store.device.text(), b"gpu");
    let names = vec!["SOURCE".to_owned(), "f".to_owned()];
    assert_eq!(read(Ok(store)), Ok(("source".to_owned(), names, 10, false)));
    // No check of the sign.
    let words = argv("AI.SCRIPTSTORE k DISK TAG t ENTRY_POINTS -4 SOURCE s");
    assert_eq!(read(client(&words)), Ok(("t".to_owned(), vec![], 8, false)));
}

#[test]
fn a_stream_may_leave_entry_points_out() {
    let words = argv("AI.SCRIPTSTORE k CPU TAG t SOURCE s");
    let stream = |argv| read(ScriptStore::parse(argv, true));
    assert_eq!(stream(&words), Ok(("t".to_owned(), vec![], 6, false)));
    let words = argv("AI.SCRIPTSTORE k CPU SOURCE s");
    assert_eq!(stream(&words), Ok((String::new(), vec![], 4, false)));
    let words = argv("AI.SCRIPTSTORE k CPU ENTRY_POINTS 1 f SOURCE s");
    assert_eq!(
        stream(&words),
        Ok((String::new(), vec!["f".to_owned()], 7, false))
    );
    refused(
        |argv| read(ScriptStore::parse(argv, true)),
        &[
            (
                "AI.SCRIPTSTORE k CPU SOURCE",
                Error::Arity("AI.SCRIPTSTORE"),
            ),
            ("AI.SCRIPTSTORE k CPU TAG t SOURCE", Error::MissingSource),
            ("AI.SCRIPTSTORE k CPU s s s", Error::MissingSource),
        ],
    );
}

#[test]
fn scriptset_has_three_forms() {
    let arity = Error::Arity("AI.SCRIPTSET");
    let set = |argv: &[&[u8]]| read(ScriptStore::parse_set(argv));
    for (line, tag, source, rewrite) in [
        ("AI.SCRIPTSET k CPU SOURCE s", "", 4, false),
        ("AI.SCRIPTSET k CPU TAG t source s", "t", 6, false),
        ("AI.SCRIPTSET k CPU SOURCE s ignored too", "", 4, false),
        ("AI.SCRIPTSET k CPU s", "", 3, true),
    ] {
        let expected = Ok((tag.to_owned(), vec![], source, rewrite));
        assert_eq!(set(&argv(line)), expected, "{line}");
    }
    refused(
        set,
        &[
            ("AI.SCRIPTSET", arity.clone()),
            ("AI.SCRIPTSET k CPU", arity.clone()),
            ("AI.SCRIPTSET k CPU SOURCE", arity.clone()),
            ("AI.SCRIPTSET k CPU TAG", arity.clone()),
            ("AI.SCRIPTSET k CPU TAG t SOURCE", arity.clone()),
            ("AI.SCRIPTSET k CPU TAG t SOURCE s x", arity),
            ("AI.SCRIPTSET k CPU TAG t", Error::MissingSource),
            ("AI.SCRIPTSET k CPU x s", Error::MissingSource),
            ("AI.SCRIPTSET k CPU TAG t s s", Error::MissingSource),
        ],
    );
}

#[test]
fn sources_and_names_end_at_a_nul() {
    let words: Vec<&[u8]> = vec![
        b"AI.SCRIPTSTORE",
        b"k",
        b"CPU",
        b"ENTRY_POINTS",
        b"2",
        b"f\0x",
        b"",
        b"SOURCE",
        b"a\0b",
    ];
    let store = client(&words).unwrap();
    assert_eq!(ScriptStore::c_string(words[store.source]), b"a");
    assert_eq!(ScriptStore::c_string(b""), b"");
    let def = store.definition(Arc::new(Vec::new()));
    let names: Vec<&[u8]> = def.entry_points.iter().map(AsRef::as_ref).collect();
    assert_eq!(names, [b"f".as_slice(), b""]);
}

#[test]
fn scriptget_options() {
    for (line, meta, source) in [
        ("AI.SCRIPTGET k", true, true),
        ("AI.SCRIPTGET k meta", true, false),
        ("AI.SCRIPTGET k Source", false, true),
        ("AI.SCRIPTGET k SOURCE META", true, true),
    ] {
        assert_eq!(
            ScriptGet::parse(&argv(line)),
            Ok(ScriptGet { meta, source }),
            "{line}"
        );
    }
    let unknown = |text: &str| Error::UnknownOption(text.as_bytes().into());
    refused(
        ScriptGet::parse,
        &[
            ("AI.SCRIPTGET", Error::Arity("AI.SCRIPTGET")),
            (
                "AI.SCRIPTGET k META SOURCE META",
                Error::Arity("AI.SCRIPTGET"),
            ),
            ("AI.SCRIPTGET k BLOB", unknown("BLOB")),
            ("AI.SCRIPTGET k META x", unknown("x")),
        ],
    );
    assert!(ScriptDel::arity(2).is_ok() && ScriptScan::arity(1).is_ok());
    assert_eq!(ScriptDel::arity(3), Err(Error::Arity("AI.SCRIPTDEL")));
    assert_eq!(ScriptScan::arity(2), Err(Error::Arity("AI._SCRIPTSCAN")));
}
