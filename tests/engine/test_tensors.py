"""What becomes a tensor, without a copy where that is possible, and what does not."""

import ctypes
import gc
import mmap
import sys
import weakref

import numpy as np
import pytest
import redisai_rs as rai
import torch


def address(array):
    return array.__array_interface__["data"][0]


def test_an_array_goes_in_and_out_in_place():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    y = rai.Tensor(x).numpy()
    assert address(y) == address(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert not y.flags.writeable
    z = np.from_dlpack(rai.Tensor(x))
    assert address(z) == address(x)
    assert not z.flags.writeable


def test_a_tensor_of_torch_goes_in_and_out_in_place():
    x = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    assert address(rai.Tensor(x).numpy()) == x.data_ptr()
    bits = torch.ones(3, dtype=torch.bfloat16)
    tensor = rai.Tensor(bits)
    assert tensor.dtype == "BFLOAT16"
    assert torch.from_dlpack(tensor).tolist() == [1, 1, 1]
    # Not row-major: one copy.
    np.testing.assert_array_equal(rai.Tensor(x.t()).numpy(), x.t().numpy())


def test_memory_of_other_kinds():
    assert rai.Tensor(bytearray(b"\1\2")).tolist() == [1, 2]
    assert rai.Tensor(memoryview(b"\1\2\3\4").cast("H")).dtype == "UINT16"
    assert rai.Tensor((ctypes.c_double * 2)(1, 2)).tolist() == [1.0, 2.0]
    with mmap.mmap(-1, 4096) as memory:
        tensor = rai.Tensor(memory)
        assert tensor.shape == (4096,)
        with pytest.raises(BufferError):
            memory.resize(8192)
        del tensor


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4).T,
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12)[::-2],
        np.arange(12, dtype=">i4"),
        np.arange(12, dtype=">f8").reshape(2, 6)[:, ::2],
        np.arange(3, dtype=">u2").reshape(3, 1),
        np.zeros((0, 3), np.float32),
        np.array(7, np.int8),
        np.array([True, False]),
        np.array([1, 2], np.float16),
        np.array([2**32 - 1], np.uint32),
        np.array([2**64 - 1], np.uint64),
        np.broadcast_to(np.float32(3), (2, 2)),
    ],
    ids=str,
)
def test_any_layout_gives_the_same_elements(array):
    found = rai.Tensor(array)
    assert found.shape == array.shape
    np.testing.assert_array_equal(found.numpy(), array)
    assert found.nbytes == array.size * array.itemsize


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        (3, "INT64", np.int64(3)),
        (2.5, "DOUBLE", np.float64(2.5)),
        (True, "BOOL", np.bool_(True)),
        ([[1, 2], [3, 4]], "INT64", np.array([[1, 2], [3, 4]])),
        ([1, 2.5], "DOUBLE", np.array([1, 2.5])),
        ([True, 2], "INT64", np.array([1, 2])),
        ((), "DOUBLE", np.zeros(0)),
        ([[], []], "DOUBLE", np.zeros((2, 0))),
        ("text", "STRING", np.array(b"text", object)),
        ([b"a\0b", "c"], "STRING", np.array([b"a\0b", b"c"], object)),
    ],
)
def test_numbers_strings_and_lists(given, dtype, expected):
    found = rai.Tensor(given)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected)


class Raises:
    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        raise OSError("lost")


class OnAnother:
    def __dlpack_device__(self):
        return (2, 1)

    def __dlpack__(self, **_):
        raise AssertionError("not asked")


class NoCapsule:
    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        return object()


