"""`redisai-rs stats`, once: what the server counts."""

import os

import digits
import pytest
from python.cli_on_servers import runner
from redisai_rs.cli.stats import Look, add_rates

MODEL = digits.blob("digits.onnx")


@pytest.fixture
def stats(server, client, capsysbinary, monkeypatch):
    """Runs `redisai-rs stats` against `server`, which is empty."""
    run = runner(capsysbinary, monkeypatch, server.url)
    return lambda *words: run("stats", "--interval", "0.05", *words)


def execute(client, key, times=1):
    for _ in range(times):
        client.execute_command("AI.TENSORSET", "x", "FLOAT", 2, 64)
        client.execute_command("AI.MODELEXECUTE", key, "INPUTS", 1, "x", "OUTPUTS", 2, "y", "p")


def test_counters_queues_and_latencies(stats, server, client, server_binary):
    for key in (b"m", b"\xff\x1b[m"):
        client.execute_command("AI.MODELSTORE", key, "ONNX", "CPU", "TAG", "t", "BLOB", MODEL)
    execute(client, "m", 3)
    found = stats("--json").json
    assert found["server"]["product"] == server_binary.product
    assert found["server"]["version"] == ".".join(map(str, server_binary.version))
    (queue,) = [one for one in found["queues"] if one["device"] == "CPU"]
    assert (queue["workers"], queue["length"], queue["refused"]) == (1, 0, 0)
    assert [os.fsencode(one["key"]) for one in found["keys"]] == [b"m", b"\xff\x1b[m"]
    first, second = found["keys"]
    assert (first["calls"], first["samples"], first["errors"]) == (3, 6, 0)
    assert first["run_ns"]["count"] == 3
    assert (second["calls"], second["run_ns"]["count"]) == (0, 0)
    info = client.execute_command("AI.INFO", "m", "FULL")
    run_ns = info[info.index(b"run_ns") + 1]
    assert first["run_ns"]["p50"] == run_ns[run_ns.index(b"p50") + 1]
    assert (first["runs_per_s"], first["rows_per_s"]) == (0, 0)


def test_the_table(stats, client):
    client.execute_command("AI.MODELSTORE", "\x1b[m", "ONNX", "CPU:1", "BLOB", MODEL)
    execute(client, "\x1b[m")
    lines = stats().lines
    assert "up " in lines[0]
    queues = [line.split() for line in lines[2 : lines.index("", 2)]]
    assert queues[0] == ["QUEUE", "WAITING", "PEAK", "BUSY", "WORKERS", "REFUSED"]
    assert "CPU:1" in [queue[0] for queue in queues[1:]]
    titles, row = lines[-2:]
    assert titles.split()[:3] == ["KEY", "RUNS/S", "ROWS/S"]
    assert row.split()[0] == "\\x1b[m"
    assert row.split()[-6:] == ["1", "0", "ready", "CPU:1", "ONNX", "MODEL"]


def test_nothing_stored(stats):
    assert stats().lines[-1] == "no models and no scripts in this database"
    assert stats("--json").json["keys"] == []


def look(at: float, **counts: tuple[int, int]) -> Look:
    keys = [{"key": key, "calls": runs, "samples": rows} for key, (runs, rows) in counts.items()]
    return Look({}, [], keys, at)


def test_rates_are_those_of_the_interval():
    now = look(102, m=(11, 30), reset=(0, 0), new=(5, 5), idle=(3, 3))
    add_rates(look(100, m=(1, 10), reset=(1, 1), idle=(3, 3), gone=(1, 1)), now)
    rates = {one["key"]: (one["runs_per_s"], one["rows_per_s"]) for one in now.keys}
    # Counters that have become less, and those of a new key, say nothing of a rate.
    unknown = (None, None)
    assert rates == {"m": (5, 10), "reset": unknown, "new": unknown, "idle": (0, 0)}


def test_two_looks_are_taken(stats, client, monkeypatch):
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", MODEL)
    # Between the two looks, in the place of the pause.
    monkeypatch.setattr("redisai_rs.cli.stats.pause", lambda _: execute(client, "m", 3))
    (one,) = stats("--json").json["keys"]
    assert one["calls"] == 3
    assert one["rows_per_s"] == pytest.approx(2 * one["runs_per_s"], abs=0.2)
    assert one["runs_per_s"] > 0


@pytest.mark.parametrize("words", [("--interval", "-1"), ("--interval", "nan"), ("x",)])
def test_usage_errors_are_2(stats, words):
    with pytest.raises(SystemExit) as error:
        stats(*words)
    assert error.value.code == 2
