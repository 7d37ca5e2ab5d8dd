"""Slots that move while a run or a store is in flight, and keys of several slots."""

from __future__ import annotations

import pytest
from holding import MOVED, Pending, info, run, store, tensor, values
from redisai_rs.testing import wait_until


def left(server, slot):
    """How many keys of the slot a node has."""
    return server.execute("CLUSTER", "COUNTKEYSINSLOT", slot)


def test_a_run_whose_slot_has_moved_stores_nothing(cluster, source, target, slot, tag, held_run):
    one, at = held_run()
    cluster.move_slot(slot, source, target)
    assert left(source, slot) == 0
    at.open()
    assert one.error().startswith(MOVED)
    # Nothing on the old owner, nor in its replica, and nothing sent to the new one.
    assert left(source, slot) == 0
    client = target.client()
    assert sorted(client.keys(f"{tag}*")) == [f"{tag}m".encode(), f"{tag}x".encode()]
    replica = cluster.replicas[0]
    replica.wait_for_offset(source)
    assert left(replica, slot) == 0
    # The connection goes on, and is told where the key is now.
    one.send(*run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
    assert str(one.reply()) == f"{slot} {target.host}:{target.port}"
    # The model came along, and runs where it is.
    again = Pending(target, *run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
    at.open()
    assert again.reply() == b"OK"
    assert values(client, f"{tag}y") == [1, 2]


def test_an_output_that_would_be_the_importing_nodes(cluster, source, target, slot, tag, held_run):
    """While a slot migrates a key that the old owner lacks is asked for at the new one."""
    one, at = held_run()
    cluster.begin_move(slot, source, target)
    at.open()
    assert one.error().startswith(MOVED)
    assert sorted(source.client().keys(f"{tag}*")) == [f"{tag}m".encode(), f"{tag}x".encode()]
    cluster.move_keys(slot, source, target)
    cluster.end_move(slot, source, target)
    assert left(target, slot) == 2


def test_an_output_that_has_not_migrated_yet_is_stored(
    cluster, source, target, slot, tag, held_run
):
    tensor(source.client(), f"{tag}y", 7)
    one, at = held_run()
    cluster.begin_move(slot, source, target)
    at.open()
    assert one.reply() == b"OK"
    cluster.move_keys(slot, source, target)
    cluster.end_move(slot, source, target)
    assert left(source, slot) == 0
    assert values(target.client(), f"{tag}y") == [1, 2]


def test_a_migration_that_is_given_up(cluster, source, target, slot, tag, held_run):
    one, at = held_run()
    cluster.begin_move(slot, source, target)
    for server in (source, target):
        server.execute("CLUSTER", "SETSLOT", slot, "STABLE")
    at.open()
    assert one.reply() == b"OK"
    assert values(source.client(), f"{tag}y") == [1, 2]


@pytest.mark.parametrize("gone", [False, True], ids=["its client waits", "its client has gone"])
def test_a_store_whose_slot_has_moved(cluster, source, target, slot, tag, gate, gone):
    at = gate()
    key = f"{tag}m"
    one = Pending(source, "AI.MODELSTORE", key, "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    cluster.move_slot(slot, source, target)
    if gone:
        source.client().client_kill_filter(_id=one.id)
    at.open()
    if gone:
        text = f"model {key}, whose client has gone, was not stored: {MOVED}"
        source.wait_for_log(text)
    else:
        assert one.error().startswith(MOVED)
    assert left(source, slot) == left(target, slot) == 0


def test_a_run_with_two_outputs_stores_both_or_none(cluster, source, target, slot, tag, gate):
    at, client = gate(), source.client()
    store(client, f"{tag}m", at.run_text)
    tensor(client, f"{tag}x", 1)
    # One of them is here, the other would be the importing node's.
    tensor(client, f"{tag}y", 7)
    keys = [f"{tag}x", f"{tag}x"], [f"{tag}y", f"{tag}z"]
    one = Pending(source, *run(f"{tag}m", *keys))
    at.reached()
    cluster.begin_move(slot, source, target)
    at.open()
    assert one.error().startswith(MOVED)
    assert values(client, f"{tag}y") == [7]
    assert not target.execute("CLUSTER", "COUNTKEYSINSLOT", slot)
    wait_until(lambda: info(client, f"{tag}m")["calls"] == 1, "the run's count")


LINES = [
    "AI.MODELEXECUTE M INPUTS 1 x OUTPUTS 1 y",
    "AI.MODELEXECUTE m INPUTS 1 X OUTPUTS 1 y",
    "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 Y TIMEOUT 5000",
    "AI.MODELEXECUTE m INPUTS 2 x X OUTPUTS 2 y y",
    "AI.MODELRUN m INPUTS x OUTPUTS y Y",
    "AI.MODELRUN M TIMEOUT 5000 INPUTS x OUTPUTS y",
]


@pytest.mark.parametrize("line", LINES)
def test_keys_of_two_nodes(source, target, tag, other_tag, line):
    for server, name in ((source, tag), (target, other_tag)):
        store(server.client(), f"{name}m", "identity")
        tensor(server.client(), f"{name}x", 1)
    names = dict.fromkeys("mxy", tag) | dict.fromkeys("MXY", other_tag)
    words = [names[word] + word.lower() if word in names else word for word in line.split()]
    for server in (source, target):
        error = Pending(server, *words).reply()
        assert type(error).__name__ == "ClusterCrossSlotError"
    assert not source.client().exists(f"{tag}y")


def test_keys_that_are_all_elsewhere(source, target, tag):
    """The key positions lead a client to the node, for every form."""
    slot = source.execute("CLUSTER", "KEYSLOT", tag)
    for line in (
        "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y",
        "AI.MODELRUN m INPUTS x OUTPUTS y",
        "AI.TENSORGET x",
        "AI.TENSORSET x FLOAT 1",
        "AI.MODELSTORE m ONNX CPU BLOB identity",
        "AI.MODELGET m",
        "AI.MODELDEL m",
        "AI.INFO m",
    ):
        words = [tag + word if word in {"m", "x", "y"} else word for word in line.split()]
        error = Pending(target, *words).reply()
        assert type(error).__name__ == "MovedError"
        assert str(error) == f"{slot} {source.host}:{source.port}"
