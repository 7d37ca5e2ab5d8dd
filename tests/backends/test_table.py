"""The table of docs/backends.md: each cell is what the backends do."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import re
import threading
import tomllib
import zipfile
from pathlib import Path

import digits
import numpy as np
import onnx_models
import pytest
import redis
from backends import tf_models
from commands import dtypes
from models_on_servers import get, put, run
from onnx import TensorProto, helper
from redisai_rs import servers
from redisai_rs.testing import Server, wait_until

ROOT = Path(__file__).resolve().parents[2]
TFLITE_DATA = ROOT / "crates" / "backend-tflite" / "tests" / "data"
BACKENDS = ["ONNX", "TORCH", "TFLITE", "TF"]
# The wheel of each framework, and its name in scripts/frameworks.py and in the extras.
WHEELS = {
    "ONNX": ("onnxruntime", "onnx"),
    "TORCH": ("torch", "torch"),
    "TFLITE": ("ai-edge-litert", "tflite"),
    "TF": ("tensorflow-cpu", "tf"),
}
DIGITS = ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")
NAMED = ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
SCRIPT = """
def same(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0]

def endless(tensors: List[Tensor], keys: List[str], args: List[str]):
    x = tensors[0]
    while bool((x > -1).all()):
        x = x * 0.5
    return x
