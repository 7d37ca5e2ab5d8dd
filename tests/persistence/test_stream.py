"""What a primary sends, command by command, as a replica reads it."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from holding import Pending, run, store, tensor, values
from persistence.replicating import Recorder
from redisai_rs.testing import wait_until


@pytest.fixture
def primary(start, mock_path):
    return start(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path])


@pytest.fixture
def client(primary):
    return primary.client()


@pytest.fixture
def recorder(primary):
    with Recorder(primary) as one:
        yield one


def effect(key, *elements):
    """The command that makes a FLOAT vector."""
    blob = np.array(elements, np.float32).tobytes()
    return [b"AI.TENSORSET", key.encode(), b"FLOAT", b"%d" % len(elements), b"BLOB", blob]


def turn(server, *commands):
    """What one command leaves in the stream when its client was blocked."""
    # 6.2 makes a transaction of each turn of a blocked client, also of a single command.
    if len(commands) == 1 and server.binary.version >= (7,):
        return list(commands)
    return [[b"MULTI"], *commands, [b"EXEC"]]


def upper(commands):
    """Servers write the words of a transaction in either case."""
    short = (b"multi", b"exec")
    return [[word.upper() if word.lower() in short else word for word in one] for one in commands]


def test_one_output(primary, client, recorder):
    store(client, "m", "identity")
    tensor(client, "x", 1, 2)
    recorder.commands()
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    assert upper(recorder.commands()) == turn(primary, effect("y", 1, 2))


def test_several_outputs_are_one_transaction(primary, client, recorder):
    store(client, "m", "identity")
    tensor(client, "a", 1)
    tensor(client, "b", 2, 3)
    recorder.commands()
    # In the order of the arguments, a name that comes twice too.
    assert client.execute_command(*run("m", ["a", "b", "a"], ["z", "y", "z"])) == b"OK"
    expected = [effect("z", 1), effect("y", 2, 3), effect("z", 1)]
    assert upper(recorder.commands()) == turn(primary, *expected)


def test_a_dag(primary, client, recorder):
    store(client, "m", "identity")
    tensor(client, "x", 7)
    recorder.commands()
    steps = ["|>", *run("m", ["x"], ["t"]), "|>", "AI.TENSORSET", "u", "FLOAT", 1, "VALUES", 5]
    dag = ["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 2, "u", "t", *steps]
    assert client.execute_command(*dag) == [b"OK", b"OK"]
    assert upper(recorder.commands()) == turn(primary, effect("u", 5), effect("t", 7))


def test_runs_in_a_pipeline_each_once_and_in_order(primary, client, recorder):
    """Each run sees the input before it, and its output comes before the next input."""
    store(client, "m", "identity")
    recorder.commands()
    one = Pending(primary)
    expected = []
    for number in range(100):
        one.send("AI.TENSORSET", "x", "FLOAT", 1, "BLOB", np.float32(number).tobytes())
        one.send(*run("m", ["x"], [f"y{number % 3}"]))
        expected += [effect("x", number), *turn(primary, effect(f"y{number % 3}", number))]
    for _ in range(200):
        assert one.reply() == b"OK"
    assert upper(recorder.commands()) == expected


def test_runs_of_many_clients_each_once(primary, client, recorder):
    """In the order in which the keys changed: the last of the stream is what is there."""
    store(client, "m", "identity")
    for number in range(20):
        tensor(client, f"x{number}", number)
    recorder.commands()
    clients = [Pending(primary) for _ in range(20)]
    for _ in range(10):
        for number, one in enumerate(clients):
            one.send(*run("m", [f"x{number}"], ["y"]))
    for one in clients:
        assert [one.reply() for _ in range(10)] == [b"OK"] * 10
    found = [command for command in recorder.commands() if len(command) > 1]
    assert sorted(found) == sorted(effect("y", number) for number in range(20) for _ in range(10))
    assert found[-1] == effect("y", *values(client, "y"))


SOURCE = "def same identity\ndef two copy"


def test_what_a_script_made(primary, client, recorder):
    """Its effects, and nothing of the script itself."""
    assert client.execute_command("AI.SCRIPTSET", "s", "CPU", "SOURCE", SOURCE) == b"OK"
    tensor(client, "a", 1)
    tensor(client, "b", 2)
    recorder.commands()
    words = ["INPUTS", 2, "a", "b", "OUTPUTS", 2, "y", "z"]
    assert client.execute_command("AI.SCRIPTEXECUTE", "s", "two", *words) == b"OK"
    assert upper(recorder.commands()) == turn(primary, effect("y", 1), effect("z", 2))
    words = ["INPUTS", "a", "OUTPUTS", "y"]
    assert client.execute_command("AI.SCRIPTRUN", "s", "same", *words) == b"OK"
    assert upper(recorder.commands()) == turn(primary, effect("y", 1))


MODELS = [
    ["AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "v1", "BLOB", "identity"],
    ["ai.modelstore", "m", "onnx", "cpu", "BLOB", "iden", "tity", ""],
    ["AI.MODELSTORE", "m", "ONNX", "CPU:1", "BATCHSIZE", "4", "MINBATCHSIZE", "2", "BLOB", "copy"],
    ["AI.MODELSET", "m", "ONNX", "CPU", "TAG", "t", "BLOB", "identity"],
]


@pytest.mark.parametrize("command", MODELS, ids=" ".join)
def test_models_come_as_they_were_sent(primary, client, recorder, command):
    assert client.execute_command(*command) == b"OK"
    assert client.execute_command("AI.MODELDEL", "m") == b"OK"
    words = [word.encode() for word in command]
    words[0] = words[0].upper()
    assert upper(recorder.commands()) == [*turn(primary, words), [b"AI.MODELDEL", b"m"]]


SCRIPTS = [
    ["AI.SCRIPTSTORE", "s", "CPU", "TAG", "v", "ENTRY_POINTS", "1", "same", "SOURCE", SOURCE],
    ["ai.scriptstore", "s", "cpu:1", "entry_points", "2", "two", "same", "source", SOURCE],
    ["AI.SCRIPTSET", "s", "CPU", "TAG", "v", "SOURCE", SOURCE],
]


@pytest.mark.parametrize("command", SCRIPTS, ids=lambda words: " ".join(words[:-1]))
def test_scripts_come_as_they_were_sent(primary, client, recorder, command):
    assert client.execute_command(*command) == b"OK"
    assert client.execute_command("AI.SCRIPTDEL", "s") == b"OK"
    words = [word.encode() for word in command]
    words[0] = words[0].upper()
    assert upper(recorder.commands()) == [*turn(primary, words), [b"AI.SCRIPTDEL", b"s"]]


def test_a_script_of_before_comes_in_the_form_of_today(client, recorder):
    assert client.execute_command("AI.SCRIPTSET", "s", "CPU", SOURCE) == b"OK"
    found = [command for command in recorder.commands() if len(command) > 1]
    assert len(found) == 1
    assert found[0][:3] == [b"AI.SCRIPTSET", b"s", b"CPU"]
    assert found[0][-2:] == [b"SOURCE", SOURCE.encode()]


def test_a_model_of_before_comes_in_the_form_of_today(client, recorder):
    assert client.execute_command("AI.MODELSET", "m", "ONNX", "CPU", "identity") == b"OK"
    found = [command for command in recorder.commands() if len(command) > 1]
    assert len(found) == 1
    assert found[0][:4] == [b"AI.MODELSTORE", b"m", b"ONNX", b"CPU"]
    assert found[0][-2:] == [b"BLOB", b"identity"]


def test_what_fails_or_only_reads_sends_nothing(primary, client, recorder):
    store(client, "m", "identity")
    store(client, "bad", "fail no")
    tensor(client, "x", 1)
    client.set("text", 1)
    recorder.commands()
    for command in (
        run("bad", ["x"], ["y"]),
        run("m", ["x"], ["text"]),
        run("m", ["nothing"], ["y"]),
        ["AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "fail-load no"],
        ["AI.SCRIPTSET", "n", "CPU", "SOURCE", "fail-load no"],
        ["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 1, "x", "|>", *run("bad", ["x"], ["y"])],
        ["AI.TENSORSET", "x", "FLOAT", 1, "VALUES", "one"],
    ):
        reply = Pending(primary, *command).reply()
        last = reply[-1] if isinstance(reply, list) else reply
        assert isinstance(last, redis.ResponseError)
    for command in (
        ["AI.TENSORGET", "x", "VALUES"],
        ["AI.MODELGET", "m"],
        ["AI.INFO", "m"],
        ["AI.INFO", "m", "RESETSTAT"],
        ["AI._MODELSCAN"],
        ["AI.DAGEXECUTE_RO", "LOAD", 1, "x", "|>", *run("m", ["x"], ["y"])],
        ["AI.CONFIG", "GET", "MODEL_CHUNK_SIZE"],
    ):
        client.execute_command(*command)
    assert recorder.commands() == []


def test_a_client_that_has_gone_gets_no_effect(primary, client, recorder):
    store(client, "m", "sleep 200")
    tensor(client, "x", 1)
    recorder.commands()
    one = Pending(primary, *run("m", ["x"], ["y"]))
    wait_until(lambda: primary.info("ai")["ai_queue_CPU_busy"] == "1", "the run")
    one.close()
    wait_until(lambda: primary.info("ai")["ai_queue_CPU_busy"] == "0", "the run's end")
    assert not client.exists("y")
    assert recorder.commands() == []
