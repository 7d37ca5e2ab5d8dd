"""Arrays in `.npy` files, in pipes, as text and as JSON."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redisai_rs._core import Tensor
from redisai_rs.cli.output import file_error, write_to_pipe
from redisai_rs.exceptions import Error, NotInstalledError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PIPE = "-"
SUFFIX = ".npy"


@dataclass(frozen=True)
class Named:
    """An array, and the name of its element type in commands."""

    array: Array
    dtype: str

    @classmethod
    def of(cls, array: Array, told: str = "") -> Named:
        """Of what a client gives. `told`: the dtype, if it is known from elsewhere."""
        if told == "BFLOAT16" or array.dtype.name == "bfloat16":
            # As 16 bits, whether ml_dtypes is installed or not.
            return cls(array.view("u2"), "BFLOAT16")
        return cls(array, Tensor(array).dtype)

    def title(self) -> str:
        """Such as `FLOAT 2x3`."""
        return title(self.dtype, self.array.shape)

    def facts(self) -> dict[str, object]:
        """For JSON, which has no numbers for infinity and NaN: those are strings."""
        shape, values = list(self.array.shape), _finite(self._numbers().tolist())
        return {"dtype": self.dtype, "shape": shape, "values": values}

    def text(self) -> str:
        """The values for people; where they are many, some are left out."""
        return str(_numpy().array2string(self._numbers(), separator=", "))

    def _numbers(self) -> Array:
        if self.dtype != "BFLOAT16":
            return self.array
        # The upper half of a float of 32 bits.
        return (self.array.astype("u4") << 16).view("f4")


def title(dtype: str, shape: Sequence[int]) -> str:
    """A tensor's type for people."""
    return f"{dtype} {'x'.join(map(str, shape)) or 'scalar'}"


class _In:
    """Stdin, which NumPy does not take for a file: it would ask for its position."""

    def read(self, count: int) -> bytes:
        return sys.stdin.buffer.read(count)


class _Out:
    """Stdout, likewise."""

    def write(self, data: bytes) -> None:
        write_to_pipe(data)


def need() -> None:
    """Raises `NotInstalledError` unless NumPy is there, before a server is asked for anything."""
    _numpy()


def is_file(word: str) -> bool:
    """Whether a word names a file or a pipe, not a key."""
    return word == PIPE or word.endswith(SUFFIX)


def read(path: str) -> Array:
    """Reads a `.npy` file, or stdin for `-`."""
    try:
        if path == PIPE:
            return _read(_In())
        with open(path, "rb") as file:
            return _read(file)
    except OSError as error:
        raise file_error(path, "read", error) from error
    except (ValueError, EOFError, MemoryError) as error:
        name = "stdin" if path == PIPE else path
        raise Error(f"{name} is no array in NumPy's format (.npy): {error}") from error


def _read(file: Any) -> Array:
    # A pickle, which an array of objects holds, is a program.
    array: Array = _numpy().lib.format.read_array(file, allow_pickle=False)
    return array


def write(path: str, array: Array) -> None:
    """Writes a `.npy` file, or to stdout for `-`."""
    if array.dtype.kind == "O":
        array = _fixed_width(array)
    if path == PIPE:
        _write(_Out(), array)
        return
    try:
        with open(path, "wb") as file:
            _write(file, array)
    except OSError as error:
        raise file_error(path, "written", error) from error


def _write(file: Any, array: Array) -> None:
    _numpy().lib.format.write_array(file, array, allow_pickle=False)


def _finite(value: object) -> object:
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _fixed_width(array: Array) -> Array:
    """Byte strings as NumPy's format has them, which ends each at its last byte that is not 0."""
    if any(item.endswith(b"\0") for item in array.flat):
        raise Error("a string that ends with a zero byte has no place in a .npy file: use --json")
    return array.astype("S")


def _numpy() -> Any:
    try:
        import numpy  # noqa: PLC0415 (only arrays need it)
    except ImportError:
        raise NotInstalledError("arrays need NumPy: `pip install numpy`") from None
    return numpy
