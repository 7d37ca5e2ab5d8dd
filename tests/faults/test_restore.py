"""`RESTORE` of payloads that lie: refused, or a value that is safe to use; never a crash."""

from __future__ import annotations

import contextlib

import pytest
import redis
from faults.payloads import EOF, SIGNED, STRING, UNSIGNED, Payload
from holding import info, run, store, tensor, values

BAD = "Bad data format"
LIES = [0, 1, 2, 3, 7, 8, 63, 64, 255, 2**31 - 1, 2**31, 2**32, 2**33, 2**40, 2**60, 2**63 - 1]
LIES += [2**63, 2**64 - 1, 2**64 - 2**31]

TENSORS = {
    "float": ("FLOAT", 2, 3, "VALUES", 1, 2, 3, 4, 5, 6),
    "scalar": ("INT64", "VALUES", -1),
    "strings": ("STRING", 2, "VALUES", "one", "three"),
    "bool": ("BOOL", 3, "VALUES", 1, 0, 1),
    "half": ("FLOAT16", 2, "VALUES", 1, 2),
}


@pytest.fixture
def dumped(held):
    """The payload of a key with that content."""
    held.config_set("rdbcompression", "no")

    def make(command):
        held.delete("source")
        assert held.execute_command(*command) == b"OK"
        return Payload(held.dump(command[1]))

    yield make
    held.config_set("rdbcompression", "yes")


def model_command():
    options = ["TAG", "t", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 5]
    text = "identity\ninput a\noutput b"
    return ["AI.MODELSTORE", "source", "ONNX", "CPU", *options, "BLOB", text]


def commands():
    tensors = [["AI.TENSORSET", "source", *content] for content in TENSORS.values()]
    return [*tensors, model_command()]


def restore(held, payload):
    """Restores a payload; gives whether the server took it. It must be able to use what it took."""
    held.delete("lie")
    try:
        held.restore("lie", 0, payload)
    except redis.ResponseError as error:
        text = str(error)
    else:
        use(held)
        return True
    assert text == BAD
    assert not held.exists("lie")
    return False


def use(held):
    """Everything that reads a value; errors are allowed, a crash is not."""
    kind = held.type("lie")
    held.execute_command("MEMORY", "USAGE", "lie")
    held.execute_command("DEBUG", "DIGEST-VALUE", "lie")
    again = held.dump("lie")
    held.copy("lie", "copy", replace=True)
    assert held.dump("copy") == again
    if kind == b"AI_TENSOR":
        dtype, shape = held.execute_command("AI.TENSORGET", "lie", "META")[1::2]
        assert dtype
        assert all(dim >= 0 for dim in shape)
        held.execute_command("AI.TENSORGET", "lie", "META", "BLOB")
        held.execute_command("AI.TENSORGET", "lie", "META", "VALUES")
    else:
        held.execute_command("AI.MODELGET", "lie")
        info(held, "lie", "FULL")
        with contextlib.suppress(redis.ResponseError):
            held.execute_command(*run("lie", ["x"], ["y"]))


def unharmed(held):
    assert values(held, "x") == [1, 2]
    assert held.execute_command(*run("good", ["x"], ["y"])) == b"OK"


@pytest.fixture
def keys(held):
    tensor(held, "x", 1, 2)
    store(held, "good", "identity")
    yield
    unharmed(held)


def test_the_payloads_are_understood(held, keys, dumped):
    for command in commands():
        payload = dumped(command)
        assert restore(held, payload.with_values(payload.values)), command


def test_every_number_lies(held, keys, dumped):
    refused = 0
    for command in commands():
        payload = dumped(command)
        for place, (opcode, value) in enumerate(payload.values):
            if opcode == STRING:
                continue
            for lie in LIES:
                values = list(payload.values)
                values[place] = (opcode, lie)
                refused += lie != value and not restore(held, payload.with_values(values))
    assert refused > 100


def test_every_string_lies(held, keys, dumped):
    for command in commands():
        payload = dumped(command)
        for place, (opcode, value) in enumerate(payload.values):
            if opcode != STRING:
                continue
            for lie in (b"", value[:-1], value + b"x", b"\0" * 8, b"\xff" * 64, value * 1000):
                values = list(payload.values)
                values[place] = (STRING, lie)
                restore(held, payload.with_values(values))


def test_values_are_missing_doubled_or_of_another_kind(held, keys, dumped):
    for command in commands():
        payload = dumped(command)
        count = len(payload.values)
        for place in range(count):
            short = payload.values[:place]
            assert not restore(held, payload.with_values(short)), (command, place)
            for other in (SIGNED, UNSIGNED, STRING):
                if other == payload.values[place][0]:
                    continue
                values = list(payload.values)
                values[place] = (other, b"7" if other == STRING else 7)
                assert not restore(held, payload.with_values(values)), (command, place, other)
        assert not restore(held, payload.with_values([*payload.values, (UNSIGNED, 1)]))


def test_lengths_of_strings_lie(held, keys, dumped):
    for command in commands():
        payload = dumped(command)
        whole = payload.with_values(payload.values)[:-10]
        for claimed in (2**20, 2**33, 2**40, 2**60, 2**64 - 1):
            body = whole[:-1] + bytes([STRING, 0x81]) + claimed.to_bytes(8, "big") + bytes([EOF])
            assert not restore(held, payload.signed(body))


def test_encoding_versions(held, keys, dumped):
    for command in commands():
        payload = dumped(command)
        version = payload.module & 1023
        assert version == 4
        for other in (0, 1, 2, 3, 5, 6, 1023):
            taken = restore(held, payload.with_values(payload.values, payload.module - 4 + other))
            # Old layouts may or may not fit these values; new ones are unknown.
            assert not (taken and other > 4), other


def test_a_flipped_byte_fails_the_checksum(held, keys, dumped):
    dumped(commands()[0])
    payload = bytearray(held.dump("source"))
    payload[len(payload) // 2] ^= 1
    with pytest.raises(redis.ResponseError, match="checksum"):
        held.restore("lie", 0, bytes(payload))
