"""Bad input in every argument of every command: one reply, a text that is known, no key lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from commands import mutations
from commands.known_errors import KNOWN
from commands.models import ONE, TWO, store
from commands.wire import OK, WRONGTYPE, Failure, Status, Wire, failure
from redisai_rs.testing import Server


def put_keys(wire: Wire) -> None:
    """What must be there at the end, byte for byte; and what the commands work on."""
    wire("SET", "own:string", "v")
    wire("RPUSH", "own:list", "a", "b")
    wire("HSET", "own:hash", "f", "v")
    wire("SADD", "own:set", "a")
    wire("ZADD", "own:zset", 1, "a")
    wire("XADD", "own:stream", "1-1", "f", "v")
    assert wire("AI.TENSORSET", "kept:tensor", "FLOAT", 2, "VALUES", 1, 2) == OK
    assert wire("AI.TENSORSET", "kept:words", "STRING", 2, "BYTES", "a\0b", "") == OK
    store(wire, "kept:model", ONE, "TAG", "v")


def work_keys(wire: Wire) -> None:
    wire("DEL", "k:t", "k:m", "k:gone")
    assert wire("AI.TENSORSET", "k:t", "FLOAT", 2, "VALUES", 1, 2) == OK
    store(wire, "k:m", TWO)
    store(wire, "k:gone", ONE)


@pytest.fixture
def kept(mocks_both: Wire, mocks_server: Server) -> Iterator[Wire]:
    """At the end every key is what it was, and the server runs models."""
    wire = mocks_both
    put_keys(wire)
    work_keys(wire)
    names = sorted(name for name in wire("KEYS", "*") if not name.startswith(b"k:"))
    assert len(names) == 9
    before = {name: wire("DUMP", name) for name in names}
    pid = mocks_server.info("server")["process_id"]
    yield wire
    assert wire("PING") == Status(b"PONG")
    assert mocks_server.info("server")["process_id"] == pid
    # A saved model is cut as this says.
    assert wire("AI.CONFIG", "MODEL_CHUNK_SIZE", 535822336) == OK
    assert {name: wire("DUMP", name) for name in names} == before
    assert wire("AI.TENSORGET", "kept:words", "VALUES") == [b"a\0b", b""]
    run = ["AI.MODELEXECUTE", "kept:model", "INPUTS", 1, "kept:tensor", "OUTPUTS", 1, "k:last"]
    assert wire(*run) == OK
    assert [float(v) for v in wire("AI.TENSORGET", "k:last", "VALUES")] == [1, 2]


def check(wire: Wire, commands: Iterable[list[bytes]]) -> list[object]:
    """Sends all; each has one reply, and an error is one that is known, on one short line."""
    commands = list(commands)
    found = []
    for start in range(0, len(commands), 500):
        # Among them are some that do what they say to the model and the tensor.
        work_keys(wire)
        found += wire.many(commands[start : start + 500])
    for command, reply in zip(commands, found, strict=True):
        if isinstance(reply, Failure):
            assert KNOWN.fullmatch(reply), (command, reply)
            assert reply.startswith(b"ERR mock: ") or len(reply) < 1300, command
    return found


def test_one_place(kept: Wire) -> None:
    replies = check(kept, mutations.wrong_in_one_place())
    refused = sum(isinstance(reply, Failure) for reply in replies)
    assert len(replies) > 15_000
    assert refused > len(replies) / 2
    assert replies.count(OK) > 500


def test_several_places(kept: Wire) -> None:
    check(kept, mutations.wrong_in_several_places(5000))


def test_random_words(kept: Wire) -> None:
    check(kept, mutations.random_words(5000))


def test_huge_shapes(kept: Wire) -> None:
    replies = check(kept, mutations.huge_shapes(2000))
    assert all(isinstance(reply, Failure) for reply in replies)
    assert kept("EXISTS", "k:a") == 0


def test_a_mebibyte_in_each_place(kept: Wire) -> None:
    large = b"z" * (1 << 20)
    for seed in mutations.SEEDS:
        for at in range(1, len(seed)):
            check(kept, [[*seed[:at], large, *seed[at + 1 :]]])
    # As the name of a key it is as good as any.
    assert kept("AI.TENSORSET", large, "INT8", 1, "VALUES", 7) == OK
    assert kept("AI.TENSORGET", large, "VALUES") == [7]
    assert kept("AI.MODELSTORE", large, "ONNX", "CPU", "BLOB", ONE) == WRONGTYPE
    assert kept("DEL", large) == 1
    assert kept("AI.MODELSTORE", large, "ONNX", "CPU", "TAG", large, "BLOB", ONE) == OK
    run = ["AI.MODELEXECUTE", large, "INPUTS", 1, "k:t", "OUTPUTS", 1, large + b"2"]
    assert kept(*run) == OK
    assert [large, large] in kept("AI._MODELSCAN")
    assert kept("DEL", large, large + b"2") == 2


def test_thousands_of_arguments(kept: Wire) -> None:
    many = [b"1"] * 50_000
    assert kept("AI.TENSORSET", "k:a", "INT8", 50_000, "VALUES", *many) == OK
    assert kept("AI.TENSORGET", "k:a", "BLOB") == b"\1" * 50_000
    assert kept("AI.TENSORSET", "k:a", "INT8", *many) == OK
    assert kept("AI.TENSORGET", "k:a", "META")[3] == [1] * 50_000
    for words in (
        ["AI.MODELEXECUTE", "k:m", "INPUTS", 50_000, *many, "OUTPUTS", 1, "y"],
        ["AI.MODELRUN", "k:m", "INPUTS", *many, "OUTPUTS", *many],
    ):
        assert kept(*words) == failure(
            "Number of keys given as INPUTS here does not match model definition"
        )
    assert kept("AI.MODELSTORE", "k:n", "ONNX", "CPU", "BLOB", *many, "\n", ONE).startswith(
        b"ERR mock"
    )
    names = [b"i%d" % n for n in range(20_000)]
    words = ["INPUTS", len(names), *names, "OUTPUTS", 1, "o", "BLOB", b"add\noutput o\n"]
    reply = kept("AI.MODELSTORE", "k:n", "TF", "CPU", *words)
    assert reply == OK or isinstance(reply, Failure)
    for words in (
        ["AI.TENSORGET"],
        ["AI.MODELGET"],
        ["AI.INFO"],
        ["AI._MODELSCAN"],
        ["AI.MODELDEL"],
    ):
        assert kept(*words, *many) == failure(
            f"ERR wrong number of arguments for '{words[0]}' command"
        )


@pytest.mark.parametrize("key", [b"", b"\0", b"a\0b", b"\xff\xfe\xfd", b"{a}", b"a b\r\nc"])
def test_any_bytes_are_a_key(kept: Wire, key: bytes) -> None:
    assert kept("AI.TENSORSET", key, "INT8", 2, "VALUES", 1, 2) == OK
    assert kept("AI.TENSORGET", key, "VALUES") == [1, 2]
    store(kept, key + b"m", ONE)  # type: ignore[arg-type]
    run = ["INPUTS", 1, key, "OUTPUTS", 1, key + b"o"]
    assert kept("AI.MODELEXECUTE", key + b"m", *run) == OK
    assert kept("AI.TENSORGET", key + b"o", "VALUES") == [1, 2]
    assert kept("AI.INFO", key + b"m")[1] == key + b"m"
    assert [key + b"m", b""] in kept("AI._MODELSCAN")
    assert kept("AI.MODELDEL", key + b"m") == OK
    assert kept("EXISTS", key + b"m") == 0


@pytest.mark.parametrize("name", [name.decode() for name in mutations.NAMES])
def test_names_in_any_case(kept: Wire, name: str) -> None:
    """The name in an error is the registered one, in upper case, however it came."""
    for given in (name.lower(), name.upper(), name.title()):
        reply = kept(given, *([] if name != "AI._MODELSCAN" else ["x"]))
        assert reply == failure(f"ERR wrong number of arguments for '{name}' command")
