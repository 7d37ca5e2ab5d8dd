"""`redis.execute`: what a script may ask of the server, for whom, and when."""

from __future__ import annotations

import pytest
import redis
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import wait_until
from scripts.conftest import SOURCE, Scripts, prepare

NO_MULTI = b"-ERR Cannot run RedisAI command within a transaction or a LUA script\r\n"


def old(scripts: Scripts) -> bool:
    """6.2: no script mode and no users in its API."""
    return scripts.client.info()["redis_version"].startswith("6.")


def append_only(client: redis.Redis) -> None:
    """Switches the file on, and waits until it is there."""
    client.config_set("appendonly", "yes")
    keys = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
    wait_until(lambda: not any(client.info("persistence")[key] for key in keys), "the file")


def test_replies_are_resp2(scripts: Scripts) -> None:
    execute = scripts.execute
    assert execute("SET", "k", b"\0\xff\r\n") == b"+OK\r\n"
    assert execute("GET", "k") == b"$4\r\n\0\xff\r\n\r\n"
    assert execute("GET", "none") == b"$-1\r\n"
    assert execute("INCRBY", "n", 2**62) == b":4611686018427387904\r\n"
    assert execute("RPUSH", "l", "a", "b") == b":2\r\n"
    assert execute("LRANGE", "l", 0, -1) == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    assert execute("PING") == b"+PONG\r\n"
    # Whatever the client speaks.
    with scripts.server.client(protocol=3) as client:
        assert execute("HGETALL", "none", client=client) == b"*0\r\n"
    assert execute("AI.TENSORSET", "t", "INT8", 1, "VALUES", 3) == b"+OK\r\n"
    assert execute("AI.TENSORGET", "t", "VALUES") == b"*1\r\n:3\r\n"


def test_errors_are_replies(scripts: Scripts) -> None:
    execute = scripts.execute
    scripts.client.set("k", "text")
    assert execute("LPUSH", "k", "x").startswith(b"-WRONGTYPE ")
    assert execute("NOSUCH", "x")[:5] == b"-ERR "
    assert execute("GET")[:5] == b"-ERR "
    assert execute("a\0b")[:5] == b"-ERR "
    assert execute("")[:5] == b"-ERR "
    words = ["AI.SCRIPTEXECUTE", "s", "run", "KEYS", 0, "OUTPUTS", 1, "reply"]
    assert scripts.client.execute_command(*words) == b"OK"
    (reply,) = scripts.client.execute_command("AI.TENSORGET", "reply", "VALUES")
    assert reply[:5] == b"-ERR "
    scripts.client.ping()


@pytest.mark.parametrize(
    "command",
    [
        ["WAIT", 1, 0],
        ["PSYNC", "?", -1],
        ["SHUTDOWN", "NOSAVE"],
        ["SUBSCRIBE", "c"],
        ["MULTI"],
        ["EVAL", "return 1", 0],
        ["MONITOR"],
        ["DEBUG", "SLEEP", 0],
    ],
)
def test_what_scripts_may_not_run_is_named(scripts: Scripts, command: list[object]) -> None:
    reply = scripts.execute(*command)
    # Which ones is the server's own decision.
    (entry,) = scripts.client.execute_command("COMMAND", "INFO", command[0]).values()
    if "noscript" in entry["flags"]:
        name = str(command[0]).lower()
        assert reply.lower() == f"-err command '{name}' is not allowed on script mode\r\n".encode()
    else:
        assert command[0] in ("WAIT", "DEBUG"), reply
    # And in any case.
    again = scripts.execute(str(command[0]).lower(), *command[1:])
    assert again.lower() == reply.lower()
    assert scripts.client.ping()


def test_commands_that_would_block_say_that_they_may_not(scripts: Scripts) -> None:
    store(scripts.client, "m", "identity")
    tensor(scripts.client, "x", 1)
    assert scripts.execute(*run("m", ["x"], ["y"])) == NO_MULTI
    assert scripts.execute(*scripts.words("PING")) == NO_MULTI
    # A list that is empty does not block: nil.
    if not old(scripts):
        assert scripts.execute("BLPOP", "none", 0)[:1] in (b"*", b"-")


def test_the_clients_database(scripts: Scripts) -> None:
    with scripts.server.client(db=3) as client:
        prepare(client)
        assert client.execute_command(*scripts.words("SET", "here", "3")) == b"OK"
        assert client.get("here") == b"3"
        # One that it selects is its own.
        assert client.execute_command(*scripts.words("SELECT", "5")) == b"OK"
        assert client.execute_command(*scripts.words("SET", "again", "3")) == b"OK"
        assert client.get("again") == b"3"
    assert scripts.client.get("here") is None


