"""The process of a server: start, stop, kill, restart, log."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from redisai_rs import servers
from redisai_rs._resp import Connection
from redisai_rs.exceptions import ReplyError, ServerCrashedError, ServerError
from redisai_rs.paths import module_path
from redisai_rs.testing import config as configuration
from redisai_rs.testing import crash
from redisai_rs.testing.interrupts import deferred_interrupt
from redisai_rs.testing.ports import HOST, Claim, claim_port
from redisai_rs.testing.waiting import DEADLINE, wait_until

_PORT_TRIES = 20
# Not weak: what runs is ended at exit at the latest, whoever has forgotten it.
_running: set[ServerProcess] = set()


class ServerProcess:
    """What `Server` is made of: everything but talking to it."""

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
        self._claim: Claim | None = None
        self.process: subprocess.Popen[bytes] | None = None
        with deferred_interrupt():
            self.directory = Path(directory or tempfile.mkdtemp(prefix="redisai-rs-"))
            # Also runs when the object or the interpreter ends without `close`.
            self._remove = weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        if directory is not None:
            self._remove.detach()
        self.unix_path = self.directory / "s" if unix_socket else None
        self.log_path = self.directory / "server.log"
        self._config_path = self.directory / "server.conf"
        self._at_end: list[Callable[[], None]] = []

    def start(self) -> Self:
        """Starts it and waits until it answers."""
        if self.process is not None:
            raise ServerError("the server is running already")
        for _ in range(_PORT_TRIES):
            fixed = self.port
            if not fixed:
                self._take_port()
            try:
                self._spawn()
                self._wait_until_ready()
            except ServerError:
                self._kill()
                if fixed or not crash.port_was_taken(self._log_of_this_run()):
                    raise
                self._leave_port()
            except BaseException:
                self._kill()
                raise
            else:
                return self
        raise ServerError(f"no free port found in {_PORT_TRIES} tries")

    def stop(self, *, timeout: float = DEADLINE) -> None:
        """Ends it by SIGTERM, as a system's service manager does; saves where save points are set.

        Raises `ServerCrashedError` if it ended in another way than by its own exit.
        """
        if self.process is None:
            return
        code = self._end(signal.SIGTERM, timeout)
        if report := crash.report(code, self._log_of_this_run()):
            raise ServerCrashedError(report)

    def kill9(self) -> None:
        """Kills it at once, as the kernel does when memory runs out.

        Raises `ServerCrashedError` if it had crashed before.
        """
        code = self.process.poll() if self.process else None
        self._kill()
        if code is not None and (report := crash.report(code, self._log_of_this_run())):
            raise ServerCrashedError(report)

    def restart(self, *, kill: bool = False) -> Self:
        """Stops (or kills) it and starts it again in the same directory, on the same port."""
        self.kill9() if kill else self.stop()
        return self.start()

    def close(self) -> None:
        """Stops it and removes its temporary directory."""
        try:
            self.stop()
        finally:
            if self._claim:
                self._claim.release()
            self._remove()

    def __enter__(self) -> Self:
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_for_exit(self, timeout: float = DEADLINE) -> int:
        """Waits until it ends by itself; gives the exit status, negative for a signal."""
        if self.process is None:
            raise ServerError("the server is not running")
        code = self.process.wait(timeout)
        self._forget()
        return code

    @property
    def pid(self) -> int:
        """The process number; with a `wrapper` that does not exec, the wrapper's."""
        if self.process is None:
            raise ServerError("the server is not running")
        return self.process.pid

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def log_text(self) -> str:
        """Everything that it has logged, of earlier runs in the same directory too."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def wait_for_log(self, text: str, timeout: float = DEADLINE) -> None:
        """Waits until the log holds a text."""
        wait_until(lambda: text in self.log_text(), f"{text!r} in the server's log", timeout)

    def _take_port(self) -> None:
        """Keeps it until `close`, so that it is there again after a restart."""
        claim = claim_port()
        self.port, self._claim = claim.port, claim
        # Also where `close` is never called.
        weakref.finalize(self, claim.release)

    def _leave_port(self) -> None:
        self.port = 0
        if self._claim:
            self._claim.release()

    def _spawn(self) -> None:
        lines = configuration.render(self)
        self._config_path.write_bytes(lines)
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log, deferred_interrupt():
            self.process = subprocess.Popen(
                [*_end_with_us(), *self.wrapper, str(self.binary.path), str(self._config_path)],
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
        # The number is that of the wrapper where there is one, which may stay.
        mine = [f"config_file:{self._config_path}\r\n"]
        mine += [] if self.wrapper else [f"process_id:{self.pid}\r\n"]
        return isinstance(info, bytes) and all(line.encode() in info for line in mine)

    def _kill(self) -> None:
        if self.process is not None:
            self._end(signal.SIGKILL, DEADLINE)

    def _end(self, how: signal.Signals, timeout: float) -> int:
        process = self.process
        assert process is not None
        while self._at_end:
            self._at_end.pop()()
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self._forget()
            log = crash.tail(self._log_of_this_run())
            raise ServerError(f"the server did not stop within {timeout:g} s:\n{log}") from None
        self._forget()
        return code

    def _forget(self) -> None:
        """Only once the process has ended: an interrupt before leaves it to the exit's handler."""
        self.process = None
        _running.discard(self)

    def _log_of_this_run(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")


def _end_with_us() -> list[str]:
    """A command before the server's that has the kernel kill it when this process is killed.

    The kernel counts the thread that starts it, so this is for the main thread only.
    """
    found = shutil.which("setpriv")
    main = threading.current_thread() is threading.main_thread()
    return [found, "--pdeathsig", "KILL", "--"] if found and main else []


def running() -> Iterator[ServerProcess]:
    """Gives the servers of this process that have been started and not ended.

    Examples
    --------
    >>> from redisai_rs.testing import Server, running
    >>> with Server() as server:
    ...     server in running()
    True
    >>> server in running()
    False
    """
    yield from list(_running)


@atexit.register
def _end_all() -> None:
    for server in running():
        server._kill()
