"""A live view on the whole screen of a terminal, which is put back as it was afterwards."""

from __future__ import annotations

import contextlib
import curses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial

from redisai_rs.exceptions import Error

_TERMINATED = 128 + signal.SIGTERM


def is_terminal() -> bool:
    """Whether there is a terminal to show something on and to read keys from."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def live(lines: Callable[[], Sequence[str]], interval: float) -> None:
    """Shows `lines()` anew every `interval` seconds until `q` or an exception, such as Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        curses.setupterm()
    except curses.error as error:
        name = os.environ.get("TERM", "")
        raise Error(f"no live view on a terminal of type {name!r}: say --once") from error
    for name in ("LINES", "COLUMNS"):
        # curses would take them for the size, and not look for a new one.
        os.environ.pop(name, None)
    curses.wrapper(_loop, lines, interval)


def _terminate(*_: object) -> None:
    # Ended by `kill` it puts the screen back too.
    sys.exit(_TERMINATED)


def _loop(window: curses.window, lines: Callable[[], Sequence[str]], interval: float) -> None:
    # Where the terminal can: its own colours, and no cursor.
    for prepare in (curses.use_default_colors, partial(curses.curs_set, 0)):
        with contextlib.suppress(curses.error):
            prepare()
    window.timeout(int(interval * 1000))
    shown: Sequence[str] = ()
    key = -1
    while key != ord("q"):
        # A new size shows what is known; keys do not hurry the next look along.
        if key == -1:
            shown = lines()
        _draw(window, shown)
        key = window.getch()


def _draw(window: curses.window, lines: Sequence[str]) -> None:
    height, width = window.getmaxyx()
    window.erase()
    if len(lines) > height:
        lines = [*lines[: height - 1], f"… {len(lines) - height + 1} more"]
    for row, line in enumerate(lines[:height]):
        text = line.encode(window.encoding, "replace").decode(window.encoding)
        # The corner cannot be written, and what is wider than its letters may reach it.
        with contextlib.suppress(curses.error):
            window.addnstr(row, 0, text, max(width - 1, 1))
    window.refresh()