class Consumed(NoCapsule):
    def __init__(self):
        self.capsule = np.zeros(3).__dlpack__(max_version=(1, 0))
        rai.Tensor(self)

    def __dlpack__(self, **_):
        return self.capsule


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (None, rai.InputError, "NoneType is no tensor"),
        (object(), rai.InputError, "object is no tensor"),
        (3j, rai.InputError, "complex is no tensor"),
        ([[1], [1, 2]], rai.InputError, "ragged"),
        ([1, [1]], rai.InputError, "ragged"),
        ([[1], 1], rai.InputError, "ragged"),
        ([1, "a"], rai.InputError, "strings and numbers"),
        ([None], rai.InputError, "a list holds NoneType"),
        ([2**63], rai.InputError, "out of the range of INT64"),
        (np.zeros(2, np.complex64), rai.InputError, "complex64"),
        (np.zeros(2, "datetime64[s]"), rai.InputError, "datetime64"),
        (np.zeros(2, "i4,f4"), rai.InputError, "element type"),
        (np.array([1, "a"], object), rai.InputError, "int is no string"),
        (np.array([2], np.uint8).view(bool), rai.InputError, "other than 0 and 1"),
        (Raises(), OSError, "lost"),
        (OnAnother(), rai.InputError, "CUDA device 1"),
        (NoCapsule(), BufferError, "no DLPack capsule"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_tensor(given, error, text):
    with pytest.raises(error, match=text):
        rai.Tensor(given)


def test_a_capsule_is_taken_once():
    with pytest.raises(BufferError, match="consumed before"):
        rai.Tensor(Consumed())


def test_lists_without_end_are_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(rai.InputError, match="deeper than 64"):
        rai.Tensor(endless)


def test_the_array_lives_as_long_as_its_tensor():
    class Array(np.ndarray):
        pass

    x = np.arange(3.0).view(Array)
    gone = weakref.ref(x)
    count = sys.getrefcount(x)
    tensor = rai.Tensor(x)
    assert sys.getrefcount(x) == count + 1
    y = tensor.numpy()
    del x, tensor
    assert gone() is not None
    np.testing.assert_array_equal(y, [0, 1, 2])
    del y
    gc.collect()
    assert gone() is None


def test_a_capsule_that_nobody_takes_is_released():
    x = np.arange(3.0)
    count = sys.getrefcount(x)
    capsule = rai.Tensor(x).__dlpack__(max_version=(1, 0))
    assert sys.getrefcount(x) == count + 1
    del capsule
    assert sys.getrefcount(x) == count


def test_results_are_not_written_to():
    tensor = rai.Tensor(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        tensor.numpy()[0] = 1
    with pytest.raises(BufferError, match="max_version"):
        tensor.__dlpack__()
    copy = np.from_dlpack(tensor, copy=True)
    assert address(copy) != address(tensor.numpy())


def test_an_element_type_is_given():
    assert rai.Tensor([1, 2], dtype="FLOAT").numpy().dtype == np.float32
    assert rai.Tensor(np.array([0x3FC0], np.uint16), dtype="bfloat16").dtype == "BFLOAT16"
    with pytest.raises(rai.InputError, match="the values are DOUBLE, not FLOAT"):
        rai.Tensor(np.zeros(2), dtype="FLOAT")
    with pytest.raises(rai.InputError, match="FLOAT8. is no element type: give one of FLOAT, "):
        rai.Tensor([1], dtype="FLOAT8")


def test_a_tensor_of_its_parts():
    data = np.arange(6, dtype=np.int16)
    tensor = rai.Tensor.of("INT16", (2, 3), data)
    assert tensor.numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert address(tensor.numpy()) == address(data)
    assert rai.Tensor.of("FLOAT16", [], data[:1].tobytes()).shape == ()
    assert rai.Tensor.of("INT8", [2, 0], b"").numpy().shape == (2, 0)
    assert rai.Tensor.of("INT8", [2, 1], [3, 4]).tolist() == [[3], [4]]
    assert rai.Tensor.of("STRING", [2], b"a\0\0").strings() == [b"a", b""]
    assert rai.Tensor.of("STRING", [1, 2], [b"a\0b", "c"]).strings() == [b"a\0b", b"c"]
    for shape, bad in (((4,), data.tobytes()), ((4,), [1, 2]), ((2, -1), b""), ((1 << 62, 8), b"")):
        with pytest.raises(rai.InputError):
            rai.Tensor.of("INT16", shape, bad)
    with pytest.raises(rai.InputError):
        rai.Tensor.of("STRING", [2], ["one"])
    with pytest.raises(rai.InputError, match="holds no strings"):
        tensor.strings()
    with pytest.raises(BufferError):
        rai.Tensor.of("INT16", (2,), data[::3])
