//! The header as a C or C++ compiler sees it.

mod common;

use common::{Temp, compiler};
use redisai_backend_abi as abi;

/// A struct's name and its size and alignment in Rust.
macro_rules! layouts {
    ($($name:ident),+) => {
        [$((stringify!($name), size_of::<abi::$name>(), align_of::<abi::$name>())),+]
    };
}

#[test]
fn both_languages_lay_the_structs_out_alike() {
    let layouts = layouts!(
        DLTensor,
        DLManagedTensorVersioned,
        DLManagedTensor,
        DLDataType,
        DLDevice,
        RaiBytes,
        RaiText,
        RaiPair,
        RaiPairs,
        RaiView,
        RaiTensor,
        RaiHost,
        RaiCapabilities,
        RaiInfo,
        RaiValueInfo,
        RaiFunction,
        RaiSignature,
        RaiLoad,
        RaiLoaded,
        RaiRun,
        RaiBackend
    );
    let mut program = String::from("#include \"redisai_backend.h\"\n");
    for (name, size, align) in layouts {
        program.extend([
            format!("_Static_assert(sizeof({name}) == {size}, \"size of {name}\");\n"),
            format!("_Static_assert(_Alignof({name}) == {align}, \"alignment of {name}\");\n"),
        ]);
    }
    let temp = Temp::new();
    let path = temp.0.join("layout.c");
    std::fs::write(&path, program).unwrap();
    let output = compiler(&["-std=c11", "-fsyntax-only", path.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn the_header_compiles_everywhere_it_should() {
    let temp = Temp::new();
    let check = |name: &str, text: &str, options: &[&str]| {
        let path = temp.0.join(name);
        std::fs::write(&path, text).unwrap();
        let mut arguments = options.to_vec();
        arguments.extend(["-fsyntax-only", path.to_str().unwrap()]);
        compiler(&arguments)
    };
    let include = "#include \"redisai_backend.h\"\n";
    let twice = format!("{include}{include}int main(void) {{ return RAI_OK; }}\n");
    let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
    for (name, standard) in [
        ("a.c", "-std=c99"),
        ("b.c", "-std=c2x"),
        ("c.cc", "-std=c++17"),
    ] {
        let mut options = strict.to_vec();
        options.push(standard);
        let output = check(name, &twice, &options);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
    }
    // Behind another dlpack.h: one of version 1 is used, an older one refused.
    let old = format!("#define DLPACK_DLPACK_H_\n{include}");
    let output = check("old.c", &old, &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs DLPack 1.x"));
    let new = "#define DLPACK_DLPACK_H_\n#define DLPACK_MAJOR_VERSION 1\n#include <stdint.h>\n\
        typedef struct { void *data; } DLTensor;\n\
        typedef struct { DLTensor t; } DLManagedTensorVersioned;\n\
        typedef struct { uint8_t code; } DLDataType;\n";
    let output = check("new.c", &format!("{new}{include}"), &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
