"""Sockets in the place of a primary, which sends what a test wants, or of a replica."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from redisai_rs.testing import DEADLINE, Server

MARK = b"e" * 40


class Link:
    """A replica that has asked for everything."""

    def __init__(self, connection: socket.socket, replid: str) -> None:
        self.connection = connection
        self._lines = connection.makefile("rb")
        while True:
            command = self._command()
            if command[0].upper() == b"PSYNC":
                break
            self.send(b"+PONG\r\n" if command[0].upper() == b"PING" else b"+OK\r\n")
        # "$EOF": the file goes from the socket into the parser, if the replica wants that too.
        self.send(b"+FULLRESYNC %s 1\r\n$EOF:%s\r\n" % (replid.encode(), MARK))

    def _command(self) -> list[bytes]:
        def line(kind: bytes) -> int:
            text = self._lines.readline()
            while not text.startswith(kind):
                # Bare line ends keep a link alive.
                assert text in {b"\n", b"\r\n"}, text
                text = self._lines.readline()
            return int(text[1:])

        words = []
        for _ in range(line(b"*")):
            size = line(b"$")
            words.append(self._lines.read(size + 2)[:-2])
        return words

    def send(self, data: bytes) -> None:
        """Sends so much of the file."""
        self.connection.sendall(data)

    def pump(self, data: bytes, until: threading.Event) -> int:
        """Sends it little by little until the event is set; gives how much."""
        sent = 0
        while sent < len(data) and not until.wait(0.001):
            self.send(data[sent : sent + 4096])
            sent += 4096
        return sent

    def end(self) -> None:
        """The file is whole; the link stays."""
        self.send(MARK)

    def cut(self) -> None:
        """Ends the link where it is."""
        self._lines.close()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


class Primary:
    """Listens as a primary does. Everything it does, it does when the test asks."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE)
        self.port = self._listener.getsockname()[1]
        self.replid = "4a" * 20
        self._links: list[Link] = []

    def link(self) -> Link:
        """Waits for a replica, and agrees with it on a full synchronisation."""
        connection, _ = self._listener.accept()
        connection.settimeout(DEADLINE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(Link(connection, self.replid))
        return self._links[-1]

    def __enter__(self) -> Primary:
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.close()
        for link in self._links:
            link.cut()


class Recorder:
    """A replica that only writes down what it gets."""

    def __init__(self, server: Server) -> None:
        self.connection = socket.create_connection((server.host, server.port), timeout=DEADLINE)
        self._lines = self.connection.makefile("rb")
        self.connection.sendall(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n")
        line = self._line()
        assert line.startswith(b"+FULLRESYNC"), line
        self._lines.read(int(self._line().removeprefix(b"$")))
        self._client = server.client()
        self._marks = 0

    def _line(self) -> bytes:
        while not (line := self._lines.readline().strip()):
            # Bare line ends keep the link alive.
            pass
        return line

    def commands(self) -> list[list[bytes]]:
        """What has come since the last time, up to now; without what only keeps a link alive."""
        self._marks += 1
        mark = [b"PUBLISH", b"recorder", b"%d" % self._marks]
        self._client.execute_command(*mark)
        found = []
        while (command := self._command()) != mark:
            if command[0].upper() not in {b"PING", b"SELECT"}:
                found.append(command)
        return found

    def _command(self) -> list[bytes]:
        words = []
        for _ in range(int(self._line().removeprefix(b"*"))):
            size = int(self._line().removeprefix(b"$"))
            words.append(self._lines.read(size + 2)[:-2])
        return words

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: Any) -> None:
        self._lines.close()
        self.connection.close()
