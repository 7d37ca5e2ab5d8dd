"""`redisai-rs tensor`: arrays in `.npy` files and pipes, as NumPy wrote them."""

import io

import numpy as np
import pytest

DTYPES = {
    "FLOAT16": "f2",
    "FLOAT": "f4",
    "DOUBLE": "f8",
    "INT8": "i1",
    "INT16": "i2",
    "INT32": "i4",
    "INT64": "i8",
    "UINT8": "u1",
    "UINT16": "u2",
    "UINT32": "u4",
    "UINT64": "u8",
    "BOOL": "?",
}


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def loaded(data: bytes):
    return np.load(io.BytesIO(data))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_every_dtype_in_a_file_and_back_through_a_pipe(ai, raw, tmp_path, dtype, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(DTYPES[dtype]).reshape(shape)
    np.save(tmp_path / "x.npy", array)
    assert ai("tensor", "set", "x", tmp_path / "x.npy").status == 0
    reply = raw.execute_command("AI.TENSORGET", "x", "META", "BLOB")
    assert (reply[1], reply[3], reply[5]) == (dtype.encode(), list(shape), array.tobytes())
    back = loaded(ai("tensor", "get", "x", "-").output)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype=">i4").reshape(3, 2),
        np.arange(6)[::-2],
    ],
    ids=["Fortran", "big-endian", "strided"],
)
def test_any_layout_becomes_rows(ai, raw, array):
    assert ai("tensor", "set", "x", "-", stdin=npy(array)).status == 0
    values = raw.execute_command("AI.TENSORGET", "x", "VALUES")
    assert list(map(float, values)) == array.ravel().tolist()


def test_strings(ai, raw):
    array = np.array([["a", "größe"], ["", "x y"]])
    assert ai("tensor", "set", "s", "-", stdin=npy(array)).status == 0
    values = raw.execute_command("AI.TENSORGET", "s", "VALUES")
    assert values == [b"a", "größe".encode(), b"", b"x y"]
    back = loaded(ai("tensor", "get", "s", "-").output)
    assert back.tolist() == [[b"a", "größe".encode()], [b"", b"x y"]]
    found = ai("tensor", "get", "s", "--json").json
    assert found["values"] == array.tolist()
    # What .npy cannot hold is refused, and JSON has it.
    raw.execute_command("AI.TENSORSET", "s", "STRING", 1, "BYTES", b"a\0")
    assert "use --json" in ai("tensor", "get", "s", "-").failed()
    assert ai("tensor", "get", "s", "--json").json["values"] == ["a\0"]


def test_bfloat16_is_uint16_in_a_file(ai, raw):
    bits = np.array([0x3F80, 0xC000], np.uint16)  # 1 and −2
    assert ai("tensor", "set", "x", "-", "--dtype", "bfloat16", stdin=npy(bits)).status == 0
    assert raw.execute_command("AI.TENSORGET", "x", "META")[1] == b"BFLOAT16"
    assert raw.execute_command("AI.TENSORGET", "x", "VALUES") in ([1.0, -2.0], [b"1", b"-2"])
    back = loaded(ai("tensor", "get", "x", "-").output)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, bits)


def test_what_is_printed(ai):
    array = np.array([[1.5, -2], [np.inf, np.nan]], np.float32)
    done = ai("tensor", "set", "x", "-", stdin=npy(array))
    assert done.lines == ["set x: FLOAT 2x2, 16 B"]
    lines = ai("tensor", "get", "x").lines
    assert lines[0] == "FLOAT 2x2"
    assert "\n".join(lines[1:]) == np.array2string(array, separator=", ")
    assert ai("tensor", "get", "x", "--json").json == {
        "key": "x",
        "dtype": "FLOAT",
        "shape": [2, 2],
        "values": [[1.5, -2.0], ["inf", "nan"]],
    }
    assert ai("tensor", "set", "x", "-", "--json", stdin=npy(np.float64(1))).json == {
        "key": "x",
        "dtype": "DOUBLE",
        "shape": [],
    }
    assert ai("tensor", "get", "x").lines == ["DOUBLE scalar", "1."]


def test_a_file_is_written(ai, tmp_path):
    ai("tensor", "set", "x", "-", stdin=npy(np.arange(3)))
    done = ai("tensor", "get", "x", tmp_path / "x.npy")
    assert done.lines == [f"wrote {tmp_path / 'x.npy'}: INT64 3, 24 B"]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.arange(3))


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{}], object), allow_pickle=True)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.eye(2))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no array in NumPy's format (.npy)"),
        (b"hello", "no array in NumPy's format (.npy)"),
        (npy(np.arange(9))[:-1], "no array in NumPy's format (.npy)"),
        (archive(), "no array in NumPy's format (.npy)"),
        # A pickle is a program: it is not run.
        (pickled(), "Object arrays cannot be loaded"),
        (npy(np.zeros((0, 3))), "ERR invalid or negative value found in tensor shape"),
        (npy(np.zeros(2, "c16")), "complex128"),
        (npy(np.zeros(2, "M8[s]")), "datetime64"),
        (npy(np.zeros(2, "i4,f4")), "i4"),
    ],
)
def test_what_is_no_tensor_is_refused(ai, raw, data, text):
    done = ai("tensor", "set", "x", "-", stdin=data)
    assert text in done.failed()
    assert raw.dbsize() == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("get", "gone"), "ERR tensor key is empty"),
        (("get", "list"), "WRONGTYPE"),
        (("set", "list", "-"), "WRONGTYPE"),
        (("set", "x", "-", "--dtype", "FLOAT"), "FLOAT"),
        (("set", "x", "-", "--dtype", "QUAD"), "QUAD"),
    ],
)
def test_errors_are_one_line(ai, raw, words, text):
    raw.rpush("list", 1)
    done = ai("tensor", *words, stdin=npy(np.arange(3)))
    assert text in done.failed()
    assert raw.lrange("list", 0, -1) == [b"1"]
