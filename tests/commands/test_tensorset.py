"""`AI.TENSORSET`: every dtype and form, and every error in the contract's order."""

from __future__ import annotations

import numpy as np
import pytest
from commands.dtypes import ELEMENT_BYTES, NAMES, NUMBERS, Number
from commands.wire import OK, WRONGTYPE, Wire, arity, failure

BAD_DTYPE = failure("ERR invalid data type")
BAD_SHAPE = failure("ERR invalid or negative value found in tensor shape")
ONE_BLOB = failure(
    "ERR a single binary string should come after the BLOB argument in 'AI.TENSORSET' command"
)
VALUE_COUNT = failure("ERR wrong number of values was given in 'AI.TENSORSET' command")
LENGTH = failure("ERR data length does not match tensor shape and type")
NOT_BOOL = failure("ERR BOOL tensor elements must be 0 or 1")
STRINGS = failure("ERR Number of string elements in data blob does not match tensor length")
BAD_VALUE = failure("ERR invalid value")
INNER_NUL = failure("ERR C-string value contains null character")


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_values_become_the_bytes_that_numpy_has(both: Wire, number: Number) -> None:
    count = len(number.values)
    assert both("AI.TENSORSET", "k", number.name, count, "VALUES", *number.texts) == OK
    assert both("AI.TENSORGET", "k", "BLOB") == number.blob


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_blob_is_kept_as_it_is(both: Wire, number: Number) -> None:
    count = len(number.values)
    assert both("AI.TENSORSET", "k", number.name.lower(), count, "blob", number.blob) == OK
    assert both("AI.TENSORGET", "k") == [
        b"dtype", number.name.encode(), b"shape", [count], b"blob", number.blob,
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_without_data_it_is_zeros(both: Wire, name: str) -> None:
    assert both("AI.TENSORSET", "k", name, 2, 3) == OK
    assert both("AI.TENSORGET", "k", "META") == [b"dtype", name.encode(), b"shape", [2, 3]]
    assert both("AI.TENSORGET", "k", "BLOB") == bytes(6 * ELEMENT_BYTES.get(name, 1))
    values = both("AI.TENSORGET", "k", "VALUES")
    assert values == [b""] * 6 if name == "STRING" else [float(v) for v in values] == [0.0] * 6


@pytest.mark.parametrize("name", NAMES)
def test_scalars(both: Wire, name: str) -> None:
    for form in (["VALUES", "1"], ["BLOB", b"1\0" if name == "STRING" else None]):
        if form[1] is None:
            one = next(number for number in NUMBERS if number.name == name)
            index = int(np.flatnonzero(one.values == 1)[0])
            size = ELEMENT_BYTES[name]
            form[1] = one.blob[index * size : (index + 1) * size]
        assert both("AI.TENSORSET", "k", name, *form) == OK
        assert both("AI.TENSORGET", "k", "META") == [b"dtype", name.encode(), b"shape", []]
        (value,) = both("AI.TENSORGET", "k", "VALUES")
        assert float(value) == 1


def test_floats_round_once_to_nearest_even(wire: Wire) -> None:
    """Halves of the last place, and numbers so close to them that rounding twice goes wrong."""
    texts = ["0.1", "1e39", "-1e39", "1e-50", "16777217", "16777219", "3.4028235677973366e38"]
    texts += [repr(1 + 2**-24), repr(1 + 2**-24 + 2**-52), "1.401298464324817e-45", "7e-46"]
    with np.errstate(over="ignore"):
        expected = np.array([float(text) for text in texts]).astype(np.float32)
    assert wire("AI.TENSORSET", "k", "FLOAT", len(texts), "VALUES", *texts) == OK
    assert wire("AI.TENSORGET", "k", "BLOB") == expected.tobytes()


def _nearest(texts: list[str], table: np.ndarray) -> list[int]:
    """The index in a table of all finite positive values of a format; ties to the even one."""
    found = []
    for text in texts:
        distance = np.abs(table - float(text))
        best = np.flatnonzero(distance == distance.min())
        found.append(int(next((i for i in best if i % 2 == 0), best[0])))
    return found


def test_half_floats_round_once_to_nearest_even(wire: Wire) -> None:
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    brains = (np.arange(0x7F80, dtype=np.uint32) << 16).view(np.float32).astype(np.float64)
    random = np.random.default_rng(3)
    for name, table, digits in (("FLOAT16", halves, 11), ("BFLOAT16", brains, 8)):
        near = [1 + 2.0**-digits, 1 + 3 * 2.0**-digits, 1 + 2.0**-digits + 2.0**-40]
        near += [1 + 2.0**-digits - 2.0**-40, *(table[[5, 1000, 9999]] * (1 + 2.0**-digits))]
        texts = [repr(float(v)) for v in [*near, *random.uniform(0, 60000, 200)]]
        assert wire("AI.TENSORSET", "k", name, len(texts), "VALUES", *texts) == OK
        bits = np.frombuffer(wire("AI.TENSORGET", "k", "BLOB"), np.uint16)
        assert bits.tolist() == _nearest(texts, table), name


def test_strings_of_values(both: Wire) -> None:
    given = [b"plain", b"", "schön".encode(), b"\xff\xfe", b"ends\0", b"a b\r\n"]
    assert both("AI.TENSORSET", "k", "STRING", 2, 3, "VALUES", *given) == OK
    assert both("AI.TENSORGET", "k", "VALUES") == [v.removesuffix(b"\0") for v in given]
    blob = b"".join(v.removesuffix(b"\0") + b"\0" for v in given)
    assert both("AI.TENSORGET", "k", "BLOB") == blob
    for value in (b"a\0b", b"\0\0", b"\0a", b"a\0\0"):
        assert both("AI.TENSORSET", "k", "STRING", 1, "VALUES", value) == INNER_NUL
    assert both("AI.TENSORGET", "k", "BLOB") == blob


def test_strings_of_bytes_hold_any_bytes(both: Wire) -> None:
    given = [bytes(range(256)), b"", b"\0", b"a\0b", b"BLOB", b"x" * 100_000]
    assert both("AI.TENSORSET", "k", "string", 3, 2, "bytes", *given) == OK
    assert both("AI.TENSORGET", "k", "META", "VALUES") == [
        b"dtype", b"STRING", b"shape", [3, 2], b"values", given,
    ]  # fmt: skip
    assert both("AI.TENSORGET", "k", "BLOB") == b"".join(v + b"\0" for v in given)
    assert both("AI.TENSORSET", "k", "STRING", 2, "BYTES", "a") == VALUE_COUNT
    assert both("AI.TENSORSET", "k", "STRING", "BYTES", "a\0") == OK
    assert both("AI.TENSORGET", "k", "VALUES") == [b"a\0"]
    # The word is a form of STRING only.
    assert both("AI.TENSORSET", "k", "FLOAT", 1, "BYTES", "1") == BAD_SHAPE


@pytest.mark.parametrize(
    ("blob", "count", "reply"),
    [
        (b"a\0\0b\0", 3, OK),
        (b"\0", 1, OK),
        (b"", 1, STRINGS),
        (b"a", 1, STRINGS),
        (b"a\0b", 2, STRINGS),
        (b"a\0b", 1, STRINGS),
        (b"a\0b\0", 1, STRINGS),
        (b"a\0b\0", 3, STRINGS),
    ],
)
def test_blobs_of_strings(wire: Wire, blob: bytes, count: int, reply: object) -> None:
    assert wire("AI.TENSORSET", "k", "STRING", count, "BLOB", blob) == reply
    if reply == OK:
        assert wire("AI.TENSORGET", "k", "VALUES") == blob.split(b"\0")[:-1]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.TENSORSET")),
        ("k", arity("AI.TENSORSET")),
        ("k FLOAT", arity("AI.TENSORSET")),
        ("k FLOATS 1", BAD_DTYPE),
        ("k INT08 1", BAD_DTYPE),
        ("k INT 1", BAD_DTYPE),
        ("k INT128 1", BAD_DTYPE),
        ("k COMPLEX64 1", BAD_DTYPE),
        ("k 1 FLOAT", BAD_DTYPE),
        ("k INT3 -1 VALUES x", BAD_DTYPE),
        ("k FLOAT 0", BAD_SHAPE),
        ("k FLOAT -1", BAD_SHAPE),
        ("k FLOAT 2 x VALUES", BAD_SHAPE),
        ("k FLOAT 1.0", BAD_SHAPE),
        ("k FLOAT +1", BAD_SHAPE),
        ("k FLOAT 01", BAD_SHAPE),
        ("k FLOAT 0x1", BAD_SHAPE),
        ("k FLOAT 9223372036854775808", BAD_SHAPE),
        ("k FLOAT 1 BLOBS x", BAD_SHAPE),
        ("k FLOAT -1 BLOB", BAD_SHAPE),
        ("k FLOAT 1 BLOB", ONE_BLOB),
        ("k FLOAT 1 BLOB abcd efgh", ONE_BLOB),
        ("k FLOAT 1 BLOB abcd VALUES 1", ONE_BLOB),
        ("k STRING 1 BLOB", ONE_BLOB),
        ("k FLOAT 1 BLOB abc", LENGTH),
        ("k FLOAT 1 BLOB abcde", LENGTH),
        ("k FLOAT 2 BLOB abcd", LENGTH),
        ("k FLOAT 4294967296 4294967296 BLOB abcd", LENGTH),
        ("k FLOAT 9223372036854775807 9223372036854775807 BLOB abcd", LENGTH),
        ("k STRING 4294967296 4294967296 BLOB abcd", STRINGS),
        ("k BOOL 1 BLOB 1", NOT_BOOL),
        ("k FLOAT 2 VALUES", VALUE_COUNT),
        ("k FLOAT 2 VALUES 1", VALUE_COUNT),
        ("k FLOAT 2 VALUES 1 2 3", VALUE_COUNT),
        ("k FLOAT VALUES", VALUE_COUNT),
        ("k FLOAT VALUES 1 2", VALUE_COUNT),
        ("k FLOAT 2 VALUES x y z", VALUE_COUNT),
        ("k FLOAT 1 VALUES BLOB x", VALUE_COUNT),
        ("k FLOAT 4294967296 4294967296 VALUES 1", VALUE_COUNT),
        ("k FLOAT 1 VALUES x", BAD_VALUE),
        ("k FLOAT 1 VALUES nan", BAD_VALUE),
        ("k FLOAT 1 VALUES 1e400", BAD_VALUE),
        ("k INT8 1 VALUES 1.0", BAD_VALUE),
        ("k INT8 2 VALUES 1 x", BAD_VALUE),
        ("k BOOL 1 VALUES 2", BAD_VALUE),
        ("k BOOL 1 VALUES -1", BAD_VALUE),
        ("k BOOL 1 VALUES true", BAD_VALUE),
    ],
)
def test_errors_in_order(wire: Wire, line: str, reply: object) -> None:
    assert wire.line(f"AI.TENSORSET {line}") == reply
    assert wire("EXISTS", "k") == 0
    # A key of another type wins over everything but the arity.
    wire("SET", "k", "v")
    assert wire.line(f"AI.TENSORSET {line}") == (
        reply if reply == arity("AI.TENSORSET") else WRONGTYPE
    )
    assert wire("GET", "k") == b"v"


