"""DAGs in a full queue, deadlines while all workers are busy, floods, and servers that end."""

from __future__ import annotations

import pytest
import redis
from dag.ops import dag, execute, tget, tset
from holding import Pending, gate_factory, info, run, store, tensor, values
from redisai_rs.testing import wait_until

FULL = "ERR Queue of device CPU is full"


@pytest.fixture
def start(make_server, server_binary, held_arguments):
    return lambda *options: make_server(server_binary, module_args=[*held_arguments, *options])


@pytest.fixture
def make_gate(tmp_path):
    with gate_factory(tmp_path) as make:
        yield make


def test_a_full_queue_at_the_middle_of_a_dag(start, make_gate):
    """Its first operation is on another device; the second finds the queue of its own full."""
    server = start("QUEUE_LIMIT", 1)
    client = server.client()
    first, second = make_gate(), make_gate()
    store(client, "first", first.run_text, device="CPU:1")
    store(client, "m", second.run_text)
    tensor(client, "x", 1)
    ops = [execute("first", "x", "a"), execute("m", "a", "b"), tget("b")]
    one = Pending(server, *dag(*ops, head="LOAD 1 x PERSIST 1 a"))
    first.reached()
    running = Pending(server, *run("m", ["x"], ["y"]))
    second.reached()
    queued = Pending(server, *run("m", ["x"], ["z"]))
    wait_until(lambda: server.info("ai")["ai_queue_CPU_length"] == "1", "the full queue")
    first.open()
    done, refused, never = one.reply()
    assert (done, never) == (b"OK", b"NA")
    assert str(refused) == FULL.removeprefix("ERR ")
    assert not client.exists("a")
    for each in (running, queued):
        second.open()
        assert each.reply() == b"OK"
    assert client.ping()


@pytest.mark.parametrize("workers", [1, 2])
def test_deadlines_while_all_workers_are_busy(start, make_gate, workers):
    server = start("THREADS_PER_QUEUE", workers)
    client = server.client()
    tensor(client, "x", 1)
    store(client, "m", "identity")
    gates, held_runs = [make_gate() for _ in range(workers)], []
    for n, at in enumerate(gates):
        store(client, f"slow{n}", at.run_text)
        held_runs.append(Pending(server, *run(f"slow{n}", ["x"], [f"y{n}"])))
        at.reached()
    late = [
        Pending(server, *run("m", ["x"], ["z"], "TIMEOUT", 20)),
        Pending(server, *dag(tset("a", 1), execute("m", "a", "b"), head="ROUTING r TIMEOUT 20")),
    ]
    assert [one.reply() for one in late] == [b"TIMEDOUT"] * 2
    assert not any(one.answered() for one in held_runs)
    for at, one in zip(gates, held_runs, strict=True):
        at.open()
        assert one.reply() == b"OK"
    assert client.execute_command(*run("m", ["x"], ["w"])) == b"OK"
    assert info(client, "m")["calls"] == 1


def test_a_flood_on_one_model_does_not_hold_up_another(start, make_gate):
    """Of 200 runs only a few are begun before those of others, whether these came first or last."""
    server = start()
    client = server.client()
    tensor(client, "x", 1)
    at = make_gate()
    store(client, "gate", at.run_text)
    store(client, "flood", "sleep 10")
    for name in ("early", "late"):
        store(client, name, "sleep 1")
    front = Pending(server, *run("gate", ["x"], ["g"]))
    at.reached()

    def others(name):
        return [Pending(server, *run(name, ["x"], [f"{name}{n}"])) for n in range(3)]

    early = others("early")
    wait_until(lambda: server.info("ai")["ai_queue_CPU_length"] == "3", "the early runs")
    flood = [Pending(server, *run("flood", ["x"], [f"f{n}"])) for n in range(200)]
    wait_until(lambda: server.info("ai")["ai_queue_CPU_length"] == "203", "the flood")
    late = others("late")
    wait_until(lambda: server.info("ai")["ai_queue_CPU_length"] == "206", "the late runs")
    at.open()
    assert front.reply() == b"OK"
    assert [one.reply() for one in (*early, *late)] == [b"OK"] * 6
    # In order of arrival, or with the flood always first, all 200 would be over.
    assert info(client, "flood")["calls"] < 100
    assert [one.reply() for one in flood] == [b"OK"] * 200
    server.assert_alive()


@pytest.mark.parametrize("how", ["SAVE", "NOSAVE"])
def test_shutdown_with_batches_and_dags_in_flight(start, make_gate, how):
    server = start()
    client = server.client()
    at = make_gate()
    tensor(client, "x", 1)
    sizes = ["BATCHSIZE", 2, "MINBATCHSIZE", 2]
    for name, text in (("m", at.run_text), ("waits", "identity")):
        words = ["AI.MODELSTORE", name, "ONNX", "CPU", *sizes, "BLOB", text]
        assert client.execute_command(*words) == b"OK"
    client.save()
    client.set("after", 1)
    head = "LOAD 1 x PERSIST 1 d"
    runs = [
        Pending(server, *run("m", ["x"], ["y"])),
        Pending(server, *dag(execute("m", "x", "d"), head=head)),
    ]
    at.reached()
    runs.append(Pending(server, *run("waits", ["x"], ["w"])))
    wait_until(lambda: server.info("ai")["ai_queue_CPU_length"] == "1", "the waiting run")
    shutdown = Pending(server, "SHUTDOWN", how)
    assert server.wait_for_exit() == 0
    server.stop()  # nothing runs; this looks at the log for a crash
    shutdown.close()
    for one in runs:
        with pytest.raises((redis.ConnectionError, OSError)):
            one.reply()
    at.close()
    server.start()
    client = server.client()
    saved = [b"after"] if how == "SAVE" else []
    assert sorted(client.keys()) == [*saved, b"m", b"waits", b"x"]


def test_the_replica_has_what_batches_and_dags_stored(start):
    server = start()
    client = server.client()
    sizes = ["BATCHSIZE", 4, "MINBATCHSIZE", 4]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", "identity"]
    assert client.execute_command(*words) == b"OK"
    with server.replica() as replica:
        replica.wait_for_sync()
        for n in range(4):
            tensor(client, f"x{n}", n)
        head = "LOAD 1 x{0} PERSIST 1 y{0}"
        runs = [
            Pending(server, *run("m", ["x0"], ["y0"])),
            Pending(server, *run("m", ["x1"], ["y1"])),
            Pending(server, *dag(execute("m", "x2", "y2"), head=head.format(2))),
            Pending(server, *dag(execute("m", "x3", "y3"), head=head.format(3))),
        ]
        replies = [one.reply() for one in runs]
        assert replies == [b"OK", b"OK", [b"OK"], [b"OK"]]
        replica.wait_for_offset(server)
        digests = [one.execute_command("DEBUG", "DIGEST") for one in (client, replica.client())]
        assert digests[0] == digests[1]
        assert [values(replica.client(), f"y{n}") for n in range(4)] == [[n] for n in range(4)]
        # The replica becomes a primary and its batches run there.
        new = replica.client()
        new.replicaof("NO", "ONE")
        again = [Pending(replica, *run("m", [f"x{n}"], [f"z{n}"])) for n in range(4)]
        assert [one.reply() for one in again] == [b"OK"] * 4
        assert [values(new, f"z{n}") for n in range(4)] == [[n] for n in range(4)]
