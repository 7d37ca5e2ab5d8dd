"""Where the files of this package lie."""

from __future__ import annotations

from pathlib import Path

from redisai_rs.exceptions import NotInstalledError

LIB = Path(__file__).resolve().parent / "lib"


def module_path() -> Path:
    """Gives the path of the Redis module, for `redis-server --loadmodule`."""
    path = LIB / "redisai.so"
    if not path.is_file():
        raise NotInstalledError(f"{path} is missing: build it with `make build` or `pip install .`")
    return path
