"""Models and inputs of TensorFlow and LiteRT that are wrong: errors, and servers that live on."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import numpy as np
import pytest
import redis
from backends.bad_models import DATA, SAMPLES, Sample
from models_on_servers import put, run
from redisai_rs.testing import Server

GIB = 1 << 30
# Of each kind of model: a SavedModel comes in two archives.
MUTATIONS = {"graph": 1_000, "zip": 500, "tar": 500, "tflite": 1_000}


@pytest.fixture(scope="module", params=SAMPLES)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def sample(kind) -> Sample:
    return SAMPLES[kind]()


def pages(server: Server, field: int) -> int:
    """Bytes that the process has mapped (0), or that are in memory (1)."""
    words = Path(f"/proc/{server.pid}/statm").read_text().split()
    return int(words[field]) * resource.getpagesize()


def store(client: redis.Redis, sample: Sample, blob: bytes) -> None:
    words = ("AI.MODELSTORE", "m", sample.backend, "CPU", *sample.names)
    client.execute_command(*words, "BLOB", blob)


def warmed(server: Server, sample: Sample) -> redis.Redis:
    """A client of a server in which the framework has run."""
    client = server.client()
    put(client, "x", np.ones(sample.shape, np.float32))
    store(client, sample, sample.blob)
    run(client, "m", ["x"], outputs("y", sample))
    return client


def outputs(name: str, sample: Sample) -> list[str]:
    return [name, *(f"{name}{more}" for more in range(1, sample.outputs))]


def values(client: redis.Redis, sample: Sample) -> list[list[bytes]]:
    return [client.execute_command("AI.TENSORGET", key, "VALUES") for key in outputs("y", sample)]


def limit(server: Server, more: int) -> None:
    """Lets a server map so much more than it has."""
    end = pages(server, 0) + more
    resource.prlimit(server.pid, resource.RLIMIT_AS, (end, end))


def failure(client: redis.Redis, *words: object) -> str:
    """The error of a command."""
    with pytest.raises(redis.ResponseError) as error:
        client.execute_command(*words)
    return str(error.value)


def test_cuts_and_random_bytes_are_refused(make_server, sample):
    server = make_server()
    client = warmed(server, sample)
    limit(server, 2 * GIB)
    chance = random.Random(7)
    whole = sample.blob
    bad = [chance.randbytes(chance.randint(1, 4096)) for _ in range(100)]
    # A GraphDef that is cut between two nodes is one: the others are not. A tar ends in zeros.
    cuts = range(1, len(whole.rstrip(b"\0")), max(1, len(whole) // 100))
    cuts = [] if sample.names else [whole[:cut] for cut in cuts]
    for blob in [*bad, *cuts]:
        words = ("AI.MODELSTORE", "bad", sample.backend, "CPU", *sample.names, "BLOB", blob)
        assert failure(client, *words)
    assert not client.exists("bad")
    run(client, "m", ["x"], outputs("y", sample))


def test_a_thousand_bad_stores_keep_no_memory(make_server, sample):
    server = make_server()
    client = warmed(server, sample)
    # What is found to be bad late: the whole model is there, and the names or the end are wrong.
    late = (
        (*sample.names[:-1], "nope") if sample.names else ("INPUTS", 1, "x", "OUTPUTS", 1, "nope")
    )
    start = ("AI.MODELSTORE", "bad", sample.backend, "CPU")
    bad = [
        (*start, *late, "BLOB", sample.blob),
        (*start, *sample.names, "BLOB", sample.blob[: len(sample.blob) * 2 // 3]),
        (*start, *sample.names, "BLOB", b"\1" * (1 << 16)),
    ]

    def stores(count: int) -> None:
        for number in range(count):
            failure(client, *bad[number % len(bad)])

    stores(100)
    before = pages(server, 1)
    stores(1_000)
    grown = pages(server, 1) - before
    assert grown <= 32 << 20, f"{grown} bytes"


def test_inputs_that_do_not_fit(make_server, sample):
    client = warmed(make_server(), sample)
    expected = values(client, sample)
    words = ("AI.MODELEXECUTE", "m", "INPUTS", 1)
    out = ("OUTPUTS", sample.outputs, *outputs("z", sample))
    put(client, "ints", np.ones(sample.shape, np.int32), "INT32")
    put(client, "wide", np.ones((2, 7), np.float32))
    client.execute_command("AI.TENSORSET", "text", "STRING", 2, "VALUES", "a", "b")
    for key in ("ints", "wide", "text"):
        assert failure(client, *words, key, *out), key
    assert failure(client, "AI.MODELEXECUTE", "m", "INPUTS", 2, "x", "x", *out)
    more = (*outputs("z", sample), "more")
    assert failure(client, *words, "x", "OUTPUTS", len(more), *more)
    assert not client.exists("z")
    run(client, "m", ["x"], outputs("y", sample))
    assert values(client, sample) == expected


def test_a_thousand_mutations(make_server, kind, sample):
    server = make_server()
    client = warmed(server, sample)
    expected = values(client, sample)
    limit(server, 2 * GIB)
    chance = random.Random(7)
    outcomes = {"refused": 0, "failed": 0, "ran": 0}
    for _ in range(MUTATIONS[kind]):
        try:
            store(client, sample, sample.mutated(chance))
        except redis.ResponseError:
            outcomes["refused"] += 1
            continue
        try:
            run(client, "m", ["x"], outputs("z", sample), "TIMEOUT", 5_000)
            outcomes["ran"] += 1
        except redis.ResponseError:
            outcomes["failed"] += 1
    # Some of each, or the mutations say nothing.
    assert min(outcomes["refused"], outcomes["ran"]) >= 5, outcomes
    store(client, sample, sample.blob)
    run(client, "m", ["x"], outputs("y", sample))
    assert values(client, sample) == expected


def test_an_allocation_too_large(make_server):
    """As many elements as the input says: none of these fits, in memory or in a number."""
    import tensorflow as tf  # noqa: PLC0415 (its import takes seconds)

    with tf.Graph().as_default() as graph:
        count = tf.compat.v1.placeholder(tf.int64, [None], name="x")
        tf.reduce_sum(tf.sqrt(tf.fill(count, 2.0)), name="y")
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 20])
    client = server.client()
    names = ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
    words = ("AI.MODELSTORE", "m", "TF", "CPU", *names, "BLOB", graph.as_graph_def())
    client.execute_command(*words[:-1], words[-1].SerializeToString())

    def filled(*dims: int) -> object:
        put(client, "x", np.array(dims, np.int64), "INT64")
        return run(client, "m", ["x"], ["y"])

    # As docs/tensorflow.md says, that limit does not hold: this takes 160 MiB.
    assert filled(40 << 20) == b"OK"
    limit(server, 2 * GIB)
    # TensorFlow waits for ten seconds for memory that is not there.
    for dims in ((3 * GIB // 4,), (1 << 32, 1 << 31), (1 << 62,), (-1,)):
        with pytest.raises(redis.ResponseError):
            filled(*dims)
    assert filled(4, 5) == b"OK"
    reply = client.execute_command("AI.TENSORGET", "y", "VALUES")
    assert float(reply[0]) == pytest.approx(20 * 2**0.5, rel=1e-5)


def test_an_output_too_large_of_litert(make_server):
    """A column times a row, of which there are many."""
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 20])
    client = server.client()
    blob = (DATA / "large.tflite").read_bytes()
    client.execute_command("AI.MODELSTORE", "m", "TFLITE", "CPU", "BLOB", blob)

    def product(count: int) -> object:
        put(client, "a", np.ones((count, 1), np.float32))
        put(client, "b", np.ones((1, count), np.float32))
        return run(client, "m", ["a", "b"], ["y"])

    # As docs/tflite.md says, that limit does not hold: this takes 61 MiB.
    assert product(4_000) == b"OK"
    limit(server, 2 * GIB)
    for count in (60_000, 3_000_000):
        with pytest.raises(redis.ResponseError):
            product(count)
    assert product(3) == b"OK"
    assert client.execute_command("AI.TENSORGET", "y", "VALUES") == [b"1"] * 9


def test_a_function_that_calls_itself_is_refused(make_server):
    """It ends TensorFlow itself, whose stack it fills."""
    import tensorflow as tf  # noqa: PLC0415 (its import takes seconds)

    graph = tf.compat.v1.GraphDef()
    function = graph.library.function.add()
    function.signature.name = "again"
    function.signature.input_arg.add(name="a").type = 1
    function.signature.output_arg.add(name="b").type = 1
    function.ret["b"] = "inner:output:0"
    outer = graph.node.add(name="x", op="Placeholder")
    outer.attr["dtype"].type = 1
    calls = graph.node.add(name="y", input=["x"]), function.node_def.add(name="inner", input=["a"])
    for call in calls:
        call.op = "PartitionedCall"
        call.attr["f"].func.name = "again"
        for name in ("Tin", "Tout"):
            call.attr[name].list.type.append(1)
    client = make_server().client()
    names = ("INPUTS", 1, "x", "OUTPUTS", 1, "y", "BLOB", graph.SerializeToString())
    text = failure(client, "AI.MODELSTORE", "m", "TF", "CPU", *names)
    assert "call each other without end" in text
