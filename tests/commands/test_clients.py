"""The clients that people use: redis-py in both protocols, and redis-cli."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import redis
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def each(client: redis.Redis, client3: redis.Redis, request: pytest.FixtureRequest) -> redis.Redis:
    """redis-py in each protocol."""
    return client if request.param == 2 else client3


def test_redis_py(each: redis.Redis) -> None:
    values = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    stored = each.execute_command("AI.TENSORSET", "x", "FLOAT", 2, 3, "BLOB", values.tobytes())
    assert stored == b"OK"
    reply = each.execute_command("AI.TENSORGET", "x")
    assert reply == [b"dtype", b"FLOAT", b"shape", [2, 3], b"blob", values.tobytes()]
    shown = each.execute_command("AI.TENSORGET", "x", "VALUES")
    assert (
        np.array([float(value) for value in shown], np.float32).tolist() == values.ravel().tolist()
    )
    with pytest.raises(redis.ResponseError, match=r"^tensor key is empty or in a different shard$"):
        each.execute_command("AI.TENSORGET", "none")
    assert each.type("x") == b"AI_TENSOR"


def test_redis_py_pipelines_and_transactions(each: redis.Redis) -> None:
    for transaction in (False, True):
        pipe = each.pipeline(transaction=transaction)
        for n in range(50):
            pipe.execute_command("AI.TENSORSET", f"t{n}", "INT32", 1, "VALUES", n)
            pipe.execute_command("AI.TENSORGET", f"t{n}", "VALUES")
        assert pipe.execute() == [reply for n in range(50) for reply in (b"OK", [n])]


def command_line_client(binary: ServerBinary) -> str | None:
    """The client beside a server, else one on PATH."""
    names = ("valkey-cli", "redis-cli")
    beside = [path for name in names if (path := binary.path.parent / name).exists()]
    return str(beside[0]) if beside else next(filter(None, map(shutil.which, names)), None)


def test_redis_cli(server: Server, server_binary: ServerBinary) -> None:
    program = command_line_client(server_binary)
    if program is None:
        pytest.skip("no redis-cli")

    def run(*words: str, data: bytes | None = None) -> str:
        options = ["-p", str(server.port), *(["-x"] if data is not None else [])]
        done = subprocess.run(
            [program, *options, *words], input=data, capture_output=True, check=True, timeout=60
        )
        return done.stdout.decode()

    assert run("AI.TENSORSET", "x", "INT8", "2", "VALUES", "-5", "7") == "OK\n"
    assert run("AI.TENSORGET", "x", "VALUES").split() == ["-5", "7"]
    assert run("AI.TENSORGET", "x", "META").split() == ["dtype", "INT8", "shape", "2"]
    # A blob from a file, as people store models.
    blob = np.arange(4, dtype=np.float64).tobytes()
    assert run("AI.TENSORSET", "y", "DOUBLE", "4", "BLOB", data=blob) == "OK\n"
    assert run("AI.TENSORGET", "y", "VALUES").split() == ["0", "1", "2", "3"]
    assert run("AI.TENSORSET", "y").startswith("ERR wrong number of arguments")
