"""TFLITE models on real servers, against LiteRT's own interpreter."""

from __future__ import annotations

import importlib.metadata
import threading
from pathlib import Path

import digits
import numpy as np
import pytest
import redis
from ai_edge_litert.interpreter import Interpreter
from models_on_servers import get, put, run

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "crates" / "backend-tflite" / "tests" / "data"


def model(name: str) -> bytes:
    return (DATA / f"{name}.tflite").read_bytes()


def store(client: redis.Redis, key: str, blob: bytes, *options: object) -> None:
    assert client.execute_command("AI.MODELSTORE", key, "TFLITE", "CPU", *options, "BLOB", blob)


def interpreted(blob: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    """What LiteRT's interpreter gives."""
    interpreter = Interpreter(model_content=blob)
    details = interpreter.get_input_details()
    for detail, value in zip(details, inputs, strict=True):
        interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    for detail, value in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]


def test_digits_are_what_litert_says(client):
    blob = digits.blob("digits.tflite")
    images = digits.rows()
    x = np.frombuffer(digits.pixels(images), np.float32).reshape(len(images), digits.PIXELS)
    store(client, "m", blob)
    put(client, "x", x)
    assert run(client, "m", ["x"], ["digit", "p"]) == b"OK"
    digit, probabilities = interpreted(blob, x)
    assert get(client, "digit", np.int64).tolist() == digit.tolist()
    np.testing.assert_allclose(get(client, "p"), probabilities, rtol=1e-5)
    right = sum(got == image[1] for got, image in zip(digit.tolist(), images, strict=True))
    assert right / len(images) > 0.95


def test_modelget_shows_the_tensors_names_and_the_blob(client):
    blob = digits.blob("digits.tflite")
    store(client, "m", blob, "TAG", "v1")
    reply = client.execute_command("AI.MODELGET", "m")
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    assert facts[b"backend"] == b"TFLITE"
    assert facts[b"inputs"] == [b"pixels"]
    assert len(facts[b"outputs"]) == 2
    assert facts[b"blob"] == blob


def test_the_contract_s_texts(client):
    def refused(*words: object) -> str:
        with pytest.raises(redis.ResponseError) as error:
            client.execute_command(*words)
        return str(error.value)

    words = ("AI.MODELSTORE", "m", "TFLITE", "CPU")
    named = ("INPUTS", 1, "a", "OUTPUTS", 1, "b")
    assert "INPUTS argument should not be specified" in refused(
        *words, *named, "BLOB", model("sum")
    )
    assert refused(*words, "BLOB", b"x" * 99) == "Failed to load model from buffer"
    assert "FlexErf" in refused(*words, "BLOB", model("flex"))
    assert (
        refused("AI.MODELSET", "m", "TFLITE", "CPU", "BATCHSIZE", 4, "BLOB", model("sum"))
        == "Auto-batching not supported by the TFLITE backend"
    )
    store(client, "m", model("sum"))
    put(client, "x", np.float32([1, 2]))
    put(client, "i", np.int32([1, 2]), "INT32")
    assert "doesn't match the type" in refused(
        "AI.MODELEXECUTE", "m", "INPUTS", 2, "x", "i", "OUTPUTS", 1, "y"
    )


def test_quantised_models_take_and_give_what_they_are(client):
    blob = model("quantised")
    store(client, "m", blob)
    for count in (1, 5, 2):
        image = np.random.default_rng(count).integers(-128, 127, (count, 8, 8, 1)).astype(np.int8)
        put(client, "x", image, "INT8")
        run(client, "m", ["x"], ["y"])
        assert get(client, "y", np.int8).tolist() == interpreted(blob, image)[0].tolist()


def test_an_endless_loop_ends_at_its_timeout(client):
    store(client, "m", model("endless"))
    put(client, "x", np.float32([0]))
    assert run(client, "m", ["x"], ["y"], "TIMEOUT", 100) == b"TIMEDOUT"
    store(client, "sum", model("sum"))
    run(client, "sum", ["x", "x"], ["y"])
    assert get(client, "y").tolist() == [0]


def test_runs_of_one_model_are_batched_and_not_mixed_up(client, server):
    store(client, "m", digits.blob("digits.tflite"), "BATCHSIZE", 16)
    images = digits.rows()[:64]
    expected = [
        digit
        for image in images
        for digit in interpreted(
            digits.blob("digits.tflite"),
            np.frombuffer(digits.pixels([image]), np.float32).reshape(1, digits.PIXELS),
        )[0].tolist()
    ]
    got: dict[int, int] = {}

    def work(first: int) -> None:
        with server.client() as own:
            for place in range(first, len(images), 8):
                x = np.frombuffer(digits.pixels([images[place]]), np.float32)
                put(own, f"x{place}", x.reshape(1, -1))
                run(own, "m", [f"x{place}"], [f"d{place}", f"p{place}"])
                got[place] = int(get(own, f"d{place}", np.int64)[0])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[place] for place in range(len(images))] == expected


def test_a_model_comes_back_with_the_server(make_server):
    server = make_server()
    with server.client() as client:
        store(client, "m", model("sum"))
        client.execute_command("SAVE")
    server.restart()
    with server.client() as client:
        put(client, "x", np.float32([1, 2]))
        run(client, "m", ["x", "x"], ["y"])
        assert get(client, "y").tolist() == [2, 4]


def test_info_says_which_litert(client):
    store(client, "m", model("sum"))
    info = client.execute_command("INFO", "MODULES")
    text = str(info) + str(client.execute_command("INFO", "ai_backends_info"))
    assert importlib.metadata.version("ai-edge-litert") in text
