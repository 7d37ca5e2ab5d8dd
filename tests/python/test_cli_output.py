"""How the command line prints names, tables, sizes and times."""

import io
import json
import os
import sys

import pytest
from redisai_rs.cli.output import as_json, duration, shown, size, table, write_to_pipe


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"digits", "digits"),
        ("größe".encode(), "größe"),
        (b"two words", "two words"),
        (b"a\nb\tc", "a\\nb\\tc"),
        (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        (b"\xff\x00", "\\xff\\x00"),
        (b"a\\b", "a\\\\b"),
        # Right-to-left override, and the control characters of ISO 6429 in one.
        ("\u202e\u009b".encode(), "\\u202e\\x9b"),
        (b"", ""),
    ],
)
def test_a_name_cannot_control_the_terminal(name, text):
    assert shown(name) == text
    assert shown(name).isprintable()


def test_names_that_differ_look_different():
    names = [b"\n", b"\\n", b"\\\\n", b"\xff", b"\\xff", "\xff".encode()]
    assert len({shown(name) for name in names}) == len(names)


def test_json_gives_every_byte_back():
    name = bytes(range(256))
    text = as_json({"key": name, b"nested": [(name, 1, None)]})
    assert text.isascii()
    value = json.loads(text)
    assert os.fsencode(value["key"]) == name
    assert os.fsencode(value["nested"][0][0]) == name


def test_columns_are_as_wide_as_what_is_in_them():
    text = table(["KEY", "RUNS"], [["a", "7"], ["longer", "10000"]], right=["RUNS"])
    assert text == "KEY      RUNS\na           7\nlonger  10000"
    assert table(["KEY", "TAG"], [["a", ""]]) == "KEY  TAG\na"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1234567, "1.2 MB"), (5e15, "5000.0 TB")],
)
def test_sizes(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (3e9, "3.00 s"),
        (0, "0 ns"),
        (999, "999 ns"),
        (1500, "1.5 µs"),
        (340_000, "340 µs"),
        (2e6, "2.0 ms"),
    ],
)
def test_times(nanoseconds, text):
    assert duration(nanoseconds) == text


class Narrow(io.RawIOBase):
    """An unbuffered stream that takes three bytes at a time."""

    def __init__(self):
        self.taken = b""

    def writable(self):
        return True

    def write(self, data):
        self.taken += bytes(data[:3])
        return len(data[:3])


def test_all_bytes_are_written_however_few_are_taken_at_once(monkeypatch):
    narrow = Narrow()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(narrow))
    write_to_pipe(b"0123456789")
    assert narrow.taken == b"0123456789"
