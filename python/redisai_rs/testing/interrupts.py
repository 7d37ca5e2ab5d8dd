"""Keeps an interrupt from losing a process that is being started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Lets Ctrl-C, and a SIGTERM that the program handles, wait until the block has ended.

    A handler, not a signal mask: a mask would be handed down to the process that is started.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hits: list[int] = []
    handled = [number for number in _SIGNALS if callable(signal.getsignal(number))]
    before = {
        number: signal.signal(number, lambda caught, _: hits.append(caught)) for number in handled
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for hit in dict.fromkeys(hits):
            signal.raise_signal(hit)
