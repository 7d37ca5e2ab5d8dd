"""Each command of a server has a method in each client, and in their pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import digits
import numpy as np
import pytest
import redisai_rs as rai
from redisai_rs import Client, aio
from redisai_rs.client import Pipeline

DIGITS = digits.DATA / "digits.onnx"
ENTRY = "def f(tensors: List[Tensor], keys: List[str], args: List[str]):\n    return tensors[0]\n"
ONE = np.zeros((1, 64), np.float32)
RUN = ("m", ["x"], ["d", "p"])

# What sends the command, of whatever has the methods of a client.
CALLS: dict[str, Callable[[Any], Any]] = {
    "ai.tensorset": lambda it: it.tensor_set("x", ONE),
    "ai.tensorget": lambda it: it.tensor_get("x"),
    "ai.modelstore": lambda it: it.model_store("m", DIGITS),
    "ai.modelset": lambda it: it.model_set("old", DIGITS),
    "ai.modelget": lambda it: it.model_get("m"),
    "ai.modelexecute": lambda it: it.model_execute(*RUN),
    "ai.modelrun": lambda it: it.model_run(*RUN),
    "ai._modelscan": lambda it: it.model_scan(),
    "ai.scriptstore": lambda it: it.script_store("s", ENTRY, ["f"]),
    "ai.scriptset": lambda it: it.script_set("t", "def g(x):\n    return x\n"),
    "ai.scriptget": lambda it: it.script_get("s"),
    "ai.scriptexecute": lambda it: it.script_execute("s", "f", ["x"], ["y"]),
    "ai.scriptrun": lambda it: it.script_run("t", "g", ["x"], ["y"]),
    "ai._scriptscan": lambda it: it.script_scan(),
    "ai.dagexecute": lambda it: it.dag(load=["x"]).get("x").run(),
    "ai.dagexecute_ro": lambda it: it.dag_ro(load=["x"]).get("x").run(),
    "ai.dagrun": lambda it: it.dag_run(load=["x"]).get("x").run(),
    "ai.dagrun_ro": lambda it: it.dag_run_ro(load=["x"]).get("x").run(),
    "ai.info": lambda it: it.info("m"),
    "ai.config": lambda it: it.config_get("MODEL_CHUNK_SIZE"),
    "ai.modeldel": lambda it: it.model_del("m"),
    "ai.scriptdel": lambda it: it.script_del("s"),
}
# Other forms of a command that has a method already.
FORMS = {"tensor_meta", "info_reset", "model_chunk_size", "load_backend", "backends_path"}


def counted(client: Any, name: str) -> int:
    """How often the server has done a command."""
    stats = client.redis.info("commandstats")
    return int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"])


def test_each_command_has_a_method(client: Any) -> None:
    listed = {name.lower() for name in client.redis.command()}
    commands = {name for name in listed if name.startswith("ai.")}
    assert commands == set(CALLS)
    client.config_get("MODEL_CHUNK_SIZE")
    for name, call in CALLS.items():
        before = counted(client, name)
        call(client)
        assert counted(client, name) > before, name


def test_each_command_has_a_method_in_pipelines(client: Any) -> None:
    pipe = client.pipeline()
    for call in CALLS.values():
        assert call(pipe) is pipe
    before = {name: counted(client, name) for name in CALLS}
    found = pipe.execute()
    assert len(found) == len(CALLS)
    assert {name for name in CALLS if counted(client, name) == before[name]} == set()
    assert found[1].shape == (1, 64)


@pytest.mark.parametrize("kind", [Client, aio.Client, Pipeline, aio.Pipeline])
def test_all_have_the_same_methods(kind: type) -> None:
    def methods(kind: type) -> set[str]:
        return {
            name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))
        }

    others = {"close", "aclose", "pipeline", "execute", "execute_command"}
    assert methods(kind) - others == methods(rai.Client) - others
    assert methods(kind) >= FORMS
    for name in methods(kind):
        assert getattr(kind, name).__doc__, name
