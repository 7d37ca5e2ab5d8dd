#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS (20), from the committed seeds. `make fuzz` calls it.
# What it generates goes to corpus/*/generated, what fails to artifacts/; both are ignored by git.
set -eu
cd "$(dirname "$0")"
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
# The sanitizer's flags are unstable; this lets the stable compiler take them.
export RUSTC_BOOTSTRAP=1
for target in ${FUZZ_TARGETS:-parse_argv dag decode_rdb tensor_text}; do
    mkdir -p "corpus/$target/generated"
    cargo fuzz run "$target" "corpus/$target/generated" "corpus/$target/seeds" -- \
        -max_total_time="${FUZZ_SECONDS:-20}" -max_len=4096 -rss_limit_mb=2048 -verbosity=0
done
