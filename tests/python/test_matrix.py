"""The table of `--all-servers`."""

from __future__ import annotations

import matrix
import pytest


def report(nodeid: str, when: str, outcome: str, server: str | None = None) -> pytest.TestReport:
    properties = [("server", server)] if server else []
    return pytest.TestReport(
        nodeid, ("", 0, ""), {}, outcome, None, when, user_properties=properties
    )


def test_each_test_counts_once_in_its_place() -> None:
    stats = {
        "passed": [
            report("tests/dag/test_a.py::test_1[one]", "call", "passed", "One 1.0"),
            report("tests/dag/test_a.py::test_2[one]", "call", "passed", "One 1.0"),
            report("tests/dag/test_a.py::test_2[two]", "call", "passed", "Two 2.0"),
            report("tests/python/test_b.py::test_3", "call", "passed"),
        ],
        # It passed, and broke when it was cleared away.
        "error": [report("tests/dag/test_a.py::test_2[one]", "teardown", "failed", "One 1.0")],
        "failed": [report("tests/dag/test_a.py::test_1[two]", "call", "failed", "Two 2.0")],
        "skipped": [report("tests/python/test_b.py::test_4", "setup", "skipped")],
        "warnings": [object()],
    }
    assert matrix.table(matrix.count(stats), ["One 1.0", "Two 2.0"]) == [
        "passed/failed/skipped  dag    python",
        "One 1.0                1/1/0  0/0/0",
        "Two 2.0                1/1/0  0/0/0",
        "on one server          0/0/0  1/0/1",
    ]
