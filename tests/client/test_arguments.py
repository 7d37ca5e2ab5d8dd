"""What commands are made of: no server is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import redis.asyncio
import redisai_rs as rai
from redisai_rs import Client, aio, formats
from redisai_rs.client.dags import EXECUTE, Dag
from redisai_rs.client.models import model_execute, model_set, model_store
from redisai_rs.client.scripts import script_execute, script_store
from redisai_rs.client.tensors import tensor_get, tensor_set


def test_a_directory_of_a_saved_model_is_packed(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.index").write_bytes(b"numbers")
    for store in (model_store, model_set):
        command = store("m", tmp_path)
        assert command.args[2] == "TF"
        assert command.blob == formats.pack_saved_model(tmp_path)


def test_chunks_are_views_of_the_model() -> None:
    blob = np.arange(1000, dtype=np.uint8)
    command = model_store("m", memoryview(blob), backend="ONNX")
    chunks = command.words(300)[len(command.args) :]
    assert [len(chunk) for chunk in chunks if isinstance(chunk, memoryview)] == [300, 300, 300, 100]
    addresses = [np.frombuffer(chunk, np.uint8).ctypes.data for chunk in chunks]
    assert addresses == [blob.ctypes.data + at for at in (0, 300, 600, 900)]


def test_times_are_rounded_up() -> None:
    def milliseconds(seconds: float) -> object:
        return model_execute("m", ["x"], ["y"], timeout=seconds).args[-1]

    assert [milliseconds(one) for one in (1, 0.5, 0.0001, 1.0001)] == [1000, 500, 1, 1001]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tensor_set(5, [1]), rai.InputError),
        (lambda: tensor_get(None), rai.InputError),
        (lambda: tensor_set("x", [1], dtype=5), (TypeError, AttributeError)),
        (lambda: tensor_set("x", [1], shape=("a",)), TypeError),
        (lambda: tensor_set("x", [1], shape=5), TypeError),
        (lambda: tensor_set("x", b"12", shape=(1 << 62, 1 << 62)), rai.InputError),
        (lambda: tensor_set("x", b"12", shape=(1 << 70,)), OverflowError),
        (lambda: model_store("m", 5), rai.InvalidModelError),
        (lambda: model_store("m", "no such file"), rai.InvalidModelError),
        (lambda: model_store("m", b""), rai.InvalidModelError),
        (lambda: model_store("m", b"\x08", tag=5), rai.InputError),
        (lambda: model_store("m", b"\x08", min_batch_timeout="1"), TypeError),
        (lambda: model_store("m", b"\x08", min_batch_timeout=float("nan")), rai.InputError),
        (lambda: model_store("m", b"\x08", inputs="x"), rai.InputError),
        (lambda: model_execute("m", "x", ["y"]), rai.InputError),
        (lambda: model_execute("m", [1], ["y"]), rai.InputError),
        (lambda: model_execute("m", ["x"], None), TypeError),
        (lambda: model_execute("m", ["x"], ["y"], timeout="1"), TypeError),
        (lambda: script_store("s", None, ["f"]), rai.InputError),
        (lambda: script_execute("s", "f", keys="k"), rai.InputError),
        (lambda: script_execute("s", "f", args=[1]), rai.InputError),
    ],
)
def test_arguments_that_make_no_command(
    call: Callable[[], Any], error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with pytest.raises(error):
        call()


class Sending:
    """Counts the commands that are sent."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: Any) -> None:
        self.count += 1


def test_a_dag_is_sent_when_it_is_run() -> None:
    sent = Sending()
    dag = Dag(sent, EXECUTE, ["x"], (), None)
    dag.model("m", ["x"], ["y"]).get("y")
    with pytest.raises(rai.InputError):
        dag.model("m", "x", ["y"])
    assert sent.count == 0
    dag.run()
    assert sent.count == 1


def test_what_is_no_server() -> None:
    for kind in (Client, aio.Client):
        with pytest.raises(ValueError, match="scheme"):
            kind("localhost:6379")
        with pytest.raises(rai.InputError, match="int is no client of redis-py"):
            kind(5)  # type: ignore[arg-type]
    with pytest.raises(rai.InputError, match="a client for asyncio: use redisai_rs.aio.Client"):
        Client(redis.asyncio.Redis())  # type: ignore[arg-type]
    with pytest.raises(rai.InputError, match="a client that waits: use redisai_rs.Client"):
        aio.Client(redis.Redis())  # type: ignore[arg-type]
