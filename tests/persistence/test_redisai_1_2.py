"""The data set that RedisAI 1.2 wrote (`crates/codec/tests/data`): every payload is taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, put

DATA = Path(__file__).parents[2] / "crates" / "codec" / "tests" / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())["keys"]
TENSORS = [key for key, entry in MANIFEST.items() if entry["type"] == "tensor"]
MODELS = [key for key, entry in MANIFEST.items() if entry["type"] == "model"]
ONNX = [key for key in MODELS if MANIFEST[key]["meta"][1] == "ONNX"]


def payload(key: str) -> bytes:
    return (DATA / MANIFEST[key]["payload"]).read_bytes()


@pytest.fixture
def restored(server, client):
    """Restores a key of the data set."""
    if server.binary.version < (7,) and server.binary.product == "Redis":
        # The footer's RDB version is newer than this server; what we read is the same, so the
        # payload is signed anew with a version that it takes.
        client.execute_command("AI.TENSORSET", "own", "FLOAT", 1)
        footer = client.dump("own")[-10:-8]
        client.delete("own")
    else:
        footer = None

    def restore(key):
        data = payload(key)
        if footer:
            from faults.payloads import crc64  # noqa: PLC0415 (only here)

            data = data[:-10] + footer
            data += crc64(data).to_bytes(8, "little")
        client.restore(key, 0, data)
        return MANIFEST[key]

    return restore


def test_the_data_set_is_there():
    assert len(TENSORS) > 20
    assert len(ONNX) == 3


@pytest.mark.parametrize("key", TENSORS)
def test_tensors(client, restored, key):
    entry = restored(key)
    meta = client.execute_command("AI.TENSORGET", key, "META", "BLOB")
    assert meta == [
        b"dtype",
        entry["dtype"].encode(),
        b"shape",
        entry["shape"],
        b"blob",
        bytes.fromhex(entry["blob_hex"]),
    ]
    assert client.execute_command("AI.TENSORGET", key, "VALUES") is not None
    # Its command recreates it.
    client.execute_command("DEBUG", "RELOAD")
    assert client.execute_command("AI.TENSORGET", key, "META", "BLOB") == meta


def encoded(value):
    """The manifest's texts as the server's bytes."""
    if isinstance(value, list):
        return [encoded(one) for one in value]
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("key", ONNX)
def test_onnx_models_run(client, restored, key):
    entry = restored(key)
    assert client.execute_command("AI.MODELGET", key, "META") == encoded(entry["meta"])
    blob = client.execute_command("AI.MODELGET", key, "BLOB")
    assert hashlib.sha256(blob).hexdigest() == entry["blob_sha256"]
    # y = x·W + b, says the data set's README.
    weights, bias = np.arange(12).reshape(4, 3), np.array([1, 2, 3])
    x = np.array([[1, 0, 0, 0], [0.5, -1, 2, 3]], np.float32)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"], key) == b"OK"
    np.testing.assert_allclose(get(client, "y"), x @ weights + bias)


@pytest.mark.parametrize("key", sorted(set(MODELS) - set(ONNX)))
def test_models_of_backends_that_are_not_here_are_kept(client, restored, key):
    entry = restored(key)
    assert client.execute_command("AI.MODELGET", key, "META") == encoded(entry["meta"])
    blob = client.execute_command("AI.MODELGET", key, "BLOB")
    assert hashlib.sha256(blob).hexdigest() == entry["blob_sha256"]
    put(client, "x", np.ones(2, np.float32))
    inputs, outputs = len(entry["meta"][11]), len(entry["meta"][13])
    keys = [f"out {index}" for index in range(outputs)]
    with pytest.raises(redis.ResponseError, match="Could not load backend"):
        execute(client, ["x"] * inputs, keys, key)
    assert info(client, key, "FULL")["state"] == b"failed"


def test_the_append_only_file_without_its_scripts(start):
    """All of it but the scripts, whose commands come with the torch backend."""
    commands = split((DATA / "appendonly.aof").read_bytes())
    kept = [command for command in commands if b"AI.SCRIPT" not in command]
    assert len(commands) > len(kept) > 30
    server = start()
    server.stop()
    server.config["appendonly"] = "yes"
    modern = server.binary.version >= (7,)
    folder = server.directory / "appendonlydir" if modern else server.directory
    folder.mkdir(exist_ok=True)
    name = "appendonly.aof.1.incr.aof" if modern else "appendonly.aof"
    (folder / name).write_bytes(b"".join(kept))
    if modern:
        (folder / "appendonly.aof.manifest").write_text(f"file {name} seq 1 type i\n")
    client = server.start().client()
    for key in TENSORS:
        blob = client.execute_command("AI.TENSORGET", key, "BLOB")
        assert blob == bytes.fromhex(MANIFEST[key]["blob_hex"]), key
    for key in MODELS:
        blob = client.execute_command("AI.MODELGET", key, "BLOB")
        assert hashlib.sha256(blob).hexdigest() == MANIFEST[key]["blob_sha256"]


def split(data: bytes) -> list[bytes]:
    """The commands of an append-only file."""
    commands, at = [], 0
    while at < len(data):
        start, end = at, data.index(b"\r\n", at)
        count, at = int(data[at + 1 : end]), end + 2
        for _ in range(count):
            end = data.index(b"\r\n", at)
            at = end + 2 + int(data[at + 1 : end]) + 2
        commands.append(data[start:at])
    return commands
