"""A tensor for which there is no memory."""

import resource
from pathlib import Path

import pytest
import redis

GIB = 1 << 30


def address_space(pid):
    """Bytes that a process has mapped."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


@pytest.mark.parametrize("element", ["FLOAT", "STRING"])
def test_a_tensor_too_large_for_the_machine_is_refused(make_server, server_binary, element):
    server = make_server(server_binary)
    client = server.client()
    client.execute_command("AI.TENSORSET", "x", "FLOAT", 2, "VALUES", 1, 2)
    limit = address_space(server.pid) + GIB
    resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, limit))
    count = 3 * GIB // 4 if element == "FLOAT" else 3 * GIB // 16
    with pytest.raises(redis.ResponseError):
        client.execute_command("AI.TENSORSET", "z", element, count)
    assert client.execute_command("AI.TENSORGET", "x", "VALUES") == [b"1", b"2"]
    assert not client.exists("z")
    # What fits is set.
    assert client.execute_command("AI.TENSORSET", "z", "UINT8", 100 << 20) == b"OK"