def test_the_clients_rights(scripts: Scripts) -> None:
    client = scripts.client
    client.execute_command(
        *[
            "ACL",
            "SETUSER",
            "u",
            "on",
            ">p",
            "~s",
            "~reply",
            "~own:*",
            "+@all",
            "-@dangerous",
            "-incr",
        ]
    )
    user = scripts.server.client(username="u", password="p")
    assert scripts.execute("SET", "own:k", 1, client=user) == b"+OK\r\n"
    foreign = scripts.execute("SET", "foreign", 1, client=user)
    forbidden = scripts.execute("INCR", "own:n", client=user)
    if old(scripts):
        # Its API has no users: documented, and logged once.
        assert (foreign, forbidden) == (b"+OK\r\n", b":1\r\n")
        assert scripts.server.log_text().count("cannot check the rights of a script's user") == 1
    else:
        assert foreign.startswith(b"-NOPERM")
        assert forbidden.startswith(b"-NOPERM")
        assert not client.exists("foreign", "own:n")
    # The user of this command is another.
    assert scripts.execute("SET", "foreign", 1) == b"+OK\r\n"


def test_models_that_scripts_run(scripts: Scripts) -> None:
    client = scripts.client
    store(client, "m", "add")
    store(client, "bad", "fail it is bad")
    tensor(client, "x", 1, 2)
    words = ["AI.SCRIPTEXECUTE", "s", "model", "INPUTS", 2, "x", "x", "ARGS", 1]
    assert client.execute_command(*words, "m", "OUTPUTS", 1, "y") == b"OK"
    assert values(client, "y") == [2, 4]
    flat = client.execute_command("AI.INFO", "m")
    assert dict(zip(flat[::2], flat[1::2], strict=True))[b"calls"] == 1
    for key, text in (
        ("none", "model key is empty"),
        ("x", "WRONGTYPE|wrong kind of value"),
        ("bad", "it is bad"),
    ):
        with pytest.raises(redis.ResponseError, match=text):
            client.execute_command(*words, key, "OUTPUTS", 1, "y")
    if old(scripts):
        return
    client.execute_command("ACL", "SETUSER", "u", "on", ">p", "~s", "~x", "~y", "+@all")
    user = scripts.server.client(username="u", password="p")
    with pytest.raises(redis.ResponseError, match="no permissions"):
        user.execute_command(*words, "m", "OUTPUTS", 1, "y")


def test_effects_reach_a_replica_once_and_in_order(scripts: Scripts) -> None:
    with scripts.server.replica() as replica:
        replica.wait_for_sync()
        for number in range(5):
            assert scripts.execute("RPUSH", "list", number) == b":%d\r\n" % (number + 1)
        scripts.execute("INCR", "counter")
        # Ours, which replicate what they do by themselves.
        scripts.execute("AI.TENSORSET", "t", "INT8", 1, "VALUES", 7)
        replica.wait_for_offset(scripts.server)
        there = replica.client()
        assert there.lrange("list", 0, -1) == [b"0", b"1", b"2", b"3", b"4"]
        assert there.get("counter") == b"1"
        assert there.execute_command("AI.TENSORGET", "t", "VALUES") == [7]
        # That one, and the output of each of the seven runs.
        sets = there.info("commandstats")["cmdstat_ai.tensorset"]["calls"]
        assert sets == 8
        assert there.execute_command("AI.TENSORGET", "reply", "VALUES") == [b"+OK\r\n"]


def test_effects_are_in_the_append_only_file(scripts: Scripts) -> None:
    client = scripts.client
    append_only(client)
    scripts.execute("RPUSH", "list", "a")
    client.execute_command("DEBUG", "LOADAOF")
    assert client.lrange("list", 0, -1) == [b"a"]


def test_only_write_commands_write(scripts: Scripts) -> None:
    client = scripts.client

    def dag(name: str, *command: object) -> list[object]:
        script = ["AI.SCRIPTRUN", "s", "run", "INPUTS", "x", "OUTPUTS", "r"]
        return [name, "LOAD", 1, "x", "|>", *script]

    client.execute_command(
        "AI.SCRIPTSTORE",
        "s",
        "CPU",
        "ENTRY_POINTS",
        1,
        "run",
        "SOURCE",
        "def run call SET written 1",
    )
    tensor(client, "x", 1)
    reads = [*dag("AI.DAGRUN_RO"), "|>", "AI.TENSORGET", "r", "VALUES"]
    reply = client.execute_command(*reads)
    assert reply[1][0].startswith(b"-ERR"), reply
    assert not client.exists("written")
    writes = [*dag("AI.DAGRUN"), "|>", "AI.TENSORGET", "r", "VALUES"]
    assert client.execute_command(*writes) == [b"OK", [b"+OK\r\n"]]
    assert client.get("written") == b"1"


