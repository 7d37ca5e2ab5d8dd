"""Objects whose `__dlpack__` lies: an exception each, their memory released once.

The layout is DLPack's own header.
"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import redisai_rs as rai


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", DELETER),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    )


class Old(ctypes.Structure):
    _fields_ = (("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", DELETER))


make_capsule = ctypes.pythonapi.PyCapsule_New
make_capsule.restype = ctypes.py_object
make_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class Exporter:
    """A 2 × 3 float32 tensor, but for what is said otherwise."""

    def __init__(self, *, name=b"dltensor_versioned", major=1, device=(1, 0), **lies):
        self.deleted = 0
        self.data = np.arange(6, dtype=np.float32)
        self.device, self.name = device, name
        numbers = {"shape": lies.pop("shape", [2, 3]), "strides": lies.pop("strides", [3, 1])}
        # Kept here: the tensor points at them.
        self.numbers = {
            what: (ctypes.c_int64 * len(found))(*found)
            for what, found in numbers.items()
            if found is not None
        }
        fields = {
            "data": self.data.ctypes.data,
            "device_type": 1,
            "ndim": 2,
            "code": 2,
            "bits": 32,
            "lanes": 1,
            **lies,
        }
        tensor = DLTensor(**fields)
        for what, found in self.numbers.items():
            setattr(tensor, what, ctypes.cast(found, ctypes.POINTER(ctypes.c_int64)))
        deleter = DELETER(self._delete)
        if name == b"dltensor":
            self.managed = Old(tensor, None, deleter)
        else:
            self.managed = Managed(major, 0, None, deleter, 0, tensor)

    def _delete(self, _):
        self.deleted += 1

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **_):
        return make_capsule(ctypes.addressof(self.managed), self.name, None)


@pytest.mark.parametrize("name", [b"dltensor_versioned", b"dltensor"])
def test_the_exporter_of_these_tests_tells_the_truth_by_itself(name):
    honest = Exporter(name=name)
    tensor = rai.Tensor(honest)
    np.testing.assert_array_equal(tensor.numpy(), honest.data.reshape(2, 3))
    del tensor
    assert honest.deleted == 1


@pytest.mark.parametrize("name", [b"dltensor_versioned", b"dltensor"])
@pytest.mark.parametrize(
    ("lies", "text"),
    [
        ({"device_type": 2}, "not in host memory"),
        ({"data": None}, "has no data"),
        ({"strides": [-3, 1]}, "not compact"),
        ({"strides": [0, 0]}, "not compact"),
        ({"strides": [1, 1]}, "not compact"),
        ({"strides": [2**62, 1]}, "not compact"),
        ({"shape": None}, "no valid shape"),
        ({"shape": [-2, 3]}, "no valid shape"),
        ({"shape": [2**62, 2**62], "strides": None}, "no valid shape"),
        ({"shape": [2**40, 2**40], "strides": None}, "no valid shape"),
        ({"ndim": -1}, "no valid shape"),
        ({"ndim": 2**31 - 1}, "no valid shape"),
        ({"lanes": 4}, "data type"),
        ({"code": 77}, "data type"),
        ({"bits": 7}, "data type"),
        ({"code": 200, "bits": 8}, "."),
    ],
    ids=str,
)
def test_a_tensor_that_lies(name, lies, text):
    liar = Exporter(name=name, **lies)
    with pytest.raises((rai.InputError, rai.OutOfMemoryError), match=text):
        rai.Tensor(liar)
    assert liar.deleted == 1


def test_another_version_of_dlpack():
    liar = Exporter(major=2)
    with pytest.raises(BufferError, match="DLPack 2"):
        rai.Tensor(liar)
    # It still belongs to its capsule, whose destructor knows its layout.
    assert liar.deleted == 0


def test_one_that_calls_itself_contiguous_for_ever():
    class Again(Exporter):
        def contiguous(self):
            return self

    liar = Again(strides=[1, 1])
    with pytest.raises(rai.InputError, match="not compact"):
        rai.Tensor(liar)
    assert liar.deleted == 2


@pytest.mark.parametrize(
    ("device", "error"),
    [
        (None, TypeError),
        ("cpu", TypeError),
        ((1,), ValueError),
        ((2**70, 0), OverflowError),
        ((-1, 0), rai.InputError),
        ((2, 3), rai.InputError),
    ],
    ids=str,
)
def test_a_device_that_is_none(device, error):
    liar = Exporter(device=device)
    with pytest.raises(error):
        rai.Tensor(liar)
    assert liar.deleted == 0


def test_a_capsule_of_something_else():
    liar = Exporter(name=b"something")
    with pytest.raises(BufferError, match="no DLPack capsule"):
        rai.Tensor(liar)
