"""Every error of the DAG grammar: the contract's texts, at the top level, and nothing runs."""
# ruff: noqa: E501 - a row of a table is one line, however long the contract's text is

from __future__ import annotations

import random

import pytest
from commands.models import ADD, ONE, info, store
from commands.wire import OK, WRONGTYPE, Failure, Wire, failure
from dag.ops import KINDS, dag, execute, tset
from redisai_rs.testing import Server

NO_TENSOR = "ERR tensor key is empty or in a different shard"
NO_MODEL = "ERR model key is empty"
UNEXPECTED = "ERR Invalid DAG command. Unexpected argument:  "
NEEDS_ONE = (
    "ERR AI.DAGEXECUTE and AI.DAGEXECUTE_RO commands must contain at least one out of ROUTING, LOAD, "
    "PERSIST keywords"
)
NO_FIT = "Number of keys given as {} here does not match model definition"
INVALID_SHAPE = "ERR invalid or negative value found in tensor shape"
LOAD_COUNT = "ERR invalid or negative value found in number of keys to LOAD"
PERSIST_COUNT = "ERR invalid or negative value found in number of keys to PERSIST"

# Behind any of the four names; `wrong` is a list, `t` and `u` are tensors.
HEADS = [
    ("ROUTING r TIMEOUT 5 LOAD", "ERR missing arguments after LOAD keyword in DAG command"),
    ("ROUTING r TIMEOUT 5 LOAD 1", "ERR missing arguments after LOAD keyword in DAG command"),
    ("LOAD x none |> y", LOAD_COUNT),
    ("LOAD 0 none |> y", LOAD_COUNT),
    ("LOAD -1 none |> y", LOAD_COUNT),
    ("LOAD 1 none |> y", NO_TENSOR),
    ("LOAD 2 t none |> y", NO_TENSOR),
    ("LOAD 3 t none wrong |> y", NO_TENSOR),
    ("LOAD 9 t t none", NO_TENSOR),
    ("LOAD 3 t u t TIMEOUT", "ERR No value provided for TIMEOUT"),
    (
        "LOAD 9 t u t",
        "ERR number of keys to LOAD into DAG does not match the number of given arguments",
    ),
    ("LOAD 1 t TIMEOUT 5 ROUTING", "ERR Missing ROUTING value"),
    ("ROUTING r TIMEOUT x |> y", "ERR Invalid value for TIMEOUT"),
    ("ROUTING r TIMEOUT -1 |> y", "ERR Invalid value for TIMEOUT"),
    ("ROUTING r ROUTING s |> y", f"{UNEXPECTED}ROUTING"),
    ("LOAD 1 t load 1 t |> y", f"{UNEXPECTED}load"),
    ("LOAD 1 t x |> y", f"{UNEXPECTED}x"),
    ("LOAD 1 t ROUTING r |>", f"{UNEXPECTED}|>"),
    ("LOAD 1 t |> AI.TENSORGET t |>", f"{UNEXPECTED}|>"),
    ("LOAD 3 t t t", "ERR DAG is empty"),
    ("LOAD 1 t |> PING |> y", "Unsupported command within DAG"),
    ("LOAD 1 t |> |> AI.TENSORGET t", "Unsupported command within DAG"),
    ("LOAD 1 t |> AI.DAGRUN |> AI.TENSORGET t", "Unsupported command within DAG"),
]
PERSISTS = [
    ("ROUTING r TIMEOUT 5 PERSIST", "ERR missing arguments after PERSIST keyword in DAG command"),
    ("ROUTING r TIMEOUT 5 PERSIST 1", "ERR missing arguments after PERSIST keyword in DAG command"),
    ("PERSIST x a a |> y", PERSIST_COUNT),
    ("PERSIST 0 a a |> y", PERSIST_COUNT),
    ("PERSIST -1 a a |> y", PERSIST_COUNT),
    ("PERSIST 9 a b a |> y", "ERR PERSIST keys must be unique"),
    (
        "PERSIST 9 a b c |> y",
        "ERR number of keys to PERSIST after DAG execution does not match the number of given arguments",
    ),
]
# Operations that any of the four may have.
TENSORS = [
    ("AI.TENSORSET", "wrong number of arguments for 'AI.TENSORSET' command"),
    ("AI.TENSORSET a FLOAT", "wrong number of arguments for 'AI.TENSORSET' command"),
    ("AI.TENSORSET a NONE 1", "ERR invalid data type"),
    ("AI.TENSORSET a FLOAT x", INVALID_SHAPE),
    ("AI.TENSORSET a FLOAT 0", INVALID_SHAPE),
    ("AI.TENSORSET a FLOAT 1 BLOB", "ERR a single binary string should come after the BLOB argument in 'AI.TENSORSET' command"),
    ("AI.TENSORSET a FLOAT 1 BLOB x", "ERR data length does not match tensor shape and type"),
    ("AI.TENSORSET a BOOL 1 BLOB x", "ERR BOOL tensor elements must be 0 or 1"),
    ("AI.TENSORSET a STRING 1 BLOB x", "ERR Number of string elements in data blob does not match tensor length"),
    ("AI.TENSORSET a FLOAT 2 VALUES 1", "ERR wrong number of values was given in 'AI.TENSORSET' command"),
    ("AI.TENSORSET a FLOAT 1 VALUES x", "ERR invalid value"),
    ("AI.TENSORGET", "wrong number of arguments for 'AI.TENSORGET' command"),
    ("AI.TENSORGET t META BLOB VALUES", "wrong number of arguments for 'AI.TENSORGET' command"),
    ("AI.TENSORGET t x", "ERR unsupported data format"),
    ("AI.TENSORGET t BLOB VALUES", "ERR both BLOB and VALUES specified"),
]  # fmt: skip
MODERN = [
    ("AI.MODELEXECUTE m INPUTS 1 t", "ERR wrong number of arguments for 'AI.MODELEXECUTE' command"),
    ("AI.MODELEXECUTE none INPUTS 1 t OUTPUTS 1 a", NO_MODEL),
    ("AI.MODELEXECUTE wrong INPUTS 1 t OUTPUTS 1 a", WRONGTYPE.decode()),
    ("AI.MODELEXECUTE t INPUTS 1 t OUTPUTS 1 a", WRONGTYPE.decode()),
    ("AI.MODELEXECUTE m INPUT 1 t OUTPUTS 1 a", "ERR INPUTS not specified"),
    ("AI.MODELEXECUTE m INPUTS x t OUTPUTS 1 a", "ERR Invalid argument for input_count"),
    ("AI.MODELEXECUTE m INPUTS 0 t OUTPUTS 1 a", "ERR Input count must be a positive integer"),
    ("AI.MODELEXECUTE m INPUTS 2 t u OUTPUTS 1 a", NO_FIT.format("INPUTS")),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUT 1 a", "ERR OUTPUTS not specified"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS x a", "ERR Invalid argument for output_count"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 0 a", "ERR Output count must be a positive integer"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 2 a b", NO_FIT.format("OUTPUTS")),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 1 a x", "Invalid argument: x"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 1 a TIMEOUT", "ERR No value provided for TIMEOUT"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 1 a TIMEOUT 0", "ERR Invalid value for TIMEOUT"),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 1 a TIMEOUT 5", "ERR TIMEOUT not allowed within a DAG command"),
    ("AI.MODELRUN m INPUTS t OUTPUTS a", "Deprecated AI.MODELRUN cannot be used in AI.DAGEXECUTE command"),
    ("AI.SCRIPTRUN s f INPUTS t OUTPUTS a", "Deprecated AI.SCRIPTRUN cannot be used in AI.DAGEXECUTE command"),
]  # fmt: skip
DEPRECATED = [
    ("AI.MODELRUN m INPUTS t", "ERR wrong number of arguments for 'AI.MODELRUN' command"),
    ("AI.MODELRUN none INPUTS t OUTPUTS a", NO_MODEL),
    ("AI.MODELRUN wrong INPUTS t OUTPUTS a", WRONGTYPE.decode()),
    ("AI.MODELRUN m INPUT t OUTPUTS a", "ERR INPUTS not specified"),
    ("AI.MODELRUN m INPUTS t u OUTPUTS a", NO_FIT.format("INPUTS")),
    ("AI.MODELRUN m INPUTS t OUTPUTS a b", NO_FIT.format("OUTPUTS")),
    ("AI.MODELRUN m TIMEOUT 5 INPUTS t OUTPUTS a", "ERR TIMEOUT not allowed within a DAG command"),
    ("AI.SCRIPTRUN s", "ERR wrong number of arguments for 'AI.SCRIPTRUN' command"),
    ("AI.SCRIPTRUN none f INPUTS t OUTPUTS a", "ERR script key is empty"),
    ("AI.SCRIPTRUN m f INPUTS t OUTPUTS a", WRONGTYPE.decode()),
    ("AI.MODELEXECUTE m INPUTS 1 t OUTPUTS 1 a", "AI.MODELEXECUTE cannot be used in a deprecated AI.DAGRUN command"),
    ("AI.SCRIPTEXECUTE s f INPUTS 1 t", "AI.SCRIPTEXECUTE cannot be used in a deprecated AI.DAGRUN command"),
]  # fmt: skip
SCRIPTS = [
    ("AI.SCRIPTEXECUTE s", "ERR wrong number of arguments for 'AI.SCRIPTEXECUTE' command"),
    ("AI.SCRIPTEXECUTE none f INPUTS 1 t", "ERR script key is empty"),
    ("AI.SCRIPTEXECUTE m f INPUTS 1 t", WRONGTYPE.decode()),
]
WIRING = [
    ("ROUTING r |> AI.TENSORGET a", "ERR INPUT key cannot be found in DAG"),
    ("ROUTING r |> AI.TENSORGET t", "ERR INPUT key cannot be found in DAG"),
    ("LOAD 1 t |> AI.TENSORGET a |> AI.TENSORSET a INT8 1", "ERR INPUT key cannot be found in DAG"),
]


