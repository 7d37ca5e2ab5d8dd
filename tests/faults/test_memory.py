"""A tensor for which there is no memory."""

import os
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


def test_a_tensor_larger_than_the_machine_is_refused(make_server, server_binary):
    """jemalloc would map so many zeros, and the kernel kill the server as they are written."""
    server = make_server(server_binary, module_args=["MAX_TENSOR_BYTES", 1 << 60])
    # If it has to be somebody.
    Path(f"/proc/{server.pid}/oom_score_adj").write_text("1000")
    pages = os.sysconf("SC_PHYS_PAGES") + swap_pages()
    client = server.client()
    with pytest.raises(redis.ResponseError, match="not enough memory"):
        client.execute_command("AI.TENSORSET", "z", "UINT8", 4 * pages * resource.getpagesize())
    assert not client.exists("z")


def swap_pages():
    """The swap space, in pages."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    (total,) = (line.split()[1] for line in lines if line.startswith("SwapTotal:"))
    return int(total) * 1024 // resource.getpagesize()
