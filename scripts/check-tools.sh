#!/bin/sh
# Says in one line each which tool is missing or too old, and how to install it; fails if any is.
# Usage: check-tools.sh PYTHON
set -u
cd "$(dirname "$0")/.." || exit 1
python=$1
failed=0

complain() {
    echo "$1" >&2
    failed=1
}

# Whether version $1 is at least version $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rustup='curl --proto =https --tlsv1.2 -sSf https://sh.rustup.rs | sh'
if ! command -v cargo >/dev/null; then
    complain "cargo is missing: install Rust $rust or newer with \`$rustup\`"
else
    found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2)
    at_least "${found:-0}" "$rust" ||
        complain "Rust ${found:-?} is too old, $rust is the minimum: \`rustup update stable\`, or \`$rustup\`"
fi

compiler='apt-get install build-essential'
command -v "${CC:-cc}" >/dev/null || complain "a C compiler is missing: \`$compiler\`"
command -v "${CXX:-c++}" >/dev/null || complain "a C++ compiler is missing: \`$compiler\`"

if ! command -v "$python" >/dev/null; then
    complain "$python is missing: \`apt-get install python3 python3-venv\`, or name another with PYTHON="
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    complain "$("$python" --version) is too old, 3.11 is the minimum: \`apt-get install python3.11 python3.11-venv\` and PYTHON=python3.11"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    complain "Python's venv is missing: \`apt-get install python3-venv\`"
fi

exit $failed
