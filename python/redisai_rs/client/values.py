"""Tensors on the wire."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from redisai_rs._core import Tensor
from redisai_rs.client.command import Argument, Reply, check, pairs, text
from redisai_rs.exceptions import InputError
from redisai_rs.run import Result, Value


def tensor_of(value: Value, dtype: str | None, shape: Sequence[int] | None) -> Tensor:
    """A tensor of what a caller gives; arrays are not copied where their layout allows."""
    if shape is None:
        return Tensor(value, dtype=dtype)
    if isinstance(value, bytes | bytearray | memoryview) and dtype != "STRING":
        return Tensor.of(dtype or "UINT8", shape, value)
    tensor = Tensor(value, dtype=dtype)
    data = tensor.strings() if tensor.dtype == "STRING" else tensor
    return Tensor.of(tensor.dtype, shape, data)


def words_of(value: Value | None, dtype: str | None, shape: Sequence[int] | None) -> list[Argument]:
    """What follows the key in `AI.TENSORSET`. Numbers go as the array's own memory."""
    dtype = None if dtype is None else dtype.upper()
    if value is None:
        if dtype is None or shape is None:
            raise InputError("a tensor of zeros needs dtype= and shape=")
        # A scalar without a word of data would be too short a command.
        zero: list[Argument] = [] if shape else ["VALUES", "" if dtype == "STRING" else 0]
        return [dtype, *map(int, shape), *zero]
    tensor = tensor_of(value, dtype, shape)
    head: list[Argument] = [tensor.dtype, *tensor.shape]
    if tensor.dtype != "STRING":
        # A view of nothing cannot be cast.
        view: memoryview = memoryview(tensor)  # type: ignore[arg-type] # a buffer since 3.11
        return [*head, "BLOB", view.cast("B") if tensor.nbytes else b""]
    elements = tensor.strings()
    if any(b"\0" in element for element in elements):
        return [*head, "BYTES", *elements]
    return [*head, "BLOB", b"".join(element + b"\0" for element in elements)]


def array_of(reply: Reply) -> Result:
    """The tensor of a reply with `META` and its elements."""
    found = pairs(check(reply))
    dtype = text(found["dtype"])
    if "blob" in found:
        return _array(Tensor.of(dtype, found["shape"], found["blob"]))
    return _array(Tensor.of(dtype, found["shape"], list(map(_kind(dtype), found["values"]))))


def is_ambiguous(reply: Reply) -> bool:
    """Whether a blob of strings does not say where they end: one of them holds a NUL."""
    if isinstance(reply, Exception):
        return False
    found = pairs(reply)
    if text(found["dtype"]) != "STRING" or "blob" not in found:
        return False
    count = functools.reduce(lambda count, dim: count * dim, found["shape"], 1)
    return bool(found["blob"].count(b"\0") != count)


def _kind(dtype: str) -> Callable[[Any], int | float | bytes]:
    """What makes an element of what stands for it in a reply: floats of RESP2 come as digits."""
    if dtype == "STRING":
        return bytes
    if dtype == "BOOL":
        return bool
    return float if "FLOAT" in dtype or dtype == "DOUBLE" else int


def _array(tensor: Tensor) -> Result:
    return tensor.numpy() if _has_numpy() else tensor


@functools.cache
def _has_numpy() -> bool:
    return importlib.util.find_spec("numpy") is not None
