"""Packages of AOTInductor (`.pt2`): machine code, which runs only where the operator allows it."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import redis
from backends import packages
from backends.packages import ROWS, example, two
from backends.torch_values import get, put, say
from redisai_rs.testing import Server, wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

ALLOWED = ["ALLOW_NATIVE_MODELS", "yes"]
REFUSAL = "which is machine code: load the module with ALLOW_NATIVE_MODELS yes"


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return two()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The packages, made in a process of its own: torch's compiler brings an LLVM of its own along,
    which aborts in a process that has imported TensorFlow."""
    folder = tmp_path_factory.mktemp("packages")
    done = subprocess.run(
        [sys.executable, packages.__file__, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def package(folder) -> bytes:
    return (folder / "model.pt2").read_bytes()


@pytest.fixture
def allowed(make_server):
    return make_server(module_args=ALLOWED)


@pytest.fixture
def client(allowed, package):
    client = allowed.client()
    assert say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", package) == b"OK"
    return client


def code_of(server: Server) -> list[str]:
    """Files of packages that the server has open as code."""
    lines = Path(f"/proc/{server.pid}/maps").read_text().splitlines()
    return [line.split()[-1] for line in lines if "/data/aotinductor/" in line]


def put_counts(client: redis.Redis, key: str, values: torch.Tensor) -> None:
    blob = values.numpy().tobytes()
    say(client, "AI.TENSORSET", key, "INT64", *values.shape, "BLOB", blob)


def run(client: redis.Redis, *more: object) -> object:
    words = ["INPUTS", 2, "x", "counts", "OUTPUTS", 3, "y", "bias", "again", *more]
    return say(client, "AI.MODELEXECUTE", "m", *words)


@pytest.mark.parametrize("rows", [2, 3, ROWS])
def test_a_package_computes_what_torch_computes(client, model, rows):
    x, counts = example(rows)
    put(client, "x", x.numpy())
    put_counts(client, "counts", counts)
    for _ in range(2):
        assert run(client) == b"OK"
        # The model writes to its input; the key keeps its value.
        np.testing.assert_array_equal(get(client, "x"), x.numpy())
        with torch.inference_mode():
            expected, bias, _ = model(x.clone(), counts)
        np.testing.assert_allclose(get(client, "y"), expected.numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(get(client, "bias"), bias.detach().numpy())
        assert say(client, "AI.TENSORGET", "again", "BLOB") == counts.numpy().tobytes()


def test_rows_of_several_clients_join(allowed, client, model):
    options = ["BATCHSIZE", 6, "MINBATCHSIZE", 6, "MINBATCHTIMEOUT", 60_000]
    blob = say(client, "AI.MODELGET", "m", "BLOB")
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", *options, "BLOB", blob)
    x, counts = example(2)
    put_counts(client, "counts", counts)
    connections = []
    for number in range(3):
        put(client, f"x{number}", (x + number).numpy())
        connection = allowed.client().connection_pool.get_connection()
        outputs = [f"y{number}", f"bias{number}", f"again{number}"]
        words = ["INPUTS", 2, f"x{number}", "counts", "OUTPUTS", 3, *outputs]
        connection.send_command("AI.MODELEXECUTE", "m", *words)
        connections.append(connection)
    assert [connection.read_response() for connection in connections] == [b"OK"] * 3
    for number in range(3):
        with torch.inference_mode():
            expected = model(x + number, counts)[0].numpy()
        np.testing.assert_allclose(get(client, f"y{number}"), expected, rtol=1e-4, atol=1e-6)


def test_a_weight_that_is_given_as_it_lies_is_copied(allowed, folder):
    client = allowed.client()
    blob = (folder / "kept.pt2").read_bytes()
    say(client, "AI.MODELSTORE", "k", "TORCH", "CPU", "BLOB", blob)
    put(client, "x", np.ones((2, 3)))
    words = ["AI.MODELEXECUTE", "k", "INPUTS", 1, "x", "OUTPUTS", 2, "weight", "sum"]
    for _ in range(2):
        assert say(client, *words) == b"OK"
    (file,) = set(code_of(allowed))
    client.delete("k")
    wait_until(lambda: not Path(file).exists())
    assert get(client, "weight").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert get(client, "sum").tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("shape", "counts", "text"),
    [
        ((3, 7), (3, 4), "has 8 in dimension 1, not 7"),
        ((3, 8, 1), (3, 4), "has 2 dimensions, not 3"),
        ((8,), (3, 4), "has 2 dimensions, not 1"),
        ((ROWS + 1, 8), (ROWS + 1, 4), f"has 2 to {ROWS} in dimension 0, not {ROWS + 1}"),
        # Both may have any rows, but as many: what the package itself looks at.
        ((60, 8), (2, 4), "expected size"),
        ((2, 8), (60, 4), "expected size"),
    ],
)
def test_shapes_are_checked_before_the_code_sees_them(client, shape, counts, text):
    put(client, "x", np.zeros(shape))
    put_counts(client, "counts", torch.zeros(counts, dtype=torch.int64))
    with pytest.raises(redis.ResponseError, match=text):
        run(client)
    assert client.exists("y") == 0


def test_types_are_checked(client):
    put(client, "x", np.zeros((3, 8)))
    put(client, "counts", np.zeros((3, 4)))
    with pytest.raises(redis.ResponseError, match="is of type INT64, not FLOAT"):
        run(client)
    words = ["INPUTS", 1, "x", "OUTPUTS", 3, "a", "b", "c"]
    with pytest.raises(redis.ResponseError, match="does not match model definition"):
        say(client, "AI.MODELEXECUTE", "m", *words)


def test_info_says_what_it_takes(client):
    info = say(client, "AI.INFO", "m", "FULL")
    shown = dict(zip(info[::2], info[1::2], strict=True))
    assert b"FLOAT" in repr(shown).encode() and b"INT64" in repr(shown).encode()


def test_a_deleted_package_leaves_no_file(client, allowed):
    """Torch unpacks it into a folder of /tmp, where the system's loader finds it."""
    files = code_of(allowed)
    assert files and files[0].startswith("/tmp/")
    client.delete("m")
    wait_until(lambda: not Path(files[0]).exists())


def test_without_the_option_it_is_refused(make_server, package):
    server = make_server()
    client = server.client()
    with pytest.raises(redis.ResponseError, match=REFUSAL):
        say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", package)
    assert client.keys() == []


def test_the_gate_holds_however_the_definition_came(make_server, client, package):
    """RESTORE, replication, a restart: the definition is kept, the code never runs."""
    x, counts = example(3)
    dump = client.dump("m")
    closed = make_server()
    other = closed.client()
    assert other.restore("m", 0, dump)
    put(other, "x", x.numpy())
    put_counts(other, "counts", counts)
    with pytest.raises(redis.ResponseError, match=REFUSAL):
        run(other)
    assert say(other, "AI.MODELGET", "m", "BLOB") == package
    assert code_of(closed) == []
    other.execute_command("DEBUG", "RELOAD")
    with pytest.raises(redis.ResponseError, match=REFUSAL):
        run(other)
    # What it gives on runs where it is allowed.
    client.restore("n", 0, other.dump("m"))
    put(client, "x", x.numpy())
    put_counts(client, "counts", counts)
    words = ["INPUTS", 2, "x", "counts", "OUTPUTS", 3, "y", "bias", "again"]
    assert say(client, "AI.MODELEXECUTE", "n", *words) == b"OK"


def runs_or_says_why(server: Server, expected: np.ndarray | None) -> None:
    """Where the code may run it was built without being asked; else it is kept and says why."""
    client = server.client()
    run = ["AI.MODELEXECUTE", "m", "INPUTS", 2, "x", "counts", "OUTPUTS", 3, "y", "bias", "again"]
    dag = ["AI.DAGEXECUTE_RO", "LOAD", 2, "x", "counts", "|>", *run]
    if expected is None:
        wait_until(lambda: state(client) == b"failed")
        reply = say(client, *dag)
        assert REFUSAL in str(reply[0])
        assert code_of(server) == []
        return
    wait_until(lambda: state(client) == b"ready")
    assert code_of(server) != []
    done, y = say(client, *dag, "|>", "AI.TENSORGET", "y", "BLOB")
    assert done == b"OK"
    found = np.frombuffer(y, np.float32).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def state(client: redis.Redis) -> bytes:
    info = say(client, "AI.INFO", "m", "FULL")
    return dict(zip(info[::2], info[1::2], strict=True))[b"state"]


@pytest.mark.parametrize("way", ["file", "append-only file", "replication"])
def test_a_package_that_was_kept_runs_where_it_may(make_server, package, model, way):
    aof = {"appendonly": "yes", "aof-use-rdb-preamble": "no"} if way == "append-only file" else {}
    server = make_server(module_args=ALLOWED, config=aof)
    client = server.client()
    assert say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", package) == b"OK"
    x, counts = example(3)
    put(client, "x", x.numpy())
    put_counts(client, "counts", counts)
    with torch.inference_mode():
        expected = model(x.clone(), counts)[0].numpy()
    for arguments in (ALLOWED, [], ALLOWED):
        here = expected if arguments else None
        if way == "replication":
            with server.replica(module_args=arguments) as replica:
                replica.wait_for_sync()
                runs_or_says_why(replica, here)
                assert say(replica.client(), "AI.MODELGET", "m", "BLOB") == package
            continue
        if way == "file":
            server.client().save()
        server.module_args = arguments
        server.restart()
        runs_or_says_why(server, here)
        assert say(server.client(), "AI.MODELGET", "m", "BLOB") == package


def test_a_program_that_is_not_compiled_is_told(client, folder):
    blob = (folder / "program.pt2").read_bytes()
    with pytest.raises(redis.ResponseError, match="aoti_compile_and_package"):
        say(client, "AI.MODELSTORE", "n", "TORCH", "CPU", "BLOB", blob)


def test_a_package_without_its_source_is_refused(client, package):
    # The name of the folder, as long as it was.
    blob = package.replace(b"wrapper.cpp", b"wrapper.xxx")
    assert blob != package
    with pytest.raises(redis.ResponseError, match="no source of its checks"):
        say(client, "AI.MODELSTORE", "n", "TORCH", "CPU", "BLOB", blob)
    damaged = package[: len(package) // 2]
    with pytest.raises(redis.ResponseError, match="damaged or cut short"):
        say(client, "AI.MODELSTORE", "n", "TORCH", "CPU", "BLOB", damaged)
