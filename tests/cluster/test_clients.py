"""A cluster client of everyday use: redis-py asks the server where the keys of a command stand."""

from __future__ import annotations

import pytest
import redis
from redisai_rs.testing import Cluster


def test_redis_py_finds_the_node_of_each_command(cluster: Cluster) -> None:
    home = cluster.primaries[0]
    client = redis.RedisCluster(host=home.host, port=home.port, protocol=2)
    tags = {}
    for number in range(1000):
        tags.setdefault(cluster.owner(f"{{c{number}}}"), f"{{c{number}}}")
        if len(tags) == len(cluster.primaries):
            break
    for owner, tag in tags.items():
        m, x, y = (tag + name for name in "mxy")
        run = ("AI.MODELEXECUTE", m, "INPUTS", 1, x, "OUTPUTS", 1, y)
        dag = ("AI.DAGEXECUTE", "LOAD", 1, x, "PERSIST", 1, y, "ROUTING", tag, "|>")
        only = ("AI.DAGEXECUTE", "ROUTING", tag, "|>", "AI.TENSORSET", "t", "INT8", 1, "|>")
        for command in (
            ("AI.MODELSTORE", m, "ONNX", "CPU", "BLOB", "identity"),
            ("AI.TENSORSET", x, "INT8", 1, "VALUES", 5),
            run,
            ("AI.MODELRUN", m, "INPUTS", x, "OUTPUTS", y),
        ):
            assert client.execute_command(*command) == b"OK", command
        assert client.execute_command(*dag, *run) == [b"OK"]
        last = ("AI.MODELEXECUTE", m, "INPUTS", 1, "t", "OUTPUTS", 1, "u")
        assert client.execute_command(*only, *last) == [b"OK", b"OK"]
        assert client.execute_command("AI.TENSORGET", y, "VALUES") == [5]
        assert sorted(owner.client().keys(f"{tag}*")) == sorted(k.encode() for k in (m, x, y))
        with pytest.raises(redis.exceptions.RedisClusterException, match="same key slot"):
            client.execute_command(*run[:-1], "{other}" + y)
    client.close()
