"""What the tests of TensorFlow share: SavedModels as archives, stored or refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
import redis


def zipped(folder: Path, root: str = "") -> bytes:
    """A folder as a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, root + str(path.relative_to(folder)))
    return out.getvalue()


def tarred(folder: Path) -> bytes:
    """A folder as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(folder, "line")
    return out.getvalue()


def store(client: redis.Redis, blob: bytes, *names: object, key: str = "m") -> None:
    """Stores a model."""
    words = ("AI.MODELSTORE", key, "TF", "CPU", *names, "BLOB", blob)
    assert client.execute_command(*words) == b"OK"


def refused(client: redis.Redis, blob: bytes, *names: object) -> str:
    """The error of a store."""
    with pytest.raises(redis.ResponseError) as error:
        store(client, blob, *names)
    return str(error.value)