def cases() -> list[tuple[str, str]]:
    """Each whole command with its text."""
    found = []
    for kind in KINDS:
        found += [(f"{kind} {tail}", text) for tail, text in [*HEADS, *WIRING]]
        if kind.endswith("_RO"):
            no = "ERR PERSIST cannot be specified in a read-only DAG"
            found += [(f"{kind} {tail}", no) for tail, _ in PERSISTS]
        else:
            found += [(f"{kind} {tail}", text) for tail, text in PERSISTS]
            tail = "LOAD 1 t PERSIST 2 t T |> AI.TENSORGET t"
            found.append((f"{kind} {tail}", "ERR PERSIST key cannot be found in DAG"))
        ops = TENSORS + (DEPRECATED if "RUN" in kind else MODERN)
        if kind == "AI.DAGEXECUTE":
            ops = ops + SCRIPTS
        if kind == "AI.DAGEXECUTE_RO":
            no = "ERR AI.SCRIPTEXECUTE command cannot be specified in a read-only DAG"
            ops = [*ops, ("AI.SCRIPTEXECUTE", no)]
        # Behind an operation that is right and one whose input is not there, before one that is wrong.
        before, after = "LOAD 2 t u |> AI.TENSORGET t |> AI.TENSORGET none", "|> y"
        found += [(f"{kind} {before} |> {op} {after}", text) for op, text in ops]
    for kind in KINDS[:2]:
        missing = f"ERR missing arguments for '{kind}' command"
        found += [(kind, missing), (f"{kind} LOAD 1 none |>", missing)]
        found += [
            (f"{kind} |> AI.TENSORGET t x x", NEEDS_ONE),
            (f"{kind} TIMEOUT 5 |> x y", NEEDS_ONE),
        ]
        found.append(
            (f"{kind} ROUTING r |> AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1 a", WIRING[0][1])
        )
    for kind in KINDS[2:]:
        arity = f"ERR wrong number of arguments for '{kind}' command"
        found += [(kind, arity), (f"{kind} |> AI.TENSORGET", arity)]
        found.append((f"{kind} |> AI.MODELRUN m INPUTS a OUTPUTS a", WIRING[0][1]))
    return found


