"""Diskless loads of a replica with `swapdb`: the old data stays until the new is whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redis
from holding import Pending
from onnx_models import get, model, node, put, value
from persistence.conftest import listed
from persistence.replicating import Primary
from redisai_rs.testing import wait_until

DISKLESS = "with EOF to parser"
# What a server says when it goes by the disk after all.
SKIPPED = "Skipping diskless-load"


def scaled(factor):
    """y = x · factor."""
    vector = [value("x", dims=("n",))], [value("y", dims=("n",))]
    return model([node("Mul", "x f", "y")], *vector, {"f": np.array([factor], np.float32)})


def fill(client, factor):
    """A tensor of each layout and a model, under names of this factor."""
    put(client, f"x{factor}", np.array([1, 2], np.float32))
    put(client, f"strings{factor}", np.array([b"one", b"a\0b"], object))
    command = ["AI.MODELSTORE", f"m{factor}", "ONNX", "CPU", "TAG", f"t{factor}", "BATCHSIZE", 4]
    assert client.execute_command(*command, "BLOB", scaled(factor)) == b"OK"


def pad(client):
    """Enough for a load that takes a while."""
    for number in range(128):
        put(
            client,
            f"pad{number}",
            np.random.default_rng(number).integers(256, size=1 << 16).astype(np.uint8),
        )


def names(client):
    return client.execute_command("AI._MODELSCAN")


def there(client, factor, keys=3):
    """All of it is there, and nothing else."""
    expected = [f"{name}{factor}".encode() for name in ("m", "strings", "x")]
    assert sorted(key for key in client.scan_iter() if not key.startswith(b"pad")) == expected
    assert client.dbsize() == keys
    assert names(client) == [[f"m{factor}".encode(), f"t{factor}".encode()]]
    assert get(client, f"strings{factor}").tolist() == [b"one", b"a\0b"]


def run(factor):
    """A run where nothing may be written."""
    step = ["AI.MODELEXECUTE", f"m{factor}", "INPUTS", 1, f"x{factor}", "OUTPUTS", 1, "y"]
    load = ["LOAD", 1, f"x{factor}"]
    return ["AI.DAGEXECUTE_RO", *load, "|>", *step, "|>", "AI.TENSORGET", "y", "VALUES"]


def works(client, factor, keys=3):
    """All of it is there, and the model runs."""
    there(client, factor, keys)
    assert result(client.execute_command(*run(factor))) == [factor, 2 * factor]


def result(reply):
    return [float(one) for one in reply[1]]


def file_of(start, *makers):
    """The file of another data set, as a primary would send it."""
    server = start()
    client = server.client()
    client.config_set("rdbcompression", "no")
    for make in makers:
        make(client)
    client.save()
    return (server.directory / "dump.rdb").read_bytes()


@pytest.fixture
def primary():
    with Primary() as one:
        yield one


@pytest.fixture
def replica(start, primary):
    """A replica of that primary, with data that came from it; the link is gone."""
    config = {"repl-diskless-load": "swapdb", "hz": 500}
    replica = start(config=config)
    client = replica.client()
    if replica.binary.version >= (7,):
        # Serves after so many bytes of a load.
        client.config_set("loading-process-events-interval-bytes", 1024)
    fill(client, 2)
    client.save()
    client.replicaof("127.0.0.1", primary.port)
    link = primary.link()
    link.send((replica.directory / "dump.rdb").read_bytes())
    link.end()
    replica.wait_for_sync()
    works(client, 2)
    link.cut()
    return replica


def diskless(server, times):
    """It loaded so many times from the socket, and never by way of the disk."""
    text = server.log_text()
    assert SKIPPED not in text
    assert text.count(DISKLESS) == times


def swap(replica, primary, file):
    """A load that comes to its end."""
    link = primary.link()
    link.send(file)
    link.end()
    wait_until(lambda: replica.client().exists("m3"), "the new data")
    replica.wait_for_sync()


def test_a_link_cut_anywhere(replica, primary, start):
    """At each byte of the payloads, so in the middle of each field."""
    file = file_of(start, lambda client: fill(client, 3))
    client = replica.client()
    before = client.execute_command("DEBUG", "DIGEST")
    begin = min(file.index(key) for key in (b"x3", b"strings3", b"m3"))
    memory = int(replica.info("memory")["used_memory"])
    for place in range(begin, len(file)):
        # A replica asks again when it has given up the load before.
        link = primary.link()
        assert client.execute_command("DEBUG", "DIGEST") == before
        assert names(client) == [[b"m2", b"t2"]]
        link.send(file[:place])
        link.cut()
    works(client, 2)
    assert len(file) - begin > 200
    # Nothing of what came is kept: one model alone would be more.
    wait_until(
        lambda: int(replica.info("memory")["used_memory"]) < memory + (100 << 10),
        "the memory of what had come",
    )
    swap(replica, primary, file)
    works(client, 3)
    diskless(replica, 2 + len(file) - begin)


def test_a_link_cut_from_another_primary(replica, primary, start):
    """It is another history: the server does not serve meanwhile, but gets its data back."""
    file = file_of(start, lambda client: fill(client, 3))
    primary.replid = "5b" * 20
    client = replica.client()
    for part in range(1, 8):
        link = primary.link()
        works(client, 2)
        link.send(file[: len(file) * part // 8])
        link.cut()
    swap(replica, primary, file)
    works(client, 3)
    diskless(replica, 9)


@pytest.mark.parametrize("ends", [False, True], ids=["cut", "whole"])
def test_the_old_data_serves_while_the_new_comes(replica, primary, start, ends):
    file = file_of(start, lambda client: fill(client, 3), pad)
    client = replica.client()
    link = primary.link()
    waiting = Pending(replica)
    enough = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(link.pump, file, enough)
        try:
            wait_until(lambda: loading(client), "the load")
            if replica.binary.version >= (7,):
                for _ in range(3):
                    there(client, 2)
                # No server ends the wait of a blocked client in a load: it is answered afterwards.
                waiting.send(*run(2))
                wait_until(lambda: blocked(client, waiting.id), "the run's command")
                assert client.info("persistence")["async_loading"] == 1
        finally:
            enough.set()
    assert sent.result() < len(file)
    if ends:
        link.send(file[sent.result() :])
        link.end()
        wait_until(lambda: not loading(client), "the end of the load")
        replica.wait_for_sync()
        works(client, 3, keys=131)
    else:
        link.cut()
        primary.link()
        works(client, 2)
    assert int(replica.info("ai")["ai_index_names"]) == listed(replica, 1)
    if replica.binary.version >= (7,):
        # By the model and the tensor of then.
        assert result(waiting.reply()) == [2, 4]


def blocked(client, number):
    """Whether that client waits."""
    return any(one["id"] == str(number) and "b" in one["flags"] for one in client.client_list())


def loading(client):
    """Whether it loads; 6.2 does not serve meanwhile, and says so."""
    try:
        client.exists("m2")
        state = client.info("persistence")
    except redis.exceptions.BusyLoadingError:
        return True
    return state["loading"] or state.get("async_loading")
