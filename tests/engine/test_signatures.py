"""TFLite models with several signatures. Expected values are LiteRT's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redisai_rs as rai

MODELS = Path(__file__).parents[2] / "crates" / "backend-tflite" / "tests" / "data"
X = np.array([3, 5], np.float32)


@pytest.fixture(scope="module")
def litert():
    """LiteRT's interpreter by signature."""
    module = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    interpreter = module.Interpreter(str(MODELS / "two_signatures.tflite"))

    def run(name: str, x: np.ndarray) -> np.ndarray:
        runner = interpreter.get_signature_runner(name)
        (only,) = runner.get_input_details()
        (found,) = runner(**{only: x}).values()
        return found

    return run


@pytest.mark.parametrize("name", [None, "serving_default", "double"])
def test_a_signature_runs_by_its_name(engine, litert, name):
    loaded = engine.load(MODELS / "two_signatures.tflite", signature=name)
    expected = litert(name or "serving_default", X)
    for found in (loaded.run(X), loaded.submit(X).result(60), loaded.run(X, timeout=60)):
        np.testing.assert_array_equal(found, expected)
    found = engine.dag().tensor("x", X).model(loaded, ["x"], ["y"]).run()["y"]
    np.testing.assert_array_equal(found, expected)
    (named,) = loaded.inputs
    np.testing.assert_array_equal(loaded.run({named: X}), expected)
    with pytest.raises(rai.InputError, match="INPUTS here does not match"):
        loaded.run(X, X)


def test_a_script_calls_the_signature_that_was_named(engine, litert):
    source = """
def call(tensors: List[Tensor], keys: List[str], args: List[str]):
    return redisAI.model_execute("named", tensors, 1)
"""
    engine.load(MODELS / "two_signatures.tflite", signature="double", name="named")
    found = engine.script(source, ["call"]).run("call", X)
    np.testing.assert_array_equal(found, litert("double", X))
    engine.forget("named")


def test_requests_of_a_signature_are_not_mixed_with_others(engine, litert):
    """One line of requests, two functions: a batch must not join them."""
    loaded = engine.load(MODELS / "two_signatures.tflite", signature="double", batch_size=8)
    runs = [loaded.submit(X + i) for i in range(8)]
    for i, run in enumerate(runs):
        np.testing.assert_array_equal(run.result(60), litert("double", X + i))
    assert loaded.stats()["batches"] == 0


def test_a_signature_that_is_not_there(engine):
    with pytest.raises(rai.InputError, match="it has serving_default, double"):
        engine.load(MODELS / "two_signatures.tflite", signature="other")
