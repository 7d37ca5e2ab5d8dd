"""The fourteen dtypes: their elements in NumPy's terms, and how each stands on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Number:
    """A numeric dtype: its name, and values that it holds exactly, edges included."""

    name: str
    values: NDArray[np.generic]

    @property
    def blob(self) -> bytes:
        """The values as the wire's `BLOB`."""
        if self.name == "BFLOAT16":
            return bfloat16_bits(self.values).tobytes()
        return self.values.tobytes()

    @property
    def is_float(self) -> bool:
        return self.values.dtype.kind == "f"

    @property
    def texts(self) -> list[str]:
        """The values as arguments of `VALUES`."""
        if self.is_float:
            return [repr(float(value)) for value in self.values]
        return [str(int(value)) for value in self.values]


def bfloat16_bits(values: NDArray[np.generic]) -> NDArray[np.uint16]:
    """The upper half of each float32, for values that a bfloat16 holds exactly."""
    bits = values.astype(np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def _integers(name: str, dtype: type[np.integer]) -> Number:
    info = np.iinfo(dtype)
    return Number(name, np.array([info.min, 0, 1, 100, info.max - 1, info.max], dtype))


def _floats(name: str, dtype: type[np.floating]) -> Number:
    info = np.finfo(dtype)
    values = [0.0, -0.0, 1.0, -1.5, info.max, info.tiny, info.smallest_subnormal, np.inf, -np.inf]
    return Number(name, np.array([*values, 0.1], dtype))


NUMBERS = [
    _floats("FLOAT", np.float32),
    _floats("DOUBLE", np.float64),
    _floats("FLOAT16", np.float16),
    Number(
        "BFLOAT16",
        np.array([0.0, -0.0, 1.0, -1.5, 3.3895313892515355e38, 1e-40, np.inf, -np.inf], np.float32)
        .view(np.uint32)
        .__and__(np.uint32(0xFFFF0000))
        .view(np.float32),
    ),
    _integers("INT8", np.int8),
    _integers("INT16", np.int16),
    _integers("INT32", np.int32),
    _integers("INT64", np.int64),
    _integers("UINT8", np.uint8),
    _integers("UINT16", np.uint16),
    _integers("UINT32", np.uint32),
    _integers("UINT64", np.uint64),
    Number("BOOL", np.array([0, 1, 1, 0], np.uint8)),
]
ELEMENT_BYTES = {number.name: len(number.blob) // len(number.values) for number in NUMBERS}
NAMES = [*ELEMENT_BYTES, "STRING"]


def shown(number: Number, replies: list[object], protocol: int) -> NDArray[np.generic]:
    """What `VALUES` replied, in NumPy; fails where an element has the wrong type on the wire."""
    for value, reply in zip(number.values, replies, strict=True):
        if number.is_float:
            assert type(reply) is (float if protocol == 3 else bytes), reply
            if isinstance(reply, bytes):
                # The server writes the text: 17 digits, newer ones the fewest that suffice.
                exact = float(value)
                assert Decimal(reply.decode()) in {Decimal(f"{exact:.17g}"), Decimal(repr(exact))}
        elif int(value) > 2**63 - 1:
            assert type(reply) is bytes and reply == str(value).encode()
        else:
            assert type(reply) is int, reply
    kind = np.float64 if number.is_float else number.values.dtype
    return np.array([float(r) if number.is_float else int(r) for r in replies], kind)  # type: ignore[call-overload]