"""


def table() -> dict[str, dict[str, str]]:
    """Its rows by their names: what stands below each backend."""
    lines = (ROOT / "docs" / "backends.md").read_text().splitlines()
    first = lines.index("| | ONNX | TORCH | TFLITE | TF |")
    rows = {}
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = dict(zip(BACKENDS, cells, strict=True))
    return rows


TABLE = table()
# What a test below is about; the rest is measured, or leads on.
TESTED = {"Versions tried", "Formats", "Devices", "dtypes", "Batching", "Stopped at a deadline"}
MEASURED = {"Time to load, ms", "Memory when loaded, MiB"}


@pytest.fixture(scope="module")
def server(embedded_binary: servers.ServerBinary, redisai_module: Path):
    options = {"module_args": ["INTRA_OP_PARALLELISM", 1], "env": {"CUDA_VISIBLE_DEVICES": ""}}
    with Server(embedded_binary, module=redisai_module, **options) as server:
        yield server


@pytest.fixture
def client(server) -> redis.Redis:
    return server.client()


def store(client: redis.Redis, backend: str, blob: bytes, *words: object, device="CPU") -> None:
    words = ("AI.MODELSTORE", "m", backend, device, *words, "BLOB", blob)
    assert client.execute_command(*words) == b"OK"


def store_digits(client: redis.Redis, backend: str, *words: object, device="CPU") -> None:
    form = {"ONNX": "onnx", "TORCH": "pt", "TFLITE": "tflite", "TF": "pb"}[backend]
    names = DIGITS if backend == "TF" else ()
    store(client, backend, digits.blob(f"digits.{form}"), *words, *names, device=device)


def test_every_row_is_known_and_filled():
    assert set(TABLE) == {*TESTED, *MEASURED, "Read on"}
    for row in MEASURED:
        assert all(float(cell) > 0 for cell in TABLE[row].values())
    for backend, cell in TABLE["Read on"].items():
        page = re.fullmatch(r"\[(\w+\.md)\]\(\1\)", cell)[1]
        assert f"`{backend}` backend" in (ROOT / "docs" / page).read_text()


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.match(r"\d+(\.\d+)*", text)[0].split(".")))


@pytest.mark.parametrize("backend", BACKENDS)
def test_versions(backend):
    """From the oldest, which `make test-frameworks` tries and the extra asks for, to this one."""
    tried = [version(each) for each in re.split(" to |, ", TABLE["Versions tried"][backend])]
    assert tried == sorted(tried)
    wheel, name = WHEELS[backend]
    program = (ROOT / "scripts" / "frameworks.py").read_text()
    pin = re.search(rf'"{wheel}==([\d.]+)"', program)[1]
    assert version(pin) == tried[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (requirement,) = extras["optional-dependencies"][name]
    promised = version(requirement.removeprefix(f"{wheel}>="))
    assert tried[0][: len(promised)] == promised
    installed = version(importlib.metadata.version(wheel))
    assert installed in tried or installed > tried[-1] or " to " in TABLE["Versions tried"][backend]
    assert installed >= tried[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_formats(client, backend):
    """Its own is read; those of the others are refused."""
    formats = {"ONNX": "ONNX", "TORCH": "TorchScript", "TFLITE": "`.tflite`", "TF": "GraphDef"}
    assert TABLE["Formats"][backend].split(",")[0].startswith(formats[backend])
    store_digits(client, backend)
    names = DIGITS if backend == "TF" else ()
    for form in {"onnx", "pt", "tflite", "pb"} - {
        {"ONNX": "onnx", "TORCH": "pt", "TFLITE": "tflite", "TF": "pb"}[backend]
    }:
        with pytest.raises(redis.ResponseError):
            store(client, backend, digits.blob(f"digits.{form}"), *names)


def test_a_saved_model_is_read(client, tf, tmp_path):
    assert TABLE["Formats"]["TF"].endswith("SavedModel in an archive")

    class Twice(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def twice(self, x):
            return {"y": x + x}

    made = Twice()
    tf.saved_model.save(made, str(tmp_path), {"serving_default": made.twice})
    store(client, "TF", tf_models.zipped(tmp_path))
    put(client, "x", np.float32([1, 2]))
    run(client, "m", ["x"], ["y"])
    assert get(client, "y").tolist() == [2, 4]


def test_a_package_of_torch_is_read_if_allowed(client):
    """What it does then: test_torch_packages.py."""
    assert TABLE["Formats"]["TORCH"].endswith("`.pt2` if allowed")
    with pytest.raises(redis.ResponseError, match="ALLOW_NATIVE_MODELS"):
        store(client, "TORCH", packaged())


def packaged() -> bytes:
    """An archive that says that it is a package, with no machine code in it."""
    with zipfile.ZipFile(out := io.BytesIO(), "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/data/aotinductor/model/model.wrapper.so", "")
    return out.getvalue()


@pytest.mark.parametrize("backend", BACKENDS)
def test_devices(client, backend):
    cell = TABLE["Devices"][backend]
    assert cell.startswith("CPU")
    store_digits(client, backend)
    # Where there is no GPU, the one that could use it looks for CUDA.
    wanted = "CUDA" if "GPU" in cell else "Failed to set GPU delegate"
    with pytest.raises(redis.ResponseError, match=wanted):
        store_digits(client, backend, device="GPU")


def identity(backend: str, dtype: str) -> bytes | None:
    """A model whose output is its input; none for scripts of torch, and where there can be none."""
    if backend == "ONNX":
        kind = {"BFLOAT16": TensorProto.BFLOAT16, "STRING": TensorProto.STRING}.get(dtype)
        kind = kind or helper.np_dtype_to_tensor_dtype(np.dtype(onnx_models.DTYPES[dtype]))
        value = [onnx_models.value(name, kind, ["n"]) for name in "xy"]
        return onnx_models.model([onnx_models.node("Identity", "x", "y")], value[:1], value[1:])
    if backend == "TFLITE":
        name = "string_input" if dtype == "STRING" else f"identity_{dtype.lower()}"
        return (TFLITE_DATA / f"{name}.tflite").read_bytes()
    import tensorflow as tf  # noqa: PLC0415 (seconds, and only here)

    with tf.Graph().as_default() as graph:
        name = {"FLOAT": "float32", "DOUBLE": "float64"}.get(dtype, dtype.lower())
        tf.identity(tf.compat.v1.placeholder(name, name="x"), name="y")
    return graph.as_graph_def().SerializeToString()


def passes(client: redis.Redis, backend: str, dtype: str) -> None:
    """Sends values of a dtype through a model and compares their bytes."""
    numbers = {number.name: number for number in dtypes.NUMBERS}.get(dtype)
    blob = numbers.blob if numbers else b"a\0\0longer\0"
    count = len(numbers.values) if numbers else 3
    client.execute_command("AI.TENSORSET", "x", dtype, count, "BLOB", blob)
    if backend == "TORCH":
        names = ("ENTRY_POINTS", 2, "same", "endless")
        client.execute_command("AI.SCRIPTSTORE", "s", "CPU", *names, "SOURCE", SCRIPT)
        client.execute_command("AI.SCRIPTEXECUTE", "s", "same", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    else:
        store(client, backend, identity(backend, dtype), *(NAMED if backend == "TF" else ()))
        run(client, "m", ["x"], ["y"])
    reply = client.execute_command("AI.TENSORGET", "y", "META", "BLOB")
    assert (reply[1].decode(), reply[3], reply[5]) == (dtype, [count], blob)


@pytest.mark.parametrize("dtype", dtypes.NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_dtypes(client, backend, dtype):
    cell = TABLE["dtypes"][backend]
    assert cell == "all" or re.fullmatch(r"all but `\w+`", cell)
    if f"`{dtype}`" in cell:
        with pytest.raises(redis.ResponseError):
            passes(client, backend, dtype)
    else:
        passes(client, backend, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
def test_batching(client, backend):
    """Two requests that each wait for the other's row end in one run."""
    assert TABLE["Batching"][backend].startswith("yes")
    options = ("BATCHSIZE", 2, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 600_000)
    store_digits(client, backend, *options)
    images = digits.rows()[:2]
    expected = [digit for _, digit in images]

    def ask(place: int) -> None:
        own = client.client()
        x = np.frombuffer(digits.pixels([images[place]]), np.float32).reshape(1, -1)
        put(own, f"x{place}", x)
        run(own, "m", [f"x{place}"], [f"d{place}", f"p{place}"])

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [int(get(client, f"d{place}", np.int64)[0]) for place in range(2)] == expected
    facts = client.execute_command("AI.INFO", "m", "FULL")
    assert dict(zip(facts[::2], facts[1::2], strict=True))[b"batches"] == 1
    words = ("AI.MODELSET", "old", backend, "CPU", "BATCHSIZE", 2)
    if "not by `AI.MODELSET`" in TABLE["Batching"][backend]:
        with pytest.raises(redis.ResponseError, match="Auto-batching not supported"):
            client.execute_command(*words, "BLOB", digits.blob("digits.tflite"))


