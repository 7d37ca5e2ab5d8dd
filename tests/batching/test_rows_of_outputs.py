"""A model whose outputs have not the rows of its inputs: an error, once, then it is run singly."""

from __future__ import annotations

import numpy as np
import pytest
from commands.wire import OK, Wire, failure
from dag.ops import NA, dag, tget
from dag.ops import execute as step
from holding import Pending, run
from onnx_models import get, info, model, node, put, reference, value
from redisai_rs.testing import Server

TEXT = "ERR Model did not generate the expected batch size"
OF_TF = "ERR Tensorflow batching error: model did not generate the expected batch size"


def test_a_model_that_folds_its_rows(server: Server, client) -> None:
    nodes = [node("ReduceMean", "x", "y", axes=[0], keepdims=1)]
    blob = model(nodes, [value("x", dims=("n", 2))], [value("y", dims=("m", 2))])
    sizes = ["BATCHSIZE", 4, "MINBATCHSIZE", 2]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", blob]
    assert client.execute_command(*words) == b"OK"
    inputs = [np.full((n + 1, 2), n, np.float32) for n in range(2)]
    for n, x in enumerate(inputs):
        put(client, f"x{n}", x)
    steps = [step("m", "x1", "y1"), tget("y1")]
    sent = [
        Pending(server, *run("m", ["x0"], ["y0"])),
        Pending(server, *dag(*steps, head="LOAD 1 x1 PERSIST 1 y1")),
    ]
    assert sent[0].error() == TEXT
    failed, behind = sent[1].reply()
    assert (str(failed), behind) == (TEXT.removeprefix("ERR "), NA)
    assert not client.exists("y0", "y1")
    assert info(client)["errors"] == 2
    # From now on nobody waits for company, and each gets what the framework gives for its rows.
    for n, x in enumerate(inputs):
        assert client.execute_command(*run("m", [f"x{n}"], [f"y{n}"])) == b"OK"
        np.testing.assert_array_equal(get(client, f"y{n}"), reference(blob, x=x)[0])
    assert info(client)["errors"] == 2


@pytest.mark.parametrize(("backend", "text"), [("ONNX", TEXT), ("TORCH", TEXT), ("TF", OF_TF)])
def test_the_text_of_each_backend(
    mocks_server: Server, mocks: Wire, backend: str, text: str
) -> None:
    names = ["INPUTS", 1, "x", "OUTPUTS", 1, "y"] if backend == "TF" else []
    sizes = ["BATCHSIZE", 4, "MINBATCHSIZE", 2]
    words = ["AI.MODELSTORE", "m", backend, "CPU", *sizes, *names, "BLOB", "allocate 3"]
    assert mocks(*words) == OK
    assert mocks("AI.TENSORSET", "x", "FLOAT", 1) == OK
    other = Pending(mocks_server, *run("m", ["x"], ["y"]))
    assert mocks(*run("m", ["x"], ["z"])) == failure(text)
    assert other.error() == text
    assert mocks("EXISTS", "y", "z") == 0
    assert mocks(*run("m", ["x"], ["z"])) == OK
    assert mocks("AI.TENSORGET", "z", "META")[3] == [3]
    other.close()
