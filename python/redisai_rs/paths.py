"""Where the files of this package lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from redisai_rs.exceptions import NotInstalledError

LIB = Path(__file__).resolve().parent / "lib"


def module_path() -> Path:
    """Gives the path of the Redis module, for `redis-server --loadmodule`."""
    path = LIB / "redisai.so"
    if not path.is_file():
        raise NotInstalledError(f"{path} is missing: build it with `make build` or `pip install .`")
    return path


def frameworks_env() -> dict[str, str]:
    """Gives a server's variables by which the module finds this environment's frameworks.

    The module finds them by its own place, or by what an editable install wrote down; this is for
    an editable install that was built in isolation and could not know where it would go.
    """
    return {} if "VIRTUAL_ENV" in os.environ else {"VIRTUAL_ENV": sys.prefix}
