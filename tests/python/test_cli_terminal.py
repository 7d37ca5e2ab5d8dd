"""The command line on a pseudo-terminal and in pipes: the live view, progress, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import termios

import digits
import pytest
from holding import NO_LIMIT, gate_factory
from python.terminal import SlowLine, Terminal
from redisai_rs.testing import Server, wait_until

COMMAND = [sys.executable, "-m", "redisai_rs.cli"]
# What xterm is told to show another screen, and to put the first one back; to hide its cursor.
ANOTHER, BACK = "\x1b[?1049h", "\x1b[?1049l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?12l\x1b[?25h"
SEQUENCES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")
CLEAR = "\r\x1b[K"
SLOW_FROM = 1 << 20


@pytest.fixture
def terminal(ai_server):
    """Runs `redisai-rs` on a terminal, against `ai_server`, which has a model."""
    ai_server.execute("FLUSHALL")
    blob = digits.blob("digits.onnx")
    ai_server.execute("AI.MODELSTORE", "digits", "ONNX", "CPU", "BLOB", blob)
    env = {"REDISAI_URL": ai_server.url}
    return lambda *words, **more: Terminal([*COMMAND, *words], env | more.pop("env", {}), **more)


def execute(server):
    server.execute("AI.TENSORSET", "x", "FLOAT", 2, 64)
    server.execute("AI.MODELEXECUTE", "digits", "INPUTS", 1, "x", "OUTPUTS", 2, "y", "p")


@pytest.mark.parametrize(
    ("end", "status"),
    [(b"\x03", 130), (b"q", 0), (signal.SIGTERM, 143)],
    ids=["Ctrl-C", "q", "SIGTERM"],
)
def test_stats_leaves_the_screen_as_it_was(terminal, end, status):
    with terminal("stats", "--interval", "0.1") as on:
        on.expect("digits")
        if isinstance(end, bytes):
            on.type(end)
        else:
            on.process.send_signal(end)
        assert on.wait() == status
        said = on.read()
        # Nothing is written onto the first screen, before or afterwards.
        before, _, rest = said.partition(ANOTHER)
        _, back, after = rest.partition(BACK)
        assert back
        assert SEQUENCES.sub("", before + after).strip("\r\n") == ""
        # Hidden, and shown again.
        assert said.rindex(HIDE) < said.rindex(SHOW)
        assert termios.tcgetattr(on.slave) == on.modes


def test_stats_is_live_and_takes_a_new_size(terminal, ai_server):
    with terminal("stats", "--interval", "0.05", size=(24, 120)) as on:
        on.expect("digits")
        # On a line that was empty: elsewhere only the letters that differ are written.
        ai_server.execute("COPY", "digits", "zebra")
        on.expect("zebra")
        on.type(b"q")
        assert on.wait() == 0
    for number in range(30):
        ai_server.execute("COPY", "digits", f"copy:{number:02}")
    # A shell may have noted the size that there was once.
    env = {"LINES": "24", "COLUMNS": "80"}
    with terminal("stats", "--interval", "0.05", size=(24, 120), env=env) as on:
        on.expect("… 15 more")
        assert "copy:29" not in on.read()
        on.resize(60, 120)
        on.expect("copy:29")
        # The terminal's own colours stay.
        assert "\x1b[40m" not in on.read()
        on.type(b"q")
        assert on.wait() == 0


def test_stats_puts_the_screen_back_when_the_server_goes(embedded_binary, redisai_module):
    command = [*COMMAND, "stats", "--interval", "0.05", "--url"]
    with (
        Server(embedded_binary, module=redisai_module) as server,
        Terminal([*command, server.url], {}) as on,
    ):
        on.expect("no models")
        server.stop()
        assert on.wait() == 1
        assert on.read().index(BACK) < on.read().index("cannot be reached")
        assert termios.tcgetattr(on.slave) == on.modes


def test_stats_on_an_unknown_terminal_says_what_to_do(terminal):
    env = {"TERM": "no-such-terminal"}
    with terminal("stats", env=env) as on:
        assert on.wait() == 1
        assert "no live view on a terminal of type 'no-such-terminal': say --once" in on.read()
    with terminal("stats", "--once", "--interval", "0", env=env) as on:
        assert on.wait() == 0
        assert "digits" in on.read()
        assert ANOTHER not in on.read()


@pytest.fixture(scope="module")
def mocked(embedded_binary, redisai_module, mock_path):
    """A server whose models the mock runs."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT]
    with Server(embedded_binary, module=redisai_module, module_args=arguments) as started:
        yield started


@pytest.fixture
def big(tmp_path):
    """A model of the mock that does not fit into the buffers of sockets."""
    path = tmp_path / "big"
    path.write_text("copy\nfunction " + "x" * (24 << 20))
    return path


