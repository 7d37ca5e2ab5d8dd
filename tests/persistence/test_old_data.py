"""Data of RedisAI on real servers: its whole RDB and AOF, what is saved from them, older versions.

The servers here have no framework but ONNX, or none at all: models and scripts of the others are
kept.
"""

from __future__ import annotations

import pytest
import redis
from faults.payloads import STRING, UNSIGNED, Payload, crc64
from onnx_models import info
from persistence.old_fields import CHUNKS, OLD_MODELS, OLD_SCRIPTS, OLD_TENSOR, module_id
from persistence.redisai_1_2 import (
    DATA,
    FOOTER,
    MANIFEST,
    MODELS,
    ONNX,
    SCRIPTS,
    is_before_7,
    look,
    payload,
)
from redisai_rs.testing import wait_until

CHUNK = 64
# Lower than what the data set holds.
LIMITS = ["MODEL_CHUNK_SIZE", CHUNK, "MAX_TENSOR_BYTES", 1, "QUEUE_LIMIT", 1, "MAX_QUEUES", 1]
NO_BACKENDS = ["BACKENDSPATH", "/nonexistent"]
BACKENDS = ["no backend", "ONNX"]


def rdb(binary):
    """RedisAI's file; for 6.2 with a version that it takes, signed anew."""
    data = (DATA / "dump.rdb").read_bytes()
    assert data.startswith(b"REDIS0010")
    if is_before_7(binary):
        data = b"REDIS0009" + data[9:-8]
        data += crc64(data).to_bytes(8, "little")
    return data


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The one backend of the servers, or none."""
    return request.param


@pytest.fixture
def arguments(backend, redisai_module):
    """The module's arguments."""
    onnx = redisai_module.parent / "backends/redisai_onnxruntime/redisai_onnxruntime.so"
    return [*LIMITS, *NO_BACKENDS, *(["ONNX", onnx] if backend == "ONNX" else [])]


@pytest.fixture
def loaded(start, server_binary, arguments):
    """A server that started from the file."""
    server = start(module_args=arguments)
    server.stop()
    (server.directory / "dump.rdb").write_bytes(rdb(server_binary))
    return server.start()


def record(key):
    """How a key stands in a file: type, name, value; a payload has no name."""
    name, value = key.encode(), payload(key)[:-FOOTER]
    return value[:1] + bytes([len(name)]) + name + value[1:]


def test_the_records_are_those_of_the_file():
    """What the tests below look for is what RedisAI wrote."""
    data = (DATA / "dump.rdb").read_bytes()
    for key in MANIFEST:
        assert data.count(record(key)) == 1, key


def test_the_whole_rdb(loaded, backend):
    client = loaded.client()
    look(client)
    for key in MODELS:
        chunks = client.execute_command("AI.MODELGET", key, "BLOB")
        assert max(map(len, chunks)) <= CHUNK
    tags = [[key.encode(), MANIFEST[key]["meta"][3].encode()] for key in sorted(SCRIPTS)]
    assert client.execute_command("AI._SCRIPTSCAN") == tags
    assert len(client.execute_command("AI._MODELSCAN")) == len(MODELS)
    for key in MODELS + SCRIPTS:
        state = b"ready" if key in ONNX and backend == "ONNX" else b"failed"
        wait_until(lambda k=key, s=state: info(client, k, "FULL")["state"] == s, f"{state} {key}")
        assert (b"Could not load backend" in info(client, key, "FULL")["reason"]) == (
            state == b"failed"
        )


def test_what_is_saved_from_it_is_what_was_loaded(loaded):
    """The same bytes but for the footer: RedisAI itself could load them again."""
    client = loaded.client()
    for key in MANIFEST:
        assert client.dump(key)[:-FOOTER] == payload(key)[:-FOOTER], key
    client.save()
    data = (loaded.directory / "dump.rdb").read_bytes()
    for key in MANIFEST:
        assert data.count(record(key)) == 1, key
    loaded.restart()
    look(loaded.client())


def test_it_passes_through_a_rewritten_append_only_file(loaded, backend):
    """Commands alone, without the server's own format in front."""
    client = loaded.client()
    client.config_set("aof-use-rdb-preamble", "no")
    client.config_set("appendonly", "yes")
    wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
    assert client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    files = loaded.directory.rglob("appendonly.aof*")
    text = b"".join(path.read_bytes() for path in files if path.is_file())
    # One script has entry points, the other has none.
    assert text.count(b"AI.SCRIPTSTORE") == 1
    assert text.count(b"AI.SCRIPTSET") == 1
    loaded.stop()
    (loaded.directory / "dump.rdb").unlink()
    loaded.config["appendonly"] = "yes"
    look(loaded.start().client(), nameless(backend))


def nameless(backend):
    """Models whose names no session says and no command carries: only TF's does."""
    meta = {key: MANIFEST[key]["meta"][1] for key in MODELS}
    return [key for key, kind in meta.items() if kind not in ("TF", backend)]


