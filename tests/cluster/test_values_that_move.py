"""Every kind of value comes through the move of its slot, bit by bit, and works where it has come.

Key by key a value moves as its `DUMP`; at once it moves as the commands of an AOF rewrite.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster.atomic import assert_no_atomic_migration, has_atomic_migration
from commands.wire import OK, Wire
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster, wait_until

BIG = bytes(range(256)) * (1 << 16)
# Behind the key.
TENSORS = {
    "floats": "FLOAT 2 2 VALUES 1.5 -2 inf 3e38",
    "scalar": "INT64 VALUES -7",
    "bool": "BOOL 2 1 VALUES 1 0",
    "half": "BFLOAT16 2 VALUES 1 65504",
    "words": "STRING 3 VALUES a b c",
    "unsigned": "UINT64 1 VALUES 18446744073709551615",
    "zeros": "DOUBLE 3 5",
}
MODEL = ["TAG", "v1", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 10]
BLOB = "identity\ninput in\noutput out"


@pytest.fixture
def wires(cluster: Cluster) -> Iterator[list[Wire]]:
    """A connection to each primary; their models move in chunks of a few bytes."""
    made = [Wire((server.host, server.port)) for server in cluster.primaries]
    sizes = [wire("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE") for wire in made]
    for wire in made:
        assert wire("FLUSHALL") == OK
        assert wire("AI.CONFIG", "MODEL_CHUNK_SIZE", 7) == OK
    yield made
    for wire, size in zip(made, sizes, strict=True):
        wire("AI.CONFIG", "MODEL_CHUNK_SIZE", size)
        wire.close()


def fill(wire: Wire, tag: str) -> list[str]:
    """Stores one of each kind; gives the keys."""
    for name, line in TENSORS.items():
        assert wire("AI.TENSORSET", tag + name, *line.split()) == OK
    assert wire("AI.TENSORSET", f"{tag}nul", "STRING", 2, "BYTES", b"a\0b", b"") == OK
    assert wire("AI.TENSORSET", f"{tag}big", "UINT8", len(BIG), "BLOB", BIG) == OK
    assert wire("AI.MODELSTORE", f"{tag}model", "ONNX", "CPU:1", *MODEL, "BLOB", BLOB) == OK
    assert wire("EXPIRE", f"{tag}model", 100_000) == 1
    return [tag + name for name in (*TENSORS, "nul", "big", "model")]


@pytest.mark.parametrize("way", ["key by key", "at once"])
def test_every_kind(
    cluster: Cluster, tag: str, wires: list[Wire], server_binary: ServerBinary, way: str
) -> None:
    move = cluster.move_slot
    if way == "at once":
        if not has_atomic_migration(server_binary):
            assert_no_atomic_migration(cluster)
            return
        move = cluster.migrate_slot
    source, target = cluster.primaries[:2]
    old, new = wires[:2]
    keys = fill(old, tag)
    digests = old("DEBUG", "DIGEST-VALUE", *keys)
    assert len(set(digests)) == len(keys)
    slot = old("CLUSTER", "KEYSLOT", tag)
    move(slot, source, target)
    assert new("DEBUG", "DIGEST-VALUE", *keys) == digests
    assert new("AI.TENSORGET", f"{tag}big", "BLOB") == BIG
    assert new("AI.TENSORGET", f"{tag}nul", "VALUES") == [b"a\0b", b""]
    assert new("AI.MODELGET", f"{tag}model", "META")[:6] == [
        b"backend", b"ONNX", b"device", b"CPU:1", b"tag", b"v1",
    ]  # fmt: skip
    assert b"".join(new("AI.MODELGET", f"{tag}model", "BLOB")) == BLOB.encode()
    assert new("TTL", f"{tag}model") > 1000
    # Its session is built without being asked for, on the replica too.
    replica = cluster.replicas_of(target)[0]
    replica.wait_for_offset(target)
    reader = Wire((replica.host, replica.port))
    assert reader("READONLY") == OK
    for wire in (new, reader):
        wait_until(lambda w=wire: b"ready" in w("AI.INFO", f"{tag}model", "FULL"), "the session")
    assert replica.execute("DEBUG", "DIGEST") == target.execute("DEBUG", "DIGEST")
    # A replica runs it for whoever may read there.
    run = ("AI.MODELEXECUTE", f"{tag}model", "INPUTS", 1, f"{tag}floats", "OUTPUTS", 1, "y")
    dag = ("AI.DAGEXECUTE_RO", "LOAD", 1, f"{tag}floats", "|>", *run, "|>", "AI.TENSORGET", "y")
    assert reader(*dag) == [OK, new("AI.TENSORGET", f"{tag}floats")]
    reader.close()
    assert new(*run[:-1], f"{tag}y") == OK
    assert new("AI.TENSORGET", f"{tag}y") == new("AI.TENSORGET", f"{tag}floats")
    assert old("DBSIZE") == 0
