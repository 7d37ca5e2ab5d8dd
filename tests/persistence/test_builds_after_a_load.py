"""Sessions are built after a load, and the server answers meanwhile."""

from __future__ import annotations

from holding import NO_LIMIT, Gate, Pending, info


def test_the_server_answers_while_sessions_are_built(start, mock_path, tmp_path):
    server = start(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT])
    client = server.client()
    at = Gate(tmp_path / "gate")
    stored = Pending(server, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.open()
    assert stored.reply() == b"OK"
    client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 7)
    assert client.save()
    server.restart()
    client = server.client()
    # The build stands at the gate, and nothing but the test opens that.
    at.reached()
    assert client.ping()
    assert client.set("k", "v")
    assert client.execute_command("AI.TENSORGET", "x", "VALUES") == [b"7"]
    assert info(client, "m", "FULL")["state"] == b"building"
    run = Pending(server, "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    assert client.get("k") == b"v"
    assert client.save()
    assert not run.answered()
    at.open()
    assert run.reply() == b"OK"
    assert client.execute_command("AI.TENSORGET", "y", "VALUES") == [b"7"]