def test_a_write_waits_while_writes_are_paused(scripts: Scripts) -> None:
    client = scripts.client
    append_only(client)
    client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    # The command itself is a write: it begins when the pause ends.
    paused = Pending(scripts.server, *scripts.words("SET", "k", 1))
    assert not paused.answered()
    client.execute_command("CLIENT", "UNPAUSE")
    assert paused.reply() == b"OK"
    assert client.get("k") == b"1"


@pytest.fixture
def held(scripts: Scripts, tmp_path):
    """A run of a script that stands at a gate and then calls: two functions of one DAG."""
    gate = Gate(tmp_path / "gate")
    source = f"def wait {gate.run_text}\n{SOURCE}"
    prepare(scripts.client, source)
    tensor(scripts.client, "x", 1)
    yield gate
    gate.close()


def dag(*command: object, timeout: int | None = None) -> list[object]:
    limit = ["TIMEOUT", timeout] if timeout else []
    call = ["AI.SCRIPTEXECUTE", "s", "run", "INPUTS", 1, "w", "ARGS", len(command), *command]
    return [
        *["AI.DAGEXECUTE", "LOAD", 1, "x", *limit],
        *["|>", "AI.SCRIPTEXECUTE", "s", "wait", "INPUTS", 1, "x", "OUTPUTS", 1, "w"],
        *["|>", *call, "OUTPUTS", 1, "r"],
        *["|>", "AI.TENSORGET", "r", "VALUES"],
    ]


def test_a_pause_that_begins_while_a_script_runs(scripts: Scripts, held: Gate) -> None:
    client = scripts.client
    writes = Pending(scripts.server, *dag("SET", "k", 1))
    held.reached()
    client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    held.open()
    # What only reads goes on; the write waits and leaves the server to others.
    assert not client.exists("k")
    assert not writes.answered()
    client.execute_command("CLIENT", "UNPAUSE")
    assert writes.reply() == [b"OK", b"OK", [b"+OK\r\n"]]
    assert client.get("k") == b"1"


def test_a_read_does_not_wait_for_a_pause(scripts: Scripts, held: Gate) -> None:
    client = scripts.client
    client.set("k", "v")
    reads = Pending(scripts.server, *dag("GET", "k"))
    held.reached()
    client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    held.open()
    assert reads.reply() == [b"OK", b"OK", [b"$1\r\nv\r\n"]]
    client.execute_command("CLIENT", "UNPAUSE")


def test_the_wait_ends_at_the_deadline(scripts: Scripts, held: Gate) -> None:
    client = scripts.client
    writes = Pending(scripts.server, *dag("SET", "k", 1, timeout=300))
    held.reached()
    client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    held.open()
    assert writes.reply() == b"TIMEDOUT"
    client.execute_command("CLIENT", "UNPAUSE")
    # The worker is free, and what came too late was not done.
    assert scripts.execute("PING") == b"+PONG\r\n"
    assert not client.exists("k")


def test_nothing_is_done_for_a_run_that_is_over(scripts: Scripts, held: Gate) -> None:
    late = Pending(scripts.server, *dag("SET", "k", 1, timeout=50))
    held.reached()
    assert late.reply() == b"TIMEDOUT"
    held.open()
    assert scripts.execute("PING") == b"+PONG\r\n"
    assert not scripts.client.exists("k")


def test_a_server_that_became_a_replica_writes_nothing(scripts: Scripts, held: Gate) -> None:
    client = scripts.client
    writes = Pending(scripts.server, *dag("SET", "k", 1))
    held.reached()
    client.replicaof("127.0.0.1", 1)
    assert writes.error().startswith("UNBLOCKED")
    held.open()
    wait_until(lambda: info(client, "s")["calls"] == 2, "the run's end")
    client.replicaof("NO", "ONE")
    assert not client.exists("k")
    assert scripts.execute("PING") == b"+PONG\r\n"


def test_many_at_one_time(scripts: Scripts) -> None:
    pending = [Pending(scripts.server, *scripts.words("INCR", "n")) for _ in range(64)]
    assert {one.reply() for one in pending} == {b"OK"}
    assert scripts.client.get("n") == b"64"