def test_errors(mocks_both: Wire) -> None:
    wire = mocks_both
    store(wire, "m")
    wire("RPUSH", "wrong", "x")
    for key in ("t", "u"):
        assert wire(*tset(key, 1, 2)) == OK
    commands = cases()
    replies = wire.many([line.split() for line, _ in commands])
    for (line, text), reply in zip(commands, replies, strict=True):
        assert reply == failure(text), line
    assert info(wire)[b"calls"] == 0
    assert sorted(wire("KEYS", "*")) == [b"m", b"t", b"u", b"wrong"]


def test_nothing_runs_before_all_is_read(mocks: Wire) -> None:
    store(mocks)
    command = dag(tset("x", 1), execute("m", "x", "y"), ["nonsense"], head="PERSIST 1 y")
    assert mocks(*command) == failure("Unsupported command within DAG")
    assert info(mocks)[b"calls"] == 0
    assert mocks("EXISTS", "y") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_odd_forms_that_are_right(mocks: Wire, kind: str) -> None:
    assert mocks(*tset("|>", 5, dtype="INT8")) == OK
    lines = [
        # A key named as the separator; keywords as names, in lower case, in another order.
        (f"{kind} LOAD 1 |> TIMEOUT 0 ROUTING LOAD |> AI.TENSORSET t INT8 1", [OK]),
        (f"{kind} timeout 9 routing ROUTING |> ai.tensorset LOAD INT8 1 |> Ai.TensorGet LOAD VALUES", [OK, [0]]),
        # A blob that is as the separator.
        (f"{kind} ROUTING r |> AI.TENSORSET x UINT8 2 BLOB |>", [OK]),
        (f"{kind} ROUTING r |> AI.TENSORSET x UINT8 2 BLOB |> |> AI.TENSORGET x BLOB", [OK, b"|>"]),
        (f"{kind} ROUTING r |> AI.TENSORSET x STRING 1 VALUES BLOB |> AI.TENSORGET x VALUES", [OK, [b"BLOB"]]),
    ]  # fmt: skip
    for line, reply in lines:
        assert mocks.line(line) == reply, line


