"""What real scripts ask of the server: forms, replies, rights, effects."""

from __future__ import annotations

import pytest
import redis
from holding import info
from redisai_rs.testing import Server, wait_until
from scripts.conftest import Torch

CALLS = """
def run:
    return as_bytes(show(redis.execute(args[0], args[1:])))
def run_list:
    return as_bytes(show_list(redis.execute(args[0], args[1:])))
def tried:
    good, v = redis.pcall(args[0], args[1:])
    return as_bytes(("good " if good else "bad ") + show(v))
"""
NO_MULTI = b"ERR Cannot run RedisAI command within a transaction or a LUA script"


def old(torch: Torch) -> bool:
    return torch.server.binary.version < (7,)


def test_any_case_of_the_names_a_list_or_trailing_arguments(torch: Torch) -> None:
    torch.store("""
def f:
    redis.execute("SET", keys[0], args[0])
    REDIS.execute("APPEND", [keys[0], args[1]])
    a = Redis.execute("GET", keys[0])
    b = rEDIS.execute("PING")
    good, c = REDIS.pcall("GET", keys[0])
    also, d = redis.pcall("PING")
    words = ["SET", keys[0], "z", "EX", "100"]
    redis.execute(words[0], words[1:])
    e = redis.execute("TTL", keys[0])
    return as_bytes(", ".join([show(a), show(b), show(c), show(d), show(e)]))
""")
    found = torch.text("f", "x", "y", keys=["k"])
    assert found == b"str xy, str PONG, str xy, str PONG, int 100"
    assert torch.client.get("k") == b"z"
    # Arguments are strings; torch says so when the script is stored.
    source = "def f(a):\n    redis.execute('INCRBY', 'n', 3)\n    return a\n"
    with pytest.raises(redis.ResponseError, match=r"str\[\] arguments"):
        torch.client.execute_command("AI.SCRIPTSET", "u", "CPU", "SOURCE", source)


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_those_of_resp2(torch: Torch, protocol: int) -> None:
    torch.store(CALLS)
    client = torch.server.client(protocol=protocol)

    def run(*args: object, function: str = "run") -> bytes:
        return torch.text(function, *args, client=client)

    every = bytes(range(256))
    assert run("SET", "k", every) == b"str OK"
    assert run("GET", "k") == b"str " + every
    assert run("GET", "none") == b"none"
    assert run("SET", "k", "") == b"str OK"
    assert run("GET", "k") == b"str "
    assert run("INCRBY", "n", 2**62) == b"int 4611686018427387904"
    assert run("DECRBY", "m", 2**62) == b"int -4611686018427387904"
    assert run("HSET", "h", "f", "v") == b"int 1"
    # A map, a double and a set in RESP3.
    assert run("HGETALL", "h", function="run_list") == b"str f, str v"
    assert run("ZADD", "z", 1.5, "a") == b"int 1"
    assert run("ZSCORE", "z", "a") == b"str 1.5"
    assert run("SADD", "s", "a") == b"int 1"
    assert run("SMEMBERS", "s", function="run_list") == b"str a"
    assert run("MGET", "n", "none", function="run_list") == b"str 4611686018427387904, none"
    assert run("LRANGE", "none", 0, -1, function="run_list") == b""
    assert run("XADD", "x", "1-1", "f", "v") == b"str 1-1"


def test_lists_within_lists(torch: Torch) -> None:
    torch.client.xadd("x", {"f": "v", "g": "w"}, "1-1")
    torch.store("""
def f:
    entries = redis.asList(redis.execute("XRANGE", keys[0], "-", "+"))
    entry = redis.asList(entries[0])
    return as_bytes(show(entry[0]) + ": " + show_list(entry[1]))
""")
    assert torch.text("f", keys=["x"]) == b"str 1-1: str f, str v, str g, str w"
    torch.store("def f:\n    return as_bytes(show_list(redis.execute('PING')))\n")
    with pytest.raises(redis.ResponseError, match="redis.asList: the value is no list"):
        torch.run("f")


