"""The clients of this package in a cluster, over redis-py's cluster clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import redis
import redisai_rs as rai
from client.waiting import Waiting
from redisai_rs import Client, aio
from redisai_rs.testing import Cluster


@pytest.fixture(params=["RESP2", "RESP3", "asyncio"])
def client(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each kind of client, of an empty cluster."""
    for primary in cluster.primaries:
        primary.execute("FLUSHALL")
    url = cluster.primaries[0].url
    if request.param == "asyncio":
        loop = asyncio.new_event_loop()
        made = aio.Client(url, cluster=True)
        yield Waiting(loop, made, cluster.primaries[0].client())
        loop.run_until_complete(made.aclose())
        loop.close()
    else:
        with Client(url, cluster=True, protocol=int(request.param[-1])) as plain:
            yield plain


@pytest.fixture
def tags(cluster: Cluster) -> list[str]:
    """A hash tag of each primary's."""
    found: dict[Any, str] = {}
    for number in range(1000):
        found.setdefault(cluster.owner(f"{{p{number}}}"), f"{{p{number}}}")
    return [found[primary] for primary in cluster.primaries]


def test_each_command_goes_to_its_node(client: Any, cluster: Cluster, tags: list[str]) -> None:
    for owner, tag in zip(cluster.primaries, tags, strict=True):
        m, x, y = (tag + name for name in "mxy")
        client.model_store(m, b"identity", backend="ONNX", tag=tag)
        seen = stored_in_pieces(client, m)
        assert seen == [(8, 8)]
        client.tensor_set(x, np.array([5], np.int8))
        client.model_execute(m, [x], [y])
        assert client.tensor_get(y).tolist() == [5]
        assert client.info(m).calls == 1
        dag = client.dag(load=[x], persist=[y], routing=tag).model(m, [x], [y]).get(y)
        assert dag.run()[y].tolist() == [5]
        only = client.dag_ro(routing=tag).tensor("a", [7]).model(m, ["a"], ["b"]).get("b")
        assert only.run()["b"].tolist() == [7]
        assert client.dag_run(load=[x]).get(x).run()[x].tolist() == [5]
        assert sorted(owner.client().keys(f"{tag}*")) == sorted(k.encode() for k in (m, x, y))


def stored_in_pieces(client: Any, key: str) -> list[tuple[int, int]]:
    """What is told meanwhile."""
    seen: list[tuple[int, int]] = []
    client.model_store(key, b"identity", backend="ONNX", progress=lambda *now: seen.append(now))
    return seen


def test_what_has_no_key_goes_to_all(client: Any, cluster: Cluster, tags: list[str]) -> None:
    for tag in tags:
        client.model_store(f"{tag}m", b"identity", backend="ONNX", tag=tag)
    assert sorted(client.model_scan()) == sorted((f"{tag}m", tag) for tag in tags)
    assert client.script_scan() == []
    size = client.config_get("MODEL_CHUNK_SIZE")
    client.model_chunk_size(12345)
    sizes = [one.execute("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE") for one in cluster.primaries]
    client.model_chunk_size(size)
    assert sizes == [12345] * len(cluster.primaries)
    with pytest.raises(rai.Error, match="invalid chunk size"):
        client.model_chunk_size(0)


def test_pipelines(client: Any, tags: list[str]) -> None:
    pipe = client.pipeline()
    for number, tag in enumerate(tags):
        pipe.tensor_set(f"{tag}x", [number]).tensor_get(f"{tag}x")
        pipe.model_store(f"{tag}m", b"identity", backend="ONNX")
        pipe.model_execute(f"{tag}m", [f"{tag}x"], [f"{tag}y"])
    found = pipe.execute()
    assert [one.tolist() for one in found[1::4]] == [[0], [1], [2]]
    pipe.tensor_get(f"{tags[0]}none").tensor_get(f"{tags[1]}x")
    with pytest.raises(rai.ReplyError, match="^ERR tensor key is empty"):
        pipe.execute()


def test_keys_of_two_slots_are_refused(client: Any, tags: list[str]) -> None:
    m, x, y = (tag + name for tag, name in zip(tags, "mxy", strict=True))
    client.model_store(m, b"identity", backend="ONNX")
    client.tensor_set(x, [1])
    with pytest.raises(redis.exceptions.RedisClusterException, match="same key slot|same slot"):
        client.model_execute(m, [x], [y])


def test_a_slot_that_has_moved(client: Any, cluster: Cluster, tag: str) -> None:
    source, target = cluster.primaries[:2]
    client.tensor_set(f"{tag}x", [1])
    client.model_store(f"{tag}m", b"identity", backend="ONNX")
    slot = source.execute("CLUSTER", "KEYSLOT", tag)
    assert isinstance(slot, int)
    cluster.move_slot(slot, source, target)
    try:
        # It is told about the move by the answer to whatever comes first.
        client.model_store(f"{tag}m", b"identity", backend="ONNX", progress=lambda *_: None)
        assert client.tensor_get(f"{tag}x").tolist() == [1]
        client.model_execute(f"{tag}m", [f"{tag}x"], [f"{tag}y"])
        assert target.execute("EXISTS", f"{tag}y") == 1
    finally:
        cluster.move_slot(slot, target, source)
