"""Models, scripts, DAGs, counters and options, by a client."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import redis
import redisai_rs as rai
from redisai_rs.client import ModelDefinition, ScriptDefinition, TensorMeta, ValueInfo
from redisai_rs.testing import Server

DIGITS = digits.DATA / "digits.onnx"
SOURCE = """
def double(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] * 2

def times(tensors: List[Tensor], keys: List[str], args: List[str]):
    redis.execute("SET", keys[0], args[0])
    return tensors[0] * int(args[0])
"""
OLD_SOURCE = "def double(x):\n    return x * 2\n"


@pytest.fixture(scope="module")
def images() -> Any:
    rows = np.frombuffer(digits.pixels(digits.rows()[:5]), np.float32)
    return rows.reshape(5, 64)


@pytest.fixture
def model(client: Any) -> str:
    client.model_store("m", DIGITS, tag="v1")
    return "m"


def test_a_model_is_stored_run_and_read(client: Any, images: Any) -> None:
    blob = DIGITS.read_bytes()
    for source in (str(DIGITS), DIGITS, blob, bytearray(blob), memoryview(blob), io.BytesIO(blob)):
        client.model_store("m", source, tag="v1", batch_size=8, min_batch_size=1)
        expected = ModelDefinition(
            "ONNX", "CPU", "v1", 8, 1, 0, ("pixels",), ("digit", "probabilities")
        )
        assert client.model_get("m", meta=True) == expected
        assert client.model_get("m").blob == blob
    client.tensor_set("x", images)
    client.model_execute("m", ["x"], ["digit", "p"], timeout=60)
    written = [digit for _, digit in digits.rows()[:5]]
    assert client.tensor_get("digit").tolist() == written
    assert client.tensor_get("p").argmax(1).tolist() == written
    assert client.model_scan() == [("m", "v1")]
    client.model_del("m")
    assert client.redis.exists("m") == 0
    assert client.model_scan() == []


def test_the_deprecated_commands_of_models(client: Any, images: Any) -> None:
    client.model_set("m", DIGITS, tag="v1", batch_size=4, min_batch_size=2, min_batch_timeout=0.05)
    found = client.model_get("m", meta=True)
    assert (found.batch_size, found.min_batch_size, found.min_batch_timeout) == (4, 2, 0.05)
    client.tensor_set("x", images)
    client.model_run("m", ["x"], ["digit", "p"], timeout=60)
    assert client.tensor_meta("p") == TensorMeta("FLOAT", (5, 10))


def test_names_of_a_graph(client: Any, images: Any) -> None:
    for store in (client.model_store, client.model_set):
        store("m", digits.DATA / "digits.pb", inputs=["pixels"], outputs=["digit", "probabilities"])
        found = client.model_get("m", meta=True)
        assert (found.backend, found.inputs) == ("TF", ("pixels",))
        assert found.outputs == ("digit", "probabilities")


def test_scripts(client: Any) -> None:
    client.script_store("s", SOURCE, ["double", "times"], tag="v1")
    assert client.script_get("s") == ScriptDefinition("CPU", "v1", ("double", "times"), SOURCE)
    assert client.script_get("s", meta=True).source is None
    client.tensor_set("x", [1.5, 2])
    client.script_execute("s", "double", ["x"], ["y"], timeout=60)
    assert client.tensor_get("y").tolist() == [3, 4]
    client.script_execute("s", "times", ["x"], ["y"], keys=["said"], args=["3"])
    assert client.tensor_get("y").tolist() == [4.5, 6]
    assert client.redis.get("said") == b"3"
    assert client.script_scan() == [("s", "v1")]
    client.script_del("s")
    assert client.redis.exists("s") == 0


def test_the_deprecated_commands_of_scripts(client: Any) -> None:
    client.script_set("s", OLD_SOURCE, tag="v0")
    assert client.script_get("s") == ScriptDefinition("CPU", "v0", (), OLD_SOURCE)
    client.tensor_set("x", [1.5, 2])
    client.script_run("s", "double", ["x"], ["y"], timeout=60)
    assert client.tensor_get("y").tolist() == [3, 4]


def test_a_dag(client: Any, model: str, images: Any) -> None:
    client.tensor_set("x", images)
    client.script_store("s", SOURCE, ["double", "times"])
    dag = client.dag(load=["x"], persist=["twice"])
    dag.model(model, ["x"], ["digit", "p"]).script("s", "double", ["p"], ["twice"])
    dag.tensor("own", ["a\0b"]).get("digit").get("twice").get("own", values=True)
    for _ in range(2):  # it can be run again
        found = dag.run(timeout=60)
        assert list(found) == ["digit", "twice", "own"]
        assert found["digit"].tolist() == [digit for _, digit in digits.rows()[:5]]
        np.testing.assert_allclose(found["twice"].sum(1), 2, rtol=1e-5)
        assert found["own"].tolist() == [b"a\0b"]
    np.testing.assert_array_equal(client.tensor_get("twice"), found["twice"])


def test_other_forms_of_a_dag(client: Any, model: str, images: Any) -> None:
    client.tensor_set("x", images)
    client.script_set("s", OLD_SOURCE)
    written = [digit for _, digit in digits.rows()[:5]]
    read_only = client.dag_ro(load=["x"]).model(model, ["x"], ["digit", "p"]).get("digit")
    assert read_only.run()["digit"].tolist() == written
    old = client.dag_run(load=["x"], persist=["d"]).model(model, ["x"], ["digit", "p"])
    old.script("s", "double", ["digit"], ["d"]).get("d")
    assert old.run(timeout=60)["d"].tolist() == [2 * digit for digit in written]
    old = client.dag_run_ro(load=["x"]).model(model, ["x"], ["digit", "p"]).get("digit")
    assert old.run()["digit"].tolist() == written
    with pytest.raises(rai.InputError, match="takes no keys"):
        client.dag_run().script("s", "double", ["x"], ["y"], keys=["k"])


def test_errors_of_a_dag(client: Any, model: str) -> None:
    client.tensor_set("x", [1])
    bad = client.dag(load=["x"], persist=["d"]).model(model, ["x"], ["d", "p"]).get("d")
    with pytest.raises(rai.InputError, match="^Unexpected input data type"):
        bad.run()
    assert client.redis.exists("d") == 0
    with pytest.raises(rai.ReplyError, match="^ERR INPUT key cannot be found in DAG$"):
        client.dag(routing="x").model(model, ["none"], ["d", "p"]).run()
    with pytest.raises(rai.InputError, match="get it with values=True"):
        client.dag(routing="x").tensor("s", ["a\0b"]).get("s").run()


def test_counters(client: Any, model: str, images: Any) -> None:
    client.tensor_set("x", images)
    client.model_execute(model, ["x"], ["digit", "p"])
    found = client.info(model)
    assert (found.key, found.type, found.backend) == ("m", "MODEL", "ONNX")
    assert (found.device, found.tag, found.details) == ("CPU", "v1", None)
    assert (found.calls, found.samples, found.errors) == (1, 5, 0)
    assert found.duration_us > 0
    details = client.info(model, full=True).details
    assert details is not None
    assert (details.state, details.reason, details.late) == ("ready", "", 0)
    assert details.inputs == (ValueInfo("pixels", "FLOAT", (-1, 64)),)
    assert details.outputs[1] == ValueInfo("probabilities", "FLOAT", (-1, 10))
    assert details.run_ns.count == details.queue_ns.count == 1
    assert 0 < details.run_ns.p50 <= details.run_ns.max
    client.info_reset(model)
    assert client.info(model).calls == 0
    client.script_store("s", SOURCE, ["double", "times"])
    script = client.info("s", full=True)
    assert (script.type, script.samples) == ("SCRIPT", -1)
    assert script.details is not None
    assert set(script.details.functions) == {"double", "times"}


def test_options(client: Any, server: Server) -> None:
    assert isinstance(client.config_get("MODEL_CHUNK_SIZE"), int)
    path = client.config_get("BACKENDSPATH")
    assert isinstance(path, str)
    assert client.config_get("NO_SUCH_OPTION") is None
    with pytest.raises(rai.ReplyError, match="^ERR BACKENDSPATH cannot be changed at run time"):
        client.backends_path(path)
    with pytest.raises(rai.BackendMissingError, match="^ERR error loading backend"):
        client.load_backend("TORCH", f"{path}/none.so")
    with pytest.raises(rai.Error, match="^ERR MODEL_CHUNK_SIZE: invalid chunk size$"):
        client.model_chunk_size(0)


def test_pipelines(client: Any, model: str, images: Any) -> None:
    pipe = client.pipeline()
    assert pipe.tensor_set("x", images).model_execute(model, ["x"], ["d", "p"]) is pipe
    pipe.tensor_get("d").info(model).dag(load=["x"]).get("x").run().execute_command("PING")
    assert len(pipe) == 6
    found = pipe.execute()
    assert found[:2] == [None, None]
    assert found[2].tolist() == [digit for _, digit in digits.rows()[:5]]
    assert found[3].calls == 1
    np.testing.assert_array_equal(found[4]["x"], images)
    assert found[5] in (b"PONG", True)
    assert len(pipe) == 0
    assert pipe.execute() == []


def test_errors_in_a_pipeline(client: Any) -> None:
    pipe = client.pipeline().tensor_set("x", [1]).tensor_get("none").tensor_get("x")
    with pytest.raises(rai.ReplyError, match="^ERR tensor key is empty") as caught:
        pipe.execute()
    assert caught.value.__notes__ == ["command 1 of the pipeline: 'AI.TENSORGET'"]
    pipe.tensor_set("x", [1]).tensor_get("none").tensor_get("x").execute_command("NOSUCH")
    found = pipe.execute(raise_on_error=False)
    assert isinstance(found[1], rai.ReplyError)
    assert found[2].tolist() == [1]
    assert isinstance(found[3], redis.ResponseError | rai.Error)
    with pytest.raises(rai.InputError, match="get it with values=True"):
        client.pipeline().tensor_set("x", ["a\0b"]).tensor_get("x").execute()


def test_transactions(client: Any, model: str) -> None:
    pipe = client.pipeline(transaction=True)
    found = pipe.tensor_set("x", [1]).tensor_get("x").tensor_meta("x").execute()
    assert found[1].tolist() == [1]
    with pytest.raises(rai.ReplyError, match="within a transaction"):
        pipe.model_execute(model, ["x"], ["d", "p"]).execute()


def test_a_model_comes_in_chunks(client: Any, server: Server, tmp_path: Path) -> None:
    blob = DIGITS.read_bytes()
    size = client.config_get("MODEL_CHUNK_SIZE")
    assert isinstance(size, int)
    client.model_chunk_size(8000)
    client.redis.config_set("slowlog-log-slower-than", 0)
    try:
        client.redis.slowlog_reset()
        client.model_store("m", blob)
        entries = [entry["command"] for entry in client.redis.slowlog_get()]
        store = next(entry for entry in entries if entry.startswith(b"AI.MODELSTORE"))
        chunks = store.split(b" BLOB ")[1].count(b"more bytes")
        assert chunks == -(-len(blob) // 8000) == 3
        seen: list[tuple[int, int]] = []
        client.model_store("m", blob, progress=lambda *now: seen.append(now))
        assert seen[-1] == (len(blob), len(blob))
        found = client.model_get("m")
        assert found.blob == blob
    finally:
        client.model_chunk_size(size)
        client.redis.config_set("slowlog-log-slower-than", 10_000)


def test_progress_is_told_while_a_model_is_sent(client: Any) -> None:
    # Not a model, but it has to get there before anyone can say so.
    blob = b"\x08" + bytes(5 << 20)
    seen: list[tuple[int, int]] = []
    with pytest.raises(rai.InvalidModelError):
        client.model_store("m", blob, progress=lambda *now: seen.append(now))
    assert len(seen) >= 5
    assert seen[-1] == (len(blob), len(blob))
    assert seen == sorted(set(seen))
