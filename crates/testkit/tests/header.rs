//! `include/redisai_backend.h` is what the Rust source says. `UPDATE_HEADER=1 cargo test -p
//! redisai-testkit --test header` writes it anew.

use cbindgen::{Builder, Config};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of `redisai-backend-abi` that hold types of the border.
const SOURCES: [&str; 5] = [
    "status.rs",
    "text.rs",
    "signature_table.rs",
    "host_table.rs",
    "table.rs",
];
const OPTIONS: &str = "options.rs";
const DLPACK: &str = "dlpack.rs";

const PREAMBLE: &str = "\
// The C ABI of a redisai-rs backend library. Generated from crates/backend-abi: do not edit.
//
// A backend is a shared library that exports one function, redisai_backend_v1 (see RaiEntry, and the
// end of this file). It fills a RaiBackend, the table of its functions, and gets a RaiHost, the table
// of what the server does for it. crates/testkit/tests/c/double.c is a whole backend in C.
//
// Versions.   RAI_ABI_VERSION names the layout. Within one version tables and structs with a `size`
//             only grow at their end; whoever reads one looks at its size first.
// Ownership.  Who allocates frees: what is handed over for good (RaiText, RaiPairs, RaiTensor) carries
//             the function that releases it. What is lent is valid during the call, or as long as its
//             documentation says.
// Inputs.     A RaiView is the host's memory. To keep it beyond the call: retain(owner), later
//             release(owner). It is never written to.
// Threads.    Every function of both tables may be called from any thread, runs of one model side by
//             side included (unless the capabilities say otherwise). No exception may leave a function.
// Units.      Sizes, alignments and offsets are bytes, strides are elements, times are nanoseconds of
//             CLOCK_MONOTONIC unless a name says otherwise. Numbers have the machine's byte order.
// Texts.      UTF-8 or any bytes, with a length, without a NUL. An error text goes to the client as it
//             is, made one line, its prefix (\"ERR \") included.
// Processes.  Handles are numbers, replies are bytes: the same table may be served from another
//             process. Nothing may assume that the other side can follow a handle.
";

const EPILOGUE: &str = "\
// The function that a backend library exports: a RaiEntry.
__attribute__((visibility(\"default\")))
int32_t redisai_backend_v1(const RaiHost *host, const RaiBackend **out_table);
";

#[test]
fn the_header_is_what_the_source_says() {
    let expected = header();
    for item in [
        "DLTensor",
        "RaiHost",
        "RaiBackend",
        "RAI_OK",
        "RAI_OPTION_FRAMEWORK",
        "RaiRun",
    ] {
        assert!(
            expected.contains(item),
            "{item} is missing: cbindgen saw too little"
        );
    }
    let path = root().join("include/redisai_backend.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    }
    let actual = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} differs from the source: UPDATE_HEADER=1 cargo test -p redisai-testkit --test header",
        path.display()
    );
}

fn header() -> String {
    let dlpack = generate(&[DLPACK]);
    let own = generate(&SOURCES);
    let options = strings(&source(OPTIONS));
    let text = format!(
        "{PREAMBLE}
#ifndef REDISAI_BACKEND_H
#define REDISAI_BACKEND_H

#include <stddef.h>
#include <stdint.h>

// DLPack's structs. A dlpack.h that was included before is used instead, one that comes later finds its
// guard set; code that needs more of it than this includes it first.
#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_

{}

#elif !defined(DLPACK_MAJOR_VERSION) || DLPACK_MAJOR_VERSION != 1
#error \"redisai_backend.h needs DLPack 1.x: this dlpack.h is another version\"
#endif

{options}
{}

#ifdef __cplusplus
extern \"C\" {{
#endif

{EPILOGUE}
#ifdef __cplusplus
}}
#endif

#endif
",
        dlpack.trim(),
        own.trim()
    );
    // rustdoc's links mean nothing here.
    text.replace("[`", "`")
        .replace("`]", "`")
        .replace("::", ".")
}

/// The string constants of a file, which cbindgen leaves out, with their comments.
fn strings(source: &str) -> String {
    let mut text = String::from(
        "// Names of the pairs that `init` gets. One that a backend does not know is ignored.\n",
    );
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            comment.extend(["// ", words, "\n"]);
            continue;
        }
        if let Some((name, value)) = line
            .strip_prefix("pub const ")
            .and_then(|rest| rest.strip_suffix(';')?.split_once(": &str = "))
        {
            text.extend([&comment, "#define ", name, " ", value, "\n"]);
        }
        comment.clear();
    }
    text
}

fn source(file: &str) -> String {
    let path = root().join("crates/backend-abi/src").join(file);
    fs::read_to_string(path).expect("the source is there")
}

/// cbindgen's output for some files.
fn generate(files: &[&str]) -> String {
    let folder = root().join("crates/backend-abi");
    let config = Config::from_file(folder.join("cbindgen.toml")).expect("a valid cbindgen.toml");
    // The configuration comes first: it would undo what is included before.
    let mut builder = Builder::new().with_config(config);
    for file in files {
        let path = folder.join("src").join(file);
        // Without functions cbindgen has nothing to start from: it is told each type.
        for name in types(&fs::read_to_string(&path).expect("the source is there")) {
            builder = builder.include_item(name);
        }
        builder = builder.with_src(path);
    }
    let bindings = builder.generate().expect("the source parses");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// The public types of a source file.
fn types(source: &str) -> Vec<&str> {
    let kinds = ["pub struct ", "pub enum ", "pub type "];
    source
        .lines()
        .filter_map(|line| kinds.iter().find_map(|kind| line.strip_prefix(kind)))
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
        .collect()
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap().to_owned()
}
