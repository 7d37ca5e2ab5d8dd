//! Hands the compiler facts that only a build knows.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    set("REDISAI_RUSTC", &output(&rustc, &["--version"]));
    set("REDISAI_TARGET", &env::var("TARGET").unwrap_or_default());
    set("REDISAI_PROFILE", &env::var("PROFILE").unwrap_or_default());

    println!("cargo:rerun-if-changed=build.rs");
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env={name}={value}");
}

/// What a command prints, or nothing where it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|done| done.status.success())
        .and_then(|done| String::from_utf8(done.stdout).ok())
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
