"""TF models on real servers, against TensorFlow itself."""

from __future__ import annotations

import importlib.metadata
import io
import zipfile
from pathlib import Path

import digits
import numpy as np
import pytest
import redis
from backends.tf_models import refused, store, tarred, zipped
from models_on_servers import get, put, run

# Of the demo's graph.
NAMES = ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")


@pytest.fixture(scope="module")
def folder(tf, tmp_path_factory) -> Path:
    """A SavedModel with a variable, two signatures, and strings."""

    class Line(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = tf.Variable([2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def scaled(self, x):
            return {"y": x * self.slope, "sum": tf.reduce_sum(x, axis=1)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def joined(self, text):
            return {"twice": tf.strings.join([text, text])}

    line = Line()
    place = tmp_path_factory.mktemp("saved") / "line"
    signatures = {"serving_default": line.scaled, "joined": line.joined}
    tf.saved_model.save(line, str(place), signatures)
    return place


def test_digits_are_what_the_graph_says(client, tf):
    blob = digits.blob("digits.pb")
    images = digits.rows()
    x = np.frombuffer(digits.pixels(images), np.float32).reshape(len(images), digits.PIXELS)
    store(client, blob, *NAMES)
    put(client, "x", x)
    run(client, "m", ["x"], ["d", "p"])
    graph = tf.compat.v1.GraphDef.FromString(blob)
    pruned = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(graph, name=""), []
    ).prune("pixels:0", ["digit:0", "probabilities:0"])
    digit, probabilities = pruned(tf.constant(x))
    assert get(client, "d", np.int64).tolist() == digit.numpy().tolist()
    np.testing.assert_allclose(get(client, "p"), probabilities.numpy(), rtol=1e-5, atol=1e-7)
    right = sum(got == image[1] for got, image in zip(digit.numpy(), images, strict=True))
    assert right / len(images) > 0.95


def test_the_contract_s_texts(client):
    blob = digits.blob("digits.pb")
    assert refused(client, blob) == "INPUTS not specified for TF"
    assert (
        refused(client, blob, "INPUTS", 1, "nope", "OUTPUTS", 1, "digit")
        == 'Input node named "nope" not found in TF graph.'
    )
    assert (
        refused(client, blob, "INPUTS", 1, "pixels", "OUTPUTS", 1, "nope")
        == 'Output node named "nope" not found in TF graph'
    )
    # It is there, and is no placeholder.
    assert "not found in TF graph." in refused(
        client, blob, "INPUTS", 1, "Softmax", "OUTPUTS", 1, "digit"
    )
    assert refused(client, b"garbage", *NAMES) == "Invalid GraphDef"
    store(client, blob, "INPUTS", 1, "pixels:0", "OUTPUTS", 1, "digit:0")
    with pytest.raises(redis.ResponseError, match="GPU requested but TF couldn't find CUDA"):
        client.execute_command("AI.MODELSTORE", "g", "TF", "GPU", *NAMES, "BLOB", blob)


@pytest.mark.parametrize("archive", [zipped, tarred])
def test_a_saved_model_with_variables(client, folder, archive):
    store(client, archive(folder))
    reply = client.execute_command("AI.MODELGET", "m", "META")
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    assert (facts[b"inputs"], facts[b"outputs"]) == ([b"x"], [b"sum", b"y"])
    put(client, "x", np.float32([[1, 1], [2, 5]]))
    run(client, "m", ["x"], ["sum", "y"])
    assert get(client, "y").tolist() == [[2, 3], [4, 15]]
    assert get(client, "sum").tolist() == [2, 7]


def test_names_choose_the_signature(client, folder):
    blob = zipped(folder, "deep/er/")
    store(client, blob, "INPUTS", 1, "text", "OUTPUTS", 1, "twice")
    words = ("AI.TENSORSET", "s", "STRING", 2, "BYTES", b"a\0b", b"")
    client.execute_command(*words)
    run(client, "m", ["s"], ["t"])
    values = client.execute_command("AI.TENSORGET", "t", "VALUES")
    assert values == [b"a\0ba\0b", b""]
    assert "not found in TF graph" in refused(
        client, blob, "INPUTS", 1, "text", "OUTPUTS", 1, "nope"
    )
    assert "no signature" in refused(client, blob, "INPUTS", 1, "text", "OUTPUTS", 1, "y")


def test_archives_that_are_none_of_ours(client, folder):
    with zipfile.ZipFile(out := io.BytesIO(), "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    assert "model.export" in refused(client, out.getvalue())
    with zipfile.ZipFile(out := io.BytesIO(), "w") as archive:
        archive.writestr("../saved_model.pb", (folder / "saved_model.pb").read_bytes())
    assert "outside" in refused(client, out.getvalue())
    blob = zipped(folder)
    for cut in (10, 500, len(blob) - 30):
        assert refused(client, blob[:cut])


def test_the_directory_is_gone_after_a_store(make_server, folder, tmp_path):
    server = make_server(env={"TMPDIR": str(tmp_path)})
    with server.client() as client:
        store(client, zipped(folder))
        refused(client, zipped(folder)[:-30])
        assert list(tmp_path.iterdir()) == []
        put(client, "x", np.float32([[1, 1]]))
        run(client, "m", ["x"], ["sum", "y"])
        assert get(client, "y").tolist() == [[2, 3]]


def test_files_are_refused(client, tf, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.string, name="x")
        tf.identity(tf.io.read_file(x), name="y")
    names = ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
    assert "ReadFile" in refused(client, graph.as_graph_def().SerializeToString(), *names)

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="x")])
        def read(self, x):
            return {"y": tf.io.read_file(x)}

    reader = Reader()
    tf.saved_model.save(reader, str(tmp_path / "reader"), {"serving_default": reader.read})
    assert "ReadFile" in refused(client, zipped(tmp_path / "reader"))


def frozen_loop(tf, _folder: Path, goes_on) -> bytes:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, name="x")
        tf.identity(tf.while_loop(goes_on, lambda v: v * 0.5 + 1, [x])[0], name="y")
    return graph.as_graph_def().SerializeToString()


