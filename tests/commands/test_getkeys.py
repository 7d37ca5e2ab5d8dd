"""Where the keys of each command stand: `COMMAND GETKEYS` and its kin, and ACL rules over keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commands.models import TWO, store
from commands.wire import OK, Failure, Status, Wire
from key_positions import check_keys
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server

# A command, its keys, and what it does with each, in the letters of `check_keys`.
FORMS = [
    ("AI.TENSORSET k FLOAT 1", "k", "W"),
    ("AI.TENSORSET k FLOAT 1 VALUES 1", "k", "W"),
    ("AI.TENSORSET BLOB STRING 2 BYTES a b", "BLOB", "W"),
    ("AI.TENSORGET k", "k", "R"),
    ("AI.TENSORGET META META VALUES", "META", "R"),
    ("AI.MODELSTORE k ONNX CPU BLOB b", "k", "W"),
    ("AI.MODELSTORE k TF CPU INPUTS 1 a OUTPUTS 1 b BLOB c", "k", "W"),
    ("AI.MODELSET k TF CPU INPUTS a OUTPUTS b c", "k", "W"),
    ("AI.MODELGET k META", "k", "R"),
    ("AI.MODELDEL k", "k", "D"),
    ("AI.INFO k RESETSTAT", "k", "R"),
    ("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1 b", "m a b", "RRW"),
    ("ai.modelexecute m inputs 2 a b outputs 3 c d e timeout 5", "m a b c d e", "RRRWWW"),
    ("AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 b", "m b", "RW"),
    ("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1 a TIMEOUT 5", "m a a", "RRW"),
    # Keys with the names of keywords.
    ("AI.MODELEXECUTE INPUTS INPUTS 1 OUTPUTS OUTPUTS 1 TIMEOUT", "INPUTS OUTPUTS TIMEOUT", "RRW"),
    (
        "AI.MODELEXECUTE OUTPUTS INPUTS 3 OUTPUTS 1 x OUTPUTS 2 INPUTS 1",
        "OUTPUTS OUTPUTS 1 x INPUTS 1",
        "RRRRWW",
    ),
    ("AI.MODELRUN m INPUTS a OUTPUTS b", "m a b", "RRW"),
    ("AI.MODELRUN m TIMEOUT 5 INPUTS a b OUTPUTS c d", "m a b c d", "RRRWW"),
    (
        "AI.MODELRUN INPUTS TIMEOUT 5 INPUTS INPUTS a OUTPUTS OUTPUTS b",
        "INPUTS INPUTS a OUTPUTS b",
        "RRRWW",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "keys", "access"), FORMS)
def test_getkeys(
    wire: Wire, server_binary: ServerBinary, line: str, keys: str, access: str
) -> None:
    check_keys(wire, server_binary, line, keys, access)


@pytest.mark.parametrize(
    "line",
    [
        "AI.TENSORSET",
        "AI.MODELEXECUTE",
        "AI.MODELEXECUTE m",
        "AI.MODELEXECUTE m INPUTS",
        "AI.MODELEXECUTE m INPUTS -1 a OUTPUTS 1 b",
        "AI.MODELEXECUTE m INPUTS 9223372036854775807 a OUTPUTS 1 b",
        "AI.MODELEXECUTE m INPUTS x a OUTPUTS x b",
        "AI.MODELEXECUTE m OUTPUTS 1 a",
        "AI.MODELRUN m TIMEOUT",
        "AI.MODELRUN m INPUTS",
        "AI.MODELRUN m OUTPUTS a",
    ],
)
def test_getkeys_of_nonsense(wire: Wire, line: str) -> None:
    """It answers; which keys does not matter, for the command is refused."""
    reply = wire("COMMAND", "GETKEYS", *line.split())
    assert isinstance(reply, (list, Failure))
    assert wire("PING") == Status(b"PONG")


def test_commands_without_keys(wire: Wire) -> None:
    for line in ("AI._MODELSCAN", "AI.CONFIG GET x", "AI.CONFIG LOADBACKEND ONNX x"):
        assert isinstance(wire("COMMAND", "GETKEYS", *line.split()), Failure)


# Name, flags and static key positions: the contract's table.
TABLE = [
    ("ai.tensorset", {"write", "denyoom"}, (1, 1, 1)),
    ("ai.tensorget", {"readonly"}, (1, 1, 1)),
    ("ai.modelstore", {"write", "denyoom"}, (1, 1, 1)),
    ("ai.modelset", {"write", "denyoom"}, (1, 1, 1)),
    ("ai.modelget", {"readonly"}, (1, 1, 1)),
    ("ai.modeldel", {"write"}, (1, 1, 1)),
    ("ai.modelexecute", {"write", "denyoom", "movablekeys"}, (4, 4, 1)),
    ("ai.modelrun", {"write", "denyoom", "movablekeys"}, (3, 3, 1)),
    ("ai._modelscan", {"readonly"}, (0, 0, 0)),
    ("ai.dagexecute", {"write", "denyoom", "movablekeys"}, (3, 3, 1)),
    ("ai.dagexecute_ro", {"readonly", "movablekeys"}, (3, 3, 1)),
    ("ai.dagrun", {"write", "denyoom", "movablekeys"}, (3, 3, 1)),
    ("ai.dagrun_ro", {"readonly", "movablekeys"}, (3, 3, 1)),
    ("ai.info", {"readonly"}, (1, 1, 1)),
    ("ai.config", {"write"}, (0, 0, 0)),
]


@pytest.mark.parametrize(("name", "flags", "positions"), TABLE)
def test_command_info(
    wire: Wire, server_binary: ServerBinary, name: str, flags: set[str], positions: tuple[int, ...]
) -> None:
    (found,) = wire("COMMAND", "INFO", name)
    assert found[0] == name.encode()
    # Any number of arguments: the module itself says what is wrong with it, in upper case.
    assert found[1] == -1
    assert {flag.decode() for flag in found[2]} - {"module"} == flags
    if "movablekeys" not in flags or server_binary.version < (7, 0):
        assert tuple(found[3:6]) == positions
    if server_binary.version >= (7, 0):
        specs = [{bytes(flag) for flag in spec[1]} for spec in found[8]]
        # A server that trusts a spec never asks: with keyword sections none may be complete.
        assert all((b"incomplete" in spec) == ("movablekeys" in flags) for spec in specs)
        if "movablekeys" not in flags:
            assert len(specs) == (0 if positions == (0, 0, 0) else 1)
        elif name.startswith("ai.dag"):
            # Any, LOAD, ROUTING, a model; and PERSIST where something may be stored.
            assert len(specs) == (5 if "write" in flags else 4)
        else:
            assert len(specs) == 3


def test_the_number_of_commands(wire: Wire) -> None:
    names = {one[0].decode() for one in wire("COMMAND") if one[0].startswith(b"ai.")}
    assert names >= {name for name, _, _ in TABLE}


@pytest.mark.parametrize("name", [name for name, _, _ in TABLE])
def test_command_docs(wire: Wire, server_binary: ServerBinary, name: str) -> None:
    if server_binary.version < (7, 0):
        pytest.skip("COMMAND DOCS is of 7.0")
    _, docs = wire("COMMAND", "DOCS", name)
    docs = dict(zip(docs[::2], docs[1::2], strict=True))
    assert docs[b"summary"].endswith(b".")
    assert docs[b"complexity"]
    assert docs[b"since"]
    assert docs[b"module"] == b"ai"
    if name != "ai._modelscan":
        assert docs[b"arguments"]


@pytest.fixture
def user(wire: Wire, server: Server) -> Iterator[Wire]:
    """A user who may run every command, on keys that begin with `my:` only."""
    assert wire("ACL", "SETUSER", "limited", "on", "nopass", "+@all", "~my:*") == OK
    limited = Wire((server.host, server.port))
    assert limited("AUTH", "limited", "x") == OK
    yield limited
    limited.close()
    wire("ACL", "DELUSER", "limited")


def refused(reply: object) -> bool:
    return isinstance(reply, Failure) and reply.startswith(b"NOPERM")


@pytest.mark.parametrize(("line", "keys", "_access"), FORMS)
def test_a_user_needs_every_key(user: Wire, line: str, keys: str, _access: str) -> None:
    words = line.split()
    places = [at for at, word in enumerate(words) if at > 0 and word in keys.split()]
    # Of words that are a key in one place and a keyword in another: all places that are keys.
    named = iter(keys.split())
    wanted = next(named)
    key_places = []
    for at in places:
        if words[at] == wanted and not _is_keyword(words, at):
            key_places.append(at)
            wanted = next(named, None)  # type: ignore[arg-type]
    assert len(key_places) == len(keys.split())
    mine = [f"my:{w}" if at in key_places else w for at, w in enumerate(words)]
    assert not refused(user(*mine))
    for place in key_places:
        assert refused(user(*mine[:place], words[place], *mine[place + 1 :])), place


def _is_keyword(words: list[str], at: int) -> bool:
    """Whether a word of `FORMS` is a keyword or a count there: read off the grammar by hand."""
    name = words[0].upper()
    if name == "AI.MODELEXECUTE" and at >= 2:
        inputs = int(words[3])
        return at in (2, 3, 4 + inputs, 5 + inputs)
    if name == "AI.MODELRUN" and at >= 2:
        begin = 4 if words[2] == "TIMEOUT" else 2
        end = begin + words[begin:].index("OUTPUTS")
        return at <= begin or at == end
    return at > 1


def test_rights_to_read_and_to_write(
    mocks: Wire, mocks_server: Server, server_binary: ServerBinary
) -> None:
    if server_binary.version < (7, 0):
        pytest.skip("%R and %W are of 7.0")
    store(mocks, "in:m", TWO)
    mocks("AI.TENSORSET", "in:x", "INT8", 1)
    rules = ["on", "nopass", "+@all", "%R~in:*", "%W~out:*"]
    assert mocks("ACL", "SETUSER", "reader", *rules) == OK
    user = Wire((mocks_server.host, mocks_server.port))
    user("AUTH", "reader", "x")
    run = "AI.MODELEXECUTE {} INPUTS 2 in:x {} OUTPUTS 2 out:y {}"
    assert user.line(run.format("in:m", "in:x", "out:z")) == OK
    for words in (("out:m", "in:x", "out:z"), ("in:m", "out:x", "out:z"), ("in:m", "in:x", "in:z")):
        assert refused(user.line(run.format(*words))), words
    assert user("AI.TENSORSET", "out:t", "INT8", 1) == OK
    assert refused(user("AI.TENSORSET", "in:t", "INT8", 1))
    assert refused(user("AI.TENSORGET", "out:t"))
    assert refused(user("AI.MODELDEL", "in:m"))
    assert refused(user("AI.MODELSTORE", "in:m", "ONNX", "CPU", "BLOB", "identity"))
    assert user("AI.INFO", "in:m")[1] == b"in:m"
    user.close()
    mocks("ACL", "DELUSER", "reader")


def test_categories(wire: Wire, server: Server, server_binary: ServerBinary) -> None:
    """By the server's own categories: who may only read may not write."""
    if not isinstance(wire("ACL", "CAT", "read"), list) or server_binary.version < (7, 2):
        pytest.skip("modules cannot name categories on this server")
    writes = {"ai.tensorset", "ai.modelstore", "ai.modelset", "ai.modeldel", "ai.modelexecute"}
    writes |= {"ai.modelrun", "ai.config", "ai.dagexecute", "ai.dagrun"}
    found = {name.decode().lower() for name in wire("ACL", "CAT", "write")}
    assert {name for name in found if name.startswith("ai.")} == writes
    found = {name.decode().lower() for name in wire("ACL", "CAT", "read")}
    reads = {"ai.tensorget", "ai.modelget", "ai.info", "ai._modelscan"}
    reads |= {"ai.dagexecute_ro", "ai.dagrun_ro"}
    assert {name for name in found if name.startswith("ai.")} == reads
    found = {name.decode().lower() for name in wire("ACL", "CAT", "blocking")}
    blocking = {"ai.modelexecute", "ai.modelrun", "ai.dagexecute", "ai.dagrun"}
    assert blocking | {"ai.dagexecute_ro", "ai.dagrun_ro"} <= found
    assert wire("ACL", "SETUSER", "reader", "on", "nopass", "+@read", "~*") == OK
    user = Wire((server.host, server.port))
    user("AUTH", "reader", "x")
    wire("AI.TENSORSET", "k", "INT8", 1)
    assert user("AI.TENSORGET", "k", "VALUES") == [0]
    assert refused(user("AI.TENSORSET", "k", "INT8", 1))
    assert refused(user("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE"))
    user.close()
    wire("ACL", "DELUSER", "reader")
