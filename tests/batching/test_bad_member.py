"""A batch of which one member, or several, cannot be run: only those fail."""

from __future__ import annotations

import numpy as np
import pytest
from dag.ops import dag
from dag.ops import execute as step
from holding import Pending, run
from onnx import TensorProto
from onnx_models import get, info, model, node, put, reference, reference_error, value

MEMBERS = 8
TABLE = {"table": np.arange(40, dtype=np.float32).reshape(10, 4)}
# Which rows exist is known to the run only: the shapes say nothing of it.
OUTSIDE = 1000


@pytest.fixture
def lookup(client):
    """A model that reads rows of a table, and waits until all members are there."""
    nodes = [node("Gather", "table i", "y", axis=0)]
    inputs = [value("i", TensorProto.INT64, ("n",))]
    blob = model(nodes, inputs, [value("y", dims=("n", 4))], TABLE)
    sizes = ["BATCHSIZE", MEMBERS, "MINBATCHSIZE", MEMBERS]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", blob]
    assert client.execute_command(*words) == b"OK"
    return blob


def indices(bad):
    """The input of each member, a row each."""
    return [np.array([OUTSIDE if n in bad else n]) for n in range(MEMBERS)]


def errors_of_singles(blob, inputs, bad):
    """What the framework says of each bad one when it is run alone."""
    return {n: reference_error(blob, i=inputs[n]) for n in bad}


@pytest.mark.parametrize("bad", [{n} for n in range(MEMBERS)] + [{0, 7}, {2, 3}, set()], ids=str)
def test_each_member_is_bad_in_turn(server, client, lookup, bad):
    inputs = indices(bad)
    for n, one in enumerate(inputs):
        put(client, f"i{n}", one)
    waiting = [Pending(server, *run("m", [f"i{n}"], [f"y{n}"])) for n in range(MEMBERS)]
    replies = [one.reply() for one in waiting]
    texts = errors_of_singles(lookup, inputs, bad)
    for n, reply in enumerate(replies):
        if n in bad:
            assert texts[n] in str(reply), n
            assert not client.exists(f"y{n}"), n
        else:
            assert reply == b"OK", n
            expected = reference(lookup, i=inputs[n])[0]
            np.testing.assert_array_equal(get(client, f"y{n}"), expected)
    counts = info(client)
    assert (counts["calls"], counts["errors"]) == (MEMBERS, len(bad))
    if not bad:
        assert info(client, "m", "FULL")["batch_sizes"] == [[MEMBERS, 1]]
    assert client.ping()


@pytest.mark.parametrize("bad", range(MEMBERS))
def test_members_that_are_steps_of_dags(server, client, lookup, bad):
    """Every other member is a DAG's step: its bad one fails in its own place."""
    inputs = indices({bad})
    waiting = []
    for n, one in enumerate(inputs):
        put(client, f"i{n}", one)
        if n % 2:
            words = dag(step("m", f"i{n}", f"y{n}"), head=f"LOAD 1 i{n} PERSIST 1 y{n}")
        else:
            words = run("m", [f"i{n}"], [f"y{n}"])
        waiting.append(Pending(server, *words))
    replies = [one.reply() for one in waiting]
    text = reference_error(lookup, i=inputs[bad])
    for n, reply in enumerate(replies):
        if n == bad:
            failed = reply[0] if n % 2 else reply
            assert text in str(failed)
            assert not client.exists(f"y{n}")
        else:
            assert reply == ([b"OK"] if n % 2 else b"OK")
            expected = reference(lookup, i=inputs[n])[0]
            np.testing.assert_array_equal(get(client, f"y{n}"), expected)
    assert info(client)["errors"] == 1
    assert client.ping()
