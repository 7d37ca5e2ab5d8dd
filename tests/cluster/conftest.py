"""A cluster of three primaries with a replica each, and the mock in the place of ONNX."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from holding import NO_LIMIT, Gate
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster


@pytest.fixture(scope="module")
def options(
    server_binary: ServerBinary, redisai_module: Path, mock_path: Path
) -> dict[str, object]:
    """What every node is started with."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT]
    return {"binary": server_binary, "module": redisai_module, "module_args": arguments}


@pytest.fixture(scope="module")
def started(options: dict[str, object]) -> Iterator[Cluster]:
    """One cluster for a test file: it takes seconds to come together."""
    with Cluster(3, 3, **options) as one:
        yield one


@pytest.fixture
def cluster(started: Cluster) -> Iterator[Cluster]:
    """The cluster; each of its servers must live at the end."""
    yield started
    for server in started.servers:
        server.assert_alive()


_numbers = itertools.count()


@pytest.fixture
def tag(cluster: Cluster) -> str:
    """A hash tag of the first primary's that no other test uses."""
    names = (f"{{t{number}}}" for number in _numbers)
    primary = cluster.primaries[0]
    return next(name for name in names if cluster.owner(name) is primary)


@pytest.fixture
def other_tag(cluster: Cluster) -> str:
    """A hash tag of the second primary's."""
    names = (f"{{t{number}}}" for number in _numbers)
    primary = cluster.primaries[1]
    return next(name for name in names if cluster.owner(name) is primary)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[[], Gate]]:
    """A factory of gates; what still stands at one is let go at the end."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate(tmp_path / f"gate{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()
