"""What a model of the mock tells each row of the run that it was in."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import redis
from holding import tensor


class Member(NamedTuple):
    """One request, as the backend saw it."""

    key: str
    rows: int
    run: int
    run_rows: int
    place: int


def member(key: str, blob: bytes) -> Member:
    """What the rows of a request were told: all of one run, in their order, none between them."""
    told = list(struct.iter_unpack("=3q", blob))
    run_rows, run, place = told[0]
    assert told == [(run_rows, run, place + n) for n in range(len(told))], key
    return Member(key, len(told), run, run_rows, place)


def members(client: redis.Redis, keys: Iterable[str]) -> list[Member]:
    """The same for outputs that were stored."""
    return [member(key, client.execute_command("AI.TENSORGET", key, "BLOB")) for key in keys]


def runs(found: Iterable[Member]) -> dict[int, list[Member]]:
    """Members of each run in order of their places; each row of a run is one member's."""
    grouped = defaultdict(list)
    for one in found:
        grouped[one.run].append(one)
    for number, group in grouped.items():
        group.sort(key=lambda one: one.place)
        rows = 0
        for one in group:
            assert one.place == rows, (number, group)
            rows += one.rows
        assert {one.run_rows for one in group} == {rows}, (number, group)
    return dict(sorted(grouped.items()))


def matrix(client: redis.Redis, key: str, rows: int, columns: int = 1) -> None:
    """Stores a FLOAT matrix of these dims; what is in it does not matter."""
    if columns == 1:
        return tensor(client, key, *range(rows))
    words = ("AI.TENSORSET", key, "FLOAT", rows, columns)
    assert client.execute_command(*words) == b"OK"
    return None


def store_telling(client: redis.Redis, size: int, *options: object, declared: str = "") -> None:
    """`m` tells, and merges up to `size` rows."""
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", "BATCHSIZE", size, *options]
    assert client.execute_command(*words, "BLOB", f"tell\n{declared}") == b"OK"
