"""What lies between a client and its server: TLS, passwords, servers that go, what is installed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import redis
import redis.asyncio
import redisai_rs as rai
from client.conftest import KINDS, a_client
from client.waiting import Waiting
from redisai_rs import Client, aio
from redisai_rs.servers import on_path
from redisai_rs.testing import Server, free_port

DIGITS = digits.DATA / "digits.onnx"
FRAMEWORKS = {"onnxruntime", "torch", "tensorflow", "ai_edge_litert"}


@pytest.fixture(scope="module")
def server(one_server: Server) -> Server:
    """One will do."""
    return one_server


def run(code: str, *arguments: str) -> str:
    """What a program prints, in an interpreter of its own."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_imports_what_it_needs_only() -> None:
    code = "import sys, redisai_rs; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = set(run(code).split())
    assert "redisai_rs" in loaded
    assert loaded & ({"numpy", "redis", "asyncio", "ml_dtypes"} | FRAMEWORKS) == set()
    loaded = set(run(code.replace("; print", "; redisai_rs.Client; print")).split())
    assert "redis" in loaded
    assert loaded & ({"numpy"} | FRAMEWORKS) == set()


@pytest.mark.parametrize("name", ["redisai_rs.Client", "redisai_rs.client", "redisai_rs.aio"])
def test_without_redis_py_it_says_what_to_install(name: str) -> None:
    code = f"""
import sys
sys.modules["redis"] = None
import redisai_rs
try:
    {"redisai_rs.Client" if name.endswith("Client") else f"import {name}"}
except redisai_rs.NotInstalledError as error:
    print(error)
"""
    assert run(code) == "redis-py is missing: `pip install 'redisai-rs[client]'`"


def test_without_numpy_results_are_tensors(server: Server) -> None:
    code = """
import sys
sys.modules["numpy"] = None
import redisai_rs as rai
client = rai.Client(sys.argv[1])
client.tensor_set("x", [[1.5, 2], [3, 4]], dtype="FLOAT")
found = client.tensor_get("x")
print(type(found).__name__, found.dtype, found.shape, memoryview(found).tolist())
client.tensor_set("x", found)
client.tensor_set("s", ["a", "b\\0c"])
print(client.tensor_get("s").strings(), client.tensor_get("x", values=True).shape)
client.tensor_set("e", dtype="FLOAT", shape=[])
print(client.tensor_get("e").shape)
"""
    assert run(code, server.url).splitlines() == [
        "Tensor FLOAT (2, 2) [[1.5, 2.0], [3.0, 4.0]]",
        "[b'a', b'b\\x00c'] (2, 2)",
        "()",
    ]


# Servers that go, and come again ------------------------------------------------------------------


