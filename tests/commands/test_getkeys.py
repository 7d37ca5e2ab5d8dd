"""Where the keys of each command stand: `COMMAND GETKEYS` and its kin, `COMMAND INFO`."""

from __future__ import annotations

import operator

import pytest
from commands.wire import Failure, Status, Wire
from forms import FORMS, KEYLESS, Form
from redisai_rs.servers import ServerBinary

# What the server says of an access to a key, in the letters of `forms`.
FLAGS = {
    "R": {b"RO", b"access"},
    "W": {b"OW", b"update"},
    "U": {b"RW", b"access", b"update"},
    "D": {b"RM", b"delete"},
    "N": {b"RO", b"not_key"},
}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_getkeys(wire: Wire, server_binary: ServerBinary, form: Form) -> None:
    """The server finds the keys, and from 7.0 on what is done with each, whatever their names."""
    namings = list(form.namings())
    commands = [["COMMAND", "GETKEYS", *form.words(names)] for names in namings]
    expected = [[name.encode() for name in names] for names in namings]
    assert wire.many(commands) == expected
    if server_binary.version < (7, 0):
        return
    commands = [["COMMAND", "GETKEYSANDFLAGS", *form.words(names)] for names in namings]
    access = [FLAGS[slot.access] for slot in form.slots]
    for command, names, found in zip(commands, expected, wire.many(commands), strict=True):
        flags = [[key, {bytes(flag) for flag in flags}] for key, flags in found]
        assert flags == [list(one) for one in zip(names, access, strict=True)], command


def test_every_command_has_its_forms(wire: Wire) -> None:
    names = {one[0].decode() for one in wire("COMMAND")}
    found = {form.command for form in FORMS} | {line.split()[0].lower() for line in KEYLESS}
    assert {name for name in names if name.startswith("ai.")} == found


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
        "AI.SCRIPTEXECUTE",
        "AI.SCRIPTEXECUTE s",
        "AI.SCRIPTEXECUTE s f KEYS",
        "AI.SCRIPTEXECUTE s f KEYS 9223372036854775807 k",
        "AI.SCRIPTEXECUTE s f INPUTS x a",
        "AI.SCRIPTRUN s f INPUTS TIMEOUT",
    ],
)
def test_getkeys_of_nonsense(wire: Wire, line: str) -> None:
    """It answers; which keys does not matter, for the command is refused."""
    reply = wire("COMMAND", "GETKEYS", *line.split())
    assert isinstance(reply, (list, Failure))
    assert wire("PING") == Status(b"PONG")


def test_commands_without_keys(wire: Wire) -> None:
    for line in KEYLESS:
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
    ("ai.scriptstore", {"write", "denyoom"}, (1, 1, 1)),
    ("ai.scriptset", {"write", "denyoom"}, (1, 1, 1)),
    ("ai.scriptget", {"readonly"}, (1, 1, 1)),
    ("ai.scriptdel", {"write"}, (1, 1, 1)),
    ("ai.scriptexecute", {"write", "denyoom", "movablekeys"}, (5, 5, 1)),
    ("ai.scriptrun", {"write", "denyoom", "movablekeys"}, (4, 4, 1)),
    ("ai._scriptscan", {"readonly"}, (0, 0, 0)),
    ("ai.dagexecute", {"write", "denyoom", "movablekeys"}, (3, 3, 1)),
    ("ai.dagexecute_ro", {"readonly", "movablekeys"}, (3, 3, 1)),
    ("ai.dagrun", {"write", "denyoom", "movablekeys"}, (3, 3, 1)),
    ("ai.dagrun_ro", {"readonly", "movablekeys"}, (3, 3, 1)),
    ("ai.info", {"readonly"}, (1, 1, 1)),
    ("ai.config", {"write"}, (0, 0, 0)),
]


@pytest.mark.parametrize(("name", "flags", "positions"), TABLE)
def test_command_info(
    both: Wire, server_binary: ServerBinary, name: str, flags: set[str], positions: tuple[int, ...]
) -> None:
    (found,) = both("COMMAND", "INFO", name)
    assert found[0] == name.encode()
    # Any number of arguments: the module itself says what is wrong with it, in upper case.
    assert found[1] == -1
    assert {flag.decode() for flag in found[2]} - {"module"} == flags
    if "movablekeys" not in flags or server_binary.version < (7, 0):
        assert tuple(found[3:6]) == positions
    if server_binary.version >= (7, 0):
        flags_of = operator.itemgetter(b"flags" if both.protocol == 3 else 1)
        specs = [{bytes(flag) for flag in flags_of(spec)} for spec in found[8]]
        # A server that trusts a spec never asks: with keyword sections none may be complete.
        assert all((b"incomplete" in spec) == ("movablekeys" in flags) for spec in specs)
        if "movablekeys" not in flags:
            assert len(specs) == (0 if positions == (0, 0, 0) else 1)
        elif name.startswith("ai.dag"):
            # Any, LOAD, ROUTING, a model; and PERSIST where something may be stored.
            assert len(specs) == (5 if "write" in flags else 4)
        else:
            # The model or script, KEYS, INPUTS, OUTPUTS.
            assert len(specs) == (4 if name == "ai.scriptexecute" else 3)


def test_the_number_of_commands(wire: Wire) -> None:
    names = {one[0].decode() for one in wire("COMMAND") if one[0].startswith(b"ai.")}
    assert len(TABLE) == 22
    assert names == {name for name, _, _ in TABLE}


@pytest.mark.parametrize("name", [name for name, _, _ in TABLE])
def test_command_docs(wire: Wire, server_binary: ServerBinary, name: str) -> None:
    if server_binary.version < (7, 0):
        assert isinstance(wire("COMMAND", "DOCS", name), Failure)
        return
    _, docs = wire("COMMAND", "DOCS", name)
    docs = dict(zip(docs[::2], docs[1::2], strict=True))
    assert docs[b"summary"].endswith(b".")
    assert docs[b"complexity"]
    assert docs[b"since"]
    assert docs[b"module"] == b"ai"
    if not name.endswith("scan"):
        assert docs[b"arguments"]
