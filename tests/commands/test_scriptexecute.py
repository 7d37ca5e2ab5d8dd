"""`AI.SCRIPTEXECUTE` and `AI.SCRIPTRUN`: the grammar's errors in order, and what a run does."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import models
from commands.scripts import SOURCE, store
from commands.wire import OK, WRONGTYPE, Status, Wire, arity, failure
from holding import Gate
from redisai_rs.testing import Server, wait_until

NO_MULTI = failure("ERR Cannot run RedisAI command within a transaction or a LUA script")
EMPTY = failure("ERR script key is empty")
NO_TENSOR = failure("ERR tensor key is empty or in a different shard")
NO_FUNCTION = failure("ERR function name not specified")
FIRST = failure("ERR KEYS or INPUTS scope must be provided first for AI.SCRIPTEXECUTE command")
KEYS_ARGUMENTS = failure("ERR Missing arguments after KEYS keyword")
KEYS_COUNT = failure("ERR Invalid or negative value found in number of KEYS")
KEYS_DECLARED = failure(
    "ERR Number of pre declared KEYS to be used in the command does not match the number of given"
    " arguments"
)
TIMEOUT = failure("ERR Invalid value for TIMEOUT")


def count(what: str) -> object:
    return failure(f"ERR Invalid argument for {what} count in AI.SCRIPTEXECUTE")


def few(what: str) -> object:
    return failure(
        f"ERR number of {what} to AI.SCRIPTEXECUTE command does not match the number of given"
        " arguments"
    )


def twice(what: str) -> object:
    return failure(f"ERR Already Encountered {what} scope in AI.SCRIPTEXECUTE command")


def unexpected(word: str) -> object:
    return failure(f"ERR Invalid AI.SCRIPTEXECUTE command. Unexpected argument: {word}")


@pytest.fixture
def ready(mocks_both: Wire) -> Wire:
    """The script `s`, the tensors `x` = [1, 2] and `y` = [3, 4], a model and a text."""
    store(mocks_both)
    models.store(mocks_both)
    mocks_both("AI.TENSORSET", "x", "INT64", 2, "VALUES", 1, 2)
    mocks_both("AI.TENSORSET", "y", "INT64", 2, "VALUES", 3, 4)
    mocks_both("SET", "text", "v")
    return mocks_both


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.SCRIPTEXECUTE")),
        ("s", arity("AI.SCRIPTEXECUTE")),
        ("none INPUTS", EMPTY),
        ("m INPUTS", WRONGTYPE),
        ("text INPUTS", WRONGTYPE),
        ("s INPUTS 1 x", NO_FUNCTION),
        ("s KEYS", NO_FUNCTION),
        ("s timeout", NO_FUNCTION),
        ("s same", FIRST),
        ("s same OUTPUTS 1 z", FIRST),
        ("s same ARGS 1 a INPUTS 1 x", FIRST),
        ("s same TIMEOUT 5", FIRST),
        ("s same KEYS", KEYS_ARGUMENTS),
        ("s same KEYS 1", KEYS_ARGUMENTS),
        ("s same KEYS a k", KEYS_COUNT),
        ("s same KEYS -1 k", KEYS_COUNT),
        ("s same KEYS 2 k", KEYS_DECLARED),
        ("s same KEYS 1 k KEYS 1 k", twice("KEYS")),
        ("s same INPUTS", count("inputs")),
        ("s same INPUTS a x", count("inputs")),
        ("s same INPUTS 2 x", few("inputs")),
        ("s same INPUTS 1 x INPUTS 1 x", twice("INPUTS")),
        ("s same INPUTS 1 x KEYS a k", count("keys")),
        ("s same INPUTS 1 x KEYS 2 k", few("keys")),
        ("s same INPUTS 1 x ARGS a k", count("keys")),
        ("s same INPUTS 1 x ARGS 2 k", few("args")),
        ("s same INPUTS 1 x ARGS 1 k ARGS 1 k", twice("ARGS")),
        ("s same INPUTS 1 x OUTPUTS a z", count("outputs")),
        ("s same INPUTS 1 x OUTPUTS 2 z", few("outputs")),
        ("s same INPUTS 1 x OUTPUTS 1 z OUTPUTS 1 z", twice("OUTPUTS")),
        ("s same INPUTS 1 x z", unexpected("z")),
        ("s same INPUTS 1 x $", unexpected("$")),
        (
            "s same INPUTS 1 x TIMEOUT",
            failure("ERR No value provided for TIMEOUT in AI.SCRIPTEXECUTE"),
        ),
        ("s same INPUTS 1 x TIMEOUT a", TIMEOUT),
        ("s same INPUTS 1 x TIMEOUT 0", TIMEOUT),
        (
            "s same INPUTS 1 x TIMEOUT 5 OUTPUTS 1 z",
            failure("ERR Encountered problem parsing AI.SCRIPTEXECUTE"),
        ),
        # Only what stands behind the whole grammar looks at keys.
        ("s same INPUTS 1 none OUTPUTS 1 text", NO_TENSOR),
        ("s same INPUTS 1 text OUTPUTS 1 z", WRONGTYPE),
        ("s same INPUTS 1 s OUTPUTS 1 z", WRONGTYPE),
        ("s same INPUTS 1 x OUTPUTS 1 text", WRONGTYPE),
        ("s same INPUTS 2 x y OUTPUTS 2 z s", WRONGTYPE),
        ("s other INPUTS 1 x OUTPUTS 1 z", failure("Function does not exist: other")),
        ("s broken INPUTS 1 x OUTPUTS 1 z", failure("the function's own words")),
    ],
)
def test_errors_in_order(ready: Wire, line: str, reply: object) -> None:
    assert ready.line(f"AI.SCRIPTEXECUTE {line}") == reply
    assert ready("EXISTS", "z") == 0
    assert ready("GET", "text") == b"v"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.SCRIPTRUN")),
        ("s", arity("AI.SCRIPTRUN")),
        ("none f x", EMPTY),
        ("m f x", WRONGTYPE),
        ("s INPUTS x", NO_FUNCTION),
        ("s outputs x", NO_FUNCTION),
        ("s TIMEOUT 5", NO_FUNCTION),
        ("s same x", failure("ERR Unrecongnized parameter to SCRIPTRUN")),
        ("s same TIMEOUT", failure("ERR No value provided for TIMEOUT")),
        ("s same TIMEOUT x", TIMEOUT),
        ("s same TIMEOUT 0", TIMEOUT),
        (
            "s same TIMEOUT 5 TIMEOUT 5",
            failure("ERR Already encountered an TIMEOUT section in SCRIPTRUN"),
        ),
        (
            "s same OUTPUTS z INPUTS x",
            failure("ERR Already encountered an INPUTS section in SCRIPTRUN"),
        ),
        (
            "s same INPUTS x INPUTS x",
            failure("ERR Already encountered an INPUTS keyword in SCRIPTRUN"),
        ),
        (
            "s same OUTPUTS z OUTPUTS z",
            failure("ERR Already encountered an OUTPUTS keyword in SCRIPTRUN"),
        ),
        (
            "s same OUTPUTS $ z",
            failure("ERR Encountered a variable size list of tensors outside of input section"),
        ),
        (
            "s same INPUTS $ x $ y",
            failure("ERR Already encountered a variable size list of tensors"),
        ),
        ("s same INPUTS none OUTPUTS text", NO_TENSOR),
        ("s same INPUTS x OUTPUTS text", WRONGTYPE),
        ("s other INPUTS x OUTPUTS z", failure("Function does not exist: other")),
    ],
)
def test_errors_of_scriptrun_in_order(ready: Wire, line: str, reply: object) -> None:
    assert ready.line(f"AI.SCRIPTRUN {line}") == reply
    assert ready("EXISTS", "z") == 0
    assert ready("GET", "text") == b"v"


def values(wire: Wire, key: str) -> list[object]:
    return wire("AI.TENSORGET", key, "VALUES")


def test_a_run(ready: Wire) -> None:
    assert ready.line("AI.SCRIPTEXECUTE s sum INPUTS 2 x y OUTPUTS 1 z") == OK
    assert values(ready, "z") == [4, 6]
    # Any function of the script, and keywords in any case, scopes in any order.
    assert ready.line("ai.scriptexecute s same inputs 2 x y outputs 2 z x timeout 60000") == OK
    assert values(ready, "z") == [1, 2]
    assert values(ready, "x") == [3, 4]


def test_words_reach_the_script(ready: Wire) -> None:
    line = "AI.SCRIPTEXECUTE s words KEYS 2 k INPUTS INPUTS 1 x ARGS 3 a {} a OUTPUTS 1 z"
    words = line.split()
    words[words.index("{}")] = b"\0\xff"  # type: ignore[call-overload]
    assert ready(*words) == OK
    assert values(ready, "z") == [b"words", b"k", b"INPUTS", b"a", b"\0\xff", b"a"]
    # Keys are words: nobody looks what is there.
    assert ready.line("AI.SCRIPTEXECUTE s words KEYS 2 text none OUTPUTS 1 z") == OK
    assert values(ready, "z") == [b"words", b"text", b"none"]
    assert ready.line("AI.SCRIPTRUN s words OUTPUTS z") == OK
    assert values(ready, "z") == [b"words"]


def test_scriptrun(ready: Wire) -> None:
    for line in (
        "AI.SCRIPTRUN s sum INPUTS x y OUTPUTS z",
        "AI.SCRIPTRUN s sum TIMEOUT 60000 INPUTS $ x y OUTPUTS z",
        "AI.SCRIPTRUN s sum INPUTS x $ y OUTPUTS z",
        "AI.SCRIPTRUN s sum INPUTS x y $ OUTPUTS z TIMEOUT 60000",
    ):
        assert ready.line(line) == OK
        assert values(ready, "z") == [4, 6], line
        ready("DEL", "z")


def test_without_outputs(ready: Wire) -> None:
    """Only for what the script does besides."""
    for line in ("AI.SCRIPTEXECUTE s same INPUTS 1 x", "AI.SCRIPTEXECUTE s same KEYS 0 INPUTS 0"):
        assert ready.line(line) == OK
    assert ready.line("AI.SCRIPTEXECUTE s same INPUTS -1 OUTPUTS -1") == OK
    # An output that holds no tensor leaves its key alone.
    assert ready.line("AI.SCRIPTEXECUTE s nothing INPUTS 1 x OUTPUTS 1 z") == OK
    assert ready("EXISTS", "z") == 0


def test_where_a_client_may_not_block(ready: Wire) -> None:
    for line in ("AI.SCRIPTEXECUTE s same INPUTS 1 x", "AI.SCRIPTRUN s same", "AI.SCRIPTRUN"):
        ready("MULTI")
        ready.line(line)
        assert ready("EXEC") == [NO_MULTI]
        lua = ready("EVAL", "return redis.call(unpack(ARGV))", 0, *line.split())
        assert b"Cannot run RedisAI command within a transaction or a LUA script" in lua


def test_timeout(ready: Wire) -> None:
    line = "AI.SCRIPTEXECUTE s slow INPUTS 1 x OUTPUTS 1 z TIMEOUT 20"
    assert ready.line(line) == Status(b"TIMEDOUT")
    assert ready.line("AI.SCRIPTRUN s slow TIMEOUT 20 INPUTS x OUTPUTS z") == Status(b"TIMEDOUT")
    assert ready("EXISTS", "z") == 0


def test_in_dags(ready: Wire) -> None:
    dag = (
        "AI.DAGEXECUTE LOAD 2 x y PERSIST 1 z |> AI.SCRIPTEXECUTE s sum INPUTS 2 x y OUTPUTS 1 a"
        " |> AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1 z"
        " |> AI.SCRIPTEXECUTE s words KEYS 1 k ARGS 2 one two OUTPUTS 1 w |> AI.TENSORGET w VALUES"
    )
    assert ready.line(dag) == [OK, OK, OK, [b"words", b"k", b"one", b"two"]]
    assert values(ready, "z") == [4, 6]
    # No scope needs to be there; the function's own error, and nothing behind it.
    dag = "AI.DAGEXECUTE ROUTING r |> {} |> AI.SCRIPTEXECUTE s broken |> AI.SCRIPTEXECUTE s same"
    replies = ready.line(dag.format("AI.SCRIPTEXECUTE s same"))
    assert replies == [OK, failure("the function's own words"), Status(b"NA")]
    for name in ("AI.DAGRUN", "AI.DAGRUN_RO"):
        run = "AI.SCRIPTRUN s sum INPUTS $ x y OUTPUTS a"
        dag = f"{name} LOAD 2 x y |> {run} |> AI.TENSORGET a VALUES"
        assert ready.line(dag) == [OK, [4, 6]]
    timeout = "AI.DAGEXECUTE LOAD 1 x |> AI.SCRIPTEXECUTE s same INPUTS 1 x TIMEOUT 5"
    assert ready.line(timeout) == failure("ERR TIMEOUT not allowed within a DAG command")


def test_scripts_of_a_dag_keep_their_order(
    mocks: Wire, mocks_server: Server, tmp_path: Path
) -> None:
    """Also without a tensor between them, on different devices."""
    gate = Gate(tmp_path / "gate")
    held = f"def wait {gate.run_text}".encode()
    assert mocks("AI.SCRIPTSET", "first", "CPU", "SOURCE", held) == OK
    assert mocks("AI.SCRIPTSET", "second", "GPU", "SOURCE", SOURCE) == OK
    one = Wire((mocks_server.host, mocks_server.port))
    dag = "AI.DAGEXECUTE ROUTING r |> AI.SCRIPTEXECUTE first wait |> AI.SCRIPTEXECUTE second same"
    one.send(*dag.split())
    gate.reached()
    # The second has nothing to wait for but the first. What came later to its device has run.
    assert mocks.line("AI.SCRIPTEXECUTE second same KEYS 1 k") == OK
    assert mocks("AI.INFO", "second")[15] == 1
    gate.open()
    assert one.read() == [OK, OK]
    assert mocks("AI.INFO", "second")[15] == 2
    one.close()


@pytest.mark.parametrize("in_dag", [False, True], ids=["alone", "in a DAG"])
def test_a_script_is_carried_out_after_its_client_has_gone(
    mocks: Wire, mocks_server: Server, tmp_path: Path, in_dag: bool
) -> None:
    """It may write; even if it had not begun when the client went."""
    store(mocks)
    gate = Gate(tmp_path / "gate")
    assert mocks("AI.MODELSTORE", "hold", "ONNX", "CPU", "BLOB", gate.run_text) == OK
    mocks("AI.TENSORSET", "x", "INT8", 1)
    holds, runs, gone = (Wire((mocks_server.host, mocks_server.port)) for _ in range(3))
    holds.send(*"AI.MODELEXECUTE hold INPUTS 1 x OUTPUTS 1 y".split())
    gate.reached()
    line = "AI.SCRIPTEXECUTE s same INPUTS 1 x OUTPUTS 1 script"
    if in_dag:
        line = f"AI.DAGEXECUTE LOAD 1 x PERSIST 1 script |> {line}"
    number = gone("CLIENT", "ID")
    gone.send(*line.split())
    # A model's run behind it: when both wait, the script does.
    models.store(mocks, "m", models.ONE)
    other = runs("CLIENT", "ID")
    runs.send(*"AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 model".split())
    blocked = b"blocked_clients:3"
    wait_until(lambda: blocked in mocks("INFO", "clients"), "three blocked clients")
    assert mocks("CLIENT", "KILL", "ID", number) == 1
    assert mocks("CLIENT", "KILL", "ID", other) == 1
    gate.open()
    assert holds.read() == OK
    wait_until(lambda: mocks("AI.INFO", "s")[15] == 1, "the script's run")
    # The model's run was dropped, and nobody's outputs are stored.
    assert mocks("AI.INFO", "m")[15] == 0
    assert mocks("EXISTS", "script", "model") == 0
    for one in (holds, runs, gone):
        one.close()
