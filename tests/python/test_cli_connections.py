"""How the command line finds a server: sockets, databases, TLS, clusters."""

from functools import partial

import digits
import numpy as np
import pytest
from client.test_connections import certificates
from redisai_rs.servers import on_path
from redisai_rs.testing import Cluster, Server
from redisai_rs.testing.ports import free_port


def test_a_unix_socket_and_a_database(at, embedded_binary, redisai_module, tmp_path):
    with Server(embedded_binary, module=redisai_module, unix_socket=True) as server:
        with server.client(db=3) as client:
            client.execute_command("AI.TENSORSET", "x", "INT8", 1, "VALUES", 7)
        url = f"unix://{server.unix_path}?db=3"
        assert at(url, "tensor", "get", "x").lines == ["INT8 1", "[7]"]
        assert at(f"{server.url}/3", "tensor", "get", "x").lines == ["INT8 1", "[7]"]
        assert at(server.url, "tensor", "get", "x").failed().startswith("ERR tensor key is empty")


def test_url_wins_over_the_variable(at, ai_server):
    done = at("redis://127.0.0.1:1", "model", "ls", "--url", ai_server.url)
    assert done.status == 0


def test_a_certificate_is_asked_for_and_checked(at, redisai_module, tmp_path, leaking_redis_py):
    binary = on_path()
    if binary is None:
        pytest.skip("only the server of the system is built with TLS")
    files = certificates(tmp_path)
    port = free_port()
    config = {"tls-port": port, "tls-auth-clients": "no", **files}
    with Server(binary, module=redisai_module, config=config):
        url = f"rediss://127.0.0.1:{port}"
        said = at(url, "model", "ls").failed()
        assert said.startswith(f"{url} cannot be reached: ")
        assert "certificate verify failed" in said
        trusting = f"{url}?ssl_ca_certs={files['tls-ca-cert-file']}"
        model = digits.DATA / "digits.onnx"
        assert at(trusting, "model", "store", "m", model).status == 0
        assert at(trusting, "model", "ls", "--json").json[0]["key"] == "m"


@pytest.fixture(scope="module")
def cluster(embedded_binary, redisai_module):
    """Two nodes."""
    with Cluster(2, binary=embedded_binary, module=redisai_module) as started:
        yield started


def test_a_node_of_a_cluster_says_that_it_is_one(at, cluster):
    url = cluster.primaries[0].url
    words = [("tensor", "get", f"key:{number}") for number in range(8)]
    said = {at(url, *one).failed() for one in words}
    moved = f"{url} is a node of a cluster, and the key belongs to another: say --cluster"
    empty = "ERR tensor key is empty or in a different shard"
    assert said == {moved, empty}
    assert {at(url, *one, "-c").failed() for one in words} == {empty}


def test_all_nodes_of_a_cluster(at, cluster, tmp_path):
    run = partial(at, cluster.primaries[0].url)
    np.save(tmp_path / "x.npy", np.zeros((1, 64), np.float32))
    # In slots of both nodes.
    keys = [f"m:{number}" for number in range(4)]
    for key in keys:
        assert run("model", "store", "-c", key, digits.DATA / "digits.onnx").status == 0
        assert run("model", "run", "-c", key, tmp_path / "x.npy").lines[0] == "digit  INT64 1"
    sizes = [primary.execute("DBSIZE") for primary in cluster.primaries]
    assert min(sizes) > 0
    assert [one["key"] for one in run("model", "ls", "-c", "--json").json] == keys
    # Without it each node has its own.
    assert len(run("model", "ls", "--json").json) == sizes[0]
    assert run("model", "rm", "-c", *keys).lines == [f"deleted {key}" for key in keys]
    assert [primary.execute("DBSIZE") for primary in cluster.primaries] == [0, 0]
