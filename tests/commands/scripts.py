"""Scripts of the mock backend, which stands in for TORCH: each line is a function."""

from __future__ import annotations

from commands.wire import OK, Wire

SOURCE = b"""\
def same identity
def sum add
def words words
def nothing none
def broken fail the function's own words
def slow sleep 60000
"""


def store(wire: Wire, key: str = "s", source: bytes = SOURCE, *names: str) -> None:
    """Stores a script with these entry points, or `same`."""
    names = names or ("same",)
    command = ["AI.SCRIPTSTORE", key, "CPU", "ENTRY_POINTS", len(names), *names]
    assert wire(*command, "SOURCE", source) == OK