CALLS: list[Callable[[Any], Any]] = [
    lambda client: client.tensor_get("x"),
    lambda client: client.model_store("m", DIGITS, progress=lambda *_: None),
    lambda client: client.dag(load=["x"]).get("x").run(),
    lambda client: client.pipeline().tensor_get("x").execute(),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_gone(make_server: Callable[..., Server], kind: str) -> None:
    server = make_server()
    for client in a_client(server, kind):
        client.tensor_set("x", [1])
        server.stop()
        for call in CALLS:
            with pytest.raises(redis.ConnectionError):
                call(client)
        server.start()
        client.tensor_set("x", [2])
        assert client.tensor_get("x").tolist() == [2]
        client.model_store("m", DIGITS, progress=lambda *_: None)


def test_a_connection_that_was_closed_is_made_anew(client: Any, server: Server) -> None:
    client.tensor_set("x", [1])
    for call in CALLS:
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        call(client)
    assert client.model_get("m").blob == DIGITS.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_that_raises_ends_the_store(server: Server, kind: str) -> None:
    def refuse(sent: int, total: int) -> None:
        assert sent < total
        raise KeyboardInterrupt

    # Without retries nothing mends a connection with half a command.
    for client in a_client(server, kind, retry=None):
        with pytest.raises(KeyboardInterrupt):
            client.model_store("half", b"\x08" + bytes(3 << 20), progress=refuse)
        client.model_store("whole", DIGITS)
        assert client.redis.exists("half") == 0


def test_a_store_that_is_cancelled_leaves_no_half_of_it(server: Server) -> None:
    async def main() -> None:
        async with aio.Client(server.url, max_connections=1, retry=None) as client:
            store: asyncio.Task[None]

            def cancel(sent: int, total: int) -> None:
                store.cancel()

            blob = b"\x08" + bytes(8 << 20)
            store = asyncio.create_task(client.model_store("m", blob, progress=cancel))
            # `wait_for` of Python 3.11 may forget a cancel: the model comes whole then.
            with pytest.raises((asyncio.CancelledError, rai.InvalidModelError)):
                await store
            await client.tensor_set("x", [1])
            assert (await client.tensor_get("x")).tolist() == [1]

    asyncio.run(main())
    server.assert_alive()


def test_tasks_and_threads_share_a_client(server: Server) -> None:
    async def main() -> None:
        async with aio.Client(server.url) as client:

            async def one(number: int) -> None:
                await client.tensor_set(f"t{number}", np.full(100, number))
                assert (await client.tensor_get(f"t{number}"))[0] == number

            await asyncio.gather(*map(one, range(50)))

    asyncio.run(main())
    wrong: list[int] = []
    with Client(server.url) as client:

        def work(number: int) -> None:
            for turn in range(50):
                client.tensor_set(f"t{number}", np.full(100, turn))
                if client.tensor_get(f"t{number}")[0] != turn:
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


# Whose connections they are ----------------------------------------------------------------------


def test_a_client_of_redis_py_stays_its_owner_s(server: Server) -> None:
    inner = server.client(protocol=3)
    with Client(inner) as client:
        client.tensor_set("x", [1])
        assert client.redis is inner
    assert inner.ping()
    with pytest.raises(rai.InputError, match="options are for a URL"):
        Client(inner, protocol=2)
    with pytest.raises(rai.InputError, match="options are for a URL"):
        Client(inner, cluster=True)

    async def main() -> None:
        inner = redis.asyncio.Redis(host=server.host, port=server.port)
        async with aio.Client(inner) as client:
            await client.tensor_set("x", [1])
        assert await inner.ping()
        with pytest.raises(rai.InputError, match="options are for a URL"):
            aio.Client(inner, protocol=2)
        await inner.aclose()

    asyncio.run(main())


def test_one_connection_is_enough(server: Server) -> None:
    inner = redis.Redis(host=server.host, port=server.port, single_connection_client=True)
    client = Client(inner)
    client.model_store("m", DIGITS, progress=lambda *_: None)
    assert client.model_get("m").blob == DIGITS.read_bytes()
    inner.close()


def test_decoded_replies(server: Server) -> None:
    with Client(server.url, decode_responses=True) as client:
        client.redis.flushall()
        client.model_store("m", DIGITS, tag="v1")
        assert client.model_get("m").blob == DIGITS.read_bytes()
        assert client.model_scan() == [("m", "v1")]
        x = np.array([0xFF, 0x80], np.uint8)
        assert client.pipeline().tensor_set("x", x).tensor_get("x").execute()[1].tolist() == [
            255,
            128,
        ]
        assert client.dag(load=["x"]).get("x").run()["x"].tolist() == [255, 128]
        with pytest.raises(rai.InputError, match="decode_responses=True"):
            client.pipeline(transaction=True).tensor_get("x").execute()


def certificates(folder: Path) -> dict[str, str]:
    """A key and a certificate of 127.0.0.1 that vouches for itself."""
    key, certificate = folder / "server.key", folder / "server.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return {
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(certificate),
    }


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, redisai_module: Path) -> Any:
    """A server that also speaks TLS, its port for it, and the certificate."""
    binary = on_path()
    if binary is None:
        pytest.skip("only the server of the system is built with TLS")
    files = certificates(tmp_path_factory.mktemp("tls"))
    port = free_port()
    config = {"tls-port": port, "tls-auth-clients": "no", **files}
    with Server(binary, module=redisai_module, config=config) as server:
        yield server, f"rediss://127.0.0.1:{port}", files["tls-ca-cert-file"]


@pytest.mark.parametrize("kind", ["plain", "asyncio"])
def test_tls(tls: Any, kind: str) -> None:
    server, url, certificate = tls
    options = {"ssl_ca_certs": certificate}
    loop = asyncio.new_event_loop()
    client: Any = Client(url, **options)
    if kind == "asyncio":
        client = Waiting(loop, aio.Client(url, **options), server.client())
    client.model_store("m", DIGITS, progress=lambda *_: None)
    x = np.ones((100, 64), np.float32)
    client.tensor_set("x", x)
    client.model_execute("m", ["x"], ["d", "p"])
    np.testing.assert_array_equal(client.tensor_get("x"), x)
    assert client.pipeline().tensor_meta("p").execute()[0].shape == (100, 10)
    if kind == "asyncio":
        client.aclose()
    else:
        client.close()
        with Client(url) as stranger, pytest.raises(redis.ConnectionError, match="certificate"):
            stranger.tensor_get("x")
    loop.close()
