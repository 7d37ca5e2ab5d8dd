"""`RESTORE` of payloads of every type and version with fields changed at random.

Each is encoded again with a checksum that is right, so that it comes to our own decoder, which
takes or refuses it; what it takes can be used. The codec's own tests do the same without a server.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from commands.wire import OK, Failure, Wire
from faults.payloads import STRING, UNSIGNED, Payload, Value
from holding import NO_LIMIT
from persistence.old_fields import OLD_MODELS, OLD_SCRIPTS, OLD_TENSOR, module_id
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server, wait_until

BAD = Failure(b"ERR Bad data format")
SHORT, LONG = 200, 10_000
BATCH = 100
TYPES = ["AI_TENSOR", "AI__MODEL", "AI_SCRIPT"]
# What stores a value of each type, in the version of today.
MODEL = "BATCHSIZE 4 MINBATCHSIZE 2 MINBATCHTIMEOUT 5 BLOB".split()
STORES: dict[str, list[list[Any]]] = {
    "AI_TENSOR": [
        ["AI.TENSORSET", "v", "FLOAT", 2, 3, "VALUES", 1, 2, 3, 4, 5, 6],
        ["AI.TENSORSET", "v", "STRING", 2, "VALUES", "one", "three"],
        ["AI.TENSORSET", "v", "BOOL", 3, "VALUES", 1, 0, 1],
    ],
    "AI__MODEL": [
        ["AI.MODELSTORE", "v", "ONNX", "CPU", "TAG", "t", *MODEL, "identity\ninput a\noutput b"]
    ],
    "AI_SCRIPT": [
        ["AI.SCRIPTSTORE", "v", "CPU", "ENTRY_POINTS", 1, "f", "SOURCE", "def f identity"],
        ["AI.SCRIPTSET", "v", "CPU", "TAG", "t", "SOURCE", "def f identity"],
    ],
}
# What is read of a value that was taken.
READS = {
    "AI_TENSOR": [["AI.TENSORGET", "META", "BLOB"], ["AI.TENSORGET", "META", "VALUES"]],
    "AI__MODEL": [["AI.MODELGET"], ["AI.INFO", "FULL"]],
    "AI_SCRIPT": [["AI.SCRIPTGET"], ["AI.INFO", "FULL"]],
}


@pytest.fixture(scope="module")
def lied_to(server_binary: ServerBinary, redisai_module: Any, mock_path: Any) -> Iterator[Server]:
    mocks = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path, *NO_LIMIT]
    config = {"rdbcompression": "no"}
    with Server(server_binary, module=redisai_module, module_args=mocks, config=config) as started:
        yield started


@pytest.fixture
def wire(lied_to: Server) -> Iterator[Wire]:
    wire = Wire((lied_to.host, lied_to.port))
    yield wire
    wire("FLUSHALL")
    wire.close()
    lied_to.assert_alive()


def samples(wire: Wire, name: str, version: int) -> list[list[Value]]:
    """Fields of values that are legal in this version."""
    if version < 4:
        old = {
            "AI_TENSOR": OLD_TENSOR,
            "AI__MODEL": OLD_MODELS[version],
            "AI_SCRIPT": OLD_SCRIPTS[version],
        }
        return [[(STRING if isinstance(one, bytes) else UNSIGNED, one) for one in old[name]]]
    found = []
    for command in STORES[name]:
        wire("DEL", "v")
        assert wire(*command) == OK
        found.append(Payload(wire("DUMP", "v")).values)
    wire("DEL", "v")
    return found


def changed(chance: random.Random, value: Value) -> Value:
    """Another content, of the same kind in most cases."""
    opcode, old = value
    if chance.random() < 0.1:
        return (UNSIGNED, chance.randrange(10)) if opcode == STRING else (STRING, b"ab\0")
    if isinstance(old, int):
        some = [old + 1, old - 1, old ^ 1 << chance.randrange(64), chance.getrandbits(64), -old]
        return opcode, chance.choice([*some, chance.randrange(10), 0]) % 2**64
    place = chance.randint(0, len(old))
    byte = bytes([chance.randrange(256)])
    some = [old[:place], old[:place] + byte + old[place:], old[:place] + byte + old[place + 1 :]]
    return opcode, chance.choice([*some, old + old[place:], old[:place] + b"\0" + old[place:], b""])


def mutate(chance: random.Random, fields: list[Value]) -> list[Value]:
    """One to three changes: of a field's content in most cases, else of the sequence."""
    fields = list(fields)
    for _ in range(chance.randint(1, 3)):
        if not fields:
            break
        place = chance.randrange(len(fields))
        match chance.randrange(10):
            case 0:
                del fields[place:]
            case 1:
                del fields[place]
            case 2:
                fields.insert(place, fields[place])
            case 3:
                other = chance.randrange(len(fields))
                fields[place], fields[other] = fields[other], fields[place]
            case _:
                fields[place] = changed(chance, fields[place])
    return fields


