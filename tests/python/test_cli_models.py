"""`redisai-rs model`: what it stores, gives and prints is what the server and ONNX Runtime have."""

import importlib.util
import io
import os
from types import SimpleNamespace

import digits
import numpy as np
import onnxruntime
import pytest
from onnx_models import model, node, value
from redisai_rs.cli import stored
from redisai_rs.client import Info

MODEL = digits.DATA / "digits.onnx"


@pytest.fixture
def x() -> np.ndarray:
    images = digits.rows()[:3]
    return np.frombuffer(digits.pixels(images), np.float32).reshape(3, 64)


@pytest.fixture
def expected(x) -> tuple[np.ndarray, np.ndarray]:
    """The digits and probabilities by ONNX Runtime."""
    return tuple(onnxruntime.InferenceSession(str(MODEL)).run(None, {"pixels": x}))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def meta(raw, key="m"):
    reply = raw.execute_command("AI.MODELGET", key, "META")
    return dict(zip(reply[::2], reply[1::2], strict=True))


def test_store_with_every_option(ai, raw):
    options = "--device cpu --tag t:1 --batch-size 8 --min-batch-size 2 --min-batch-timeout 5"
    done = ai("model", "store", "m", MODEL, *options.split())
    assert (done.status, done.errors) == (0, "")
    assert done.lines == [f"stored m: ONNX on CPU, {MODEL.stat().st_size / 1000:.1f} kB"]
    found = meta(raw)
    assert found[b"backend"] == b"ONNX"
    assert found[b"tag"] == b"t:1"
    sizes = (found[b"batchsize"], found[b"minbatchsize"], found[b"minbatchtimeout"])
    assert sizes == (8, 2, 5)


def test_store_from_a_pipe_and_get_it_back(ai, raw, tmp_path):
    blob = MODEL.read_bytes()
    done = ai("model", "store", "m", "-", "--backend", "onnx", "--json", stdin=blob)
    assert done.json == {"key": "m", "backend": "ONNX", "device": "CPU", "bytes": len(blob)}
    assert raw.execute_command("AI.MODELGET", "m", "BLOB") == blob
    assert ai("model", "get", "m", "-").output == blob
    done = ai("model", "get", "m", tmp_path / "m.onnx")
    assert done.lines == [f"wrote {tmp_path / 'm.onnx'}: {len(blob) / 1000:.1f} kB"]
    assert (tmp_path / "m.onnx").read_bytes() == blob


def test_a_model_in_chunks_comes_back_whole(ai, raw):
    size = raw.execute_command("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE")
    raw.execute_command("AI.CONFIG", "MODEL_CHUNK_SIZE", 1000)
    try:
        assert ai("model", "store", "m", MODEL).status == 0
        assert ai("model", "get", "m", "-").output == MODEL.read_bytes()
    finally:
        raw.execute_command("AI.CONFIG", "MODEL_CHUNK_SIZE", size)


def test_names_are_listed_in_byte_order_and_printed_safely(ai, raw):
    names = [b"z", b"a b", b"\xff\n", "ä".encode(), b"Z", b"\x1b[2J"]
    for name in names:
        assert ai("model", "store", os.fsdecode(name), MODEL, "--tag", "x\ty").status == 0
    done = ai("model", "ls")
    assert done.lines[0].split() == ["KEY", "BACKEND", "DEVICE", "STATE", "TAG"]
    shown = [line.split("  ")[0] for line in done.lines[1:]]
    assert shown == ["\\x1b[2J", "Z", "a b", "z", "ä", "\\xff\\n"]
    assert all(line.endswith("ONNX     CPU     ready  x\\ty") for line in done.lines[1:])
    listed = ai("model", "ls", "--json").json
    assert [os.fsencode(one["key"]) for one in listed] == sorted(names)
    assert {one["tag"] for one in listed} == {"x\ty"}


def test_an_empty_list(ai):
    done = ai("model", "ls")
    assert (done.status, done.output, done.errors) == (0, b"", "no models in this database\n")
    assert ai("model", "ls", "--json").json == []


def test_rm_goes_on_behind_a_key_that_is_missing(ai, raw):
    for key in ("a", "b", "-c"):
        raw.execute_command("AI.MODELSTORE", key, "ONNX", "CPU", "BLOB", MODEL.read_bytes())
    done = ai("model", "rm", "a", "gone", "b")
    assert (done.status, done.lines) == (1, ["deleted a", "deleted b"])
    assert done.errors == "redisai-rs: gone: ERR model key is empty\n"
    assert ai("model", "rm", "--json", "--", "-c").json == {"deleted": ["-c"]}
    assert raw.dbsize() == 0


