"""The table of a run on several servers: what passed, failed and was skipped, by group of tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

# What is not tried on each server: it has none, or one will do.
ONE_SERVER = "on one server"
_KINDS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped"}
Counts = Mapping[tuple[str, str], Counter[str]]


def count(stats: Mapping[str, Iterable[object]]) -> Counts:
    """Counts reports by server and group. A test that fails and then fails again counts once."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for outcome, kind in _KINDS.items():
        for report in stats.get(outcome, ()):
            if not isinstance(report, pytest.TestReport):
                continue
            server = dict(report.user_properties).get("server", ONE_SERVER)
            tests = found.setdefault((str(server), group(report.nodeid)), {})
            if tests.get(report.nodeid) != "failed":
                tests[report.nodeid] = kind
    return {place: Counter(tests.values()) for place, tests in found.items()}


def group(nodeid: str) -> str:
    """The directory of a test below `tests`."""
    parts = Path(nodeid.split("::", 1)[0]).parts
    inner = parts[parts.index("tests") + 1 :] if "tests" in parts else parts
    return inner[0] if len(inner) > 1 else "."


def table(counts: Counts, servers: Iterable[str]) -> list[str]:
    """Lines, one for each server; each cell is `passed/failed/skipped`."""
    groups = sorted({group for _, group in counts})
    rows = [["passed/failed/skipped", *groups]]
    for server in [*servers, ONE_SERVER]:
        cells = (counts.get((server, group), Counter()) for group in groups)
        rows.append([server, *("/".join(str(cell[kind]) for kind in _SHOWN) for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


_SHOWN = ("passed", "failed", "skipped")
