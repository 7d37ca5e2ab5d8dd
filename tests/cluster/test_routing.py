"""Where a cluster sends each form of each command: `MOVED`, `ASK`, `TRYAGAIN`, `CROSSSLOT`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from commands.wire import OK, Failure, Wire
from forms import FORMS, KEYLESS, Form
from redisai_rs.testing import Cluster, Server
from redisai_rs.testing.cluster import node_id

# These may have keys of two slots.
MANY_KEYS = (
    "modelexecute modelrun scriptexecute scriptrun dagexecute dagexecute_ro dagrun dagrun_ro"
)
REDIRECTS = (b"MOVED ", b"ASK ", b"TRYAGAIN ", b"CROSSSLOT ", b"CLUSTERDOWN ")
Connect = Callable[[Server], Wire]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A factory of connections."""
    made: list[Wire] = []

    def one(server: Server) -> Wire:
        made.append(Wire((server.host, server.port)))
        return made[-1]

    yield one
    for wire in made:
        wire.close()


@pytest.fixture
def moving(cluster: Cluster, tag: str) -> Iterator[int]:
    """The slot of the tag, on its way from the first primary to the second."""
    source, target = cluster.primaries[:2]
    slot = source.execute("CLUSTER", "KEYSLOT", tag)
    assert isinstance(slot, int)
    cluster.begin_move(slot, source, target)
    yield slot
    for server in (target, source):
        server.client().flushall()
        server.execute("CLUSTER", "SETSLOT", slot, "STABLE")


def named(form: Form, tag: str) -> list[str]:
    """The form with keys of one tag, none twice."""
    return form.words([tag + name for name in form.names()])


def redirected(reply: object) -> bool:
    return isinstance(reply, Failure) and reply.startswith(REDIRECTS)


def moved(cluster: Cluster, tag: str) -> bytes:
    owner = cluster.owner(tag)
    slot = owner.execute("CLUSTER", "KEYSLOT", tag)
    return f"MOVED {slot} {owner.host}:{owner.port}".encode()


def test_moved(cluster: Cluster, tag: str, connect: Connect) -> None:
    """Every node but the owner sends to the owner; a replica too, unless it may be read."""
    replica = cluster.replicas_of(cluster.primaries[0])[0]
    commands = [named(form, tag) for form in FORMS]
    for server in (cluster.primaries[1], cluster.primaries[2], *cluster.replicas):
        for command, reply in zip(commands, connect(server).many(commands), strict=True):
            assert reply == Failure(moved(cluster, tag)), (command, server.port)
    reader = connect(replica)
    assert reader("READONLY") == OK
    flags = {one[0]: set(map(bytes, one[2])) for one in reader("COMMAND")}
    for form, command in zip(FORMS, commands, strict=True):
        reply = reader(*command)
        if b"readonly" in flags[form.command.encode()]:
            assert not redirected(reply), (command, reply)
        else:
            assert reply == Failure(moved(cluster, tag)), command


def test_keys_of_two_slots(cluster: Cluster, tag: str, other_tag: str, connect: Connect) -> None:
    """Each key in turn is of another slot than the rest: no node takes it, its owner neither."""
    wires = [connect(server) for server in cluster.primaries]
    forms = [form for form in FORMS if len(form.slots) > 1]
    assert {form.command for form in forms} == {f"ai.{name}" for name in MANY_KEYS.split()} & {
        form.command for form in FORMS
    }
    for form in forms:
        for other in range(len(form.slots)):
            names = enumerate(form.names())
            command = form.words([(other_tag if at == other else tag) + name for at, name in names])
            for wire in wires:
                reply = wire(*command)
                assert reply.startswith(b"CROSSSLOT "), (command, reply)


def test_at_home(cluster: Cluster, tag: str, connect: Connect) -> None:
    owner = connect(cluster.owner(tag))
    for form in FORMS:
        assert not redirected(owner(*named(form, tag))), form
    owner("FLUSHALL")


def test_without_keys(cluster: Cluster, connect: Connect) -> None:
    for server in cluster.primaries:
        wire = connect(server)
        for line in KEYLESS:
            assert not redirected(wire.line(line)), line


def test_ask(cluster: Cluster, tag: str, moving: int, connect: Connect) -> None:
    """The old owner asks for what it lacks at the new one, which takes it after `ASKING` only."""
    target = cluster.primaries[1]
    old, new, third = (connect(server) for server in cluster.primaries)
    ask = Failure(f"ASK {moving} {target.host}:{target.port}".encode())
    for form in FORMS:
        command = named(form, tag)
        assert old(*command) == ask, form
        for wire in (new, third):
            assert wire(*command) == Failure(moved(cluster, tag)), form
        assert new("ASKING") == OK
        reply = new(*command)
        if len(form.slots) == 1:
            assert not redirected(reply), (form, reply)
        else:
            # Of several keys all must have come. A routing tag counts as a key that has not.
            assert reply.startswith(b"TRYAGAIN "), (form, reply)
        new("FLUSHALL")


def test_while_a_key_is_still_there(
    cluster: Cluster, tag: str, moving: int, connect: Connect
) -> None:
    """The old owner serves what it has all the keys of, and nothing that it has some of."""
    old = connect(cluster.primaries[0])
    for form in FORMS:
        command = named(form, tag)
        keys = [tag + name for name in form.names()]
        for count in range(1, len(keys) + 1):
            # Set before the slot moves: now they would be asked for elsewhere.
            assert old("CLUSTER", "SETSLOT", moving, "STABLE") == OK
            old("FLUSHALL")
            for key in keys[:count]:
                assert old("SET", key, 1) == OK
            target = node_id(cluster.primaries[1])
            assert old("CLUSTER", "SETSLOT", moving, "MIGRATING", target) == OK
            reply = old(*command)
            if count == len(keys):
                assert not redirected(reply), (command, reply)
            else:
                assert reply.startswith((b"ASK ", b"TRYAGAIN ")), (command, reply)
