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
    """Gives variables for a server of ours; what the user has set is kept.

    `VIRTUAL_ENV`: the module finds the frameworks by its own place, or by what an editable install
    wrote down; this is for an editable install that was built in isolation and could not know
    where it would go. `ORT_DISABLE_TELEMETRY`: ONNX Runtime 1.32 would report to Microsoft and
    write a device's number to the temporary directory.
    """
    defaults = {"VIRTUAL_ENV": sys.prefix, "ORT_DISABLE_TELEMETRY": "1"}
    return {name: value for name, value in defaults.items() if name not in os.environ}
