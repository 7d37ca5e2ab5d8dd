"""DAGs of thousands of operations, names and bytes."""

from __future__ import annotations

import pytest
from commands.models import ADD, ONE, info, store
from commands.wire import OK, Wire, failure
from dag.ops import KINDS, dag, execute, run, tget, tset

MEBIBYTE = b"n" * (1 << 20)


def test_thousands_of_operations(mocks: Wire) -> None:
    """A chain: each reads what the one before has made, under one name."""
    store(mocks, "m", ADD)
    steps = 3000
    ops = [tset("one", 1, dtype="INT32"), tset("x", 0, dtype="INT32")]
    ops += [execute("m", "x one", "x")] * steps
    reply = mocks(*dag(*ops, tget("x", "VALUES"), head="PERSIST 1 x"))
    assert reply == [*[OK] * (steps + 2), [steps]]
    assert mocks(*tget("x", "VALUES")) == [steps]
    assert info(mocks)[b"calls"] == steps


def test_thousands_of_independent_operations(mocks: Wire) -> None:
    store(mocks, "m", ADD)
    count = 2000
    ops = [tset("x", 1, dtype="INT32")] + [execute("m", "x x", f"y{i}") for i in range(count)]
    names = " ".join(f"y{i}" for i in range(count))
    reply = mocks(*dag(*ops, head=f"PERSIST {count} {names}"))
    assert reply == [OK] * (count + 1)
    assert mocks("DBSIZE") == count + 1
    assert mocks(*tget(f"y{count - 1}", "VALUES")) == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_names(mocks: Wire, kind: str) -> None:
    count = 20_000
    names = [f"name{i}" for i in range(count)]
    sets = [["AI.TENSORSET", name, "INT8", 1] for name in names]
    reply = mocks(*dag(*sets, *[tget(name, "VALUES") for name in names], kind=kind))
    assert reply == [*[OK] * count, *[[0]] * count]


def test_a_mebibyte_as_a_name(mocks: Wire) -> None:
    store(mocks, "m", ONE)
    assert mocks(*tset("t", 1)) == OK
    assert mocks("RENAME", "t", MEBIBYTE) == OK
    words = [
        "AI.DAGEXECUTE",
        "LOAD",
        1,
        MEBIBYTE,
        "PERSIST",
        1,
        MEBIBYTE + b"2",
        "ROUTING",
        MEBIBYTE,
    ]
    words += ["|>", *["AI.MODELEXECUTE", "m", "INPUTS", 1, MEBIBYTE, "OUTPUTS", 1, MEBIBYTE + b"2"]]
    words += ["|>", "AI.TENSORGET", MEBIBYTE + b"2", "VALUES"]
    assert mocks(*words) == [OK, [b"1"]]
    assert mocks(*tget(MEBIBYTE + b"2", "VALUES")) == [b"1"]
    # An error repeats no more than a part of it.
    reply = mocks("AI.DAGEXECUTE", MEBIBYTE, "LOAD", 1, "t", "|>")
    assert reply.startswith(b"ERR Invalid DAG command. Unexpected argument:  nnn")
    assert len(reply) < 2000


def test_a_tensor_above_the_limit(mocks: Wire) -> None:
    reply = mocks(*dag(["AI.TENSORSET", "x", "FLOAT", 1 << 40]))
    assert reply.startswith(b"ERR tensor is larger than the limit of ")
    command = dag(["AI.TENSORSET", "x", "FLOAT", 2**62, "BLOB", "x"])
    assert mocks(*command) == failure("ERR data length does not match tensor shape and type")


def test_many_of_the_deprecated_form(mocks: Wire) -> None:
    store(mocks, "m", ADD)
    ops = [tset("x", 1, dtype="INT32"), *[run("m", "x x", "y")] * 500]
    assert mocks(*dag(*ops, head="", kind="AI.DAGRUN")) == [OK] * 501
