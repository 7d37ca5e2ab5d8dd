"""Clients that are killed or unblocked, and data that is flushed or loaded anew, while a batch of
several clients and a DAG of several operations are held in their runs."""

from __future__ import annotations

import pytest
from faults.flight import MEMBERS, Flight
from holding import info, sessions, values
from redisai_rs.testing import wait_until

DAG = MEMBERS


@pytest.fixture
def flight(held_server, held, gate):
    one = Flight(held_server, gate)
    one.begin()
    yield one
    one.close()


def open_gates(flight):
    flight.batch_gate.open()
    flight.dag_gate.open()


@pytest.mark.parametrize("how", [(), ("TIMEOUT",), ("ERROR",)], ids=" ".join)
def test_client_unblock_reaches_none(held, flight, how):
    for one in flight.clients:
        assert held.execute_command("CLIENT", "UNBLOCK", one.id, *how) == 0
    assert not flight.answered()
    flight.land()
    flight.assert_succeeds()


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "SWAPDB 0 5"])
def test_data_that_goes(held, flight, command):
    held.execute_command(*command.split())
    assert held.dbsize() == 0
    open_gates(flight)
    flight.assert_succeeds()
    assert flight.keys() == sorted(key.encode() for key in flight.outputs)


def test_debug_reload(held, held_server, flight):
    assert held.execute_command("DEBUG", "RELOAD") == b"OK"
    assert not flight.answered()
    assert flight.keys() == flight.before
    open_gates(flight)
    flight.assert_succeeds()
    # The old sessions end with their runs; there is one for each model of the loaded data.
    wait_until(lambda: sessions(held_server) == 3, "the end of the old sessions")
    assert info(held, "m")["calls"] == 0


@pytest.mark.parametrize("gone", [{0}, {1}, {0, 3}, {DAG}, set(range(MEMBERS + 1))], ids=str)
def test_clients_that_are_killed(held, held_server, flight, gone):
    """What runs ends, and counts; the others get what is theirs."""
    for n in gone:
        held.client_kill_filter(_id=flight.clients[n].id)
    ids = {flight.clients[n].id for n in gone}
    wait_until(
        lambda: not ids & {int(one["id"]) for one in held.client_list()}, "the clients' ends"
    )
    flight.land(dropped=DAG in gone)
    for n, (one, reply) in enumerate(zip(flight.clients, flight.replies, strict=True)):
        if n not in gone:
            assert one.reply() == reply
    dropped = {f"y{n}" for n in gone}
    if DAG in gone:
        dropped |= set("abd")
    kept = {key: value for key, value in flight.outputs.items() if key not in dropped}
    wait_until(lambda: all(held.exists(key) for key in kept), "the outputs")
    assert {key: values(held, key) for key in kept} == kept
    assert flight.keys() == sorted([*flight.before, *(key.encode() for key in kept)])
    assert info(held, "m")["errors"] == 0


def test_all_clients_are_killed_and_the_queues_go_on(held, held_server, gate, flight):
    held.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: len(held.client_list()) == 1, "the clients' ends")
    flight.land(dropped=True)
    assert flight.keys() == flight.before
    # The same once more, with models in the place of those.
    again = Flight(held_server, gate)
    again.begin()
    again.land()
    again.assert_succeeds()
    again.close()


@pytest.fixture
def parked(held, flight):
    """All runs are over, and their effects wait for the end of a pause."""
    held.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    flight.land()
    for _ in range(20):
        held.ping()
    assert not flight.answered()
    yield flight
    held.client_unpause()


@pytest.mark.parametrize("gone", [{0}, {1, 2}, {DAG}], ids=str)
def test_clients_that_are_killed_with_their_effects_parked(held, parked, gone):
    """The outputs are those of a client that waits for its reply: of one that has gone they are
    dropped."""
    for n in gone:
        held.client_kill_filter(_id=parked.clients[n].id)
    for _ in range(20):
        held.ping()
    held.client_unpause()
    rest = [n for n in range(MEMBERS + 1) if n not in gone]
    assert [parked.clients[n].reply() for n in rest] == [parked.replies[n] for n in rest]
    dropped = {f"y{n}" for n in gone} | (set("abd") if DAG in gone else set())
    kept = {key: value for key, value in parked.outputs.items() if key not in dropped}
    assert {key: values(held, key) for key in kept} == kept
    assert parked.keys() == sorted([*parked.before, *(key.encode() for key in kept)])


def test_client_unblock_reaches_none_that_is_parked(held, parked):
    for one in parked.clients:
        for how in ("TIMEOUT", "ERROR"):
            assert held.execute_command("CLIENT", "UNBLOCK", one.id, how) == 0
    held.client_unpause()
    parked.assert_succeeds()


def test_debug_reload_with_effects_parked(held, held_server, parked):
    assert held.execute_command("DEBUG", "RELOAD") == b"OK"
    held.client_unpause()
    parked.assert_succeeds()
    wait_until(lambda: sessions(held_server) == 3, "the end of the old sessions")
