"""Backend libraries and frameworks that are not there, or are something else."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from holding import NO_LIMIT, Pending, info, run, store, tensor
from redisai_rs.exceptions import ServerError

COULD_NOT = "ERR Could not load backend"
LOADING = "ERR error loading backend"
LIBRARY = "redisai_onnxruntime/redisai_onnxruntime.so"


@pytest.fixture
def place(tmp_path):
    """A BACKENDSPATH, and where the library of ONNX stands in it."""
    library = tmp_path / "backends" / LIBRARY
    library.parent.mkdir(parents=True)
    return library


@pytest.fixture
def start(make_server, server_binary, tmp_path):
    def make(*arguments, **options):
        where = ["BACKENDSPATH", tmp_path / "backends", *arguments]
        return make_server(server_binary, module_args=where, **options)

    return make


def compiled(source, target, tmp_path):
    """Compiles a library from C."""
    file = tmp_path / "source.c"
    file.write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", target, file], check=True)


def nothing(place, tmp_path):
    return "No such file"


def text_file(place, tmp_path):
    place.write_text("this is no library\n")
    return str(place)


def empty_file(place, tmp_path):
    place.touch()
    return str(place)


def directory(place, tmp_path):
    place.mkdir()
    return str(place)


def truncated(place, tmp_path):
    compiled("int nothing;", place, tmp_path)
    place.write_bytes(place.read_bytes()[:1000])
    return str(place)


def plain_library(place, tmp_path):
    compiled("int nothing;", place, tmp_path)
    return "redisai_backend_v1"


def other_abi(place, tmp_path):
    compiled("int redisai_backend_v9(void *h, void *t) { return 0; }", place, tmp_path)
    return "redisai_backend_v1"


def unresolved(place, tmp_path):
    compiled("extern int not_there(void); int f(void) { return not_there(); }", place, tmp_path)
    return "not_there"


def refuses(place, tmp_path):
    source = "int redisai_backend_v1(const void *host, void *table) { return 1; }"
    compiled(source, place, tmp_path)
    return str(place)


BROKEN = [
    nothing,
    text_file,
    empty_file,
    directory,
    truncated,
    plain_library,
    other_abi,
    unresolved,
    refuses,
]
broken = pytest.mark.parametrize("broken", BROKEN, ids=lambda make: make.__name__)


@broken
def test_a_store_says_what_the_contract_says_and_the_log_says_why(start, place, tmp_path, broken):
    why = broken(place, tmp_path)
    server = start()
    client = server.client()
    tensor(client, "x", 1)
    for _ in range(2):
        one = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity")
        assert one.error() == COULD_NOT
    server.wait_for_log("Could not load ONNX backend: ")
    assert why in server.log_text()
    assert client.keys() == [b"x"]
    one = Pending(server, "AI.CONFIG", "LOADBACKEND", "ONNX", LIBRARY)
    assert one.error() == LOADING


@broken
def test_a_module_that_is_to_load_it_does_not_start(start, place, tmp_path, broken):
    broken(place, tmp_path)
    with pytest.raises(ServerError, match="Module .* initialization failed"):
        start("ONNX", LIBRARY)


def test_one_that_appears_later_is_loaded(start, place, mock_path):
    server = start("TEST_BACKENDS", "yes")
    client = server.client()
    tensor(client, "x", 1)
    one = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity")
    assert one.error() == COULD_NOT
    shutil.copy(mock_path, place)
    store(client, "m", "identity")
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    one = Pending(server, "AI.CONFIG", "LOADBACKEND", "ONNX", LIBRARY)
    assert one.error() == LOADING
    server.wait_for_log("Could not load ONNX backend: backend already loaded")


def test_the_backend_of_another_name(start, place, mock_path):
    shutil.copy(mock_path, place)
    server = start()
    one = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity")
    assert one.error() == COULD_NOT
    server.wait_for_log("is the backend MOCK, not ONNX")


def test_backends_of_other_kinds_are_not_there(start, place):
    server = start()
    for kind, names in (
        ("TF", ["INPUTS", 1, "a", "OUTPUTS", 1, "b"]),
        ("TFLITE", []),
    ):
        one = Pending(server, "AI.MODELSTORE", "m", kind, "CPU", *names, "BLOB", "x")
        assert one.error() == COULD_NOT


def test_without_the_framework(make_server, server_binary, tmp_path):
    """The library is there; onnxruntime is not installed in the given environment."""
    empty = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", empty], check=True)
    # Nothing of this process's own environment may help it to one.
    alone = {"REDISAI_PYTHON": str(empty), "VIRTUAL_ENV": "", "PATH": "/nonexistent"}
    server = make_server(server_binary, module_args=["PYTHON", empty], env=alone)
    client = server.client()
    tensor(client, "x", 1)
    one = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "x")
    assert one.error() == COULD_NOT
    server.wait_for_log("onnxruntime")
    assert "pip install" in server.log_text()
    assert client.keys() == [b"x"]


def test_a_model_waits_for_a_backend_that_is_loaded_later(start, place, mock_path):
    """A key whose backend is missing after a restart fails, keeps its blob, and comes back."""
    server = start("TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT)
    client = server.client()
    tensor(client, "x", 1)
    store(client, "m", "identity")
    client.save()
    server.stop()
    server.module_args = server.module_args[:4]
    server.start()
    client = server.client()
    one = Pending(server, *run("m", ["x"], ["y"]))
    assert one.error() == COULD_NOT
    full = info(client, "m", "FULL")
    assert full["state"] == b"failed"
    assert full["reason"] == COULD_NOT.encode()
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == b"identity"
    client.save()
    shutil.copy(mock_path, place)
    assert client.execute_command("AI.CONFIG", "LOADBACKEND", "ONNX", LIBRARY) == b"OK"
    # No more than that: its session is built, and a run waits for it.
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"


def test_clients_may_load_only_from_below_the_path(start, place, mock_path, tmp_path):
    outside = tmp_path / "outside.so"
    shutil.copy(mock_path, outside)
    server = start("TEST_BACKENDS", "yes")
    for path in (outside, "../outside.so", "/nonexistent/x.so", "../nonexistent.so"):
        one = Pending(server, "AI.CONFIG", "LOADBACKEND", "ONNX", str(path))
        assert "outside of BACKENDSPATH" in one.error()
    place.symlink_to(outside)
    one = Pending(server, "AI.CONFIG", "LOADBACKEND", "ONNX", LIBRARY)
    assert "outside of BACKENDSPATH" in one.error()
