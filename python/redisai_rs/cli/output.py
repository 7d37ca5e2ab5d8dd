"""What verbs print: tables and JSON, with names and values of any bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from redisai_rs.exceptions import Error

_UNITS = ["B", "kB", "MB", "GB", "TB"]


def shown(name: bytes | str) -> str:
    """A name or value as text that cannot control a terminal.

    What is no UTF-8 is shown as `\\xff`, what cannot be printed as `\\n` or `\\u202e`, and a
    backslash as two: the text says which bytes they are.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return printable(text.replace("\\", "\\\\"))


def printable(text: str) -> str:
    """A text for people, as `shown`, but with its backslashes as they are."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Lines of columns, under their titles; the columns `right` are set to the right."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = []
    for row in [titles, *rows]:
        cells = [
            cell.rjust(width) if title in right else cell.ljust(width)
            for cell, width, title in zip(row, widths, titles, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_json(value: object) -> str:
    """JSON of a value that may hold bytes.

    Bytes become text; a byte that is no UTF-8 becomes `\\udcXX`, as in Python's file names
    (`os.fsencode` gives it back).
    """
    return json.dumps(_plain(value), indent=2)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {_plain(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def size(count: float) -> str:
    """A number of bytes for people: `3.4 kB`."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def duration(nanoseconds: float) -> str:
    """A time for people: `340 µs`."""
    for unit, factor in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * factor:
            digits = 0 if nanoseconds >= 100 * factor or unit == "ns" else 1
            return f"{nanoseconds / factor:.{digits}f} {unit}"
    return f"{nanoseconds / 1e9:.2f} s"


def write_to_pipe(data: bytes | memoryview) -> None:
    """Writes bytes to stdout, which must be no terminal."""
    if sys.stdout.isatty():
        raise Error("what comes is binary: name a file, or send it through a pipe")
    rest = memoryview(data)
    while rest:
        # Unbuffered (PYTHONUNBUFFERED) it may take a part: 2 GiB at most, less at a signal.
        rest = rest[sys.stdout.buffer.write(rest) :]


def file_error(path: str, done: str, error: OSError) -> Error:
    """The error of a file that cannot be read or written."""
    return Error(f"{path} cannot be {done}: {error.strerror or error}")
