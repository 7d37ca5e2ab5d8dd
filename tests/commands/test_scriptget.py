"""`AI.SCRIPTGET`, `AI.SCRIPTDEL`, `AI._SCRIPTSCAN` and `AI.INFO` of a script."""

from __future__ import annotations

import pytest
from commands import models
from commands.scripts import SOURCE, store
from commands.wire import OK, WRONGTYPE, Status, Wire, arity, failure

EMPTY = failure("ERR script key is empty")
NO_INFO = failure("ERR cannot find run info for key")
META = [b"device", b"CPU", b"tag", b"t", b"Entry Points", [b"same", b"sum"]]


@pytest.fixture
def stored(mocks_both: Wire) -> Wire:
    """The script `s`, the model `m`, the tensor `t` and a text."""
    words = ["TAG", "t", "ENTRY_POINTS", 2, "same", "sum", "SOURCE", SOURCE]
    assert mocks_both("AI.SCRIPTSTORE", "s", "CPU", *words) == OK
    models.store(mocks_both)
    mocks_both("AI.TENSORSET", "t", "FLOAT", 1)
    mocks_both("SET", "text", "v")
    return mocks_both


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("", [*META, b"source", SOURCE]),
        ("META", META),
        ("source", SOURCE),
        ("META SOURCE", [*META, b"source", SOURCE]),
        ("SOURCE META", [*META, b"source", SOURCE]),
        ("meta META", META),
        ("BLOB", failure("ERR Invalid argument: BLOB")),
        ("META x", failure("ERR Invalid argument: x")),
        ("META SOURCE META", arity("AI.SCRIPTGET")),
    ],
)
def test_scriptget(stored: Wire, options: str, reply: object) -> None:
    assert stored.line(f"AI.SCRIPTGET s {options}") == reply


def test_keys_of_other_types(stored: Wire) -> None:
    assert stored("AI.SCRIPTGET") == arity("AI.SCRIPTGET")
    assert stored("AI.SCRIPTDEL") == arity("AI.SCRIPTDEL")
    assert stored("AI.SCRIPTDEL", "s", "x") == arity("AI.SCRIPTDEL")
    for name in ("AI.SCRIPTGET", "AI.SCRIPTDEL"):
        assert stored(name, "none") == EMPTY
        for key in ("m", "t", "text"):
            assert stored(name, key) == WRONGTYPE
    # The key is looked up before the options are.
    assert stored("AI.SCRIPTGET", "none", "x") == EMPTY
    for command in (["AI.MODELGET", "s"], ["AI.MODELDEL", "s"], ["AI.TENSORGET", "s"]):
        assert stored(*command) == WRONGTYPE
    assert stored.line("AI.MODELEXECUTE s INPUTS 1 t OUTPUTS 1 y") == WRONGTYPE
    assert stored("EXISTS", "s", "m", "t", "text") == 4
    assert stored("TYPE", "s") == Status(b"AI_SCRIPT")


def test_scriptdel(stored: Wire) -> None:
    assert stored("AI.SCRIPTDEL", "s") == OK
    assert stored("EXISTS", "s") == 0
    assert stored("AI.SCRIPTDEL", "s") == EMPTY
    store(stored)


def test_scriptscan(mocks_both: Wire) -> None:
    def scan(name: str) -> list[list[bytes]]:
        return sorted(mocks_both(name))

    assert mocks_both("AI._SCRIPTSCAN", "x") == arity("AI._SCRIPTSCAN")
    assert scan("AI._SCRIPTSCAN") == []
    for name in ("a", "renamed", "moved", "deleted", "replaced"):
        words = ["TAG", f"tag of {name}", "SOURCE", SOURCE]
        assert mocks_both("AI.SCRIPTSET", name, "CPU", *words) == OK
    models.store(mocks_both, "m", models.ONE, "TAG", "a model")
    mocks_both("RENAME", "renamed", "new")
    assert mocks_both("COPY", "a", "copy") == 1
    assert mocks_both("MOVE", "moved", 5) == 1
    mocks_both("AI.SCRIPTDEL", "deleted")
    # A name that held a script holds a model now.
    mocks_both("DEL", "replaced")
    models.store(mocks_both, "replaced")
    assert mocks_both("RESTORE", "restored", 0, mocks_both("DUMP", "a")) == OK
    assert scan("AI._SCRIPTSCAN") == [
        [b"a", b"tag of a"],
        [b"copy", b"tag of a"],
        [b"new", b"tag of renamed"],
        [b"restored", b"tag of a"],
    ]
    assert scan("AI._MODELSCAN") == [[b"m", b"a model"], [b"replaced", b""]]
    mocks_both("SELECT", 5)
    assert scan("AI._SCRIPTSCAN") == [[b"moved", b"tag of moved"]]
    assert scan("AI._MODELSCAN") == []
    mocks_both("FLUSHALL")
    assert scan("AI._SCRIPTSCAN") == []


def info(wire: Wire, key: str, *options: str) -> dict[bytes, object]:
    reply = wire("AI.INFO", key, *options)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def test_info(stored: Wire) -> None:
    fresh = {
        b"key": b"s", b"type": b"SCRIPT", b"backend": b"TORCH", b"device": b"CPU", b"tag": b"t",
        b"duration": 0, b"samples": -1, b"calls": 0, b"errors": 0,
    }  # fmt: skip
    assert info(stored, "s") == fresh
    stored("AI.TENSORSET", "x", "INT8", 5)
    for _ in range(3):
        assert stored.line("AI.SCRIPTEXECUTE s same INPUTS 1 x OUTPUTS 1 y") == OK
    assert stored.line("AI.SCRIPTEXECUTE s broken KEYS 1 k") == failure("the function's own words")
    found = info(stored, "s")
    assert [found[name] for name in (b"samples", b"calls", b"errors")] == [-1, 4, 1]
    full = info(stored, "s", "FULL")
    assert full[b"state"] == b"ready"
    assert full[b"functions"][:2] == [b"same", b"sum"]  # type: ignore[index]
    assert full[b"inputs"] == full[b"outputs"] == []
    # They belong to the object: a new name keeps them, a copy begins anew.
    stored("RENAME", "s", "renamed")
    stored("COPY", "renamed", "copy")
    assert info(stored, "renamed")[b"calls"] == 4
    assert info(stored, "copy")[b"calls"] == 0
    assert stored("AI.INFO", "renamed", "RESETSTAT") == OK
    assert info(stored, "renamed") == fresh | {b"key": b"renamed"}
    assert stored("AI.INFO", "s") == NO_INFO
    assert stored("AI.INFO", "t") == NO_INFO
    # A store begins anew.
    store(stored, "renamed")
    assert info(stored, "renamed")[b"calls"] == 0
