"""`CLIENT PAUSE … WRITE` with a run or a store in flight: effects wait, then apply."""

from holding import info, run, sessions, store, tensor, values
from redisai_rs.testing import wait_until

PAUSE = ("CLIENT", "PAUSE", 3_600_000, "WRITE")


def held_run(held, pending, at):
    """A run that stands at the gate."""
    store(held, "m", at.run_text)
    tensor(held, "x", 1.5, -2)
    waiting = pending(*run("m", ["x"], ["y"]))
    at.reached()
    return waiting


def turns(client, count=20):
    """Lets the server's event loop go round."""
    for _ in range(count):
        client.ping()


def test_a_run_that_ends_in_a_pause_is_applied_after_it(held, gate, pending):
    at = gate()
    waiting = held_run(held, pending, at)
    held.execute_command(*PAUSE)
    at.open()
    wait_until(lambda: info(held, "m")["calls"] == 1, "the run's end")
    turns(held)
    assert not waiting.answered()
    assert not held.exists("y")
    held.client_unpause()
    assert waiting.reply() == b"OK"
    assert values(held, "y") == [1.5, -2]


def test_a_pause_that_runs_out_needs_nobody_to_end_it(held, gate, pending):
    at = gate()
    waiting = held_run(held, pending, at)
    held.execute_command("CLIENT", "PAUSE", 300, "WRITE")
    at.open()
    assert waiting.reply() == b"OK"
    assert values(held, "y") == [1.5, -2]


def test_runs_refused_or_failed_in_a_pause_answer_after_it(held, gate, pending):
    at = gate()
    waiting = held_run(held, pending, at)
    # Refused at once: before the pause holds up every command that may write.
    held.execute_command(*PAUSE)
    late = pending(*run("m", ["nothing"], ["y"]))
    at.open()
    turns(held)
    assert not late.answered()
    held.client_unpause()
    assert late.error() == "ERR tensor key is empty or in a different shard"
    assert waiting.reply() == b"OK"


def test_runs_that_end_in_one_pause_are_all_applied(held, gate, pending):
    gates = [gate() for _ in range(3)]
    tensor(held, "x", 7)
    runs = []
    for number, at in enumerate(gates):
        # A device each, so that they stand side by side.
        store(held, f"m{number}", at.run_text, device=f"CPU:{number}")
        runs.append(pending(*run(f"m{number}", ["x"], [f"y{number}"])))
        at.reached()
    held.execute_command(*PAUSE)
    for number, at in enumerate(gates):
        at.open()
        wait_until(lambda n=number: info(held, f"m{n}")["calls"] == 1, "the run's end")
    turns(held)
    assert not any(one.answered() for one in runs)
    held.client_unpause()
    assert [one.reply() for one in runs] == [b"OK"] * 3
    assert [values(held, f"y{number}") for number in range(3)] == [[7]] * 3


def test_a_client_killed_with_its_effects_parked(held, gate, pending):
    at = gate()
    waiting = held_run(held, pending, at)
    held.execute_command(*PAUSE)
    at.open()
    wait_until(lambda: info(held, "m")["calls"] == 1, "the run's end")
    turns(held)
    held.client_kill_filter(_id=waiting.id)
    turns(held)
    held.client_unpause()
    # The client is the one that waited, so its outputs are dropped. The server goes on.
    tensor(held, "z", 1)
    assert not held.exists("y")


def test_a_store_that_ends_in_a_pause_is_applied_after_it(held, held_server, gate, pending):
    at = gate()
    before = sessions(held_server)
    waiting = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    held.execute_command(*PAUSE)
    at.open()
    wait_until(lambda: sessions(held_server) == before + 1, "the session")
    turns(held)
    assert not waiting.answered()
    assert not held.exists("m")
    held.client_unpause()
    assert waiting.reply() == b"OK"
    assert held.execute_command("AI.MODELGET", "m", "BLOB") == at.load_text.encode()


def test_a_store_whose_client_dies_in_a_pause_is_carried_out(held, held_server, gate, pending):
    at = gate()
    before = sessions(held_server)
    waiting = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text, db=3)
    at.reached()
    held.execute_command(*PAUSE)
    held.client_kill_filter(_id=waiting.id)
    at.open()
    wait_until(lambda: sessions(held_server) == before + 1, "the session")
    turns(held)
    third = held_server.client(db=3)
    assert not third.exists("m")
    held.client_unpause()
    wait_until(lambda: third.exists("m"), "the model's key")
    tensor(third, "x", 4)
    assert third.execute_command(*run("m", ["x"], ["y"])) == b"OK"
