"""Scripts made to break something, on servers, which live on."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import pytest
import redis
from holding import info
from scripts.conftest import Torch
from scripts.sources import RIGHT

GIB = 1 << 30
BAD = """
def by_zero:
    return tensors[0] + 1 // (len(args) - len(args))
def index:
    return tensors[7]
def letter:
    return as_bytes(args[0][99])
def key:
    d: Dict[str, int] = {}
    return tensors[0] + d[args[0]]
def number:
    return tensors[0] + int(args[0])
def shape:
    return torch.mm(tensors[0], tensors[0])
def huge:
    return tensors[0].repeat([1000000000000])
def negative:
    return torch.zeros([-1])
def pop:
    x: List[int] = []
    return tensors[0] + x.pop()
def tuple_of_two:
    return tensors[0], tensors[0]
def text:
    return args[0]
def list_of_texts:
    return args
def none:
    pass
def complex:
    return torch.complex(tensors[0], tensors[0])
def sparse:
    return torch.eye(3).to_sparse()
"""
GOOD = "def good:\n    return tensors[0] * 2\n"


@pytest.fixture
def bad(torch: Torch) -> Torch:
    torch.store(BAD + GOOD)
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 2, "VALUES", 1, 2)
    return torch


def test_each_is_an_error_and_is_counted(bad: Torch) -> None:
    names = [line[4:].split(":")[0] for line in BAD.splitlines() if line.startswith("def ")]
    assert len(names) == 15
    for name in names:
        with pytest.raises(redis.ResponseError) as caught:
            bad.run(name, "x", inputs=["x"])
        assert "frame #" not in str(caught.value)
    figures = info(bad.client, "t")
    assert figures["errors"] == figures["calls"] == len(names)
    assert not bad.client.exists("out")
    assert bad.run("good", inputs=["x"]) == b"OK"


@pytest.mark.parametrize(
    "body",
    [
        "    while True:\n        i += 1\n",
        "    while True:\n        a = a + 1\n",
        "    for j in range(9000000000000000000):\n        i += j % 3\n",
        "    i = turns(i)\n",
        "    i = torch.jit.wait(torch.jit.fork(turns, i))\n",
        '    while True:\n        redis.execute("PING")\n',
        '    while True:\n        good, v = redis.pcall("NOSUCH")\n',
    ],
)
def test_a_loop_without_end_leaves_the_worker_free(torch: Torch, body: str) -> None:
    turns = "def turns(n: int):\n    while True:\n        n += 1\n    return n\n"
    torch.store(f"{turns}def f:\n    i = 0\n    a = torch.zeros(1)\n{body}    return a + i\n{GOOD}")
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 1)
    for _ in range(2):
        assert torch.run("f", options=["TIMEOUT", 150]) == b"TIMEDOUT"
    assert torch.run("good", inputs=["x"]) == b"OK"


@pytest.mark.parametrize(
    "body",
    [
        '    x = "x" * 1000000 if False else "xxxxxxxxxx"\n    while True:\n        x = x + x\n'
        "    return as_bytes(x)\n",
        "    x = [0]\n    while True:\n        x.extend(x)\n    return torch.tensor(x)\n",
        '    x = {"a": [0]}\n    while True:\n        x["a"].extend(x["a"])\n'
        '    return torch.tensor(x["a"])\n',
    ],
    ids=["string", "list", "dict"],
)
def test_values_without_end_where_address_space_ends(make_server, body: str) -> None:
    torch = Torch(make_server())
    torch.store(f"def f:\n{body}{GOOD}".replace('"x" * 1000000 if False else ', ""))
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 2, "VALUES", 1, 2)
    assert torch.run("good", inputs=["x"]) == b"OK"
    pages = int(Path(f"/proc/{torch.server.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + GIB
    resource.prlimit(torch.server.pid, resource.RLIMIT_AS, (limit, limit))
    for _ in range(2):
        with pytest.raises(redis.ResponseError, match=r"memory|alloc|length_error"):
            torch.run("f")
    assert torch.run("good", inputs=["x"]) == b"OK"
    torch.server.assert_alive()


def mutated(source: str, chance: random.Random) -> bytes:
    """A source of which some bytes are others or gone, or a line comes twice."""
    bytes_ = bytearray(source.encode())
    place, other = (chance.randrange(len(bytes_)) for _ in range(2))
    kind = chance.randrange(4)
    if kind == 0:
        bytes_[place] = bytes_[other]
    elif kind == 1:
        bytes_[place] = chance.randrange(1, 256)
    elif kind == 2:
        del bytes_[place : place + chance.randint(1, 8)]
    else:
        lines = bytes(bytes_).splitlines(keepends=True)
        lines.insert(chance.randrange(2, len(lines)), chance.choice(lines[2:]))
        return b"".join(lines)
    return bytes(bytes_)


def test_five_hundred_mutated_sources(torch: Torch) -> None:
    chance = random.Random(7)
    sources = list(RIGHT.values())
    say = torch.client.execute_command
    say("AI.TENSORSET", "x", "FLOAT", 2, "VALUES", 1, 2)
    outcomes = {"refused": 0, "failed": 0, "ran": 0}
    for _ in range(500):
        source = mutated(chance.choice(sources), chance)
        try:
            say("AI.SCRIPTSET", "m", "CPU", "SOURCE", source)
        except redis.ResponseError:
            outcomes["refused"] += 1
            continue
        try:
            words = ["TIMEOUT", 2000, "INPUTS", "x", "x", "OUTPUTS", "y"]
            say("AI.SCRIPTRUN", "m", "f", *words)
            outcomes["ran"] += 1
        except redis.ResponseError:
            outcomes["failed"] += 1
    # Some of each, or the mutations say nothing.
    assert min(outcomes.values()) >= 5, outcomes
    torch.server.assert_alive()
