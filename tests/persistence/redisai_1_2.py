"""The data set that RedisAI 1.2 wrote (`crates/codec/tests/data`), and what a server must show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import redis
from faults.payloads import crc64
from redisai_rs.servers import ServerBinary

DATA = Path(__file__).parents[2] / "crates" / "codec" / "tests" / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())["keys"]
TENSORS = [key for key, entry in MANIFEST.items() if entry["type"] == "tensor"]
MODELS = [key for key, entry in MANIFEST.items() if entry["type"] == "model"]
SCRIPTS = [key for key, entry in MANIFEST.items() if entry["type"] == "script"]
ONNX = [key for key in MODELS if MANIFEST[key]["meta"][1] == "ONNX"]
# Of a payload: the RDB version of its server and a checksum.
FOOTER = 10


def payload(key: str) -> bytes:
    return (DATA / MANIFEST[key]["payload"]).read_bytes()


def is_before_7(binary: ServerBinary) -> bool:
    """Its RDB version is older than the data set's, which it therefore refuses to read."""
    return binary.product == "Redis" and binary.version < (7,)


def payload_for(binary: ServerBinary, key: str) -> bytes:
    """The payload; for 6.2 signed anew with a version that it takes: what we read is the same."""
    data = payload(key)
    if is_before_7(binary):
        data = data[:-FOOTER] + (9).to_bytes(2, "little")
        data += crc64(data).to_bytes(8, "little")
    return data


def encoded(value: Any) -> Any:
    """The manifest's texts as the server's bytes."""
    if isinstance(value, list):
        return [encoded(one) for one in value]
    return value.encode() if isinstance(value, str) else value


def look(client: redis.Redis, nameless: Container[str] = ()) -> None:
    """All of it is there, as RedisAI showed it; some models without names of inputs and outputs."""
    assert sorted(client.keys()) == sorted(key.encode() for key in MANIFEST)
    for key in MANIFEST:
        look_at(client, key, names=key not in nameless)


def look_at(client: redis.Redis, key: str, *, names: bool = True) -> None:
    """This key holds what RedisAI showed."""
    entry = MANIFEST[key]
    if entry["type"] == "tensor":
        dtype, shape, blob = client.execute_command("AI.TENSORGET", key, "META", "BLOB")[1::2]
        assert dtype == entry["dtype"].encode(), key
        assert shape == entry["shape"], key
        assert blob == bytes.fromhex(entry["blob_hex"]), key
    elif entry["type"] == "model":
        meta = encoded(entry["meta"])
        if not names:
            meta[11] = meta[13] = []
        assert client.execute_command("AI.MODELGET", key, "META") == meta
        chunks = client.execute_command("AI.MODELGET", key, "BLOB")
        blob = b"".join(chunks) if isinstance(chunks, list) else chunks
        assert hashlib.sha256(blob).hexdigest() == entry["blob_sha256"], key
    else:
        assert client.execute_command("AI.SCRIPTGET", key) == encoded(entry["meta"])
