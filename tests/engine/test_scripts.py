"""Scripts in process. Expected values are torch's."""

import numpy as np
import pytest
import redisai_rs as rai
from onnx_models import model, node, value

SOURCE = """
def halve(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] / 2

def words(tensors: List[Tensor], keys: List[str], args: List[str]):
    return torch.tensor([len(keys), len(args), int(args[0])])

def both(tensors: List[Tensor], keys: List[str], args: List[str]):
    return [tensors[0] + 1, tensors[0] + 2]

def call(tensors: List[Tensor], keys: List[str], args: List[str]):
    return redisAI.model_execute(args[0], tensors, 1)

def serve(tensors: List[Tensor], keys: List[str], args: List[str]):
    redis.execute("PING")
    return tensors[0]
"""
ENTRY_POINTS = ["halve", "words", "both", "call", "serve"]
X = np.array([[1, 2, 3]], np.float32)


@pytest.fixture(scope="module")
def script(engine):
    return engine.script(SOURCE, ENTRY_POINTS)


def test_functions_run(script):
    np.testing.assert_array_equal(script.run("halve", X), X / 2)
    found = script.run("words", X, keys=["a"], args=["7", b"\xff"])
    np.testing.assert_array_equal(found, [1, 2, 7])
    one, two = script.run("both", X, outputs=2)
    np.testing.assert_array_equal(one, X + 1)
    np.testing.assert_array_equal(two, X + 2)
    np.testing.assert_array_equal(script.submit("halve", X).result(60), X / 2)
    np.testing.assert_array_equal(script.run("halve", X, timeout=60), X / 2)
    assert script.stats()["calls"] == 5


def test_a_script_calls_a_model_by_name(engine, script):
    blob = model([node("Add", "x x", "y")], [value("x")], [value("y")])
    loaded = engine.load(blob, name="double")
    np.testing.assert_array_equal(script.run("call", X, args=["double"]), 2 * X)
    assert loaded.stats()["calls"] == 1
    engine.forget("double")
    with pytest.raises(rai.Error, match="no model of the name double"):
        script.run("call", X, args=["double"])
    with pytest.raises(KeyError):
        engine.forget("double")


def test_there_is_no_server(script):
    with pytest.raises(rai.Error, match=r"redis\.execute needs a server"):
        script.run("serve", X)


def test_a_script_in_a_dag(engine, script):
    blob = model([node("Add", "x x", "y")], [value("x")], [value("y")])
    dag = engine.dag().tensor("x", X).script(script, "halve", ["x"], ["h"])
    dag.model(engine.load(blob), ["h"], ["y"])
    dag.script(script, "words", ["y"], ["w"], args=["3"])
    found = dag.get("y").get("w").run()
    np.testing.assert_array_equal(found["y"], X)
    np.testing.assert_array_equal(found["w"], [0, 1, 3])


def test_a_source_that_does_not_compile(engine):
    with pytest.raises(rai.InvalidModelError):
        engine.script("def f(:", ["f"])
    with pytest.raises(ValueError, match="NUL"):
        engine.script("def f\0", ["f"])
    with pytest.raises(rai.Error):
        engine.script(SOURCE, ["missing"])
