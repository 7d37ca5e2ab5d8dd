"""Servers that are gone, want a password, or have no module: one line that says what to do."""

import os
import subprocess
import sys

import digits
import pytest
from redisai_rs.testing import Server
from redisai_rs.testing.ports import free_port

# One of each verb.
VERBS = [
    ("model", "ls"),
    ("model", "run", "m", "x"),
    ("script", "rm", "s"),
    ("tensor", "get", "x"),
    ("stats",),
]


@pytest.fixture(scope="module")
def bare(embedded_binary):
    """A server without the module."""
    with Server(embedded_binary, module=False) as started:
        yield started


@pytest.fixture(scope="module")
def guarded(embedded_binary, redisai_module):
    """A server that wants a password."""
    with Server(embedded_binary, module=redisai_module) as started:
        started.execute("CONFIG", "SET", "requirepass", "p@ss")
        yield started
        with started.client(password="p@ss") as client:
            client.config_set("requirepass", "")


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_server_that_is_gone(at, words):
    url = f"redis://127.0.0.1:{free_port()}"
    text = at(url, *words).failed()
    assert text.startswith(f"{url} cannot be reached: ")
    assert "Connection refused" in text
    assert "`redisai-rs serve`" in text
    assert "REDISAI_URL" in text


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_server_without_the_module(at, bare, words):
    text = at(bare.url, *words).failed()
    assert f"{bare.url} has not the module ai: " in text
    assert '--loadmodule "$(redisai-rs module-path)"' in text


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_server_that_wants_a_password(at, guarded, words):
    text = at(guarded.url, *words).failed()
    assert f"{guarded.url} wants a password: say it in the URL" in text
    wrong = guarded.url.replace("//", "//:no@")
    text = at(wrong, *words).failed()
    assert f"{guarded.url} refuses the user or the password" in text
    # Nothing that is printed, or logged from it, gives the password away.
    assert ":no@" not in text


def test_the_password_in_the_url_is_taken(at, guarded):
    done = at(guarded.url.replace("//", "//:p%40ss@"), "model", "ls")
    assert (done.status, done.errors) == (0, "no models in this database\n")
    done = at(guarded.url.replace("//", "//default:p%40ss@"), "model", "ls", "--json")
    assert done.json == []


def test_rights_that_a_user_has_not(at, guarded):
    with guarded.client(password="p@ss") as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">r", "~*", "+ai.tensorget")
    url = guarded.url.replace("//", "//reader:r@")
    assert "ai.modeldel" in at(url, "model", "rm", "m").failed()
    assert "ERR tensor key is empty" in at(url, "tensor", "get", "x").failed()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1", "http://127.0.0.1 is no address of a server"),
        ("redis://127.0.0.1:port", "is no address of a server"),
        ("localhost:6379", "is no address of a server"),
        ("redis://[::1", "redis://[::1 is no address of a server"),
        ("redis://:secret@[::1", "the server of the URL is no address"),
        ("redis://:se/secret@nowhere.invalid", "the server of the URL"),
        ("redis://:se?secret@nowhere.invalid", "the server of the URL"),
        ("redis://nowhere.invalid?password=secret", "redis://nowhere.invalid cannot be reached"),
        ("redis://:secret@nowhere.invalid", "redis://nowhere.invalid cannot be reached"),
        ("unix:///nowhere.sock", "unix:///nowhere.sock cannot be reached"),
    ],
)
def test_addresses_that_are_none(at, url, text):
    said = at(url, "model", "ls").failed()
    assert text in said
    assert "secret" not in said


@pytest.fixture
def without(tmp_path, ai_server):
    """Runs `redisai-rs` where a package cannot be imported."""

    def run(package, *words):
        (tmp_path / f"{package}.py").write_text("raise ImportError('no')\n")
        path = f"{tmp_path}:{':'.join(sys.path)}"
        return subprocess.run(
            [sys.executable, "-m", "redisai_rs.cli", *words, "--url", ai_server.url],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_without_redis_py_the_extra_is_named(without):
    done = without("redis", "model", "ls")
    assert done.returncode == 1
    assert done.stderr == "redisai-rs: redis-py is missing: `pip install 'redisai-rs[client]'`\n"


def test_only_arrays_need_numpy(without):
    model = str(digits.DATA / "digits.onnx")
    done = without("numpy", "model", "store", "m", model)
    assert (done.returncode, done.stderr) == (0, "")
    done = without("numpy", "model", "info", "m", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    for words in (("tensor", "get", "x"), ("model", "run", "m", "x")):
        done = without("numpy", *words)
        assert done.returncode == 1
        assert done.stderr == "redisai-rs: arrays need NumPy: `pip install numpy`\n"


def test_a_server_that_does_not_answer_is_given_up(at, ai_server, leaking_redis_py):
    """TLS is asked for, and the server waits for more of what it takes for a command."""
    url = ai_server.url.replace("redis://", "rediss://") + "?socket_timeout=0.2"
    assert f"{url} cannot be reached: Timeout" in at(url, "model", "ls").failed()