def refusals(server: Server, since: int) -> int:
    """How many of our decoder's refusals the log holds behind that place."""
    return server.log_text()[since:].count("was refused: ")


def attack(server: Server, wire: Wire, name: str, version: int, count: int) -> Counter[str]:
    """Restores so many; gives what became of them."""
    wire("SET", "own", 1)
    assert wire("AI.TENSORSET", "own:t", "FLOAT", 1) == OK
    frame = Payload(wire("DUMP", "own:t"))
    module = module_id(name, version)
    good = samples(wire, name, version)
    for fields in good:
        assert wire("RESTORE", "v", 0, frame.with_values(fields, module), "REPLACE") == OK
    chance = random.Random(f"{name} {version}")
    start = len(server.log_text())
    seen: Counter[str] = Counter()
    for _ in range(count // BATCH):
        payloads = [
            frame.with_values(mutate(chance, chance.choice(good)), module) for _ in range(BATCH)
        ]
        replies = wire.many(["RESTORE", f"k{at}", 0, one] for at, one in enumerate(payloads))
        assert {reply for reply in replies if reply != OK} <= {BAD}
        taken = [f"k{at}" for at, reply in enumerate(replies) if reply == OK]
        seen["taken"] += len(taken)
        seen["refused"] += BATCH - len(taken)
        use(wire, name, taken)
    assert wire("GET", "own") == b"1"
    # Behind what it takes there may be more, which is the server's to refuse.
    seen["by the decoder"] = refusals(server, start)
    return seen


def use(wire: Wire, name: str, keys: list[str]) -> None:
    """All that reads a value; saved again it is the same value. None is left."""
    for command in (["TYPE"], ["MEMORY", "USAGE"], ["DEBUG", "DIGEST-VALUE"]):
        assert not any(
            isinstance(reply, Failure) for reply in wire.many([*command, key] for key in keys)
        )
    for command, *words in READS[name]:
        wire.many([command, key, *words] for key in keys)
    dumps = wire.many(["DUMP", key] for key in keys)
    again = wire.many(
        ["RESTORE", f"again:{key}", 0, dump] for key, dump in zip(keys, dumps, strict=True)
    )
    assert again == [OK] * len(keys)
    assert wire.many(["DUMP", f"again:{key}"] for key in keys) == dumps
    wire.many(["DEL", key, f"again:{key}"] for key in keys)


def check(server: Server, wire: Wire, name: str, version: int, count: int) -> None:
    seen = attack(server, wire, name, version, count)
    assert seen["taken"] + seen["refused"] == count
    assert seen["taken"] > count // 20, seen
    # They came to our decoder: it took them, or said in the log why not. Of the rest it has read
    # what it wanted: the server refuses what comes behind.
    assert seen["by the decoder"] <= seen["refused"], seen
    assert seen["taken"] + seen["by the decoder"] > count * 3 // 4, seen
    assert "a bug of redisai-rs was caught" not in server.log_text()


@pytest.mark.parametrize("version", range(5))
@pytest.mark.parametrize("name", TYPES)
def test_each_is_taken_or_refused(lied_to: Server, wire: Wire, name: str, version: int) -> None:
    check(lied_to, wire, name, version, SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("version", range(5))
@pytest.mark.parametrize("name", TYPES)
def test_ten_thousand_of_each(lied_to: Server, wire: Wire, name: str, version: int) -> None:
    before = lied_to.rss()
    check(lied_to, wire, name, version, LONG)
    wire("FLUSHALL")
    wait_until(lambda: lied_to.rss() < before + (64 << 20), "the memory of what was refused")