def test_errors_end_the_run_and_pcall_gives_them(torch: Torch) -> None:
    torch.store(CALLS)
    torch.client.set("k", "text")
    with pytest.raises(redis.ResponseError, match="Redis command returned an error: WRONGTYPE "):
        torch.run("run", "LPUSH", "k", "x")
    with pytest.raises(redis.ResponseError, match="Redis command returned an error: ERR "):
        torch.run("run", "NOSUCH")
    assert torch.text("tried", "LPUSH", "k", "x").startswith(b"bad str WRONGTYPE ")
    assert torch.text("tried", "GET", "k") == b"good str text"
    assert torch.text("tried", "GET", "none") == b"good none"
    assert torch.text("tried", "GET").startswith(b"bad str ERR ")


def test_what_was_written_before_an_error_stays(torch: Torch) -> None:
    torch.store("""
def f:
    redis.execute("SET", keys[0], "1")
    raise Exception("in the middle")
    redis.execute("SET", keys[0], "2")
    return tensors[0]
""")
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 1)
    with pytest.raises(redis.ResponseError, match="in the middle"):
        torch.run("f", keys=["k"], inputs=["x"])
    assert torch.client.get("k") == b"1"
    assert not torch.client.exists("out")


def test_keys_and_arguments_arrive_whole(torch: Torch) -> None:
    torch.store("""
def f:
    return as_bytes(keys[0] + "|" + args[0] + "|" + str(len(args[1])) + "|" + str(len(args[2])))
def sets:
    redis.execute("SET", keys[0], args[0])
    return as_bytes("")
""")
    every = bytes(range(256))
    found = torch.text("f", every, "", b"\0" * 1_000_000, keys=[every])
    assert found == every + b"|" + every + b"|0|1000000"
    assert torch.run("sets", every, keys=[every]) == b"OK"
    assert torch.client.get(every) == every


def test_a_nul_is_refused_in_a_source_and_in_a_name(torch: Torch) -> None:
    source = "def f(a):\n    return a\n"
    for names, text in ((["f"], source + "\0"), (["f\0"], source)):
        command = ["AI.SCRIPTSTORE", "u", "CPU", "ENTRY_POINTS", len(names), *names]
        with pytest.raises(redis.ResponseError):
            torch.client.execute_command(*command, "SOURCE", text)
    assert not torch.client.exists("u")


def test_without_outputs(torch: Torch) -> None:
    torch.store('def f:\n    redis.execute("INCR", keys[0])\n')
    assert torch.run("f", keys=["n"], outputs=[]) == b"OK"
    assert torch.client.get("n") == b"1"
    # As many outputs as are wanted, no others.
    with pytest.raises(redis.ResponseError, match="unexpected number of outputs - f"):
        torch.run("f", keys=["n"], outputs=["a"])
    figures = info(torch.client, "t")
    assert (figures["calls"], figures["errors"], figures["samples"]) == (2, 1, -1)


def test_redisais_own_commands(torch: Torch) -> None:
    torch.store(CALLS)
    run, tried = "run", "tried"
    blob = bytes(range(8))
    assert torch.text(run, "AI.TENSORSET", "u", "UINT8", 8, "BLOB", blob) == b"str OK"
    assert torch.text(run, "AI.TENSORGET", "u", "BLOB") == b"str " + blob
    shown = torch.text("run_list", "AI.TENSORGET", "u", "VALUES")
    assert shown == b", ".join(b"int %d" % number for number in range(8))
    assert torch.text("run_list", "AI.SCRIPTGET", "t", "META").startswith(b"str device, str CPU")
    assert torch.text("run_list", "AI.INFO", "t").startswith(
        b"str key, str t, str type, str SCRIPT"
    )
    assert torch.text(run, "AI.CONFIG", "GET", "MODEL_CHUNK_SIZE").startswith(b"int ")
    source = "def f(a):\n    return a\n"
    blocking = [
        torch.words("run", "PING"),
        ["AI.SCRIPTRUN", "t", "run", "INPUTS", "u", "OUTPUTS", "v"],
        ["AI.DAGEXECUTE", "LOAD", 1, "u", "|>", *torch.words("run", "PING")],
    ]
    for command in blocking:
        assert torch.text(tried, *command) == b"bad str " + NO_MULTI
    # A store does not block where it may not: it is done at once, as in MULTI.
    reply = torch.text(tried, "AI.SCRIPTSET", "u2", "CPU", "SOURCE", source)
    in_multi = torch.client.pipeline(transaction=True)
    in_multi.execute_command("AI.SCRIPTSET", "u3", "CPU", "SOURCE", source)
    assert in_multi.execute() == [b"OK"]
    assert reply == b"good str OK"
    assert torch.client.exists("u2", "u3") == 2


