"""An idle server does not wake up: its threads sleep until there is something to do."""

from __future__ import annotations

from pathlib import Path

import digits
import numpy as np
from onnx_models import execute, model, node, put, store, value
from redisai_rs.testing import wait_until


def threads(server):
    """Name and number of voluntary switches of every thread but the server's own main thread."""
    found = {}
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        if task.name == str(server.pid):
            continue
        lines = (task / "status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        name = fields["Name"].strip()
        found[name, task.name] = int(fields["voluntary_ctxt_switches"])
    return found


def ours(server, without):
    """The threads that the module has started: those whose names a server without it lacks."""
    names = {name for name, _ in threads(without)}
    return {key: count for key, count in threads(server).items() if key[0] not in names}


def ticks(server):
    """Turns of the server's own cron: a clock that goes on while all else sleeps."""
    return int(server.info("server")["uptime_in_seconds"])


def test_no_thread_of_ours_wakes_up(make_server, server_binary, redisai_module):
    plain = make_server(server_binary, module=False)
    # A run's limit sets an alarm that goes off once, a second later, and finds nothing to do.
    arguments = ["THREADS_PER_QUEUE", 3, "MODEL_EXECUTION_TIMEOUT", 1000]
    server = make_server(server_binary, module_args=arguments)
    client = server.client()
    weights = {"w": np.ones((3, 4), np.float32)}
    blob = model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=None)], weights)
    for device in ("CPU", "CPU:1", "CPU:2"):
        store(client, blob, device, device=device)
        put(client, "x", np.ones((1, 3), np.float32))
        assert execute(client, ["x"], ["y"], device) == b"OK"
        # A deadline that has been set and is not needed any more wakes nobody later.
        run = ("AI.MODELEXECUTE", device, "INPUTS", 1, "x", "OUTPUTS", 1, "y", "TIMEOUT", 600_000)
        assert client.execute_command(*run) == b"OK"
    client.flushall()
    assert len(ours(server, plain)) >= 9
    wait_until(lambda: quiet(server, plain), "two seconds in which nothing wakes up")
    assert not [name for name, count in spent(server, plain).items() if count]


def test_no_thread_of_tensorflow_or_litert_wakes_up(make_server, server_binary):
    """Their pools are there after a run, and sleep."""
    plain = make_server(server_binary, module=False)
    server = make_server(server_binary, module_args=["INTRA_OP_PARALLELISM", 2])
    client = server.client()
    names = ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")
    put(client, "x", np.ones((4, digits.PIXELS), np.float32))
    for backend, form, options in (("TF", "digits.pb", names), ("TFLITE", "digits.tflite", ())):
        blob = ("BLOB", digits.blob(form))
        client.execute_command("AI.MODELSTORE", backend, backend, "CPU", *options, *blob)
        # The second one in a pool of TensorFlow's, by its deadline.
        for more in ((), ("TIMEOUT", 600_000)):
            words = ("INPUTS", 1, "x", "OUTPUTS", 2, "y", "z", *more)
            assert client.execute_command("AI.MODELEXECUTE", backend, *words) == b"OK"
    # Ours, and theirs.
    assert len(ours(server, plain)) >= 6
    wait_until(lambda: quiet(server, plain), "two seconds in which nothing wakes up")
    assert not [name for name, count in spent(server, plain).items() if count]


def quiet(server, plain):
    """Whether nothing woke up while the server's clock went on for two seconds."""
    before, start = ours(server, plain), ticks(server)
    wait_until(lambda: ticks(server) >= start + 2, "the server's clock")
    return ours(server, plain) == before


def spent(server, plain):
    """Switches of each thread of ours in three more seconds, in which clients only ping."""
    before, start = ours(server, plain), ticks(server)
    client = server.client()
    while ticks(server) < start + 3:
        client.ping()
    return {key: count - before[key] for key, count in ours(server, plain).items()}
