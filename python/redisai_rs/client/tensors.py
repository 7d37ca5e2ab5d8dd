"""Commands of tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from redisai_rs.client.command import Command, Key, Reply, check, done, pairs, text, word
from redisai_rs.client.values import array_of, is_ambiguous, words_of
from redisai_rs.run import Result, Value


@dataclass(frozen=True)
class TensorMeta:
    """What a tensor is, without its elements."""

    dtype: str
    """`FLOAT`, …, as in `AI.TENSORSET`."""
    shape: tuple[int, ...]
    """The dimensions; empty for a scalar."""


def tensor_set(
    key: Key,
    value: Value | None = None,
    *,
    dtype: str | None = None,
    shape: Sequence[int] | None = None,
) -> Command[None]:
    """Stores a tensor (`AI.TENSORSET`).

    Parameters
    ----------
    key
        Its key, of which a time to live is removed.
    value
        A NumPy array, an object with `__dlpack__` or the buffer protocol, a number, a string, or a
        nested list of them, as for `redisai_rs.Engine`. What lies row-major in memory is sent from
        there. Left out: zeros, or empty strings, of `dtype` and `shape`.
    dtype
        RedisAI's name of the element type, which numbers and lists are read as; without it they
        become INT64, DOUBLE or BOOL. An array has its own, but for the bits of bfloat16 as uint16.
    shape
        The dimensions, if they are not the value's own; `bytes` are raw elements then.

    Raises
    ------
    InputError
        No tensor, or one that does not fit `dtype` and `shape`.

    Examples
    --------
    >>> import numpy as np
    >>> client.tensor_set("x", np.ones((2, 3), np.float32))
    >>> client.tensor_set("words", ["one", "two"])
    >>> client.tensor_set("raw", bytes(8), dtype="INT32", shape=(2,))
    """
    return Command(["AI.TENSORSET", word(key), *words_of(value, dtype, shape)], done)


def tensor_get(key: Key, *, values: bool = False) -> Command[Result]:
    """Reads a tensor (`AI.TENSORGET`).

    Parameters
    ----------
    key
        Its key.
    values
        Whether the server is to send the elements one by one: slower, but strings that hold a NUL
        come whole. Without it such strings are asked for a second time by themselves; in a
        pipeline, where that cannot be, they are an error.

    Returns
    -------
    A NumPy array over the reply's memory, which is not to be written to: `numpy.array(result)`
    makes a copy that is. Strings come as an array of `bytes` objects, bfloat16 as `ml_dtypes` has
    it, or where that is not installed as uint16 of the same bits. Without NumPy: a
    `redisai_rs.Tensor`.

    Examples
    --------
    >>> client.tensor_set("x", [[1, 2], [3, 4]], dtype="INT8")
    >>> client.tensor_get("x")
    array([[1, 2],
           [3, 4]], dtype=int8)
    """
    if values:
        return Command(["AI.TENSORGET", word(key), "META", "VALUES"], array_of)
    again = tensor_get(key, values=True)
    return dataclasses.replace(
        again,
        args=["AI.TENSORGET", word(key)],
        instead=lambda reply: again if is_ambiguous(reply) else None,
    )


def tensor_meta(key: Key) -> Command[TensorMeta]:
    """The element type and the dimensions of a tensor (`AI.TENSORGET key META`).

    Examples
    --------
    >>> client.tensor_set("x", [[1.5, 2]])
    >>> client.tensor_meta("x")
    TensorMeta(dtype='DOUBLE', shape=(1, 2))
    """
    return Command(["AI.TENSORGET", word(key), "META"], _meta)


def _meta(reply: Reply) -> TensorMeta:
    found = pairs(check(reply))
    return TensorMeta(text(found["dtype"]), tuple(found["shape"]))
