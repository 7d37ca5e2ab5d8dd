"""A progress bar on stderr, for what takes more than a second on a terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType

from redisai_rs.cli.output import size

DELAY = 1.0
"""Seconds until it shows: what is shorter needs none."""
_PERIOD = 0.1
_BAR = 20
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows what goes on while its block runs, if stderr is a terminal; leaves nothing behind.

    It draws on a thread of its own, since the client waits for the server meanwhile.
    """

    def __init__(self, doing: str, afterwards: str = "waiting for the server") -> None:
        """doing: such as `storing digits`; afterwards: what is waited for once all is sent."""
        self._doing = doing
        self._afterwards = afterwards
        self._sent = (0, 0)
        self._start = time.monotonic()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn = False

    def sent(self, done: int, total: int) -> None:
        """Tells how many bytes have been sent."""
        self._sent = (done, total)

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()
        if self._drawn:
            print(_CLEAR, end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        wait = DELAY
        while not self._end.wait(wait):
            wait = _PERIOD
            self._drawn = True
            try:
                columns = os.get_terminal_size(sys.stderr.fileno()).columns
                # The last column stays free: a terminal would begin a new line there.
                line = self.line(time.monotonic() - self._start)[: max(columns - 1, 1)]
                print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
            except (OSError, ValueError):
                return  # the terminal has gone

    def line(self, seconds: float) -> str:
        """The line after so many seconds."""
        done, total = self._sent
        if done >= total:
            state = self._afterwards if total else "…"
            return f"{self._doing}: {state} {seconds:.0f} s"
        full = _BAR * done // total
        bar = "█" * full + "░" * (_BAR - full)
        rate = f"{size(done / seconds)}/s" if seconds else ""
        return f"{self._doing} {bar} {100 * done // total:3} % of {size(total)}, {rate}"
