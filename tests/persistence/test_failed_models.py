"""A model that cannot be built where it is loaded: kept as it is, and it says why."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from holding import Pending, info, run, store, tensor, values
from onnx_models import put, reference_error
from persistence.conftest import linear
from persistence.processes import rewrite
from redisai_rs.testing import wait_until

# Legal for the mock, nothing for ONNX Runtime.
TEXT = b"identity\ninput x\noutput y"
OPTIONS = ["TAG", "t", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 5]


def refused_by_framework(mock_path):
    """The mock stored it; ONNX Runtime is to load it."""
    return ["TEST_BACKENDS", "yes", "ONNX", str(mock_path)], [], TEXT, reference_error(TEXT)


def without_backend(_):
    """ONNX Runtime stored it; there is no backend any more."""
    away = ["BACKENDSPATH", "/nonexistent"]
    return [], away, linear(), "ERR Could not load backend"


def without_framework(_):
    """The backend is there, its framework is not."""
    # An environment without packages: the real one is found in a variable otherwise.
    away = ["PYTHON", "/nonexistent"]
    return [], away, linear(), "ERR Could not load backend"


CASES = [refused_by_framework, without_backend, without_framework]


class Case:
    def __init__(self, start, mock_path, make):
        before, self.after, self.blob, self.reason = make(mock_path)
        self.before = before
        self.server = start(module_args=before)
        client = self.server.client()
        command = ["AI.MODELSTORE", "m", "ONNX", "CPU", *OPTIONS]
        assert client.execute_command(*command, "BLOB", self.blob) == b"OK"
        put(client, "x", np.ones((1, 3), np.float32))
        self.payload = client.dump("m")

    def restart(self, arguments):
        """Gives a client of the server that has loaded its file with these arguments."""
        self.server.module_args = [str(argument) for argument in arguments]
        self.server.restart()
        return self.server.client()

    def failed(self, client, key="m"):
        """It is there, has failed, says why wherever it is asked, and is kept as it was."""
        wait_until(lambda: info(client, key, "FULL")["state"] == b"failed", "the failed build")
        reason = info(client, key, "FULL")["reason"].decode()
        assert reason == self.reason
        one = Pending(self.server, *run(key, ["x"], ["y"]))
        assert str(one.reply()) == reason.removeprefix("ERR ")
        dag = ["AI.DAGEXECUTE_RO", "LOAD", 1, "x", "|>", *run(key, ["x"], ["y"])]
        one.send(*dag)
        assert str(one.reply()[-1]) == reason.removeprefix("ERR ")
        one.close()
        assert not client.exists("y")
        assert client.execute_command("AI.MODELGET", key, "BLOB") == self.blob
        meta = client.execute_command("AI.MODELGET", key, "META")[1::2]
        assert meta[:5] == [b"ONNX", b"CPU", b"t", 4, 2]
        assert meta[7] == 5


@pytest.fixture(params=CASES, ids=lambda make: make.__doc__)
def case(start, mock_path, request):
    return Case(start, mock_path, request.param)


def works(case, client, key="m"):
    one = Pending(case.server, *run(key, ["x"], ["y"]))
    assert one.reply() == b"OK"
    one.close()
    client.delete("y")


def test_from_a_file(case):
    case.server.client().save()
    client = case.restart(case.after)
    case.failed(client)
    # Saved again as it was, and good where it can be built.
    assert client.dump("m") == case.payload
    client.save()
    works(case, case.restart(case.before))


def test_from_an_append_only_file(case):
    server = case.server
    server.config |= {"appendonly": "yes", "aof-use-rdb-preamble": "no"}
    server.client().config_set("appendonly", "yes")
    wait_until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0", "the file")
    client = case.restart(case.after)
    case.failed(client)
    rewrite(server)
    case.failed(case.restart(case.after))
    works(case, case.restart(case.before))


def test_by_restore_copy_and_replication(case, make_server):
    payload = case.payload
    case.server.client().flushall()
    client = case.restart(case.after)
    put(client, "x", np.ones((1, 3), np.float32))
    client.restore("m", 0, payload)
    case.failed(client)
    client.copy("m", "copy")
    case.failed(client, "copy")
    with case.server.replica() as replica:
        replica.wait_for_sync()
        other = replica.client()
        wait_until(lambda: info(other, "m", "FULL")["state"] == b"failed", "the failed build")
        assert other.dump("m") == payload
    assert client.execute_command("AI.MODELDEL", "m") == b"OK"
    with pytest.raises(redis.ResponseError):
        client.execute_command("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", case.blob)


def test_a_backend_that_is_loaded_later_makes_it_work(start, mock_path):
    case = Case(start, mock_path, without_backend)
    case.server.client().save()
    client = case.restart(
        ["BACKENDSPATH", "/nonexistent", "TEST_BACKENDS", "yes", "LOADBACKEND", "any"]
    )
    case.failed(client)
    client.execute_command("AI.CONFIG", "LOADBACKEND", "ONNX", str(mock_path))
    # What it is to the mock is no model either, but it says so itself now.
    assert not info(client, "m", "FULL")["reason"].startswith(b"ERR Could not load backend")


def test_others_are_built_all_the_same(start, mock_path):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", str(mock_path)]
    server = start(module_args=arguments)
    client = server.client()
    for number in range(10):
        store(client, f"m{number}", "identity")
    tensor(client, "x", 1, 2)
    client.config_set("rdbcompression", "no")
    client.save()
    path = server.directory / "dump.rdb"
    server.stop()
    data = path.read_bytes()
    # One of them is spoilt; the checksum of the whole is switched off.
    place = data.index(b"identity", data.index(b"m5"))
    path.write_bytes(data[:place] + b"nonsense" + data[place + 8 : -8] + bytes(8))
    server.start()
    client = server.client()
    wait_until(lambda: info(client, "m5", "FULL")["state"] == b"failed", "the failed build")
    for number in (0, 1, 4, 6, 9):
        assert client.execute_command(*run(f"m{number}", ["x"], ["y"])) == b"OK"
        assert values(client, "y") == [1, 2]
