"""Clients of a cluster that send without a pause and remember what was acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from commands.wire import OK, Failure, Wire
from redisai_rs.testing import DEADLINE, Cluster, Server, wait_until

# The server's own words for "not now": nothing was done.
LATER = (b"TRYAGAIN ", b"CLUSTERDOWN ", b"LOADING ", b"MASTERDOWN ")
# The end of a command in whose middle the slot went, the role changed, or writes were paused for
# that: nothing was stored. The server closes the connection behind the first of them.
NOTHING_STORED = (
    b"UNBLOCKED force unblock from blocking operation",
    b"ERR the server became a replica or the key's slot moved while the command ran: nothing was",
    b"ERR the server could not be written to when the run ended: nothing was stored",
)


class Router:
    """A client that goes where the cluster sends it."""

    def __init__(self, cluster: Cluster, home: Server) -> None:
        self.cluster = cluster
        self.address = (home.host, home.port)
        self._wires: dict[tuple[str, int], Wire] = {}

    def __call__(self, *command: object) -> object:
        """The reply, once a node has taken the command. A connection that breaks is raised."""
        return wait_until(lambda: self._try(command), f"a node that takes {command}")[0]

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    def forget(self) -> None:
        """After an error of a connection: its replies are not to be trusted."""
        self.close()
        self._wires.clear()

    def _try(self, command: Sequence[object]) -> tuple[object] | None:
        reply = self.wire(self.address)(*command)
        if not isinstance(reply, Failure):
            return (reply,)
        word, *rest = bytes(reply).split()
        if word in (b"MOVED", b"ASK"):
            host, _, port = rest[1].decode().rpartition(":")
            address = (host, int(port))
            if word == b"MOVED":
                self.address = address
                return None
            wire = self.wire(address)
            wire("ASKING")
            reply = wire(*command)
            if isinstance(reply, Failure) and reply.startswith(b"MOVED "):
                # It is on its way back already: ask the owner again.
                return None
        if isinstance(reply, Failure) and reply.startswith(LATER):
            return None
        return (reply,)

    def wire(self, address: tuple[str, int]) -> Wire:
        if address not in self._wires:
            self._wires[address] = Wire(address)
        return self._wires[address]


class Caller(threading.Thread):
    """Sets tensors, runs a model and stores models, on keys that only this client writes.

    `wait` is how many replicas must confirm each write (`WAIT`) before it counts as acknowledged.
    """

    KEYS = 16

    def __init__(
        self, cluster: Cluster, tag: str, number: int, *, wait: int = 0, runs: bool = True
    ) -> None:
        super().__init__()
        self.cluster, self.tag, self.number, self.wait, self.runs = cluster, tag, number, wait, runs
        self.router = Router(cluster, cluster.owner(tag))
        self.stopped = threading.Event()
        self.step = 0
        self.acknowledged: dict[str, int] = {}
        # What was sent since and may be there: the connection broke before the reply.
        self.possible: dict[str, set[int]] = {}
        self.counts = {"tensor": 0, "run": 0, "store": 0, "refused": 0, "lost": 0}
        self.failure: BaseException | None = None

    @property
    def done(self) -> int:
        """How many writes were acknowledged."""
        return sum(self.counts[kind] for kind in ("tensor", "run", "store"))

    def key(self, kind: str, step: int = 0) -> str:
        return f"{self.tag}{kind}{self.number}-{step % self.KEYS}"

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                self.step += 1
                self._turn()
        except BaseException as error:
            self.failure = error
        finally:
            with suppress(OSError):
                self.router.close()

    def _turn(self) -> None:
        step = self.step
        self._write("tensor", self.key("t", step), *self._tensor(self.key("t", step), step))
        if step % 10 == 0:
            store = ("AI.MODELSTORE", self.key("m"), "ONNX", "CPU", "TAG", step)
            self._write("store", self.key("m"), *store, "BLOB", "sleep 1")
        if self.runs and self.key("m") in self.acknowledged:
            x, y = self.key("x"), self.key("y", step)
            if self._write("tensor", x, *self._tensor(x, step)):
                model = (self.key("m"), "INPUTS", 1, x, "OUTPUTS", 1, y)
                self._write("run", y, "AI.MODELEXECUTE", *model)

    def _tensor(self, key: str, step: int) -> tuple[object, ...]:
        return ("AI.TENSORSET", key, "INT64", 1, "VALUES", step)

    def _write(self, kind: str, key: str, *command: object) -> bool:
        """Whether the command was acknowledged; its value is the step."""
        try:
            reply = self.router(*command)
            confirmed = not self.wait or self._confirmed()
        except OSError:
            self.router.forget()
            self.counts["lost"] += 1
            self.possible.setdefault(key, set()).add(self.step)
            self._find_home()
            return False
        if reply == OK and confirmed:
            self.acknowledged[key] = self.step
            self.possible.pop(key, None)
            self.counts[kind] += 1
            return True
        if reply == OK:
            self.possible.setdefault(key, set()).add(self.step)
        else:
            assert isinstance(reply, Failure), reply
            assert reply.startswith(NOTHING_STORED), reply
            self.counts["refused"] += 1
            if reply.startswith(b"UNBLOCKED"):
                self.router.forget()
        return False

    def _confirmed(self) -> bool:
        wire = self.router.wire(self.router.address)
        reply = wire("WAIT", self.wait, int(DEADLINE * 1000))
        return isinstance(reply, int) and reply >= self.wait

    def _find_home(self) -> None:
        """Some node that lives knows where to go."""
        for server in self.cluster.servers:
            if server.is_alive():
                self.router.address = (server.host, server.port)
                return


@contextmanager
def calling(callers: Sequence[Caller]) -> Iterator[None]:
    """They send while the block runs; afterwards the first failure of one is raised."""
    for one in callers:
        one.start()
    try:
        yield
    finally:
        for one in callers:
            one.stopped.set()
        for one in callers:
            one.join()
    for one in callers:
        if one.failure:
            raise one.failure


def get_on(callers: Sequence[Caller], count: int = 40) -> None:
    """Waits until each has had so many more writes acknowledged."""
    goals = [one.done + count for one in callers]
    pairs = list(zip(callers, goals, strict=True))
    wait_until(
        lambda: all(one.done >= goal or one.failure for one, goal in pairs),
        lambda: f"the clients to get on: {[(one.counts, one.failure) for one in callers]}",
    )


def check(callers: Sequence[Caller], holder: Server) -> None:
    """What was acknowledged is there, and what was refused is not."""
    wire = Wire((holder.host, holder.port))
    for one in callers:
        assert one.acknowledged
        for key, value in one.acknowledged.items():
            if "}m" in key:
                found = int(wire("AI.MODELGET", key, "META")[5])
            else:
                reply = wire("AI.TENSORGET", key, "VALUES")
                assert isinstance(reply, list), (key, reply)
                found = reply[0]
            assert found in {value, *one.possible.get(key, ())}, (key, value, found)
    wire.close()