def test_the_clients_database_and_rights(torch: Torch) -> None:
    torch.store(CALLS)
    with torch.server.client(db=3) as client:
        torch.client.execute_command("COPY", "t", "t", "DB", 3)
        assert torch.run("run", "SET", "here", "3", client=client) == b"OK"
        assert client.get("here") == b"3"
    assert not torch.client.exists("here")
    rules = ["on", ">p", "~t", "~out", "~own:*", "+@all", "-incr"]
    torch.client.execute_command("ACL", "SETUSER", "u", "reset", *rules)
    user = torch.server.client(username="u", password="p")
    assert torch.text("tried", "SET", "own:k", 1, client=user) == b"good str OK"
    for command in (["SET", "foreign", 1], ["INCR", "own:n"]):
        found = torch.text("tried", *command, client=user)
        # 6.2 has no way to ask: documented, and logged once.
        assert found.startswith(b"good" if old(torch) else b"bad str NOPERM "), found
    if old(torch):
        assert torch.server.log_text().count("cannot check the rights of a script's user") == 1
    torch.client.execute_command("ACL", "DELUSER", "u")


def test_what_scripts_may_not_run_is_named(torch: Torch) -> None:
    torch.store(CALLS)
    commands = [["PSYNC", "?", -1], ["SHUTDOWN", "NOSAVE"], ["SUBSCRIBE", "c"], ["MULTI"]]
    commands += [["EVAL", "return 1", 0], ["MONITOR"], ["sHuTdOwN", "NOSAVE", "NOW"]]
    for command in commands:
        found = torch.text("tried", *command).lower()
        name = str(command[0]).lower()
        assert found == f"bad str err command '{name}' is not allowed on script mode".encode()
    torch.text("tried", "WAIT", 1, 0)
    # Tried: 6.2 crashes in these, and does not mark them. Later servers do not know them.
    for command in (["POST", "/"], ["hOsT:", "x"]):
        assert torch.text("tried", *command).startswith(b"bad str ERR ")


def test_writes_only_where_the_command_is_a_write(torch: Torch) -> None:
    source = """
def f(a):
    good, v = redis.pcall("SET", "written", "1")
    if good:
        return a + 1
    return a
def g(a):
    v = redis.execute("GET", "there")
    return a + len(redis.asList(redis.execute("KEYS", "ther*")))
"""
    torch.client.execute_command("AI.SCRIPTSET", "t", "CPU", "SOURCE", source)
    torch.client.set("there", 1)
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 0)

    def dag(name: str, function: str) -> object:
        run = ["AI.SCRIPTRUN", "t", function, "INPUTS", "x", "OUTPUTS", "r"]
        words = [name, "LOAD", 1, "x", "|>", *run, "|>", "AI.TENSORGET", "r", "VALUES"]
        return torch.client.execute_command(*words)

    assert dag("AI.DAGRUN_RO", "f") == [b"OK", [b"0"]]
    assert not torch.client.exists("written")
    assert dag("AI.DAGRUN_RO", "g") == [b"OK", [b"1"]]
    assert dag("AI.DAGRUN", "f") == [b"OK", [b"1"]]
    assert torch.client.get("written") == b"1"
    run = ["AI.SCRIPTEXECUTE", "t", "f", "INPUTS", 1, "x", "OUTPUTS", 1, "r"]
    with pytest.raises(redis.ResponseError, match="cannot be specified in a read-only DAG"):
        torch.client.execute_command("AI.DAGEXECUTE_RO", "LOAD", 1, "x", "|>", *run)