@pytest.mark.parametrize(
    ("name", "smallest", "largest"),
    [
        ("INT8", -(2**7), 2**7 - 1),
        ("INT16", -(2**15), 2**15 - 1),
        ("INT32", -(2**31), 2**31 - 1),
        ("INT64", -(2**63), 2**63 - 1),
        ("UINT8", 0, 2**8 - 1),
        ("UINT16", 0, 2**16 - 1),
        ("UINT32", 0, 2**32 - 1),
        ("UINT64", 0, 2**64 - 1),
        ("BOOL", 0, 1),
    ],
)
def test_ranges_of_integers(wire: Wire, name: str, smallest: int, largest: int) -> None:
    assert wire("AI.TENSORSET", "k", name, 2, "VALUES", smallest, largest) == OK
    shown = wire("AI.TENSORGET", "k", "VALUES")
    assert shown == [smallest, largest if largest < 2**63 else b"%d" % largest]
    for outside in (smallest - 1, largest + 1, -(2**64), 2**64 + 1):
        assert wire("AI.TENSORSET", "k", name, 1, "VALUES", outside) == BAD_VALUE, outside


def test_every_byte_of_a_bool_blob_is_checked(wire: Wire) -> None:
    good = bytes([0, 1] * 500)
    assert wire("AI.TENSORSET", "k", "BOOL", 1000, "BLOB", good) == OK
    for at in (0, 499, 998, 999):
        bad = good[:at] + b"\x02" + good[at + 1 :]
        assert wire("AI.TENSORSET", "k", "BOOL", 1000, "BLOB", bad) == NOT_BOOL, at
    assert wire("AI.TENSORGET", "k", "BLOB") == good


