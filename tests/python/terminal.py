"""A process on a pseudo-terminal, and a server's slow line."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence

from redisai_rs.testing import wait_until


class Terminal:
    """Runs a command whose standard streams are a terminal of its own.

    `stdout`, if given, takes the place of the terminal for that stream.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: dict[str, str],
        size: tuple[int, int] = (24, 100),
        stdout: int | None = None,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(*size, tell=False)
        self.modes = termios.tcgetattr(self.slave)
        self.output = b""
        # A new session's first terminal that it opens is its own: there Ctrl-C goes to it.
        opened = 'tty=$0; exec "$@" < "$tty" 2> "$tty"' + (' > "$tty"' if stdout is None else "")
        self.process = subprocess.Popen(
            # Tests that a script runs in the background ignore Ctrl-C, and so would their children.
            ["env", "--default-signal=INT", "sh", "-c", opened, os.ttyname(self.slave), *command],
            env=os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | env,
            stdout=stdout,
            start_new_session=True,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows: int, columns: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read(self) -> str:
        """All that has been printed."""
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 1 << 16)
        return self.output.decode(errors="replace")

    def expect(self, text: str) -> None:
        """Waits until it prints this."""
        wait_until(lambda: text in self.read(), lambda: f"{text!r} in {self.read()!r}")

    def wait(self) -> int:
        """Waits for the end; gives the exit status."""
        wait_until(lambda: (self.read(), self.process.poll() is not None)[1], "the end")
        return self.process.returncode


class SlowLine:
    """Passes on what goes to a server; after `limit` bytes it waits until `go` is set."""

    def __init__(self, port: int, limit: int) -> None:
        self.go = threading.Event()
        self._since: float | None = None
        self._server, self._limit = ("127.0.0.1", port), limit
        self._listener = socket.socket()
        # What the kernel takes has been sent, for who sends it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "SlowLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def held_for(self) -> float:
        """For how many seconds it has been waiting."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            for source, target, slow in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pass, args=(source, target, slow))
                thread.daemon = True
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        passed = 0
        try:
            while data := source.recv(1 << 16):
                if slow and passed > self._limit and not self.go.is_set():
                    self._since = time.monotonic()
                    self.go.wait()
                target.sendall(data)
                passed += len(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            source.close()
