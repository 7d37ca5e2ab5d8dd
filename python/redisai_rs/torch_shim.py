"""Builds the library that joins the torch backend to one minor version of torch.

TorchScript has no C API, so the backend has a shim in C++ (`crates/backend-torch/shim`, in a wheel
beside the backend). It is built once for each minor version of torch, by the user's own compiler,
against the headers in torch's wheel. The server never starts a compiler.

This file uses nothing of the package, so that the Rust tests can run it as a script:

    python torch_shim.py SOURCES TORCH FOLDER
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HINT = "apt-get install g++"


class ShimError(Exception):
    """The shim cannot be built; the text is one line and says what to do."""


@dataclass(frozen=True)
class Shim:
    """A shim for the torch of a folder."""

    sources: Path
    """The folder of its source."""
    torch: Path
    """The folder `torch` in a site-packages."""

    def version(self) -> str:
        """The minor version of torch, such as `2.15`."""
        header = self.torch / "include" / "torch" / "headeronly" / "version.h"
        if not header.is_file():
            raise ShimError(
                f"{header} is missing: the headers of torch 2.13 or newer are needed, which"
                " `pip install torch` brings"
            )
        text = header.read_text()
        numbers = [
            re.search(rf"^#define TORCH_VERSION_{part}\s+(\d+)", text, re.MULTILINE)
            for part in ("MAJOR", "MINOR")
        ]
        return ".".join(number[1] for number in numbers if number)

    def name(self) -> str:
        """The file's name, as the backend looks for it."""
        version, digest = self.version(), hashlib.sha256()
        for source in sorted(self.sources.iterdir()):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
        return f"redisai_torch_shim-{version}-{digest.hexdigest()[:16]}.so"

    def command(self, output: Path) -> list[str]:
        """The compiler's command line."""
        flags = (self.sources / "flags.txt").read_text().split()
        include = self.torch / "include"
        places = [f"-I{include}", f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}"]
        libraries = [f"-L{self.torch / 'lib'}", "-ltorch_cpu", "-lc10"]
        source = str(self.sources / "shim.cpp")
        return [*compiler(), *flags, *places, source, "-o", str(output), *libraries]


def compiler() -> list[str]:
    """The C++ compiler: `CXX`, else the first of the usual names that is there."""
    words = shlex.split(os.environ.get("CXX", ""))
    names = [words[0]] if words else ["c++", "g++", "clang++"]
    for name in names:
        if shutil.which(name):
            return words or [name]
    raise ShimError(
        f"there is no C++ compiler ({', '.join(names)}): install one (`{HINT}`) and run"
        " `redisai-rs backend build torch` again"
    )


def cache() -> Path:
    """The user's cache, where the backend looks."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if os.path.isabs(root) else Path.home() / ".cache"
    return base / "redisai-rs"


def build(shim: Shim, folder: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """Builds the shim into a folder unless it is there; gives its path."""
    version = shim.version()
    target = folder / shim.name()
    if target.is_file():
        return target
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # Whoever comes second waits and finds it built.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_file():
            return target
        fresh = folder / f".{target.name}.{os.getpid()}"
        try:
            _compile(shim.command(fresh), version, say)
            fresh.chmod(0o755)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    return target


def _compile(command: list[str], version: str, say: Callable[[str], None]) -> None:
    say(f"building the shim for torch {version} with {command[0]}; this takes about 15 s")
    start = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        _, errors = process.communicate()
    if process.returncode != 0:
        lines = [line for line in errors.splitlines() if "error" in line] or errors.splitlines()
        reason = lines[0] if lines else f"status {process.returncode}"
        raise ShimError(f"{command[0]} could not build the shim for torch {version}: {reason}")
    say(f"built in {time.monotonic() - start:.0f} s")


def main(arguments: list[str]) -> int:
    """Builds for the Rust tests; prints the path."""
    sources, torch, folder = map(Path, arguments)
    try:
        print(build(Shim(sources, torch), folder, lambda line: print(line, file=sys.stderr)))
    except ShimError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
