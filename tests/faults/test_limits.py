"""QUEUE_LIMIT and MAX_QUEUES."""

import pytest
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import wait_until

NO_QUEUE = "ERR Could not initialize queue on requested device"


@pytest.fixture
def start(make_server, server_binary, held_arguments):
    return lambda *options: make_server(server_binary, module_args=[*held_arguments, *options])


def full(server, client, at, limit):
    """A run at the gate, and as many behind it as the queue takes."""
    store(client, "m", at.run_text)
    tensor(client, "x", 1)
    first = Pending(server, *run("m", ["x"], ["y"]))
    at.reached()
    queued = [Pending(server, *run("m", ["x"], [f"y{n}"])) for n in range(limit)]
    length = "ai_queue_CPU_length"
    wait_until(lambda: server.info("ai")[length] == str(limit), "the full queue")
    return first, queued


def test_a_full_queue_refuses_and_recovers(start, tmp_path):
    server = start("QUEUE_LIMIT", 3)
    client = server.client()
    at = Gate(tmp_path / "gate")
    first, queued = full(server, client, at, limit=3)
    for _ in range(2):
        one = Pending(server, *run("m", ["x"], ["z"]))
        assert one.error() == "ERR Queue of device CPU is full"
    # Another device has a queue of its own.
    store(client, "other", "identity", device="CPU:1")
    assert client.execute_command(*run("other", ["x"], ["o"])) == b"OK"
    assert not client.exists("z")
    for one in (first, *queued):
        at.open()
        assert one.reply() == b"OK"
    one = Pending(server, *run("m", ["x"], ["z"]))
    at.open()
    assert one.reply() == b"OK"
    assert values(client, "z") == [1]
    # The refused ones count for nothing.
    assert info(client, "m")["calls"] == 5


@pytest.mark.parametrize("end", ["timeout", "kill"])
def test_runs_that_have_ended_make_room(start, tmp_path, end):
    server = start("QUEUE_LIMIT", 2)
    client = server.client()
    at = Gate(tmp_path / "gate")
    store(client, "m", at.run_text)
    tensor(client, "x", 1)
    first = Pending(server, *run("m", ["x"], ["y"]))
    at.reached()
    for _ in range(5):
        if end == "timeout":
            one = Pending(server, *run("m", ["x"], ["z"], "TIMEOUT", 1))
            assert one.reply() == b"TIMEDOUT"
        else:
            one = Pending(server, *run("m", ["x"], ["z"]))
            client.client_kill_filter(_id=one.id)
            wait_until(
                lambda n=one.id: str(n) not in {c["id"] for c in client.client_list()},
                "the client's end",
            )
    last = Pending(server, *run("m", ["x"], ["last"]))
    at.open()
    assert first.reply() == b"OK"
    at.open()
    assert last.reply() == b"OK"


def test_more_devices_than_queues(start):
    server = start("MAX_QUEUES", 3)
    client = server.client()
    for device in ("CPU", "CPU:1", "GPU:0", "gpu", "cpu:1"):
        store(client, f"m {device}", "identity", device=device)
    one = Pending(server, "AI.MODELSTORE", "over", "ONNX", "CPU:2", "BLOB", "identity")
    assert one.error() == NO_QUEUE
    assert not client.exists("over")
    # Nothing else is harmed.
    tensor(client, "x", 1)
    assert client.execute_command(*run("m CPU:1", ["x"], ["y"])) == b"OK"
    assert sorted(name for name in server.info("ai") if name.endswith("_length")) == [
        "ai_queue_CPU_1_length",  # the server allows no colon here
        "ai_queue_CPU_length",
        "ai_queue_GPU_length",
    ]


def test_a_device_that_is_refused_takes_no_queue(start):
    server = start("MAX_QUEUES", 2)
    client = server.client()
    one = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU:7", "BLOB", "fail-load no")
    assert one.error() == "ERR no"
    store(client, "m", "identity", device="CPU:8")
