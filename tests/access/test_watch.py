"""`WATCH` in both directions: what a command does to a watcher, and a transaction to other clients.

`tests/commands/test_transactions.py` has the single commands, `tests/faults/test_transactions.py`
what is in flight.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commands import scripts
from commands.models import store
from commands.wire import OK, Status, Wire
from holding import run as run_words
from holding import store as store_held
from holding import tensor, values
from redisai_rs.testing import Server, wait_until

QUEUED = Status(b"QUEUED")
RUN = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y"
OLD_RUN = "AI.MODELRUN m INPUTS x OUTPUTS y"
SCRIPT = "AI.SCRIPTEXECUTE s same INPUTS 1 x OUTPUTS 1 y"
OLD_SCRIPT = "AI.SCRIPTRUN s same INPUTS x OUTPUTS y"
DAG = f"AI.DAGEXECUTE LOAD 1 x PERSIST 1 y |> {RUN}"
OLD_DAG = f"AI.DAGRUN LOAD 1 x PERSIST 1 y |> {OLD_RUN}"


@pytest.fixture
def other(mocks: Wire, mocks_server: Server) -> Iterator[Wire]:
    store(mocks)
    scripts.store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 3)
    wire = Wire((mocks_server.host, mocks_server.port))
    yield wire
    wire.close()


def goes_through(watcher: Wire, key: str, other: Wire, line: str) -> bool:
    """Whether a transaction that watches a key is carried out after another client's command."""
    assert watcher("WATCH", key) == OK
    other.line(line)
    assert watcher("MULTI") == OK
    assert watcher("PING") == QUEUED
    return watcher("EXEC") is not None


@pytest.mark.parametrize("line", [RUN, OLD_RUN, DAG, OLD_DAG, SCRIPT, OLD_SCRIPT])
def test_what_is_stored_aborts_a_watch_of_it_and_of_nothing_else(
    mocks: Wire, other: Wire, line: str
) -> None:
    for key in ("m", "s", "x", "none"):
        assert goes_through(mocks, key, other, line), key
    for before in ("there", "not there"):
        if before == "not there":
            mocks("DEL", "y")
        assert not goes_through(mocks, "y", other, line), before


@pytest.mark.parametrize(
    "line",
    [
        f"AI.DAGEXECUTE_RO LOAD 1 x |> {RUN}",
        f"AI.DAGRUN_RO LOAD 1 x |> {OLD_RUN}",
        f"AI.DAGEXECUTE ROUTING y |> AI.TENSORSET x FLOAT 1 |> {RUN}",
        # It fails, and stores nothing.
        f"AI.DAGEXECUTE LOAD 1 x PERSIST 1 y |> {RUN} |> AI.MODELEXECUTE m INPUTS 1 q OUTPUTS 1 r",
        "AI.DAGEXECUTE LOAD 1 none PERSIST 1 y |> AI.TENSORSET y FLOAT 1",
    ],
)
def test_a_dag_that_stores_nothing_aborts_no_watch(mocks: Wire, other: Wire, line: str) -> None:
    mocks("AI.TENSORSET", "y", "FLOAT", 1)
    for key in ("m", "x", "y", "none"):
        assert goes_through(mocks, key, other, line), key


@pytest.mark.parametrize("line", [RUN, DAG])
def test_a_watcher_that_stores_it_itself(mocks: Wire, other: Wire, line: str) -> None:
    """As with `SET`, whatever its client."""
    assert mocks("WATCH", "text") == OK
    mocks("SET", "text", 1)
    assert mocks("MULTI") == OK
    by_set = mocks("EXEC")
    assert mocks("WATCH", "y") == OK
    mocks.line(line)
    assert mocks("MULTI") == OK
    assert mocks("EXEC") == by_set


@pytest.mark.parametrize(
    "line",
    [
        "AI.TENSORSET y FLOAT 1",
        "AI.MODELSTORE y ONNX CPU BLOB identity",
        "AI.SCRIPTSET y CPU {}",
        "AI.MODELDEL m",
    ],
)
def test_what_a_transaction_stores_aborts_a_watch(mocks: Wire, other: Wire, line: str) -> None:
    key = line.split()[1]
    for reader in ("AI.TENSORGET", "AI.MODELGET"):
        store(mocks)
        assert other("WATCH", key) == OK
        other(reader, key)
        assert mocks("MULTI") == OK
        words = [scripts.SOURCE if word == "{}" else word for word in line.split()]
        assert mocks(*words) == QUEUED
        assert mocks("EXEC") == [OK]
        assert other("MULTI") == OK
        assert other.line("AI.TENSORSET z FLOAT 1") == QUEUED
        assert other("EXEC") is None
        mocks("DEL", "y")
    assert mocks("EXISTS", "z") == 0


def test_a_transaction_and_a_run_in_flight(held, pending, gate) -> None:
    """The run has what it has taken, and stores over what the transaction has stored."""
    at = gate()
    store_held(held, "m", at.run_text)
    tensor(held, "x", 1)
    waiting = pending(*run_words("m", ["x"], ["y"]))
    at.reached()
    with held.pipeline(transaction=True) as multi:
        multi.watch("x", "y")
        multi.multi()
        multi.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 7)
        multi.execute_command("AI.TENSORSET", "y", "FLOAT", 1, "VALUES", 8)
        assert multi.execute() == [b"OK", b"OK"]
    assert not waiting.answered()
    watcher = pending("WATCH", "y")
    assert watcher.reply() == b"OK"
    at.open()
    assert waiting.reply() == b"OK"
    wait_until(lambda: values(held, "y") == [1], "the run's output")
    for command, reply in ((("MULTI",), b"OK"), (("PING",), b"QUEUED"), (("EXEC",), None)):
        watcher.send(*command)
        assert watcher.reply() == reply
    assert values(held, "x") == [7]
