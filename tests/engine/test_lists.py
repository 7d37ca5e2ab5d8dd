"""`Tensor.tolist` gives what NumPy's gives, without NumPy."""

import numpy as np
import pytest
from redisai_rs import Tensor

NUMBERS = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0,), (2, 0, 3), (2, 3, 0), (1,) * 40])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers(dtype, shape):
    array = np.random.default_rng(1).normal(0, 50, shape).astype(np.int8).astype(dtype) * 3
    array = (array / 7).astype(dtype) if array.dtype.kind == "f" else array
    got = Tensor(array.astype(dtype)).tolist()
    assert repr(got) == repr(array.astype(dtype).tolist())


def test_the_ends_of_the_ranges():
    for dtype in (np.int64, np.uint64, np.float16, np.float32, np.float64):
        info = np.finfo(dtype) if dtype().dtype.kind == "f" else np.iinfo(dtype)
        array = np.array([info.min, info.max], dtype)
        assert Tensor(array).tolist() == array.tolist()
    array = np.array([np.inf, -np.inf, -0.0], np.float32)
    assert repr(Tensor(array).tolist()) == repr(array.tolist())


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([[1.5, -3.0], [1e30, np.inf]], ml_dtypes.bfloat16)
    assert Tensor(array).tolist() == array.astype(np.float64).tolist()


def test_strings():
    assert Tensor([["a", b"\0"], ["ü", ""]]).tolist() == [[b"a", b"\0"], ["ü".encode(), b""]]


def test_lists_that_nobody_can_hold_are_an_error():
    with pytest.raises(MemoryError, match="too many rows"):
        Tensor(np.lib.stride_tricks.as_strided(np.zeros(0), (1 << 59, 0))).tolist()