@pytest.mark.parametrize("name", NAMES)
def test_huge_shapes_without_data_are_refused_before_memory_is_taken(wire: Wire, name: str) -> None:
    for dims in ([2**40], [2**32, 2**32], [2**63 - 1, 2**63 - 1], [2**33, 2, 2, 2**28], [3] * 60):
        reply = wire("AI.TENSORSET", "k", name, *dims)
        assert reply.startswith(b"ERR tensor is larger than the limit of 4294967296 bytes: "), dims
    assert wire("EXISTS", "k") == 0


def test_a_store_replaces_the_tensor_and_its_time_to_live(wire: Wire) -> None:
    assert wire("AI.TENSORSET", "k", "FLOAT", 1, "VALUES", 1) == OK
    wire("EXPIRE", "k", 1000)
    assert wire("AI.TENSORSET", "k", "INT8", 2, "VALUES", 1, 2) == OK
    assert wire("TTL", "k") == -1
    assert wire("AI.TENSORGET", "k", "VALUES") == [1, 2]
    # A store that is refused leaves both as they were.
    wire("EXPIRE", "k", 1000)
    assert wire("AI.TENSORSET", "k", "INT8", 2, "VALUES", 1) == VALUE_COUNT
    assert wire("TTL", "k") > 0
    assert wire("AI.TENSORGET", "k", "VALUES") == [1, 2]


def test_large_blobs_and_many_dims(wire: Wire) -> None:
    blob = np.random.default_rng(1).bytes(8 << 20)
    assert wire("AI.TENSORSET", "k", "FLOAT", 2, 1, 1024, 1024, "BLOB", blob) == OK
    assert wire("AI.TENSORGET", "k", "BLOB") == blob
    dims = [1] * 1000
    assert wire("AI.TENSORSET", "k", "UINT8", *dims, "VALUES", 7) == OK
    assert wire("AI.TENSORGET", "k", "META")[3] == dims