def test_run_prints_every_output(ai, raw, tmp_path, x, expected):
    ai("model", "store", "m", MODEL)
    np.save(tmp_path / "x.npy", x)
    done = ai("model", "run", "m", tmp_path / "x.npy")
    assert done.lines[:2] == ["digit  INT64 3", str(expected[0].tolist())]
    assert done.lines[2] == "probabilities  FLOAT 3x10"
    outputs = ai("model", "run", "m", tmp_path / "x.npy", "--json").json["outputs"]
    assert outputs[0] == {
        "name": "digit",
        "dtype": "INT64",
        "shape": [3],
        "values": expected[0].tolist(),
    }
    assert outputs[1]["shape"] == [3, 10]
    np.testing.assert_allclose(outputs[1]["values"], expected[1], rtol=1e-5)
    # Nothing but the model is in the server.
    assert raw.keys() == [b"m"]


def test_run_takes_and_gives_files_pipes_and_keys(ai, raw, tmp_path, x, expected):
    ai("model", "store", "m", MODEL)
    digit, probabilities = expected
    done = ai("model", "run", "m", "-", "-o", "-", "-o", tmp_path / "p.npy", stdin=npy(x))
    np.testing.assert_array_equal(np.load(io.BytesIO(done.output)), digit)
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), probabilities, rtol=1e-5)
    raw.execute_command("AI.TENSORSET", "x", "FLOAT", 3, 64, "BLOB", x.tobytes())
    done = ai("model", "run", "m", "x", "-o", "local", "-o", "p")
    assert done.lines == ["digit  -> local", "probabilities  -> p"]
    assert raw.execute_command("AI.TENSORGET", "local", "VALUES") == digit.tolist()
    assert raw.execute_command("AI.TENSORGET", "p", "META")[3] == [3, 10]


def test_words_may_stand_behind_options(ai, raw, tmp_path, x, expected):
    ai("model", "store", "m", MODEL)
    done = ai("model", "run", "--json", "m", "-o", tmp_path / "d.npy", "-", stdin=npy(x))
    assert done.status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), expected[0])
    assert ai("model", "rm", "m", "--json", "n").json == {"deleted": ["m"]}
    for words in (("run", "m", "--json", "x", "--no"), ("get", "m", "f", "--json", "g")):
        with pytest.raises(SystemExit) as error:
            ai("model", *words)
        assert error.value.code == 2


def test_a_model_may_read_and_write_one_key(ai, raw):
    """Names of keys are names in the DAG too: an output may have that of an input."""
    blob = model([node("Add", "a b", "c")], [value("a"), value("b")], [value("c")])
    raw.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob)
    raw.execute_command("AI.TENSORSET", "a", "FLOAT", 1, 3, "VALUES", 1, 2, 3)
    assert ai("model", "run", "m", "a", "a", "-o", "a").status == 0
    values = raw.execute_command("AI.TENSORGET", "a", "VALUES")
    assert list(map(float, values)) == [2, 4, 6]


def test_no_name_of_a_key_meets_one_inside_the_request(ai, raw):
    blob = model([node("Sub", "a b", "c")], [value("a"), value("b")], [value("c")])
    raw.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob)
    for key in ("local-input-0", "local_-input-0"):
        raw.execute_command("AI.TENSORSET", key, "FLOAT", 1, 3, "VALUES", 1, 2, 3)
        file = npy(np.array([[9, 9, 9]], np.float32))
        done = ai("model", "run", "m", "-", key, "--json", stdin=file)
        assert done.json["outputs"][0]["values"] == [[8, 7, 6]]


def test_the_order_is_ours_where_several_nodes_answer():
    """A cluster gives the names of one node after those of another."""

    class Pipe(list):
        def info(self, key, *, full):
            assert full
            self.append(key)

        def execute(self, *, raise_on_error):
            assert not raise_on_error  # one that has gone meanwhile spoils no list
            return [Info(os.fsdecode(key), "", "", "", "", 0, 0, 0, 0) for key in self]

    names = ["b", "ä", "a", "Z", os.fsdecode(b"\xff")]
    found = stored.infos(SimpleNamespace(pipeline=Pipe), [(name, "") for name in names])
    assert [one["key"] for one in found] == ["Z", "a", "b", "ä", os.fsdecode(b"\xff")]