def saved_loop(tf, folder: Path, goes_on) -> bytes:
    class Loop(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
        def go(self, x):
            return {"y": tf.while_loop(goes_on, lambda v: v * 0.5 + 1, [x])[0]}

    loop = Loop()
    tf.saved_model.save(loop, str(folder), {"serving_default": loop.go})
    return zipped(folder)


def kept_loop(tf, folder: Path, goes_on) -> bytes:
    """Of a SavedModel, in a function that TensorFlow may not inline."""

    @tf.function(experimental_attributes={"_noinline": True})
    def inner(x):
        return tf.while_loop(goes_on, lambda v: v * 0.5 + 1, [x])[0]

    class Loop(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, name="x")])
        def go(self, x):
            return {"y": inner(x)}

    loop = Loop()
    tf.saved_model.save(loop, str(folder), {"serving_default": loop.go})
    return zipped(folder)


@pytest.mark.parametrize("form", [frozen_loop, saved_loop, kept_loop])
@pytest.mark.parametrize("condition", ["of the values", "true", "folded"])
def test_an_endless_loop_ends_at_its_timeout_and_its_session_lives(
    make_server, tf, tmp_path, form, condition
):
    # One that does not depend on the values TensorFlow would fold: such a loop sees no end.
    conditions = {
        "of the values": lambda v: tf.reshape(v, [-1])[0] > -1,
        "true": lambda _: tf.constant(True),
        "folded": lambda _: tf.constant(2) > tf.constant(1),
    }
    blob = form(tf, tmp_path / "loop", conditions[condition])
    server = make_server()
    with server.client() as client:
        store(client, blob, "INPUTS", 1, "x", "OUTPUTS", 1, "y")
        put(client, "x", np.float32([0]))
        for _ in range(3):
            assert run(client, "m", ["x"], ["y"], "TIMEOUT", 100) == b"TIMEDOUT"
        # The one worker of the device is free for another model.
        store(client, digits.blob("digits.pb"), *NAMES, key="d")
        put(client, "p", np.zeros((1, digits.PIXELS), np.float32))
        run(client, "d", ["p"], ["o", "q"], "TIMEOUT", 10_000)
        assert get(client, "o", np.int64).shape == (1,)


def test_info_says_which_tensorflow(client):
    store(client, digits.blob("digits.pb"), *NAMES)
    text = str(client.execute_command("INFO", "ai_backends_info"))
    text += str(client.execute_command("INFO", "MODULES"))
    assert importlib.metadata.version("tensorflow-cpu") in text