def test_a_replica_has_all_of_it(loaded, arguments):
    with loaded.replica(module_args=arguments) as replica:
        replica.wait_for_sync()
        client = replica.client()
        look(client)
        for key in MANIFEST:
            assert client.dump(key)[:-FOOTER] == payload(key)[:-FOOTER], key
        digests = [one.client().execute_command("DEBUG", "DIGEST") for one in (loaded, replica)]
        assert digests[0] == digests[1]
        # Deletes go there too, and nothing of it is left.
        loaded.client().execute_command("AI.SCRIPTDEL", "s:entry")
        replica.wait_for_offset(loaded)
        assert client.execute_command("AI._SCRIPTSCAN") == [[b"s:old", b""]]


@pytest.fixture
def replayed(start, arguments):
    """A server that started from RedisAI's append-only file, whose commands it read one by one."""
    server = start(module_args=arguments)
    server.stop()
    server.config["appendonly"] = "yes"
    modern = server.binary.version >= (7,)
    folder = server.directory / "appendonlydir" if modern else server.directory
    folder.mkdir(exist_ok=True)
    name = "appendonly.aof.1.incr.aof" if modern else "appendonly.aof"
    (folder / name).write_bytes((DATA / "appendonly.aof").read_bytes())
    if modern:
        (folder / "appendonly.aof.manifest").write_text(f"file {name} seq 1 type i\n")
    return server.start()


def test_the_whole_append_only_file(replayed, arguments, backend):
    look(replayed.client(), nameless(backend))
    with replayed.replica(module_args=arguments) as replica:
        replica.wait_for_sync()
        look(replica.client(), nameless(backend))
        # It has its primary's settings, and would not stop before it has written a file of its own.
        replica.client().config_set("appendonly", "no")
    replayed.restart()
    look(replayed.client(), nameless(backend))


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
def test_older_scripts(client, restore, version):
    restore("s", "AI_SCRIPT", version, OLD_SCRIPTS[version])
    names = [] if version < 3 else [b"f", b"g"]
    shown = client.execute_command("AI.SCRIPTGET", "s")[1::2]
    assert shown == [b"CPU:", b"tag", names, b"def f(a): return a"]
    assert Payload(client.dump("s")).module == module_id("AI_SCRIPT", 4)


# Devices, tags, numbers and names that no client could send.
ODD_MODELS = [
    [0, b"C\0U\0", b"BLOB", 2**64 - 1, 2**63, 7, 2, b"OUTPUTS\0", b"a\0b\0", 1, b"\0", *CHUNKS],
    [0, b"TAG\0", b"t\0g", 0, 5, 0, 0, 0, 0, 0],
    [1, b"\0", b"", 0, 0, 0, 0, 0, 3, 4, b"", b"1", b"", b"23"],
]
ODD_SCRIPTS = [
    [b"\xff\r\n\0", b"SOURCE", b"def f(a):\0 return a\0", 2, b"f\0g\0", b"SOURCE\0"],
    [b"ENTRY_POINTS\0", b"", b"x\0\0", 0],
    [b"", b"t", b"\0", 1, b"\0"],
]


def test_odd_definitions_pass_through_a_rewritten_append_only_file(server, client, restore):
    """What a file brought is written as commands that bring the same: a replica has it too."""
    for at, fields in enumerate(ODD_MODELS):
        restore(f"m{at}", "AI__MODEL", 4, fields)
    for at, fields in enumerate(ODD_SCRIPTS):
        restore(f"s{at}", "AI_SCRIPT", 4, fields)
    keys = client.keys()
    digests = {key: client.execute_command("DEBUG", "DIGEST-VALUE", key) for key in keys}
    assert len(digests) == len(ODD_MODELS) + len(ODD_SCRIPTS)
    client.config_set("aof-use-rdb-preamble", "no")
    client.config_set("appendonly", "yes")
    try:
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
        assert client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
        assert client.execute_command("DEBUG", "LOADAOF") == b"OK"
    finally:
        client.config_set("appendonly", "no")
        client.config_set("aof-use-rdb-preamble", "yes")
    for key, digest in digests.items():
        assert client.execute_command("DEBUG", "DIGEST-VALUE", key) == digest, key
    assert client.dbsize() == len(digests)


@pytest.mark.parametrize("version", range(4))
def test_older_payloads_that_are_cut(client, restore, version):
    for name, fields in (
        ("AI_TENSOR", OLD_TENSOR),
        ("AI__MODEL", OLD_MODELS[version]),
        ("AI_SCRIPT", OLD_SCRIPTS[version]),
    ):
        for length in range(len(fields)):
            with pytest.raises(redis.ResponseError, match="Bad data format"):
                restore("cut", name, version, fields[:length])
    assert not client.exists("cut")


def test_scripts_of_a_newer_version_are_refused(client, restore):
    with pytest.raises(redis.ResponseError, match="Bad data format"):
        restore("s", "AI_SCRIPT", 5, OLD_SCRIPTS[3])
    assert not client.exists("s")
