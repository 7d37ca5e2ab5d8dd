"""A cluster of three primaries with a replica each, and the mock in the place of ONNX."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from holding import NO_LIMIT, Gate, Pending, gate_factory, run, store, tensor
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster, Server


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
    with gate_factory(tmp_path) as make:
        yield make


@pytest.fixture
def source(cluster: Cluster) -> Server:
    """The primary that holds the slot of `tag`."""
    return cluster.primaries[0]


@pytest.fixture
def target(cluster: Cluster) -> Server:
    """The primary that the slot moves to."""
    return cluster.primaries[1]


@pytest.fixture
def slot(source: Server, tag: str) -> object:
    """The slot of `tag`."""
    return source.execute("CLUSTER", "KEYSLOT", tag)


@pytest.fixture
def held_run(
    source: Server, tag: str, gate: Callable[[], Gate]
) -> Callable[[], tuple[Pending, Gate]]:
    """Starts a run of `m` from `x` = [1, 2] to `y`, all of one slot, and holds it at a gate."""

    def begin() -> tuple[Pending, Gate]:
        at, client = gate(), source.client()
        store(client, f"{tag}m", at.run_text)
        tensor(client, f"{tag}x", 1, 2)
        one = Pending(source, *run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
        at.reached()
        return one, at

    return begin
