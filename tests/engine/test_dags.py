"""DAGs in process. Expected values are NumPy's."""

import asyncio

import numpy as np
import pytest
import redisai_rs as rai
from onnx_models import loop, model, node, value

X = np.arange(3, dtype=np.float32).reshape(1, 3)


@pytest.fixture(scope="module")
def plus(engine):
    nodes = [node("Add", "a b", "y")]
    return engine.load(model(nodes, [value("a"), value("b")], [value("y")]))


@pytest.fixture(scope="module")
def both(engine):
    nodes = [node("Add", "a b", "sum"), node("Sub", "a b", "difference")]
    return engine.load(model(nodes, [value("a"), value("b")], [value("sum"), value("difference")]))


def test_operations_follow_each_other(engine, plus, both):
    dag = engine.dag().tensor("x", X).model(plus, ["x", "x"], ["y"])
    dag.model(both, ["y", "x"], ["s", "d"])
    found = dag.run()
    assert list(found) == ["y", "s", "d"]
    np.testing.assert_array_equal(found["y"], 2 * X)
    np.testing.assert_array_equal(found["s"], 3 * X)
    np.testing.assert_array_equal(found["d"], X)
    # And once more, with the same tensors.
    np.testing.assert_array_equal(dag.submit().result(60)["s"], 3 * X)
    np.testing.assert_array_equal(asyncio.run(dag.run_async())["s"], 3 * X)


def test_get_says_what_is_wanted_and_when(engine, plus):
    dag = engine.dag().tensor("x", X).get("x").model(plus, ["x", "x"], ["x"])
    found = dag.model(plus, ["x", "x"], ["y"]).get("y").run()
    assert list(found) == ["x", "y"]
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["y"], 4 * X)


def test_a_dag_without_operations(engine):
    np.testing.assert_array_equal(engine.dag().tensor("x", X).get("x").run()["x"], X)
    assert engine.dag().run() == {}


def test_the_first_error_by_position_is_raised(engine, plus):
    wrong = np.zeros((1, 4), np.float32)
    dag = engine.dag().tensor("x", X).tensor("w", wrong).model(plus, ["x", "x"], ["y"])
    dag.model(plus, ["w", "w"], ["z"]).model(plus, ["z", "z"], ["u"])
    with pytest.raises(rai.InputError, match="Got: 4 Expected: 3"):
        dag.run()
    with pytest.raises(rai.Error, match="INPUTS here does not match"):
        engine.dag().tensor("x", X).model(plus, ["x"], ["y"]).run()


def test_names_are_checked_at_once(engine, plus):
    with pytest.raises(rai.InputError, match="the name 'z'"):
        engine.dag().tensor("x", X).model(plus, ["x", "z"], ["y"])
    with pytest.raises(rai.InputError, match="the name 'y'"):
        engine.dag().get("y")
    with pytest.raises(rai.InputError, match="'x' is one name"):
        engine.dag().tensor("x", X).model(plus, "x", ["y"])
    with pytest.raises(rai.InputError, match="object is no tensor"):
        engine.dag().tensor("x", object()).run()


def test_a_timeout_is_one_for_all(engine):
    slow = engine.load(loop())
    dag = engine.dag().tensor("n", np.array(2**62)).tensor("x", np.zeros(2, np.float32))
    dag.model(slow, ["n", "x"], ["y"]).model(slow, ["n", "y"], ["z"])
    with pytest.raises(rai.TimeoutError):
        dag.run(timeout=0.1)


def test_a_cancelled_dag_is_dropped(engine):
    slow = engine.load(loop(), device="CPU:2")
    dag = engine.dag().tensor("n", np.array(2**62)).tensor("x", np.zeros(2, np.float32))
    run = dag.model(slow, ["n", "x"], ["y"]).model(slow, ["n", "y"], ["z"]).submit()
    assert run.cancel()
    assert run.cancelled()
