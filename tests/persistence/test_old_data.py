"""Data of RedisAI on real servers: its whole RDB, what is saved from it, older encoding versions.

Scripts are no type of the module yet, so their keys are cut out of the RDB.
"""

from __future__ import annotations

import hashlib

import pytest
import redis
from faults.payloads import STRING, UNSIGNED, Payload, crc64
from persistence.test_redisai_1_2 import DATA, MANIFEST, MODELS, TENSORS, encoded, payload

KEYS = [*TENSORS, *MODELS]
SCRIPTS = sorted(set(MANIFEST) - set(KEYS))
FOOTER = 10
CHUNK = 64


def rdb(*, redis_before_7: bool) -> bytes:
    """RedisAI's file without its scripts, signed anew; for 6.2 with a version that it takes."""
    data = (DATA / "dump.rdb").read_bytes()[:-8]
    for key in SCRIPTS:
        name = key.encode()
        # A payload is the value's type and the value, a file has the key between the two.
        value = payload(key)[:-FOOTER]
        record = value[:1] + bytes([len(name)]) + name + value[1:]
        assert data.count(record) == 1
        data = data.replace(record, b"")
    assert data.startswith(b"REDIS0010")
    if redis_before_7:
        data = b"REDIS0009" + data[9:]
    return data + crc64(data).to_bytes(8, "little")


@pytest.fixture
def loaded(start, server_binary):
    """A client of a server that started from the file, with limits lower than what it holds."""
    server = start(module_args=["MODEL_CHUNK_SIZE", CHUNK, "MAX_TENSOR_BYTES", 1])
    server.stop()
    old = server_binary.product == "Redis" and server_binary.version < (7,)
    (server.directory / "dump.rdb").write_bytes(rdb(redis_before_7=old))
    return server.start().client()


def test_the_whole_rdb(loaded):
    assert sorted(loaded.keys()) == sorted(key.encode() for key in KEYS)
    for key in TENSORS:
        entry = MANIFEST[key]
        dtype, shape, blob = loaded.execute_command("AI.TENSORGET", key, "META", "BLOB")[1::2]
        assert dtype == entry["dtype"].encode(), key
        assert shape == entry["shape"], key
        assert blob == bytes.fromhex(entry["blob_hex"]), key
    for key in MODELS:
        entry = MANIFEST[key]
        assert loaded.execute_command("AI.MODELGET", key, "META") == encoded(entry["meta"])
        chunks = loaded.execute_command("AI.MODELGET", key, "BLOB")
        assert max(map(len, chunks)) <= CHUNK
        assert hashlib.sha256(b"".join(chunks)).hexdigest() == entry["blob_sha256"], key


def test_what_is_saved_from_it_is_what_was_loaded(loaded):
    """The same bytes but for the footer: RedisAI itself could load them again."""
    for key in KEYS:
        assert loaded.dump(key)[:-FOOTER] == payload(key)[:-FOOTER], key


# Fields of the versions before 4, by the tables of the contract: one tensor, the models of each.
OLD_TENSOR = [1, 2**64 - 1, 16, 0, 1, 2, 1, 2, 2, 1, 0, b"\x01\x00\xff\xff"]
NAMES = [1, b"a\0", 2, b"b\0", b"\0"]
CHUNKS = [4, 2, b"blo", b"b"]
OLD_MODELS = {
    0: [2, b"CPU:\0", b"tag\0", 4, 9, *NAMES, b"blob"],
    1: [2, b"CPU:\0", b"tag", 4, 9, *NAMES, *CHUNKS],
    2: [2, b"CPU:\0", b"tag", 4, 9, 250, *NAMES, *CHUNKS],
    3: [2, b"CPU:\0", b"tag", 4, 9, 250, *NAMES, *CHUNKS],
}


def module_id(name: str, version: int) -> int:
    """A type's number in a payload: six bits for each character of its name, ten of the version."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | letters.index(character)
    return number << 10 | version


@pytest.fixture
def restore(client):
    """Restores these fields as a value of this type and version."""
    client.execute_command("AI.TENSORSET", "own", "FLOAT", 1)
    frame = Payload(client.dump("own"))
    assert frame.module == module_id("AI_TENSOR", 4)
    client.delete("own")

    def restored(key, name, version, fields):
        values = [(STRING if isinstance(one, bytes) else UNSIGNED, one) for one in fields]
        client.restore(key, 0, frame.with_values(values, module_id(name, version)))

    return restored


@pytest.mark.parametrize("version", range(4))
def test_older_tensors(client, restore, version):
    restore("t", "AI_TENSOR", version, OLD_TENSOR)
    assert client.execute_command("AI.TENSORGET", "t", "META", "VALUES")[1::2] == [
        b"INT16",
        [1, 2],
        [1, -1],
    ]
    # Saved in the version of today.
    assert Payload(client.dump("t")).module == module_id("AI_TENSOR", 4)


@pytest.mark.parametrize("version", range(4))
def test_older_models(client, restore, version):
    restore("m", "AI__MODEL", version, OLD_MODELS[version])
    timeout = 0 if version < 2 else 250
    names = [[b"a"], [b"b", b""]]
    meta = client.execute_command("AI.MODELGET", "m", "META")[1::2]
    assert meta == [b"TORCH", b"CPU:", b"tag", 4, 9, *names, timeout]
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == b"blob"


@pytest.mark.parametrize("version", range(4))
def test_older_payloads_that_are_cut(client, restore, version):
    for name, fields in (("AI_TENSOR", OLD_TENSOR), ("AI__MODEL", OLD_MODELS[version])):
        for length in range(len(fields)):
            with pytest.raises(redis.ResponseError, match="Bad data format"):
                restore("cut", name, version, fields[:length])
    assert not client.exists("cut")
