"""One node that holds every slot: the server's rules of slots, by our key positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands.models import TWO, store
from commands.wire import OK, Wire
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server, wait_until


@pytest.fixture
def cluster(
    make_server: Callable[..., Server], server_binary: ServerBinary, mock_path: Path
) -> Iterator[Wire]:
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    config = {"cluster-enabled": "yes", "cluster-require-full-coverage": "no"}
    server = make_server(server_binary, module_args=arguments, config=config)
    wire = Wire((server.host, server.port))
    for start in range(0, 16384, 1024):
        assert wire("CLUSTER", "ADDSLOTS", *range(start, start + 1024)) == OK
    wait_until(lambda: b"cluster_state:ok" in wire("CLUSTER", "INFO"), "the cluster")
    yield wire
    wire.close()


def test_runs_in_one_slot(cluster: Wire) -> None:
    store(cluster, "{a}m", TWO)
    cluster("AI.TENSORSET", "{a}x", "INT8", 2, "VALUES", 1, 2)
    for run in (
        "AI.MODELEXECUTE {a}m INPUTS 2 {a}x {a}x OUTPUTS 2 {a}y {a}z TIMEOUT 5000",
        "AI.MODELRUN {a}m TIMEOUT 5000 INPUTS {a}x {a}x OUTPUTS {a}y {a}z",
    ):
        assert cluster.line(run) == OK
        assert cluster("AI.TENSORGET", "{a}z", "VALUES") == [1, 2]
        cluster("DEL", "{a}y", "{a}z")
    assert cluster("AI._MODELSCAN") == [[b"{a}m", b""]]


@pytest.mark.parametrize(
    "line",
    [
        "AI.MODELEXECUTE {b}m INPUTS 2 {a}x {a}x OUTPUTS 2 {a}y {a}z",
        "AI.MODELEXECUTE {a}m INPUTS 2 {a}x {b}x OUTPUTS 2 {a}y {a}z",
        "AI.MODELEXECUTE {a}m INPUTS 2 {a}x {a}x OUTPUTS 2 {a}y {b}z",
        "AI.MODELRUN {a}m TIMEOUT 5 INPUTS {a}x {b}x OUTPUTS {a}y {a}z",
        "AI.MODELRUN {a}m INPUTS {a}x {a}x OUTPUTS {a}y {b}z",
        "AI.MODELRUN {b}m INPUTS {a}x {a}x OUTPUTS {a}y {a}z",
    ],
)
def test_keys_of_two_slots(cluster: Wire, line: str) -> None:
    for name in ("{a}", "{b}"):
        store(cluster, f"{name}m", TWO)
        cluster("AI.TENSORSET", f"{name}x", "INT8", 1)
    assert cluster.line(line).startswith(b"CROSSSLOT ")
    assert cluster("EXISTS", "{a}y") == 0


def test_a_slot_that_is_elsewhere(cluster: Wire) -> None:
    slot = cluster("CLUSTER", "KEYSLOT", "k")
    assert cluster("CLUSTER", "DELSLOTS", slot) == OK
    wait_until(lambda: cluster("AI.TENSORGET", "k").startswith(b"CLUSTERDOWN"), "the slot's end")
    for line in ("AI.TENSORSET k INT8 1", "AI.MODELSTORE k ONNX CPU BLOB identity", "AI.INFO k"):
        assert cluster.line(line).startswith(b"CLUSTERDOWN "), line
