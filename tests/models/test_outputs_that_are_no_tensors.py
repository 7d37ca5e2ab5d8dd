"""ZipMap, sequences, maps and optional values: what becomes a tensor, and what leaves its key."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import execute, get, info, model, node, put, reference, store, value
from sklearn import datasets, linear_model

FLOAT = TensorProto.FLOAT


def zipmap(classes):
    """A classifier's last node: probabilities as a sequence of maps."""
    strings = isinstance(classes[0], str)
    key = TensorProto.STRING if strings else TensorProto.INT64
    given = {"classlabels_strings": classes} if strings else {"classlabels_int64s": classes}
    entry = helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, ()))
    output = helper.make_value_info("z", helper.make_sequence_type_proto(entry))
    nodes = [node("ZipMap", "x", "z", domain="ai.onnx.ml", **given), node("Neg", "x", "n")]
    return model(nodes, [value("x")], [value("n"), output])


@pytest.mark.parametrize("classes", [["b", "a", "c"], [7, -1, 3]], ids=["strings", "integers"])
def test_zipmap_is_a_matrix_in_the_models_order_of_classes(client, classes):
    blob = zipmap(classes)
    x = np.array([[0.5, 0.25, 0.25], [0, 1, 0]], np.float32)
    store(client, blob)
    put(client, "x", x)
    assert execute(client, ["x"], ["n", "z"]) == b"OK"
    _, maps = reference(blob, x=x)
    expected = [[row[name] for name in classes] for row in maps]
    assert get(client, "z").dtype == np.float32
    np.testing.assert_array_equal(get(client, "z"), np.array(expected, np.float32))
    np.testing.assert_array_equal(get(client, "n"), -x)
    described = info(client, "m", "FULL")["outputs"][1]
    labels = dict(zip(described[::2], described[1::2], strict=True))
    assert labels[b"classes"] == [str(name).encode() for name in classes]


def test_scikit_learns_classifier(client):
    """The real thing: skl2onnx is not at hand, so the graph that it makes, by hand."""
    features, labels = datasets.load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    fitted = linear_model.LogisticRegression(max_iter=1000).fit(features, names[labels])
    classifier = node(
        "LinearClassifier",
        "x",
        "label scores",
        domain="ai.onnx.ml",
        classlabels_strings=fitted.classes_.tolist(),
        coefficients=fitted.coef_.ravel().tolist(),
        intercepts=fitted.intercept_.tolist(),
        multi_class=1,
        post_transform="SOFTMAX",
    )
    last = node(
        "ZipMap", "scores", "p", domain="ai.onnx.ml", classlabels_strings=list(fitted.classes_)
    )
    entry = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(FLOAT, ()))
    outputs = [
        value("label", TensorProto.STRING, ("n",)),
        helper.make_value_info("p", helper.make_sequence_type_proto(entry)),
    ]
    store(client, model([classifier, last], [value("x", dims=("n", 4))], outputs))
    put(client, "x", features.astype(np.float32))
    assert execute(client, ["x"], ["label", "p"]) == b"OK"
    predicted = [label.decode() for label in get(client, "label")]
    assert predicted == fitted.predict(features).tolist()
    np.testing.assert_allclose(get(client, "p"), fitted.predict_proba(features), atol=1e-4)


def sequence_model():
    output = helper.make_tensor_sequence_value_info("s", FLOAT, None)
    nodes = [node("SequenceConstruct", "x x", "s"), node("Neg", "x", "n")]
    return model(nodes, [value("x")], [output, value("n")])


def test_a_sequence_leaves_its_key_and_warns_once(server, client):
    store(client, sequence_model())
    put(client, "x", np.ones((2, 3), np.float32))
    client.set("kept", "as it is")
    for _ in range(3):
        assert execute(client, ["x"], ["s", "n"]) == b"OK"
    assert not client.exists("s")
    np.testing.assert_array_equal(get(client, "n"), -np.ones((2, 3), np.float32))
    warnings = [line for line in server.log_text().splitlines() if "is no tensor" in line]
    assert len([line for line in warnings if '"s"' in line]) == 1, warnings
    # A tensor that was there stays.
    put(client, "s", np.zeros(1, np.float32))
    assert execute(client, ["x"], ["s", "n"]) == b"OK"
    np.testing.assert_array_equal(get(client, "s"), [0])


@pytest.mark.parametrize("full", [True, False])
def test_an_optional_tensor_is_a_tensor(client, full):
    tensor_type = helper.make_tensor_type_proto(FLOAT, None)
    output = helper.make_value_info("o", helper.make_optional_type_proto(tensor_type))
    made = node("Optional", "x", "o") if full else node("Optional", "", "o", type=tensor_type)
    nodes = [made, node("Neg", "x", "n")]
    store(client, model(nodes, [value("x")], [output, value("n")], opset=18))
    x = np.ones((1, 3), np.float32)
    put(client, "x", x)
    assert execute(client, ["x"], ["o", "n"]) == b"OK"
    assert bool(client.exists("o")) is full
    if full:
        np.testing.assert_array_equal(get(client, "o"), x)
    np.testing.assert_array_equal(get(client, "n"), -x)


def test_an_optional_input_takes_a_tensor(client):
    tensor_type = helper.make_tensor_type_proto(FLOAT, None)
    given = helper.make_value_info("o", helper.make_optional_type_proto(tensor_type))
    store(client, model([node("OptionalGetElement", "o", "y")], [given], [value("y")], opset=18))
    x = np.ones((1, 3), np.float32)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), x)


def test_an_output_of_a_type_without_a_name_is_an_error(client):
    nodes = [node("Cast", "x", "y", to=TensorProto.FLOAT8E4M3FN)]
    blob = model(nodes, [value("x")], [value("y", TensorProto.FLOAT8E4M3FN)], opset=19)
    store(client, blob)
    put(client, "x", np.ones((1, 3), np.float32))
    with pytest.raises(Exception, match="element type"):
        execute(client, ["x"], ["y"])
    assert not client.exists("y")
