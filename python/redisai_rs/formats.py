"""Which framework a model's file belongs to, by its content."""

from __future__ import annotations

import io
import tarfile
import zipfile

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