def store(path, port):
    words = ["model", "store", "big", str(path), "--backend", "ONNX"]
    return [*COMMAND, *words], {"REDISAI_URL": f"redis://127.0.0.1:{port}"}


def test_a_slow_upload_shows_a_bar_that_goes_away(mocked, big):
    with SlowLine(mocked.port, SLOW_FROM) as line, Terminal(*store(big, line.port)) as on:
        on.expect(" % of 25.2 MB, ")
        assert "storing big █" in on.read()
        line.go.set()
        assert on.wait() == 0
        # Behind the last bar: the line is cleared, and the result stands alone.
        assert on.read().rpartition(CLEAR)[2] == "stored big: ONNX on CPU, 25.2 MB\r\n"


def test_a_slow_build_is_told(mocked, tmp_path):
    with gate_factory(tmp_path) as make:
        gate = make()
        path = tmp_path / "slow"
        path.write_text(gate.load_text)
        with Terminal(*store(path, mocked.port)) as on:
            gate.reached()
            on.expect("storing big: sent, the server builds its session")
            gate.open()
            assert on.wait() == 0
            assert on.read().rpartition(CLEAR)[2].startswith("stored big: ONNX on CPU, ")


@pytest.fixture
def held(mocked, tmp_path):
    """A model `m` whose runs wait at a gate, and a tensor `x`."""
    with gate_factory(tmp_path) as make:
        gate = make()
        mocked.execute("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", gate.run_text)
        mocked.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 1)
        yield gate


def run(mocked, *words):
    command = [*COMMAND, "model", "run", "m", "x", "-o", "y", *words]
    return Terminal(command, {"REDISAI_URL": mocked.url})


def test_ctrl_c_ends_a_run_with_130(mocked, held):
    with run(mocked) as on:
        held.reached()
        on.expect("running m: … 1 s")
        on.type(b"\x03")
        assert on.wait() == 130
        assert "Traceback" not in on.read()
        assert on.read().replace("^C", "").endswith(CLEAR)
    held.open()
    # The client has gone: what comes is dropped.
    wait_until(lambda: mocked.info("ai")["ai_running"] == "0", "the end of the run")
    assert mocked.execute("EXISTS", "y") == 0


def test_a_run_that_takes_too_long_is_given_up(mocked, held):
    with run(mocked, "--timeout", "20") as on:
        assert on.wait() == 1
        assert "redisai-rs: it took longer than 20 ms (--timeout): no output is kept" in on.read()


def test_ctrl_c_ends_an_upload_with_130_and_a_clean_line(mocked, big):
    mocked.execute("FLUSHALL")
    with SlowLine(mocked.port, SLOW_FROM) as line, Terminal(*store(big, line.port)) as on:
        on.expect(" % of 25.2 MB, ")
        on.type(b"\x03")
        assert on.wait() == 130
        assert "Traceback" not in on.read()
        assert on.read().replace("^C", "").endswith(CLEAR)
    assert mocked.execute("DBSIZE") == 0


def test_no_bar_without_a_terminal(mocked, big):
    """The line is held for longer than a bar would wait, with stderr a pipe."""
    with SlowLine(mocked.port, SLOW_FROM) as line:
        command, env = store(big, line.port)
        process = subprocess.Popen(
            command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        wait_until(lambda: line.held_for() > 1.5, "the bar's delay")
        line.go.set()
        output, errors = process.communicate(timeout=60)
        assert (output, errors) == (b"stored big: ONNX on CPU, 25.2 MB\n", b"")


def test_binary_output_is_not_for_a_terminal(terminal, ai_server):
    execute(ai_server)
    for words in (("model", "get", "digits", "-"), ("tensor", "get", "x", "-")):
        with terminal(*words) as on:
            assert on.wait() == 1
            assert "what comes is binary: name a file" in on.read()


def shell(command, **env):
    done = subprocess.run(
        ["bash", "-c", command], env=os.environ | env, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_all_of_a_big_value_goes_through_a_pipe(mocked, big, unbuffered):
    env = {"REDISAI_URL": mocked.url, "PYTHONUNBUFFERED": unbuffered}
    cli = f"{sys.executable} -m redisai_rs.cli"
    mocked.execute("AI.MODELSTORE", "big", "ONNX", "CPU", "BLOB", big.read_bytes())
    assert shell(f"{cli} model get big - | cmp - {big}", **env) == ("", "")
    # A reader that goes away is no traceback.
    assert shell(f"{cli} model get big - | head -c 1 | wc -c", **env) == ("1\n", "")
    mocked.execute("AI.TENSORSET", "x", "INT64", 4 << 20)
    copied = f"{cli} tensor get x - | {cli} tensor set y -"
    assert shell(copied, **env) == ("set y: INT64 4194304, 33.6 MB\n", "")