WRITES = """
def f:
    for i in range(20):
        redis.execute("RPUSH", keys[0], str(i))
        redis.execute("INCR", keys[1])
    redis.execute("AI.TENSORSET", "t2", "INT8", "1", "VALUES", "7")
    return as_bytes("done")
"""


def test_effects_replicate_once_in_order_and_before_the_outputs(torch: Torch) -> None:
    torch.store(WRITES)
    with torch.server.replica() as replica:
        replica.wait_for_sync()
        before = int(
            replica.info("commandstats").get("cmdstat_rpush", "calls=0,")[6:].split(",")[0]
        )
        assert torch.run("f", keys=["l", "n"]) == b"OK"
        replica.wait_for_offset(torch.server)
        there = replica.client()
        assert there.lrange("l", 0, -1) == [b"%d" % number for number in range(20)]
        assert there.get("n") == b"20"
        after = there.info("commandstats")["cmdstat_rpush"]["calls"]
        assert after - before == 20
        digests = [one.execute_command("DEBUG", "DIGEST") for one in (torch.client, there)]
        assert digests[0] == digests[1]
        # A script that a client runs on the replica writes nothing.
        with pytest.raises(redis.ResponseError):
            there.execute_command(*torch.words("f", keys=["l", "n"]))


def test_the_order_in_the_append_only_file(make_server, server_binary) -> None:
    server = make_server(server_binary, config={"appendonly": "yes", "appendfsync": "always"})
    torch = Torch(server)
    torch.store(WRITES)
    assert torch.run("f", keys=["l", "n"]) == b"OK"
    files = sorted(server.directory.rglob("*.aof"), key=lambda path: path.stat().st_mtime)
    text = b"".join(path.read_bytes() for path in files).upper()
    names = [b"RPUSH", b"INCR", b"AI.TENSORSET"]
    places = [text.index(b"\r\n" + name + b"\r\n") for name in names]
    assert places == sorted(places)
    assert text.count(b"\r\nRPUSH\r\n") == text.count(b"\r\nINCR\r\n") == 20
    # The script's own tensor, then the output.
    first, second = (text.index(b"\r\n" + key + b"\r\n") for key in (b"T2", b"OUT"))
    assert first < second
    server.restart()
    again = server.client()
    assert again.lrange("l", 0, -1) == [b"%d" % number for number in range(20)]
    assert again.execute_command("AI.TENSORGET", "out", "BLOB") == b"done"


FOREIGN_SLOT = 12539


def test_a_key_of_another_node_is_an_error(make_server, server_binary) -> None:
    server: Server = make_server(server_binary, config={"cluster-enabled": "yes"})
    torch = Torch(server)
    slots = [number for number in range(16384) if number != FOREIGN_SLOT]
    for start in range(0, len(slots), 1024):
        torch.client.execute_command("CLUSTER", "ADDSLOTS", *slots[start : start + 1024])
    torch.client.config_set("cluster-require-full-coverage", "no")
    wait_until(lambda: b"cluster_state:ok" in server.execute("CLUSTER", "INFO"), "the cluster")
    names = (f"k{number}" for number in range(1_000_000))
    foreign = next(k for k in names if server.execute("CLUSTER", "KEYSLOT", k) == FOREIGN_SLOT)
    torch.store(CALLS, "{t}s")
    at = {"key": "{t}s", "outputs": ["{t}out"]}
    assert torch.run("run", "SET", "{t}own", 1, **at) == b"OK"
    assert torch.client.get("{t}own") == b"1"
    assert torch.run("tried", "SET", foreign, 1, **at) == b"OK"
    reply = torch.client.execute_command("AI.TENSORGET", "{t}out", "BLOB")
    assert reply.startswith(b"bad str "), reply
    assert server.execute("DBSIZE") == 3
