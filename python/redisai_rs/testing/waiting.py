"""The one place where tests wait: for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Nothing here takes this long unless it hangs; a loaded machine may be slow.
DEADLINE = 60.0


def wait_until(
    condition: Callable[[], T],
    what: str | Callable[[], str] = "the condition",
    timeout: float = DEADLINE,
) -> T:
    """Calls a condition until its value is true, and gives that value.

    Raises `TimeoutError`, with `what` in its text, after `timeout` seconds. Errors of the condition
    are not caught: a condition that may fail while it is not met catches its own.

    Examples
    --------
    >>> from redisai_rs.testing import wait_until
    >>> replies = iter([0, 0, 7])
    >>> wait_until(lambda: next(replies), "a reply", timeout=10)
    7
    """
    end = time.monotonic() + timeout
    pause = 0.0005
    while not (value := condition()):
        if time.monotonic() > end:
            text = what if isinstance(what, str) else what()
            raise TimeoutError(f"waited {timeout:g} s for {text}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return value
