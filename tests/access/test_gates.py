"""What is not allowed to run does not run, whatever way its definition came.

A client's store is refused. A file, a primary and `RESTORE` bring a definition that is kept, since
data is never refused for a rule; but no session is built of it, and each run says why.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis
from models.test_external_data import PLACES, REFUSED
from onnx_models import execute, info, model, node, put, store, value
from redisai_rs._resp import encode
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server, wait_until

Start = Callable[..., Server]


@dataclass(frozen=True)
class Gate:
    """Something that is refused."""

    blob: Callable[[Path], bytes]
    says: str
    device: str = "CPU"
    arguments: tuple[object, ...] = ()
    backend: str = "ONNX"


def small(_: Path) -> bytes:
    return model([node("Relu", "x", "y")], [value("x")], [value("y", dims=None)])


def large(_: Path) -> bytes:
    weights = {"w": np.ones(3_000_000, np.float32)}
    inputs, outputs = [value("x", dims=None)], [value("y", dims=None)]
    return model([node("Add", "x w", "y")], inputs, outputs, weights)


def reads_a_file(directory: Path) -> bytes:
    """ONNX Runtime itself would read this one."""
    path = directory / "secret"
    path.write_bytes(np.arange(12, dtype=np.float32).tobytes())
    return PLACES["loop body"](path).SerializeToString()


def machine_code(_: Path) -> bytes:
    """What makes a package of AOTInductor one; there is nothing in it that could run."""
    # Of no time, so that it is the same at every call.
    entry = zipfile.ZipInfo
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry("model/archive_format"), "pt2")
        archive.writestr(entry("model/archive_version"), "0")
        archive.writestr(entry("model/data/aotinductor/model/model.wrapper.so"), b"\x7fELF")
        archive.writestr(entry("model/data/aotinductor/model/model.wrapper.cpp"), b"// checks")
    return file.getvalue()


GATES = {
    "native model": Gate(
        machine_code, "machine code: load the module with ALLOW_NATIVE_MODELS yes", backend="TORCH"
    ),
    "external data": Gate(reads_a_file, REFUSED),
    "device": Gate(small, "GPU requested but ONNX couldn't find CUDA", device="GPU"),
    "memory": Gate(
        large,
        "Onnxruntime memory limit exceeded, memory allocation failed.",
        arguments=("BACKEND_MEMORY_LIMIT", 10),
    ),
}


@pytest.fixture(params=GATES)
def gate(request: pytest.FixtureRequest) -> Gate:
    found = GATES[request.param]
    assert isinstance(found, Gate)
    return found


@pytest.fixture
def start(make_server: Start, server_binary: ServerBinary) -> Start:
    return lambda **options: make_server(server_binary, **options)


@pytest.fixture
def bringer(start: Start, gate: Gate, tmp_path: Path) -> Server:
    """A server without backends that has got the definition, as `m`, from its append-only file."""
    server = start(start=False, module_args=["BACKENDSPATH", "/nonexistent"])
    blob = gate.blob(tmp_path)
    command = encode(("AI.MODELSTORE", "m", gate.backend, gate.device, "BLOB", blob))
    # From 7.0 on the server takes a single file over into its directory of them.
    (server.directory / "appendonly.aof").write_bytes(command)
    server.config["appendonly"] = "yes"
    server.start()
    assert server.execute("AI.MODELGET", "m", "BLOB") == blob
    return server


def by_file(bringer: Server, start: Start, gate: Gate) -> Server:
    server = start(start=False, module_args=gate.arguments, config={"appendonly": "yes"})
    blob = bringer.execute("AI.MODELGET", "m", "BLOB")
    command = encode(("AI.MODELSTORE", "m", gate.backend, gate.device, "BLOB", blob))
    (server.directory / "appendonly.aof").write_bytes(command)
    return server.start()


def by_rdb(bringer: Server, start: Start, gate: Gate) -> Server:
    bringer.execute("SAVE")
    server = start(start=False, module_args=gate.arguments)
    (server.directory / "dump.rdb").write_bytes((bringer.directory / "dump.rdb").read_bytes())
    return server.start()


def by_restore(bringer: Server, start: Start, gate: Gate) -> Server:
    server = start(module_args=gate.arguments)
    payload = bringer.execute("DUMP", "m")
    assert isinstance(payload, bytes)
    assert server.execute("RESTORE", "m", 0, payload) == b"OK"
    return server


def by_migrate(bringer: Server, start: Start, gate: Gate) -> Server:
    server = start(module_args=gate.arguments)
    assert bringer.execute("MIGRATE", server.host, server.port, "m", 0, 60_000, "COPY") == b"OK"
    return server


def by_full_sync(bringer: Server, start: Start, gate: Gate) -> Server:
    server = start(module_args=gate.arguments)
    server.execute("REPLICAOF", bringer.host, bringer.port)
    server.wait_for_sync()
    server.wait_for_offset(bringer)
    server.execute("REPLICAOF", "NO", "ONE")
    return server


def by_stream(bringer: Server, start: Start, gate: Gate) -> Server:
    """As a command of a primary."""
    server = start(module_args=gate.arguments)
    server.execute("REPLICAOF", bringer.host, bringer.port)
    server.wait_for_sync()
    payload = bringer.execute("DUMP", "m")
    assert isinstance(payload, bytes)
    bringer.execute("DEL", "m")
    bringer.execute("RESTORE", "m", 0, payload)
    server.wait_for_offset(bringer)
    server.execute("REPLICAOF", "NO", "ONE")
    return server


WAYS = [by_file, by_rdb, by_restore, by_migrate, by_full_sync, by_stream]


@pytest.mark.parametrize("way", WAYS)
def test_the_definition_is_kept_and_does_not_run(
    bringer: Server, start: Start, gate: Gate, tmp_path: Path, way: Callable[..., Server]
) -> None:
    server = way(bringer, start, gate)
    client = server.client()
    put(client, "x", np.ones((1, 3), np.float32))
    for _ in range(2):
        with pytest.raises(redis.ResponseError) as raised:
            execute(client, ["x"], ["y"])
        assert gate.says in str(raised.value)
    assert not client.exists("y")
    wait_until(lambda: info(client, "m", "FULL")["state"] == b"failed", "the session's failure")
    assert gate.says in info(client, "m", "FULL")["reason"].decode()
    blob = gate.blob(tmp_path)
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == blob
    # It can be kept, copied and taken along from here too, and gets no further.
    assert client.copy("m", "n")
    with pytest.raises(redis.ResponseError) as raised:
        execute(client, ["x"], ["y"], "n")
    assert gate.says in str(raised.value)
    # The backend works: what may run does.
    store(client, small(tmp_path), "good")
    assert execute(client, ["x"], ["y"], "good") == b"OK"


def test_a_client_is_refused(start: Start, gate: Gate, tmp_path: Path) -> None:
    server = start(module_args=gate.arguments)
    client = server.client()
    blob = gate.blob(tmp_path)
    for command in (
        ("AI.MODELSTORE", "m", gate.backend, gate.device, "BLOB", blob),
        ("AI.MODELSET", "m", gate.backend, gate.device, "BLOB", blob),
        ("AI.MODELSET", "m", gate.backend, gate.device, blob),
    ):
        with pytest.raises(redis.ResponseError) as raised:
            client.execute_command(*command)
        assert gate.says in str(raised.value)
        # Nor where it is stored at once.
        with client.pipeline(transaction=True) as multi:
            multi.execute_command(*command)
            assert gate.says in str(multi.execute(raise_on_error=False)[0])
        with pytest.raises(redis.ResponseError) as raised:
            client.eval("return redis.call(unpack(ARGV))", 0, *command)
        assert gate.says in str(raised.value)
    assert client.keys() == []
