"""Where the keys of a DAG stand: ACL, cluster, getkeys of nonsense; its forms stand in `forms`."""

from __future__ import annotations

import pytest
from commands.models import ADD, store
from commands.wire import OK, PONG, Failure, Wire, failure
from dag.ops import dag, execute, tget, tset
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server


@pytest.mark.parametrize(
    "line",
    [
        "AI.DAGEXECUTE",
        "AI.DAGEXECUTE LOAD",
        "AI.DAGEXECUTE LOAD x a",
        "AI.DAGEXECUTE LOAD 9223372036854775807 a",
        "AI.DAGEXECUTE ROUTING",
        "AI.DAGEXECUTE TIMEOUT",
        "AI.DAGEXECUTE |> |> AI.MODELEXECUTE",
        "AI.DAGEXECUTE x |> AI.MODELEXECUTE m |>",
    ],
)
def test_getkeys_of_nonsense(wire: Wire, line: str) -> None:
    assert isinstance(wire("COMMAND", "GETKEYS", *line.split()), (list, Failure))
    assert wire("PING") == PONG


def test_acl(mocks_server: Server, mocks: Wire) -> None:
    """A user reads and writes what the rules allow, wherever in the DAG the key stands."""
    store(mocks, "m:add", ADD)
    store(mocks, "secret:m", ADD)
    for key in ("own:t", "secret:t"):
        mocks(*tset(key, 1))
    mocks("ACL", "SETUSER", "ann", "reset", "on", ">pw", "+@all", "~own:*", "~m:*")
    ann = Wire((mocks_server.host, mocks_server.port))
    assert ann("AUTH", "ann", "pw") == OK
    run = execute("m:add", "own:t own:t", "y")
    assert ann(*dag(run, tget("y", "VALUES"), head="LOAD 1 own:t")) == [OK, [b"2"]]
    assert ann(*dag(tset("y", 1), tset("own:y", 2), head="PERSIST 1 own:y")) == [OK, OK]
    # Names inside of a DAG are no keys. Nor is the routing tag, which not every server leaves out.
    assert ann(*dag(tset("secret:t", 1), head="ROUTING own:r")) == [OK]
    for command in (
        dag(run, head="LOAD 2 own:t secret:t"),
        dag(tset("secret:y", 1), head="PERSIST 1 secret:y"),
        dag(tset("y", 1), execute("secret:m", "y y", "z"), head="ROUTING own:r"),
        dag(
            tset("y", 1),
            execute("m:add", "y y", "z"),
            execute("secret:m", "z z", "z"),
            head="ROUTING own:r",
        ),
        dag(tget("secret:t"), head="LOAD 1 secret:t", kind="AI.DAGRUN_RO"),
        dag(
            tset("y", 1),
            ["AI.MODELRUN", "secret:m", "INPUTS", "y", "y", "OUTPUTS", "z"],
            head="",
            kind="AI.DAGRUN",
        ),
    ):
        reply = ann(*command)
        assert isinstance(reply, Failure), command
        assert reply.startswith(b"NOPERM"), command
    assert mocks("EXISTS", "secret:y") == 0
    mocks("ACL", "DELUSER", "ann")
    ann.close()


def test_cluster(make_server) -> None:
    """The server itself refuses keys of several slots, the routing tag's among them."""
    server = make_server(config={"cluster-enabled": "yes"})
    client = server.client()
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wire = Wire((server.host, server.port))
    ready = failure("CLUSTERDOWN The cluster is down")
    while wire(*tset("a{1}", 1)) == ready:
        pass
    assert wire(*dag(tget("a{1}", "VALUES"), head="LOAD 1 a{1} ROUTING {1}")) == [[b"1"]]
    crossslot = b"CROSSSLOT"
    for command in (
        dag(tget("a{1}"), head="LOAD 1 a{1} ROUTING {2}"),
        dag(tget("a{1}"), head="LOAD 1 a{1} PERSIST 1 b{2}"),
        dag(tget("a{1}"), execute("m{2}", "a{1}", "b"), head="LOAD 1 a{1}"),
    ):
        reply = wire(*command)
        assert isinstance(reply, Failure)
        assert reply.startswith(crossslot), command
    wire.close()


def test_documentation(wire: Wire, server_binary: ServerBinary) -> None:
    if server_binary.version < (7, 0):
        assert isinstance(wire("COMMAND", "DOCS", "ai.dagrun"), Failure)
        return
    for name in ("ai.dagexecute", "ai.dagexecute_ro", "ai.dagrun", "ai.dagrun_ro"):
        _, docs = wire("COMMAND", "DOCS", name)
        docs = dict(zip(docs[::2], docs[1::2], strict=True))
        assert docs[b"summary"]
        assert docs[b"module"] == b"ai"
        names = [dict(zip(arg[::2], arg[1::2], strict=True))[b"name"] for arg in docs[b"arguments"]]
        persist = [] if name.endswith("_ro") else [b"persist"]
        assert names == [b"load", *persist, b"tag", b"milliseconds", b"operation"]
