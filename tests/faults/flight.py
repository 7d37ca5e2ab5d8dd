"""A batch of several clients and a DAG of several operations, held in the middle of their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from dag.ops import dag, execute, tset
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import Server, wait_until

MEMBERS = 4


def reader(server: Server) -> redis.Redis:
    """A client that may read on whatever the server is now."""
    client = server.client(single_connection_client=True)
    if server.config.get("cluster-enabled") == "yes":
        client.execute_command("READONLY")
    return client


class Flight:
    """Four members of one run, and a DAG of which one operation has run, one is held, one waits.

    Two members are plain runs, two are steps of DAGs. The DAG has a device of its own.
    """

    def __init__(self, server: Server, gates: Callable[[], Gate], tag: str = "") -> None:
        self.server, self.tag = server, tag
        self.batch_gate, self.dag_gate = gates(), gates()
        client, key = server.client(), self.key
        sizes = ["BATCHSIZE", MEMBERS, "MINBATCHSIZE", MEMBERS]
        words = ["AI.MODELSTORE", key("m"), "ONNX", "CPU", *sizes, "BLOB", self.batch_gate.run_text]
        assert client.execute_command(*words) == b"OK"
        store(client, key("slow"), self.dag_gate.run_text, device="CPU:1")
        store(client, key("quick"), "identity", device="CPU:1")
        for n in range(MEMBERS):
            tensor(client, key(f"x{n}"), n)
        self.before = self.keys()
        self.clients: list[Pending] = []

    def begin(self) -> None:
        """Sends all, and waits until both stand at their gates."""
        key = self.key
        for n in range(MEMBERS):
            x, y = key(f"x{n}"), key(f"y{n}")
            plain = run(key("m"), [x], [y])
            step = dag(execute(key("m"), x, y), head=f"LOAD 1 {x} PERSIST 1 {y}")
            self.clients.append(Pending(self.server, *(step if n % 2 else plain)))
        a, b, c, d = (key(name) for name in "abcd")
        ops = [
            tset(a, 5, 6),
            execute(key("quick"), a, b),
            execute(key("slow"), b, c),
            execute(key("quick"), c, d),
        ]
        self.clients.append(Pending(self.server, *dag(*ops, head=f"PERSIST 3 {d} {a} {b}")))
        self.batch_gate.reached()
        self.dag_gate.reached()

    @property
    def replies(self) -> list[Any]:
        """What each client gets where all is well."""
        return [[b"OK"] if n % 2 else b"OK" for n in range(MEMBERS)] + [[b"OK"] * 4]

    @property
    def outputs(self) -> dict[str, list[float]]:
        """The keys that are stored where all is well."""
        members: dict[str, list[float]] = {self.key(f"y{n}"): [n] for n in range(MEMBERS)}
        return members | {self.key(name): [5, 6] for name in "dab"}

    def land(self, *, dropped: bool = False) -> None:
        """Opens the gates and waits until all runs are over.

        dropped: the clients have gone, so that the DAG's last operation does not run.
        """
        self.batch_gate.open()
        self.dag_gate.open()
        client = reader(self.server)
        for name, calls in (("m", MEMBERS), ("slow", 1), ("quick", 1 if dropped else 2)):
            key = self.key(name)
            wait_until(lambda k=key, c=calls: info(client, k)["calls"] == c, "the runs' end")
        assert info(client, self.key("m"), "FULL")["batch_sizes"] == [[MEMBERS, 1]]

    def answered(self) -> bool:
        """Whether any client has a reply."""
        return any(one.answered() for one in self.clients)

    def key(self, name: str) -> str:
        """A key's whole name."""
        return self.tag + name

    def keys(self, server: Server | None = None) -> list[bytes]:
        """The keys of the tag on a server."""
        return sorted(reader(server or self.server).keys(f"{self.tag}*"))

    def assert_succeeds(self) -> None:
        """Each client gets its reply, once, and all outputs are there."""
        assert [one.reply() for one in self.clients] == self.replies
        self._assert_no_more()
        client = self.server.client()
        assert {key: values(client, key) for key in self.outputs} == self.outputs

    def assert_fails(self, texts: str | tuple[str, ...]) -> None:
        """Each client gets an error, once, and nothing of theirs is there."""
        for one in self.clients:
            assert one.error().startswith(texts)
        self._assert_no_more()
        assert self.keys() == self.before

    def _assert_no_more(self) -> None:
        for n, one in enumerate(self.clients):
            try:
                one.send("ECHO", n)
                assert one.reply() == str(n).encode()
            except (redis.ConnectionError, OSError):
                pass  # the server closes the connection behind the error of a change of roles

    def close(self) -> None:
        """Closes the clients."""
        for one in self.clients:
            one.close()


def assert_equal(*servers: Server) -> None:
    """All have the same data."""
    digests = {reader(server).execute_command("DEBUG", "DIGEST") for server in servers}
    assert len(digests) == 1
    assert digests != {b"0" * 40}


def stored(server: Server) -> int:
    """How many tensors a replica was told to store since `CONFIG RESETSTAT`."""
    found = server.info("commandstats").get("cmdstat_ai.tensorset", "calls=0,")
    return int(found.split("calls=")[1].split(",")[0])
