"""Replies that nobody reads, of tensors that are then overwritten, deleted, or flushed."""

from __future__ import annotations

import pytest
from holding import Pending
from redisai_rs.testing import wait_until

# Far more than the buffers of a socket hold.
BYTES = 16 << 20
REPLIES = 3


def put(client, fill):
    blob = bytes([fill]) * BYTES
    assert client.execute_command("AI.TENSORSET", "big", "UINT8", BYTES, "BLOB", blob) == b"OK"


def calls(client):
    """How many `AI.TENSORGET` have been carried out since `CONFIG RESETSTAT`."""
    return client.info("commandstats").get("cmdstat_ai.tensorget", {"calls": 0})["calls"]


@pytest.fixture
def unread(server, client):
    """A client that has asked for the tensor several times, and has read nothing."""
    client.config_resetstat()
    put(client, 1)
    one = Pending(server, "AI.TENSORGET", "big", "BLOB")
    for _ in range(REPLIES - 1):
        one.send("AI.TENSORGET", "big", "BLOB")

    wait_until(lambda: calls(client) == REPLIES, "the replies")
    yield one
    one.close()


CHANGES = {
    "overwritten": lambda client: put(client, 2),
    "overwritten again and again": lambda client: [put(client, fill) for fill in range(2, 9)],
    "deleted": lambda client: client.delete("big"),
    "unlinked": lambda client: client.unlink("big"),
    "flushed": lambda client: client.flushall(),
    "flushed in the background": lambda client: client.flushall(asynchronous=True),
    "of another type": lambda client: client.set("big", "x"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_replies_are_what_they_were(client, unread, change):
    change(client)
    for _ in range(REPLIES):
        assert unread.reply() == b"\1" * BYTES


def test_a_client_that_never_reads_and_goes(server, client, unread):
    put(client, 2)
    unread.close()
    wait_until(lambda: len(client.client_list()) == 1, "the client's end")
    assert client.execute_command("AI.TENSORGET", "big", "BLOB") == b"\2" * BYTES


def test_a_client_that_never_reads_is_killed(server, client, unread):
    client.client_kill_filter(_id=unread.id)
    client.delete("big")
    put(client, 3)
    assert client.execute_command("AI.TENSORGET", "big", "BLOB") == b"\3" * BYTES


@pytest.mark.parametrize("operation", ["copy", "foreign", "identity"])
def test_an_output_that_is_deleted_unread(mock_server, mock_client, operation):
    """The same for tensors that a backend made: in the host's memory and in its own."""
    client = mock_client
    client.config_resetstat()
    put(client, 1)
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", operation)
    run = ("AI.MODELEXECUTE", "m", "INPUTS", 1, "big", "OUTPUTS", 1, "out")
    assert client.execute_command(*run) == b"OK"
    one = Pending(mock_server, "AI.TENSORGET", "out", "BLOB")
    one.send("AI.TENSORGET", "out", "BLOB")
    wait_until(lambda: calls(client) == 2, "the replies")
    client.delete("out")
    put(client, 2)
    assert [one.reply(), one.reply()] == [b"\1" * BYTES] * 2
    one.close()
