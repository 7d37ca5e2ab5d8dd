"""Tensors go to a server and come back as what NumPy has."""

from __future__ import annotations

import array
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import redis
import redisai_rs as rai
import torch
from commands.dtypes import NUMBERS, Number
from redisai_rs import Client
from redisai_rs.client.tensors import TensorMeta, tensor_set


def as_array(number: Number) -> Any:
    if number.name == "BFLOAT16":
        return number.values.astype(ml_dtypes.bfloat16)
    return number.values.astype(bool) if number.name == "BOOL" else number.values


def test_every_dtype_of_numbers(client: Any) -> None:
    assert len(NUMBERS) == 13
    for number in NUMBERS:
        there_and_back(client, number)


def there_and_back(client: Any, number: Number) -> None:
    values = as_array(number)
    client.tensor_set("x", values)
    # What stands there is what the server says of it.
    said = client.redis.execute_command("AI.TENSORGET", "x", NEVER_DECODE=True)
    assert said[1] == number.name.encode()
    assert said[5] == number.blob
    assert client.tensor_meta("x") == TensorMeta(number.name, values.shape)
    for found in (client.tensor_get("x"), client.tensor_get("x", values=True)):
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


def test_nan_comes_back(client: Any) -> None:
    values = np.array([np.nan, 1], np.float32)
    client.tensor_set("x", values)
    for found in (client.tensor_get("x"), client.tensor_get("x", values=True)):
        np.testing.assert_array_equal(found, values)


def test_strings_hold_any_bytes(client: Any) -> None:
    client.tensor_set("x", [["one", "zwölf"], [b"", b"\xff"]])
    found = client.tensor_get("x")
    assert found.dtype == object
    assert found.tolist() == [[b"one", "zwölf".encode()], [b"", b"\xff"]]
    assert client.redis.execute_command("AI.TENSORGET", "x", "BLOB", NEVER_DECODE=True) == (
        b"one\0zw\xc3\xb6lf\0\0\xff\0"
    )
    with_nul = np.array([b"a\0b", b"", b"\0"], object)
    client.tensor_set("x", with_nul)
    assert client.tensor_get("x").tolist() == with_nul.tolist()
    assert client.tensor_get("x", values=True).tolist() == with_nul.tolist()
    client.tensor_set("x", "alone")
    assert client.tensor_get("x").tolist() == b"alone"


VALUES: list[tuple[Any, Any]] = [
    (np.arange(12).reshape(3, 4).T, np.arange(12).reshape(3, 4).T),
    (np.arange(6, dtype=">f4"), np.arange(6, dtype="f4")),
    (torch.arange(4, dtype=torch.float64).reshape(2, 2), np.arange(4.0).reshape(2, 2)),
    (array.array("h", [1, -2]), np.array([1, -2], np.int16)),
    (bytearray(b"\1\2"), np.array([1, 2], np.uint8)),
    (rai.Tensor([1.5]), np.array([1.5])),
    (3, np.array(3)),
    (2.5, np.array(2.5)),
    (True, np.array(True)),
    ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
]


def test_what_becomes_a_tensor(client: Any) -> None:
    for value, expected in VALUES:
        client.tensor_set("x", value)
        found = client.tensor_get("x")
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found, expected)


def test_dtype_and_shape_are_given(client: Any) -> None:
    client.tensor_set("x", [1, 2, 3, 4], dtype="float", shape=(2, 2))
    np.testing.assert_array_equal(client.tensor_get("x"), np.array([[1, 2], [3, 4]], np.float32))
    client.tensor_set("x", np.arange(4), shape=(4, 1))
    assert client.tensor_get("x").shape == (4, 1)
    raw = np.array([1.5, -2], np.float32).tobytes()
    client.tensor_set("x", raw, dtype="FLOAT", shape=(2,))
    assert client.tensor_get("x").tolist() == [1.5, -2]
    client.tensor_set("x", raw, shape=(8,))
    assert client.tensor_get("x").tolist() == list(raw)
    client.tensor_set("x", ["a", "b"], shape=(2, 1))
    assert client.tensor_get("x").tolist() == [[b"a"], [b"b"]]
    client.tensor_set("x", np.array([0x3FC0], np.uint16), dtype="BFLOAT16")
    assert client.tensor_get("x").astype(float).tolist() == [1.5]
    client.tensor_set("x", dtype="INT8", shape=(2, 1))
    assert client.tensor_get("x").tolist() == [[0], [0]]
    client.tensor_set("x", dtype="STRING", shape=(2,))
    assert client.tensor_get("x").tolist() == [b"", b""]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"value": [1.5], "dtype": "INT8"}, "the values are DOUBLE, not INT8"),
        ({"value": np.zeros(2), "dtype": "FLOAT"}, "the values are DOUBLE, not FLOAT"),
        ({"value": [1], "dtype": "FLOAT8"}, "FLOAT8. is no element type"),
        ({"value": np.zeros(2), "shape": (3,)}, "cannot be used"),
        ({"value": b"abc", "dtype": "FLOAT", "shape": (1,)}, "cannot be used"),
        ({"value": [300], "dtype": "INT8"}, "out of the range of INT8"),
        ({"value": [[1], [1, 2]]}, "ragged"),
        ({"value": ["a", "b"], "shape": (3,)}, "cannot be used"),
        ({"value": [1], "shape": (-1,)}, "too large or negative"),
        ({"value": object()}, "is no tensor"),
        ({"dtype": "FLOAT"}, "needs dtype= and shape="),
        ({}, "needs dtype= and shape="),
    ],
)
def test_what_is_no_tensor(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(rai.InputError, match=text):
        tensor_set("x", **arguments)


def test_an_array_is_sent_from_where_it_is() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    blob = tensor_set("x", values).args[-1]
    assert isinstance(blob, memoryview)
    assert np.frombuffer(blob, np.float32).ctypes.data == values.ctypes.data


def test_a_result_is_the_replys_own_memory(client: Any) -> None:
    client.tensor_set("x", np.arange(1000))
    found = client.tensor_get("x")
    assert not found.flags.writeable
    base = found
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, rai.Tensor)
    before = found.tobytes()
    client.tensor_set("x", np.zeros(1000))
    assert found.tobytes() == before


def test_keys_are_text_or_bytes(client: Any) -> None:
    client.tensor_set("schlüssel", [1])
    assert client.redis.exists("schlüssel".encode()) == 1
    client.tensor_set(b"\xff\x00", [1])
    # What is no UTF-8 comes as text that means the same bytes.
    assert client.tensor_get(b"\xff\x00".decode(errors="surrogateescape")).tolist() == [1]
    with pytest.raises(rai.InputError, match="int is no key"):
        client.tensor_set(5, [1])  # type: ignore[arg-type]


def test_a_client_that_decodes_keeps_bytes_whole(server: Any) -> None:
    inner = redis.Redis(host=server.host, port=server.port, decode_responses=True)
    client = Client(inner)
    client.tensor_set("x", np.array([0xFF, 0xFE], np.uint8))
    assert client.tensor_get("x").tolist() == [0xFF, 0xFE]
    assert client.tensor_get("x", values=True).tolist() == [0xFF, 0xFE]
    client.close()
    assert inner.ping()
    inner.close()


def test_nothing_is_left_of_a_result() -> None:
    values = np.arange(12)
    count = sys.getrefcount(values)
    command = tensor_set("x", values)
    assert sys.getrefcount(values) > count
    del command
    assert sys.getrefcount(values) == count
