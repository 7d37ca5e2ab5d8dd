"""Formats of models: whose a file is, by its content, and a SavedModel's directory as a file."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from redisai_rs.exceptions import InvalidModelError

SAVED_MODEL = "saved_model.pb"


def backend_of(blob: bytes | memoryview) -> str:
    """Gives the backend of a model: `ONNX`, `TORCH`, `TF` or `TFLITE`."""
    head = bytes(blob[:8])
    if head[4:8] == b"TFL3":
        return "TFLITE"
    if head.startswith(b"PK\x03\x04"):
        return _of_archive(_names_of_zip(blob))
    if bytes(blob[257:262]) == b"ustar":
        return _of_archive(_names_of_tar(blob))
    # Both are protocol buffers. A ModelProto begins with its number ir_version (field 1, a
    # number), a GraphDef with its first node (field 1, a message).
    if head.startswith(b"\x08"):
        return "ONNX"
    if head.startswith(b"\x0a"):
        return "TF"
    raise InvalidModelError(
        "the model's format was not recognised: say backend='ONNX', 'TORCH', 'TF' or 'TFLITE'"
    )


def _of_archive(names: list[str]) -> str:
    parts = [name.rsplit("/", 1)[-1] for name in names]
    if SAVED_MODEL in parts:
        return "TF"
    if "constants.pkl" in parts or any("archive_format" in part for part in parts):
        return "TORCH"
    if "data.pkl" in parts:
        raise InvalidModelError(
            "this archive holds what torch.save wrote, which is no program: "
            "save torch.jit.script(model) or torch.jit.trace(model, example) instead"
        )
    raise InvalidModelError("this archive holds neither a TorchScript model nor a SavedModel")


def _names_of_zip(blob: bytes | memoryview) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidModelError(f"the model's archive is damaged: {error}") from error


def _names_of_tar(blob: bytes | memoryview) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            return archive.getnames()
    except tarfile.TarError as error:
        raise InvalidModelError(f"the model's archive is damaged: {error}") from error


def pack_saved_model(path: str | os.PathLike[str]) -> bytes:
    """Packs the directory of a SavedModel into a zip archive, as engine and server take it.

    The same files give the same bytes: in the byte order of their names, as of 1980, not compressed
    (weights hardly shrink). Links to files are followed. `InvalidModelError` where it is no
    SavedModel, or a file of it cannot be read.
    """
    root = Path(path)
    if not (root / SAVED_MODEL).is_file():
        raise InvalidModelError(f"{root} has no {SAVED_MODEL}: it is no directory of a SavedModel")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(_files_below(root), key=os.fsencode):
            try:
                _add(archive, root / name, name)
            except OSError as error:
                reason = error.strerror
                raise InvalidModelError(f"{root / name} cannot be read: {reason}") from error
            except UnicodeEncodeError as error:
                raise InvalidModelError(f"the name of {root / name} is not UTF-8") from error
    return packed.getvalue()


def _files_below(root: Path) -> list[str]:
    names = []

    def refuse(error: OSError) -> None:
        raise InvalidModelError(f"{error.filename} cannot be read: {error.strerror}") from error

    for folder, below, files in os.walk(root, onerror=refuse):
        places = [Path(folder) / name for name in (*below, *files)]
        for place in places:
            # What is left out of the archive would be missed only when the model runs.
            if not place.is_file() and (place.is_symlink() or not place.is_dir()):
                raise InvalidModelError(f"{place} is neither a file nor a directory")
            if place.is_file():
                names.append(str(place.relative_to(root)))
    return names


def _add(archive: zipfile.ZipFile, place: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name)  # its own date is 1980
    entry.external_attr = 0o644 << 16
    with place.open("rb") as file:
        entry.file_size = os.fstat(file.fileno()).st_size  # says whether 32 bits are enough
        with archive.open(entry, "w") as target:
            shutil.copyfileobj(file, target, 1 << 20)