def endless(backend: str) -> bytes:
    if backend == "TFLITE":
        return (TFLITE_DATA / "endless.tflite").read_bytes()
    if backend == "ONNX":
        number, truth = TensorProto.INT64, TensorProto.BOOL
        value = onnx_models.value
        body = helper.make_graph(
            [
                onnx_models.node("Identity", "c", "goes_on"),
                onnx_models.node("Sin", "v", "next"),
            ],
            "body",
            [value("i", number, []), value("c", truth, []), value("v", dims=["n"])],
            [value("goes_on", truth, []), value("next", dims=["n"])],
        )
        loop = onnx_models.node("Loop", " yes x", "y", body=body)
        ends = [value("x", dims=["n"])], [value("y", dims=["n"])]
        return onnx_models.model([loop], *ends, {"yes": np.array(True)})
    import tensorflow as tf  # noqa: PLC0415 (seconds, and only here)

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, name="x")
        tf.identity(tf.while_loop(lambda v: v[0] > -1, lambda v: v * 0.5, [x])[0], name="y")
    return graph.as_graph_def().SerializeToString()


def computes(pid: int) -> bool:
    """Whether a thread of a process is running."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # Behind the name in parentheses, which may hold anything.
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return "R" in states


@pytest.mark.parametrize("backend", BACKENDS)
def test_stopped_at_a_deadline(client, server, backend):
    """A loop without end is stopped: no thread computes any more, and other models run."""
    assert TABLE["Stopped at a deadline"][backend].startswith("between")
    put(client, "x", np.float32([1]))
    if backend == "TORCH":
        names = ("ENTRY_POINTS", 2, "same", "endless")
        client.execute_command("AI.SCRIPTSTORE", "s", "CPU", *names, "SOURCE", SCRIPT)
        words = ("INPUTS", 1, "x", "OUTPUTS", 1, "y", "TIMEOUT", 200)
        reply = client.execute_command("AI.SCRIPTEXECUTE", "s", "endless", *words)
    else:
        store(client, backend, endless(backend), *(NAMED if backend == "TF" else ()))
        reply = run(client, "m", ["x"], ["y"], "TIMEOUT", 200)
    assert reply == b"TIMEDOUT"
    wait_until(lambda: not any(computes(server.pid) for _ in range(100)), "the run's end")
    store_digits(client, backend)
    put(client, "pixels", np.zeros((1, digits.PIXELS), np.float32))
    assert run(client, "m", ["pixels"], ["d", "p"], "TIMEOUT", 60_000) == b"OK"
