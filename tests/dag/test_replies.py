"""What a DAG replies: one element an operation, in RESP2 and RESP3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_models as onnx
import pytest
from commands.models import ADD, ONE, info, store
from commands.wire import OK, Status, Wire, failure
from dag.ops import KINDS, dag, execute, run, tget, tset
from onnx import TensorProto
from redisai_rs.testing import Server, wait_until

NA = Status(b"NA")
FAIL = b"fail ERR no luck\ninput in\noutput out"
NO_LUCK = failure("ERR no luck")


def doubles(wire: Wire, *values: float) -> list[float | bytes]:
    """Floating point values as this protocol replies them."""
    return list(values) if wire.protocol == 3 else [b"%.17g" % value for value in values]


@pytest.mark.parametrize("kind", KINDS)
def test_one_element_an_operation(mocks_both: Wire, kind: str) -> None:
    wire = mocks_both
    store(wire, "m", ADD)
    wire(*tset("t", 1, 2))
    step = run if "RUN" in kind else execute
    reply = wire(
        *dag(
            tset("x", 0.5, 4),
            step("m", "x t", "y"),
            tget("y"),
            tget("y", "META"),
            tget("y", "VALUES"),
            tget("y", "BLOB"),
            tget("t", "META", "VALUES"),
            step("m", "y y", "z"),
            tget("z", "values"),
            head="LOAD 1 t",
            kind=kind,
        )
    )
    blob = np.array([1.5, 6], np.float32).tobytes()
    meta = [b"dtype", b"FLOAT", b"shape", [2]]
    assert reply == [
        OK,
        OK,
        [*meta, b"blob", blob],
        meta,
        doubles(wire, 1.5, 6),
        blob,
        [*meta, b"values", doubles(wire, 1, 2)],
        OK,
        doubles(wire, 3, 12),
    ]
    # Nothing was asked to become a key.
    assert sorted(wire("KEYS", "*")) == [b"m", b"t"]


def test_values_of_every_kind(both: Wire) -> None:
    """A DAG without a model is answered at once, as AI.TENSORGET would."""
    sets = [
        ["AI.TENSORSET", "u", "UINT64", 2, "VALUES", 7, 2**64 - 1],
        ["AI.TENSORSET", "s", "STRING", 2, "BYTES", b"a\0b", b""],
        ["AI.TENSORSET", "d", "DOUBLE", 2, "VALUES", "inf", 0.1],
        ["AI.TENSORSET", "0", "BOOL", "VALUES", 1],
        ["AI.TENSORSET", "z", "INT8", 2, 3],
    ]
    names = [words[1] for words in sets]
    reply = both(*dag(*sets, *[tget(name, *how) for name in names for how in ((), ("VALUES",))]))
    assert reply[:5] == [OK] * 5
    for words in sets:
        assert both(*words) == OK
    plain = [both(*tget(name, *how)) for name in names for how in ((), ("VALUES",))]
    assert reply[5:] == plain
    assert plain[1] == [7, b"18446744073709551615"]
    assert plain[3] == [b"a\0b", b""]


def test_a_failure_ends_the_dag(mocks_both: Wire) -> None:
    """Every operation behind the first failed one, by position, is NA, whatever could be told."""
    wire = mocks_both
    store(wire, "bad", FAIL)
    store(wire, "m", ONE)
    wire(*tset("t", 1))
    reply = wire(
        *dag(
            tget("t", "VALUES"),
            execute("m", "t", "a"),
            execute("bad", "t", "b"),
            execute("m", "b", "c"),
            execute("m", "t", "d"),
            tset("x", 1),
            tget("t"),
            tget("a"),
            tget("c"),
            execute("bad", "t", "e"),
            head="LOAD 1 t PERSIST 3 t a x",
        )
    )
    assert reply == [doubles(wire, 1), OK, NO_LUCK, *[NA] * 7]
    # Nothing is persisted when anything failed.
    assert wire("EXISTS", "a", "b", "x") == 0
    assert info(wire, "bad")[b"errors"] == 1


def test_the_only_operation_fails(mocks_both: Wire) -> None:
    wire = mocks_both
    store(wire, "bad", FAIL)
    command = dag(tset("x", 1), execute("bad", "x", "y"), tget("y"), head="PERSIST 2 y x")
    assert wire(*command) == [OK, NO_LUCK, NA]
    assert wire("EXISTS", "x", "y") == 0


def test_an_output_that_is_no_tensor(mocks: Wire) -> None:
    """It is not there for AI.TENSORGET, its key stays as it is, and no operation can read it."""
    store(mocks, "none", b"none\ninput in\noutput out")
    store(mocks, "m", ONE)
    mocks(*tset("y", 5))
    command = dag(
        tset("x", 1),
        execute("none", "x", "y"),
        tget("y"),
        tget("x", "VALUES"),
        head="PERSIST 2 y x",
    )
    assert mocks(*command) == [OK, OK, NA, [b"1"]]
    assert mocks(*tget("y", "VALUES")) == [b"5"]
    assert mocks(*tget("x", "VALUES")) == [b"1"]
    command = dag(tset("x", 1), execute("none", "x", "y"), execute("m", "y", "z"), tget("x"))
    first, second, third, last = mocks(*command)
    assert (first, second, last) == (OK, OK, NA)
    assert third.startswith(b"ERR ")


def test_of_several_that_lack_a_tensor_the_first_fails(mocks: Wire) -> None:
    """They are known to fail at one moment, in the order in which they wait."""
    store(mocks, "none", b"none\ninput in\noutput out")
    store(mocks, "m", ONE)
    reading = [execute("m", "y", name) for name in "abc"]
    command = dag(tset("x", 1), execute("none", "x", "y"), *reading, head="PERSIST 2 x a")
    first, second, third, *rest = mocks(*command)
    assert (first, second, rest) == (OK, OK, [NA, NA])
    assert third.startswith(b"ERR an input of this operation holds no tensor")
    assert mocks("EXISTS", "x", "a") == 0


def test_a_name_may_be_produced_again(mocks: Wire) -> None:
    """Each operation sees the latest producer in front of it, PERSIST the last one."""
    store(mocks, "m", ADD)
    mocks(*tset("x", 1))
    reply = mocks(
        *dag(
            tget("x", "VALUES"),
            execute("m", "x x", "x"),
            tget("x", "VALUES"),
            tset("x", 10),
            execute("m", "x x", "y"),
            execute("m", "x y", "x"),
            tget("x", "VALUES"),
            execute("m", "x x", "x"),
            head="LOAD 1 x PERSIST 1 x",
        )
    )
    assert reply == [[b"1"], OK, [b"2"], OK, OK, OK, [b"30"], OK]
    assert mocks(*tget("x", "VALUES")) == [b"60"]


def test_two_outputs_of_one_name(mocks: Wire) -> None:
    store(mocks, "m", b"identity\ninput a\ninput b\noutput c\noutput d")
    command = dag(tset("a", 1), tset("b", 2), execute("m", "a b", "y y"), tget("y", "VALUES"))
    assert mocks(*command) == [OK, OK, OK, [b"2"]]


def test_counts_that_are_known_late(mocks: Wire) -> None:
    """A model whose numbers of inputs are not known takes what it is given."""
    store(mocks, "m", b"add")
    command = dag(tset("a", 1), execute("m", "a a a", "y"), tget("y", "VALUES"))
    assert mocks(*command) == [OK, OK, [b"3"]]


def test_models_of_two_devices(mocks: Wire) -> None:
    for device in ("CPU", "CPU:1"):
        assert mocks("AI.MODELSTORE", device, "ONNX", device, "BLOB", ADD) == OK
    ops, expected = [tset("x", 1)], 1.0
    for step in range(20):
        ops.append(execute(("CPU", "CPU:1")[step % 2], "x x", "x"))
        expected *= 2
    assert mocks(*dag(*ops, tget("x", "VALUES")))[-1] == [b"%.17g" % expected]


def test_real_models_against_onnxruntime(server: Server) -> None:
    rng = np.random.default_rng(7)
    weights = {key: rng.normal(size=(3, 3)).astype(np.float32) for key in "ab"}
    client = server.client()
    client.flushall()
    blobs = {}
    for key, matrix in weights.items():
        blobs[key] = onnx.model(
            [onnx.node("MatMul", "x w", "h"), onnx.node("Tanh", "h", "y")],
            [onnx.value("x")],
            [onnx.value("y")],
            {"w": matrix},
        )
        onnx.store(client, blobs[key], key)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    command = dag(
        ["AI.TENSORSET", "x", "FLOAT", 5, 3, "BLOB", x.tobytes()],
        execute("a", "x", "h"),
        execute("b", "h", "y"),
        tget("y", "BLOB"),
        execute("a", "y", "x"),
        head="PERSIST 1 x",
    )
    ok, first, second, blob, last = client.execute_command(*command)
    assert [ok, first, second, last] == [b"OK"] * 4
    (h,) = onnx.reference(blobs["a"], x=x)
    (y,) = onnx.reference(blobs["b"], x=h)
    np.testing.assert_allclose(np.frombuffer(blob, np.float32).reshape(5, 3), y, rtol=1e-6)
    (last,) = onnx.reference(blobs["a"], x=y)
    np.testing.assert_allclose(onnx.get(client, "x"), last, rtol=1e-6)


def test_a_framework_error_stands_in_its_place(server: Server) -> None:
    client = server.client()
    client.flushall()
    blob = onnx.model([onnx.node("Neg", "x", "y")], [onnx.value("x")], [onnx.value("y")])
    onnx.store(client, blob)
    wire = Wire((server.host, server.port))
    command = dag(
        ["AI.TENSORSET", "x", "DOUBLE", 1, 3],
        execute("m", "x", "y"),
        tget("y"),
        head="PERSIST 1 y",
    )
    text = onnx.reference_error(blob, x=np.zeros((1, 3)))
    assert wire(*command) == [OK, failure(text), NA]
    assert wire("EXISTS", "y") == 0
    wire.close()


def test_short_runs_without_a_hand_off(make_server: Callable[..., Server]) -> None:
    """Once a model is known to be short its DAGs run in the turn of the command: same replies."""
    server = make_server(module_args=["INTRA_OP_PARALLELISM", 1])
    client, wire = server.client(), Wire((server.host, server.port))
    table = np.array([10, 20, 30, 40], np.float32)
    x = onnx.value("x", TensorProto.INT64)
    blob = onnx.model([onnx.node("Gather", "t x", "y")], [x], [onnx.value("y")], {"t": table})
    text = onnx.reference_error(blob, x=np.array([[1, 2, 9]]))

    def waited(last: int, *expected: object, errors: int = 0) -> int:
        """The longest wait for a worker, in nanoseconds, of 50 DAGs with one reply."""
        command = dag(
            ["AI.TENSORSET", "x", "INT64", 1, 3, "VALUES", 1, 2, last],
            execute("m", "x", "y"),
            tget("y", "VALUES"),
            head="PERSIST 1 y TIMEOUT 60000",
        )
        assert wire("AI.INFO", "m", "RESETSTAT") == OK
        for _ in range(50):
            assert wire(*command) == [OK, *expected]
        found = onnx.info(client, "m", "FULL")
        assert (found["calls"], found["samples"], found["errors"]) == (50, 50 - errors, errors)
        return int(found["queue_ns"][11])

    def right() -> int:
        return waited(3, OK, [b"20", b"30", b"40"])

    def at_once() -> bool:
        # Where the machine held up one of its runs for too long, that was the last for this model.
        onnx.store(client, blob)
        # Waits below 64 ns are not told apart; no hand-off is as quick.
        assert right() > 64
        if not any(right() < 64 for _ in range(20)):
            return False
        # The errors are those of a worker, and in the same place.
        return waited(9, failure(text), NA, errors=50) < 64

    wait_until(at_once, "runs that wait for no worker")
    np.testing.assert_array_equal(onnx.get(client, "y"), table[[[1, 2, 3]]])
    wire.close()
