"""Where the files of this package lie."""

from __future__ import annotations

import contextlib
import sysconfig
from pathlib import Path

from redisai_rs.exceptions import NotInstalledError

LIB = Path(__file__).resolve().parent / "lib"


def module_path() -> Path:
    """Gives the path of the Redis module, for `redis-server --loadmodule`.

    Raises
    ------
    NotInstalledError
        The package was not built as a whole.

    Examples
    --------
    >>> rai.module_path().name
    'redisai.so'
    """
    path = LIB / "redisai.so"
    if not path.is_file():
        raise NotInstalledError(f"{path} is missing: build it with `make build` or `pip install .`")
    _note_site_packages()
    return path


def _note_site_packages() -> None:
    """Writes down beside the module which site-packages an editable install belongs to.

    The module reads it to find the frameworks. The build does the same, but one in isolation
    (`uv pip install --editable .`) does not know where its result goes.
    """
    note = LIB / "site-packages.txt"
    site_packages = Path(sysconfig.get_path("platlib"))
    if note.exists() or LIB.is_relative_to(site_packages):
        return
    with contextlib.suppress(OSError):
        note.write_text(f"{site_packages}\n")
