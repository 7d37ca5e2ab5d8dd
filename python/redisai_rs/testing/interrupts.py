"""Keeps Ctrl-C from losing a process that is being started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Lets Ctrl-C wait until the block has ended.

    A handler, not a signal mask: a mask would be handed down to the process that is started.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hits: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: hits.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if hits:
            signal.raise_signal(signal.SIGINT)