def test_random_words(mocks_server: Server) -> None:
    """Any words get one reply, and the server lives."""
    rng = random.Random(4)
    wire = Wire((mocks_server.host, mocks_server.port))
    wire("FLUSHALL")
    store(wire, "m", ADD)
    store(wire, "n", ONE)
    wire(*tset("t", 1, 2))
    words = (
        "LOAD PERSIST ROUTING TIMEOUT |> |> |> AI.TENSORSET AI.TENSORGET AI.MODELEXECUTE AI.MODELRUN "
        "AI.SCRIPTEXECUTE AI.SCRIPTRUN INPUTS OUTPUTS BLOB VALUES FLOAT INT8 0 1 2 -1 t m n a x"
    ).split()
    commands = [[rng.choice(KINDS), *rng.choices(words, k=rng.randrange(16))] for _ in range(4000)]
    # Whole pieces in any order, so that some are right.
    pieces = ["LOAD 1 t", "PERSIST 1 a", "PERSIST 2 a t", "ROUTING r", "TIMEOUT 100"]
    ops = [
        "AI.TENSORSET a FLOAT 2 VALUES 1 2", "AI.TENSORSET t INT8 3", "AI.TENSORGET a VALUES",
        "AI.TENSORGET t", "AI.MODELEXECUTE m INPUTS 2 a t OUTPUTS 1 a",
        "AI.MODELEXECUTE n INPUTS 1 a OUTPUTS 1 t", "AI.MODELRUN n INPUTS a OUTPUTS b",
    ]  # fmt: skip
    for _ in range(3000):
        head = " ".join(rng.sample(pieces, rng.randrange(3)))
        body = " |> ".join(rng.choices(ops, k=rng.randrange(1, 6)))
        commands.append([rng.choice(KINDS), *head.split(), "|>", *body.split()])
    replies = wire.many(commands)
    right = [reply for reply in replies if isinstance(reply, list)]
    assert len(right) > 100
    assert any(isinstance(one, Failure) for reply in right for one in reply)
    wire.close()
    mocks_server.assert_alive()
