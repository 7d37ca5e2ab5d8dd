"""The same sources compiled, and run, by torch in Python and by the server."""

from __future__ import annotations

import math  # noqa: F401 (the sources use it, in Python)
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: F401, UP035 (likewise)

import numpy as np
import pytest
import redis
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server
from scripts.sources import RIGHT, WRONG

with warnings.catch_warnings():
    # TorchScript is deprecated, which is no news here.
    warnings.simplefilter("ignore")
    import torch
    from torch import Tensor  # noqa: F401 (as above)

X, Y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.5])
KEYS, ARGS = ["k"], ["2", "abc"]
ENTRY_POINT = "def f(tensors:"


@pytest.fixture(scope="module")
def client(embedded_binary: ServerBinary, redisai_module: Path) -> Iterator[redis.Redis]:
    """One server: what a source means is torch's matter."""
    with Server(embedded_binary, module=redisai_module) as started:
        client = started.client()
        for key, value in (("x", X), ("y", Y)):
            client.execute_command("AI.TENSORSET", key, "FLOAT", 2, "BLOB", value.numpy().tobytes())
        yield client


def compiled(source: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.CompilationUnit(source)


def in_python(source: str) -> list[torch.Tensor] | str:
    """What Python's torch gives, or the last line of its error."""
    function = compiled(source).f
    inputs = [[X, Y], KEYS, ARGS] if ENTRY_POINT in source else [X.clone(), Y.clone()]
    try:
        return flat(function(*inputs))
    except Exception as error:
        return str(error).strip().splitlines()[-1]


def flat(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for one in value for tensor in flat(one)]


def store(client: redis.Redis, source: str) -> None:
    words = ["AI.SCRIPTSET", "s", "CPU", "SOURCE", source]
    if ENTRY_POINT in source:
        words = ["AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "f", "SOURCE", source]
    assert client.execute_command(*words) == b"OK"


def run(client: redis.Redis, source: str, outputs: int) -> list[np.ndarray]:
    keys = [f"out{number}" for number in range(outputs)]
    words = ["AI.SCRIPTRUN", "s", "f", "INPUTS", "x", "y", "OUTPUTS", *keys]
    if ENTRY_POINT in source:
        given = ["KEYS", 1, *KEYS, "INPUTS", 2, "x", "y", "ARGS", 2, *ARGS]
        words = ["AI.SCRIPTEXECUTE", "s", "f", *given, "OUTPUTS", outputs, *keys]
    assert client.execute_command(*words) == b"OK"
    return [get(client, key) for key in keys]


NAMES = {b"HALF": "FLOAT16", b"FLOAT": "FLOAT32", b"DOUBLE": "FLOAT64"}


def get(client: redis.Redis, key: str) -> np.ndarray:
    _, dtype, _, shape, _, blob = client.execute_command("AI.TENSORGET", key, "META", "BLOB")
    name = NAMES.get(dtype, dtype.decode()).lower()
    return np.frombuffer(blob, dtype=name).reshape(shape)


@pytest.mark.parametrize("name", RIGHT)
def test_what_torch_takes_is_taken_and_gives_the_same(client: redis.Redis, name: str) -> None:
    source = RIGHT[name]
    expected = in_python(source)
    store(client, source)
    if isinstance(expected, str):
        with pytest.raises(redis.ResponseError) as caught:
            run(client, source, 1)
        # The kind of an exception is in both texts, and what it says.
        kind, _, text = expected.partition(": ")
        kind = kind.removeprefix("builtins.")
        said = str(caught.value).rpartition("RuntimeError: ")[2]
        assert said.strip() in {text.strip(), f"{kind}: {text}".strip()}
        return
    found = run(client, source, len(expected))
    for tensor, wanted in zip(found, expected, strict=True):
        assert tensor.dtype.name == str(wanted.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(tensor, wanted.numpy())


@pytest.mark.parametrize("name", WRONG)
def test_what_torch_refuses_is_refused(client: redis.Redis, name: str) -> None:
    source = WRONG[name]
    with pytest.raises(Exception) as caught:  # noqa: PT011 (its kind is torch's)
        compiled(source)
    expected = str(caught.value).strip().splitlines()[0]
    client.delete("s")
    with pytest.raises(redis.ResponseError) as refused:
        store(client, source)
    assert not client.exists("s")
    # The text is torch's own; but Python, which has a module `torch`, says it in its own way.
    assert expected in str(refused.value) or name == "an unknown operator"


def test_there_are_fifty_and_more_of_each() -> None:
    assert len(RIGHT) >= 50
    assert len(WRONG) >= 30