def test_info_shows_what_the_server_knows(ai, raw, x):
    ai("model", "store", "m", MODEL, "--batch-size", 4)
    ai("model", "run", "m", "-", stdin=npy(x))
    pairs = [line.partition("  ") for line in ai("model", "info", "m").lines]
    facts = {name: value.strip() for name, _, value in pairs}
    assert facts["state"] == "ready"
    assert facts["input pixels"] == "FLOAT ?x64"
    assert facts["output probabilities"] == "FLOAT ?x10"
    assert facts["batch_size"] == "4"
    assert facts["calls"] == "1"
    assert facts["run time"].startswith("p50 ")
    found = ai("model", "info", "m", "--json").json
    (pixels,) = found["inputs"]
    assert (pixels["name"], pixels["dtype"], pixels["shape"]) == ("pixels", "FLOAT", [-1, 64])
    assert (found["calls"], found["samples"], found["batch_size"]) == (1, 3, 4)
    assert found["run_ns"]["count"] == 1


def test_tensorflow_takes_names_and_directories(ai, raw, tmp_path, x, expected):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow-cpu is not installed")
    names = ["--input", "pixels", "--output", "digit", "--output", "probabilities"]
    done = ai("model", "store", "m", digits.DATA / "digits.pb", *names)
    assert done.lines[0].startswith("stored m: TF on CPU, ")
    assert meta(raw)[b"inputs"] == [b"pixels"]
    assert meta(raw)[b"outputs"] == [b"digit", b"probabilities"]
    done = ai("model", "run", "m", "-", "-o", "-", stdin=npy(x))
    np.testing.assert_array_equal(np.load(io.BytesIO(done.output)), expected[0])
    # A directory goes as a zip archive; TensorFlow finds no SavedModel in this one.
    (tmp_path / "saved_model.pb").write_bytes(b"garbage")
    with raw.monitor() as monitor:
        assert ai("model", "store", "n", tmp_path).failed() == "Invalid GraphDef"
        sent = (one["command"] for one in monitor.listen())
        command = next(one for one in sent if one.startswith("AI.MODELSTORE"))
    assert command.startswith("AI.MODELSTORE n TF CPU BLOB PK\\x03\\x04")
    assert "saved_model.pbgarbage" in command
    (tmp_path / "saved_model.pb").unlink()
    assert "it is no directory of a SavedModel" in ai("model", "store", "n", tmp_path).failed()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run", "gone", "x"), "ERR model key is empty"),
        (("info", "gone"), "ERR model key is empty"),
        (("get", "gone", "-"), "ERR model key is empty"),
        (
            ("store", "m", "/nowhere/m.onnx"),
            "/nowhere/m.onnx cannot be read: No such file",
        ),
        (
            ("get", "m", "/nowhere/m.onnx"),
            "/nowhere/m.onnx cannot be written: No such file",
        ),
        (
            ("run", "m", "/nowhere/x.npy"),
            "/nowhere/x.npy cannot be read: No such file or directory",
        ),
        (("store", "n", "-"), "the model's format was not recognised"),
        (("store", "n", "-", "--backend", "ONNX"), "protobuf parsing failed"),
        (("store", "n", MODEL, "--device", "GPU:7"), "GPU"),
        (("run", "m", "-"), "stdin is no array in NumPy's format (.npy): "),
        (("run", "m", "gone"), "ERR tensor key is empty"),
        (("run", "m", "m"), "WRONGTYPE"),
        (("run", "m"), "ERR"),
        (("run", "m", "x", "-o", "m"), "WRONGTYPE"),
        (("run", "m", "x", "-o", "a", "-o", "b", "-o", "c"), "Number of keys given as OUTPUTS"),
    ],
)
def test_errors_are_one_line(ai, raw, words, text):
    raw.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", MODEL.read_bytes())
    raw.execute_command("AI.TENSORSET", "x", "FLOAT", 1, 64)
    done = ai("model", *words, stdin=b"garbage")
    assert text in done.failed()
    assert done.output == b""
    assert sorted(raw.keys()) == [b"m", b"x"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("store", "m"),
        ("store", "m", "f", "--batch-size", "0"),
        ("store", "m", "f", "--backend", "caffe"),
        ("run",),
        ("run", "m", "x", "--timeout", "-1"),
        ("rm",),
        ("get", "m"),
        ("ls", "m"),
    ],
)
def test_usage_errors_are_2(ai, words, capsysbinary):
    with pytest.raises(SystemExit) as error:
        ai("model", *words)
    assert error.value.code == 2
    assert capsysbinary.readouterr().err.startswith(b"usage: redisai-rs")
