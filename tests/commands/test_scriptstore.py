"""`AI.SCRIPTSTORE` and `AI.SCRIPTSET`: every form and every error in the contract's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands.scripts import SOURCE, store
from commands.wire import OK, WRONGTYPE, Wire, arity, failure
from holding import Gate
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server, wait_until

MakeServer = Callable[..., Server]
ARITY = arity("AI.SCRIPTSTORE")
SET_ARITY = arity("AI.SCRIPTSET")
NO_ENTRY_POINTS = failure("ERR Insufficient arguments, missing script entry points")
COUNT = failure("ERR Non numeric entry points number provided to AI.SCRIPTSTORE command")
NO_SOURCE = failure("ERR Insufficient arguments, missing script SOURCE")
NO_BACKEND = b"ERR Could not load backend"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("AI.SCRIPTSTORE", ARITY),
        ("AI.SCRIPTSTORE s CPU", ARITY),
        ("AI.SCRIPTSTORE s CPU TAG t SOURCE x", ARITY),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 1 f SOURCE", ARITY),
        ("AI.SCRIPTSTORE s CPU SOURCE x ENTRY_POINTS 1 f", NO_ENTRY_POINTS),
        ("AI.SCRIPTSTORE s CPU TAG t SOURCE x y", NO_ENTRY_POINTS),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS f 1 SOURCE x", COUNT),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 1.5 f SOURCE x", COUNT),
        ("AI.SCRIPTSTORE s CPU TAG t ENTRY_POINTS SOURCE x", COUNT),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 4 f SOURCE x", NO_ENTRY_POINTS),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 9223372036854775807 f SOURCE x", NO_ENTRY_POINTS),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 1 f x SOURCE", NO_SOURCE),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 2 f g SOURCE", NO_SOURCE),
        ("AI.SCRIPTSTORE s CPU ENTRY_POINTS -1 f SOURCE x", NO_SOURCE),
        ("AI.SCRIPTSET", SET_ARITY),
        ("AI.SCRIPTSET s", SET_ARITY),
        ("AI.SCRIPTSET s CPU", SET_ARITY),
        ("AI.SCRIPTSET s CPU SOURCE", SET_ARITY),
        ("AI.SCRIPTSET s CPU TAG", SET_ARITY),
        ("AI.SCRIPTSET s CPU TAG t SOURCE", SET_ARITY),
        ("AI.SCRIPTSET s CPU TAG t SOURCE x y", SET_ARITY),
        ("AI.SCRIPTSET s CPU TAG t", NO_SOURCE),
        ("AI.SCRIPTSET s CPU SOURCES x", NO_SOURCE),
        ("AI.SCRIPTSET s CPU TAG t SOURCES x", NO_SOURCE),
    ],
)
def test_errors_in_order(mocks_both: Wire, line: str, reply: object) -> None:
    assert mocks_both.line(line) == reply
    assert mocks_both("EXISTS", "s") == 0


def shown(wire: Wire, key: str = "s") -> list[object]:
    return wire("AI.SCRIPTGET", key)[1::2]


@pytest.mark.parametrize("device", ["CPU", "cpu", "CPU:", "CPU:0", "GPU:0", "gpu"])
def test_scriptstore(mocks_both: Wire, device: str) -> None:
    names = ["ENTRY_POINTS", 2, "same", "words"]
    command = ["AI.SCRIPTSTORE", "s", device, "TAG", "v1", *names, "SOURCE", SOURCE]
    assert mocks_both(*command) == OK
    assert shown(mocks_both) == [device.encode(), b"v1", [b"same", b"words"], SOURCE]
    # What follows is ignored.
    command = ["ai.scriptstore", "s", device, "entry_points", 1, "same", "source", SOURCE]
    assert mocks_both(*command, "more", "words") == OK
    assert shown(mocks_both) == [device.encode(), b"", [b"same"], SOURCE]


def test_scriptset(mocks_both: Wire) -> None:
    for words, tag in ((["SOURCE", SOURCE], b""), (["TAG", "t", "source", SOURCE], b"t")):
        assert mocks_both("AI.SCRIPTSET", "s", "CPU", *words) == OK
        assert shown(mocks_both) == [b"CPU", tag, [], SOURCE]
    # The form from before 1.0.
    assert mocks_both("AI.SCRIPTSET", "old", "CPU", SOURCE) == OK
    assert shown(mocks_both, "old") == [b"CPU", b"", [], SOURCE]


def test_a_negative_number_counts_as_zero(mocks: Wire) -> None:
    command = ["AI.SCRIPTSTORE", "s", "CPU", "TAG", "t", "ENTRY_POINTS"]
    assert mocks(*command, -2, "SOURCE", SOURCE) == OK
    assert shown(mocks)[2] == []


def test_keywords_as_names_and_any_bytes_as_a_tag(mocks: Wire) -> None:
    source = b"def SOURCE identity"
    names = ["ENTRY_POINTS", 1, "SOURCE", "SOURCE", source]
    assert mocks("AI.SCRIPTSTORE", "TAG", "CPU", "TAG", b"\0\xff", *names) == OK
    assert shown(mocks, "TAG") == [b"CPU", b"\0\xff", [b"SOURCE"], source]


def test_a_source_ends_at_a_nul(mocks: Wire) -> None:
    store(mocks, "s", SOURCE + b"\0def same nonsense")
    assert shown(mocks) == [b"CPU", b"", [b"same"], SOURCE]
    payload = mocks("DUMP", "s")
    assert mocks("RESTORE", "t", 0, payload) == OK
    assert shown(mocks, "t") == shown(mocks)


def test_the_backends_own_words(mocks_both: Wire) -> None:
    store(mocks_both)
    command = ["AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "other", "SOURCE", SOURCE]
    missing = failure("Function other does not exist in the given script.")
    assert mocks_both(*command) == missing
    for text in (b"bare text", b"ERR with prefix"):
        reply = mocks_both("AI.SCRIPTSET", "s", "CPU", "SOURCE", b"fail-load " + text)
        assert reply == failure(text.decode())
    unknown = mocks_both("AI.SCRIPTSET", "s", "DISK", "SOURCE", SOURCE)
    assert unknown.startswith(b"ERR device ")
    # What was there is still there.
    assert shown(mocks_both) == [b"CPU", b"", [b"same"], SOURCE]


def test_other_types_are_refused_and_unharmed(mocks: Wire) -> None:
    mocks("SET", "text", "v")
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    assert mocks("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == OK
    store(mocks)
    for key in ("text", "t", "m"):
        words = ["ENTRY_POINTS", 1, "same", "SOURCE", SOURCE]
        assert mocks("AI.SCRIPTSTORE", key, "CPU", *words) == WRONGTYPE
        assert mocks("AI.SCRIPTSET", key, "CPU", "SOURCE", SOURCE) == WRONGTYPE
    assert mocks("AI.MODELSTORE", "s", "ONNX", "CPU", "BLOB", "identity") == WRONGTYPE
    assert mocks("AI.TENSORSET", "s", "FLOAT", 1) == WRONGTYPE
    assert mocks("AI.MODELGET", "m", "BLOB") == b"identity"
    assert shown(mocks) == [b"CPU", b"", [b"same"], SOURCE]


def test_in_a_transaction_and_in_lua(mocks: Wire) -> None:
    """A client that may not be blocked waits here and now."""
    assert mocks("MULTI") == OK
    mocks("AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "same", "SOURCE", SOURCE)
    mocks("AI.SCRIPTSET", "bad", "CPU", "SOURCE", "fail-load no")
    mocks("AI.SCRIPTGET", "s", "SOURCE")
    assert mocks("EXEC") == [OK, failure("no"), SOURCE]
    lua = "return redis.call('AI.SCRIPTSET', KEYS[1], 'CPU', 'SOURCE', ARGV[1])"
    assert mocks("EVAL", lua, 1, "lua", SOURCE) == OK
    assert shown(mocks, "lua") == [b"CPU", b"", [], SOURCE]


def test_a_store_is_carried_out_after_its_client_has_gone(
    mocks: Wire, mocks_server: Server, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    one = Wire((mocks_server.host, mocks_server.port))
    source = f"{gate.load_text}\ndef same identity".encode()
    number = one("CLIENT", "ID")
    one.send("AI.SCRIPTSET", "late", "CPU", "SOURCE", source)
    gate.reached()
    assert mocks("EXISTS", "late") == 0
    assert mocks("CLIENT", "KILL", "ID", number) == 1
    gate.open()
    wait_until(lambda: mocks("EXISTS", "late") == 1, "the script")
    assert shown(mocks, "late") == [b"CPU", b"", [], source]
    one.close()


@pytest.fixture
def bare(make_server: MakeServer, server_binary: ServerBinary) -> Iterator[Wire]:
    """A server that has no backend at all."""
    server = make_server(server_binary, module_args=["BACKENDSPATH", "/nonexistent"])
    wire = Wire((server.host, server.port))
    yield wire
    wire.close()


def test_without_torch(bare: Wire, mocks: Wire) -> None:
    """A client's script is refused; one that is there already is kept whole."""
    words = ["ENTRY_POINTS", 1, "same", "SOURCE", SOURCE]
    assert bare("AI.SCRIPTSTORE", "s", "CPU", *words).startswith(NO_BACKEND)
    assert bare("AI.SCRIPTSET", "s", "CPU", "SOURCE", SOURCE).startswith(NO_BACKEND)
    assert bare("EXISTS", "s") == 0
    store(mocks)
    payload = mocks("DUMP", "s")
    assert bare("RESTORE", "s", 0, payload) == OK
    assert shown(bare) == shown(mocks)
    run = bare("AI.SCRIPTEXECUTE", "s", "same", "KEYS", 1, "k")
    assert run.startswith(NO_BACKEND)
    assert bare("AI.SCRIPTRUN", "s", "same").startswith(NO_BACKEND)
    dag = bare.line("AI.DAGEXECUTE ROUTING r |> AI.SCRIPTEXECUTE s same KEYS 1 k")
    assert len(dag) == 1
    assert dag[0].startswith(NO_BACKEND)
    full = bare("AI.INFO", "s", "FULL")
    full = dict(zip(full[::2], full[1::2], strict=True))
    assert full[b"state"] == b"failed"
    assert full[b"reason"].startswith(NO_BACKEND)
    assert bare("DUMP", "s") == payload
