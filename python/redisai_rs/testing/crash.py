"""Tells a crash of a server from an orderly end."""

from __future__ import annotations

# What servers, allocators, C++ and sanitizers write when they give up.
MARKS = (
    "BUG REPORT START",
    "ASSERTION FAILED",
    "crashed by signal",
    "Guru Meditation",
    "terminate called",
    "double free",
    "corrupted size",
    "malloc(): ",
    "free(): ",
    "ERROR: AddressSanitizer",
)
_TAIL = 60


def report(code: int | None, log: str) -> str | None:
    """Says how a server crashed, or gives None where it ended in order.

    code: its exit status, negative for a signal; None while it runs.
    """
    marks = [mark for mark in MARKS if mark in log]
    if code in {0, None} and not marks:
        return None
    found = f" ({', '.join(marks)})" if marks else ""
    return f"the server crashed with status {code}{found}; the end of its log:\n{tail(log)}"


def tail(log: str) -> str:
    """The last lines of a log."""
    return "\n".join(log.splitlines()[-_TAIL:])


def port_was_taken(log: str) -> bool:
    """Whether a server ended because another process had its port."""
    return "Address already in use" in log or "Failed listening on port" in log
