"""Faults have the same class and text by a client as in process; others keep their text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import redisai_rs as rai
from client.conftest import KINDS, a_client
from onnx_models import loop, model, node, value
from redisai_rs import Client, Engine
from redisai_rs.client.models import model_execute, model_run
from redisai_rs.client.scripts import script_execute
from redisai_rs.testing import Server, wait_until

DOUBLE = model([node("Add", "x x", "y")], [value("x")], [value("y")])
FOREVER = np.array(2**62)
X = np.zeros(2, np.float32)
FAILING = """
def no(tensors: List[Tensor], keys: List[str], args: List[str]):
    assert False, "not today"
    return tensors[0]
"""
BROKEN = "def f(x:"


@pytest.fixture(scope="module")
def server(one_server: Server) -> Server:
    """One will do."""
    return one_server


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(intra_op_threads=1, inter_op_threads=1) as engine:
        yield engine


def set_and_run(client: Any, inputs: list[Any], outputs: int = 1, **options: Any) -> None:
    client.model_store("m", DOUBLE)
    names = [f"x{number}" for number in range(len(inputs))]
    for name, array in zip(names, inputs, strict=True):
        client.tensor_set(name, array)
    client.model_execute("m", names, [f"y{number}" for number in range(outputs)], **options)


def loop_on_server(client: Any) -> None:
    client.model_store("loop", loop())
    client.tensor_set("n", FOREVER)
    client.tensor_set("x", X)
    client.model_execute("loop", ["n", "x"], ["y"], timeout=0.05)


def script_on_server(client: Any) -> None:
    client.script_store("s", FAILING, ["no"])
    client.tensor_set("x", X)
    client.script_execute("s", "no", ["x"], ["y"])


SHORT = np.zeros((1, 2), np.float32)
WHOLE = np.zeros((1, 3), np.int64)
GOOD = np.zeros((1, 3), np.float32)
FAULTS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Engine], Any]]] = {
    "a model that is none": (
        rai.InvalidModelError,
        lambda client: client.model_store("m", b"\x08\x08 garbage"),
        lambda engine: engine.load(b"\x08\x08 garbage"),
    ),
    "a model of another framework": (
        rai.InvalidModelError,
        lambda client: client.model_store("m", DOUBLE, backend="TORCH"),
        lambda engine: engine.load(DOUBLE, backend="TORCH"),
    ),
    "a script that is none": (
        rai.InvalidModelError,
        lambda client: client.script_store("s", BROKEN, ["f"]),
        lambda engine: engine.script(BROKEN, ["f"]),
    ),
    "an entry point that is not there": (
        rai.InvalidModelError,
        lambda client: client.script_store("s", FAILING, ["yes"]),
        lambda engine: engine.script(FAILING, ["yes"]),
    ),
    "a device that is not there": (
        rai.UnsupportedError,
        lambda client: client.model_store("m", DOUBLE, device="GPU:7"),
        lambda engine: engine.load(DOUBLE, device="GPU:7"),
    ),
    "a shape": (
        rai.InputError,
        lambda client: set_and_run(client, [SHORT]),
        lambda engine: engine.load(DOUBLE).run(SHORT),
    ),
    "an element type": (
        rai.InputError,
        lambda client: set_and_run(client, [WHOLE]),
        lambda engine: engine.load(DOUBLE).run(WHOLE),
    ),
    "too many inputs": (
        rai.InputError,
        lambda client: set_and_run(client, [GOOD, GOOD]),
        lambda engine: engine.load(DOUBLE).run(GOOD, GOOD),
    ),
    "too many outputs": (
        rai.InputError,
        lambda client: set_and_run(client, [GOOD], outputs=2),
        lambda engine: engine.load(DOUBLE).run(GOOD, outputs=2),
    ),
    "a run that fails": (
        rai.RunError,
        script_on_server,
        lambda engine: engine.script(FAILING, ["no"]).run("no", X),
    ),
    "a run that takes too long": (
        rai.TimeoutError,
        loop_on_server,
        lambda engine: engine.load(loop()).run(FOREVER, X, timeout=0.05),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_both_doors_say_the_same(client: Any, engine: Engine, name: str) -> None:
    kind, by_client, in_process = FAULTS[name]
    with pytest.raises(rai.Error) as replied:
        by_client(client)
    with pytest.raises(rai.Error) as raised:
        in_process(engine)
    assert type(replied.value) is type(raised.value) is kind
    assert str(replied.value) == str(raised.value)
    assert str(replied.value)
    is_reply = kind is not rai.TimeoutError
    assert isinstance(replied.value.__cause__, redis.ResponseError) == is_reply


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_queue(make_server: Callable[..., Server], kind: str) -> None:
    server = make_server(module_args=["QUEUE_LIMIT", 1, "MODEL_EXECUTION_TIMEOUT", 3_600_000])
    with Client(server.url) as other:
        other.model_store("loop", loop())
        other.tensor_set("n", FOREVER)
        other.tensor_set("x", X)
    run = ("AI.MODELEXECUTE", "loop", "INPUTS", 2, "n", "x", "OUTPUTS", 1, "y")

    def queue(name: str) -> int:
        return int(server.info("ai")[f"ai_queue_CPU_{name}"])

    plain = server.client()
    held = [plain.connection_pool.get_connection() for _ in range(2)]
    held[0].send_command(*run)
    wait_until(lambda: queue("busy") == 1, "the first run")
    held[1].send_command(*run)
    wait_until(lambda: queue("length") == 1, "a run that waits")
    for client in a_client(server, kind):
        with pytest.raises(rai.QueueFullError, match="^ERR Queue of device CPU is full"):
            client.model_execute("loop", ["n", "x"], ["y"])
        dag = client.dag(load=["n", "x"]).model("loop", ["n", "x"], ["y"])
        with pytest.raises(rai.QueueFullError, match="^ERR Queue of device CPU is full"):
            dag.run()
        pipe = client.pipeline().model_execute("loop", ["n", "x"], ["y"])
        with pytest.raises(rai.QueueFullError, match="^ERR Queue of device CPU is full"):
            pipe.execute()
    for connection in held:
        connection.disconnect()


def test_a_timeout_of_a_dag(client: Any) -> None:
    client.model_store("loop", loop())
    dag = client.dag(routing="n").tensor("n", FOREVER).tensor("x", X)
    dag.model("loop", ["n", "x"], ["y"]).get("y")
    with pytest.raises(rai.TimeoutError, match="^TIMEDOUT$"):
        dag.run(timeout=0.05)
    pipe = dag_in_pipeline = client.pipeline().tensor_set("n", FOREVER).tensor_set("x", X)
    pipe.model_execute("loop", ["n", "x"], ["y"], timeout=0.05).tensor_meta("x")
    found = dag_in_pipeline.execute(raise_on_error=False)
    assert isinstance(found[2], rai.TimeoutError)
    assert found[3].shape == (2,)


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_that_is_missing(
    make_server: Callable[..., Server], tmp_path: Path, kind: str
) -> None:
    server = make_server(module_args=["PYTHON", tmp_path])
    for client in a_client(server, kind):
        with pytest.raises(rai.BackendMissingError, match="^ERR Could not load backend"):
            client.model_store("m", DOUBLE)
        with pytest.raises(rai.BackendMissingError, match="^ERR Could not load backend"):
            client.script_store("s", FAILING, ["no"])


def test_a_server_without_memory(client: Any) -> None:
    client.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(rai.OutOfMemoryError, match="^OOM command not allowed"):
            client.tensor_set("x", [1])
    finally:
        client.redis.config_set("maxmemory", 0)


def test_a_backend_without_memory(make_server: Callable[..., Server]) -> None:
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 1])
    with Client(server.url) as client, pytest.raises(rai.OutOfMemoryError, match="memory limit"):
        client.model_store("m", big())


def big() -> bytes:
    """A model with 4 MB of weights."""
    return model(
        [node("MatMul", "x w", "y")],
        [value("x", dims=["n", 1024])],
        [value("y", dims=["n", 1024])],
        {"w": np.ones((1024, 1024), np.float32)},
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda it: it.tensor_get("none"), "ERR tensor key is empty or in a different shard"),
        (lambda it: it.model_get("none"), "ERR model key is empty"),
        (lambda it: it.script_get("none"), "ERR script key is empty"),
        (lambda it: it.info("none"), "ERR cannot find run info for key"),
        (lambda it: it.model_execute("m", ["none"], ["y"]), "ERR tensor key is empty"),
        (lambda it: it.model_execute("m", ["x"], ["y"], timeout=-1), "ERR Invalid value for TIME"),
        (lambda it: it.model_store("word", DOUBLE), "WRONGTYPE "),
        (lambda it: it.model_store("t", b"\x0a", backend="TF"), "ERR INPUTS not specified for TF"),
        (lambda it: it.tensor_get("word"), "WRONGTYPE "),
        (lambda it: it.dag().tensor("x", [1]).run(), "ERR AI.DAGEXECUTE and AI.DAGEXECUTE_RO"),
    ],
)
def test_what_the_engine_does_not_know(client: Any, call: Callable[[Any], Any], text: str) -> None:
    client.model_store("m", DOUBLE)
    client.tensor_set("x", GOOD)
    client.redis.set("word", "value")
    with pytest.raises(rai.ReplyError) as replied:
        call(client)
    assert str(replied.value).startswith(text)


def test_rights_stay_redis_py_s_own(server: Server, client: Any) -> None:
    rules = ("on", ">secret", "~*", "+@all", "-ai.tensorset", "-ai.config")
    client.redis.execute_command("ACL", "SETUSER", "app", *rules)
    url = f"redis://app:secret@{server.host}:{server.port}"
    with Client(url) as app:
        with pytest.raises(redis.exceptions.NoPermissionError):
            app.tensor_set("x", [1])
        # A model can be stored all the same: chunks are of the usual size.
        app.model_store("m", DOUBLE)
        assert app.model_get("m").blob == DOUBLE
    wrong = Client(url.replace("secret", "other"))
    with wrong as app, pytest.raises(redis.exceptions.AuthenticationError):
        app.tensor_get("x")
    client.redis.execute_command("ACL", "DELUSER", "app")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_times_that_are_none(value: float) -> None:
    for build in (model_execute, model_run):
        with pytest.raises(rai.InputError, match="is no time in seconds"):
            build("m", ["x"], ["y"], timeout=value)
    with pytest.raises(rai.InputError, match="is no time in seconds"):
        script_execute("s", "f", ["x"], ["y"], timeout=value)
