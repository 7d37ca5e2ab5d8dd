"""Runs without a hand-off (`INLINE_RUNS`): what a client sees is the same as through the queue."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from holding import NO_LIMIT, Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import Server, wait_until

MakeServer = Callable[..., Server]

# More than the engine wants to see before it believes.
ENOUGH = 150


class Rig:
    """A server and whether it runs a model while its only worker is busy."""

    def __init__(self, server: Server, gate: Gate) -> None:
        self.server = server
        self.client: redis.Redis = server.client()
        self.gate = gate
        store(self.client, "gate", gate.run_text)
        tensor(self.client, "x", 1.5, -2)

    def warm(self, *command: object, runs: int = ENOUGH) -> None:
        """Has the model run on its worker, if it does."""
        for _ in range(runs):
            assert self.client.execute_command(*command) == b"OK"

    def at_once(self, *command: object) -> bool:
        """Whether this run does not need the worker, which is held meanwhile."""
        held = Pending(self.server, *run("gate", ["x"], ["held"]))
        self.gate.reached()
        reply = self.client.execute_command(*command, "TIMEOUT", 50)
        self.gate.open()
        assert held.reply() == b"OK"
        held.close()
        assert reply in (b"OK", b"TIMEDOUT")
        return reply == b"OK"

    def until_at_once(self, *command: object) -> None:
        """Runs until it is believed: on a busy machine some runs take long."""

        def believed() -> bool:
            self.warm(*command)
            return self.at_once(*command)

        wait_until(believed, "a run without a hand-off")


@pytest.fixture
def rig(make_server: MakeServer, mock_path: Path, tmp_path: Path) -> Callable[[str], Rig]:
    """`rig("yes")`: with `INLINE_RUNS yes`."""

    def make(option: str) -> Rig:
        mock = ["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT]
        inline = ["INTRA_OP_PARALLELISM", 1, "INLINE_RUNS", option]
        return Rig(make_server(module_args=[*mock, *inline]), Gate(tmp_path / "gate"))

    return make


def test_a_short_run_needs_no_worker(rig: Callable[[str], Rig]) -> None:
    at = rig("yes")
    store(at.client, "m", "identity")
    command = run("m", ["x"], ["y"])
    # The first ones always go through the queue.
    assert not at.at_once(*command)
    at.until_at_once(*command)
    assert values(at.client, "y") == [1.5, -2]


def test_it_can_be_switched_off(rig: Callable[[str], Rig]) -> None:
    at = rig("no")
    store(at.client, "m", "identity")
    command = run("m", ["x"], ["y"])
    at.warm(*command, runs=4 * ENOUGH)
    assert not at.at_once(*command)


def test_a_model_with_sub_graphs_or_a_minimum_is_queued(rig: Callable[[str], Rig]) -> None:
    at = rig("yes")
    store(at.client, "loops", "identity\ncontrol-flow")
    minimum = ("BATCHSIZE", 8, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 1)
    batch = ("AI.MODELSTORE", "waits", "ONNX", "CPU", *minimum, "BLOB", "identity")
    assert at.client.execute_command(*batch) == b"OK"
    for model in ("loops", "waits"):
        command = run(model, ["x"], ["y"])
        at.warm(*command, runs=4 * ENOUGH)
        assert not at.at_once(*command), model


def test_a_lone_client_needs_no_batches(rig: Callable[[str], Rig]) -> None:
    at = rig("yes")
    client = at.client
    batch = ("AI.MODELSTORE", "m", "ONNX", "CPU", "BATCHSIZE", 8, "BLOB", "identity")
    assert client.execute_command(*batch) == b"OK"
    command = run("m", ["x"], ["y"])
    at.until_at_once(*command)
    # Requests that come together share runs.
    clients = [Pending(at.server, "PING") for _ in range(16)]
    assert {each.reply() for each in clients} == {b"PONG"}
    client.execute_command("AI.INFO", "m", "RESETSTAT")

    def shared() -> bool:
        os.kill(at.server.pid, signal.SIGSTOP)
        for number, each in enumerate(clients):
            each.send(*run("m", ["x"], [f"out{number}"]))
        os.kill(at.server.pid, signal.SIGCONT)
        assert [each.reply() for each in clients] == [b"OK"] * len(clients)
        return bool(info(client, "m", "FULL")["batches"] > 0)

    wait_until(shared, "a run of several requests")
    assert all(values(client, f"out{number}") == [1.5, -2] for number in range(len(clients)))
    # And alone again.
    at.until_at_once(*command)


@pytest.mark.parametrize("option", ["yes", "no"])
def test_the_same_replies_effects_and_counts(rig: Callable[[str], Rig], option: str) -> None:
    at = rig(option)
    client = at.client
    store(client, "m", "identity\ninputs 2\noutputs 2")
    store(client, "fails", "fail it fails")
    tensor(client, "z", 7, 8)
    both = run("m", ["x", "z"], ["y", "w"])
    if option == "yes":
        at.until_at_once(*both)
    with at.server.replica() as replica:
        replica.wait_for_sync()
        client.execute_command("AI.INFO", "m", "RESETSTAT")
        client.delete("y", "w")
        client.config_set("notify-keyspace-events", "Kd")
        events = client.pubsub()
        events.psubscribe("__keyspace@0__:*")
        assert events.get_message(timeout=5)["type"] == "psubscribe"
        if option == "yes":
            assert at.at_once(*both)
        else:
            at.warm(*both, runs=1)
        assert values(client, "y") == [1.5, -2] and values(client, "w") == [7, 8]
        seen = [events.get_message(timeout=5) for _ in range(2)]
        stored = [(event["channel"], event["data"]) for event in seen]
        assert stored == [(f"__keyspace@0__:{key}".encode(), b"ai.tensorset") for key in "yw"]
        # Effects of a later command come after those of the run.
        client.execute_command("SET", "after", 1)
        replica.wait_for_offset(at.server)
        copy = replica.client()
        assert values(copy, "y") == [1.5, -2] and values(copy, "w") == [7, 8]
        copy.close()
    # Once for the run; rows are dimension 0 of the first output.
    counts = info(client, "m")
    assert [counts[name] for name in ("calls", "errors", "samples")] == [1, 0, 2]
    client.set("text", "t")
    for command, error in [
        (run("m", ["x", "z"], ["y", "text"]), "WRONGTYPE Operation against a key"),
        (run("m", ["x", "none"], ["y", "w"]), "tensor key is empty or in a different shard"),
        (run("fails", ["x"], ["y"]), "it fails"),
    ]:
        with pytest.raises(redis.ResponseError, match=error):
            client.execute_command(*command)
    transaction = client.pipeline()
    transaction.execute_command(*both)
    with pytest.raises(
        redis.ResponseError, match="Cannot run RedisAI command within a transaction"
    ):
        transaction.execute()
    assert client.get("text") == b"t"
    assert info(client, "m")["calls"] == 1


def test_one_overrun_ends_it_until_the_model_is_stored_again(rig: Callable[[str], Rig]) -> None:
    at = rig("yes")
    client = at.client
    for key, value in (("quick", 1), ("slow", 255)):
        client.execute_command("AI.TENSORSET", key, "UINT8", 1, "VALUES", value)
    quick, slow = run("m", ["quick"], ["y"]), run("m", ["slow"], ["y"])
    store(client, "m", "burn 50")
    at.until_at_once(*quick)
    # Nothing tells it apart from those before; it runs to its end, and is right.
    assert client.execute_command(*slow) == b"OK"
    assert client.execute_command("AI.TENSORGET", "y", "VALUES") == [255]
    assert not at.at_once(*quick)
    at.warm(*quick, runs=4 * ENOUGH)
    assert not at.at_once(*quick)
    store(client, "m", "burn 50")
    at.until_at_once(*quick)
