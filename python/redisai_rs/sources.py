"""Where models are read from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from redisai_rs import formats
from redisai_rs.exceptions import InvalidModelError


class Readable(Protocol):
    """A file object, opened with mode `rb`."""

    def read(self) -> bytes:
        """All its bytes."""


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable
"""A path (of a SavedModel: its directory), a model's bytes, or a file object."""


def read(source: Source) -> Any:
    """The bytes of a model; those that a caller gives are not copied."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            return formats.pack_saved_model(path)
        try:
            return path.read_bytes()
        except OSError as error:
            raise InvalidModelError(f"{path} cannot be read: {error.strerror}") from error
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise InvalidModelError("the file object gives text: open it with mode 'rb'")
        return data
    try:
        return source if isinstance(source, bytes) else memoryview(source).cast("B")
    except TypeError as error:
        raise InvalidModelError(
            f"{type(source).__name__} is no model: give a path, bytes or a file object"
        ) from error
