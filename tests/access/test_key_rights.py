"""A user needs a right to each key of a command, for what is done with it, whatever its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from access.conftest import MakeUser
from commands.models import TWO, store
from commands.wire import OK, Failure, Wire
from forms import FORMS, KEYWORDS, Form
from redisai_rs.servers import ServerBinary

RIGHTS = {"R": "%R~", "W": "%W~", "D": "%W~", "U": "%RW~", "N": "~"}
# What is not enough, for each of the rights above.
LESS = {"R": ["%W~"], "W": ["%R~"], "D": ["%R~"], "U": ["%R~", "%W~"]}


def refused(reply: object) -> bool:
    return isinstance(reply, Failure) and reply.startswith(b"NOPERM")


def enough(form: Form, names: Sequence[str]) -> list[str]:
    """The rules that let a user send the command with these keys, and no more than that."""
    return [RIGHTS[slot.access] + name for slot, name in zip(form.slots, names, strict=True)]


def too_few(form: Form, names: Sequence[str]) -> Iterator[list[str]]:
    """Rules that lack a right to one key: all of it, or to read or to write it."""
    rules = enough(form, names)
    for slot, name in zip(form.slots, names, strict=True):
        if slot.access == "N":
            continue
        others = [rule for rule in rules if rule.split("~", 1)[1] != name]
        yield others
        for less in LESS[slot.access]:
            yield [*others, less + name]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_by_dry_runs(wire: Wire, server_binary: ServerBinary, form: Form) -> None:
    """With each keyword as the name of each key."""
    if server_binary.version < (7, 0):
        # It has neither dry runs nor rights to read or to write.
        assert isinstance(wire("ACL", "DRYRUN", "default", "PING"), Failure)
        assert isinstance(wire("ACL", "SETUSER", "ann", "%R~k"), Failure)
        return
    commands: list[list[str]] = []
    expected = []
    for names in form.namings():
        for rules in (enough(form, names), *too_few(form, names)):
            commands.append(["ACL", "SETUSER", "ann", "reset", "+@all", *rules])
            commands.append(["ACL", "DRYRUN", "ann", *form.words(names)])
            expected.append(rules == enough(form, names))
    replies = wire.many(commands)
    assert replies[::2] == [OK] * len(expected)
    for command, rules, reply, allowed in zip(
        commands[1::2], commands[::2], replies[1::2], expected, strict=True
    ):
        assert (reply == OK) == allowed, (command, rules, reply)
    assert not all(expected) or not form.keys
    wire("ACL", "DELUSER", "ann")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_by_real_users(mocks: Wire, make_user: MakeUser, form: Form) -> None:
    """By the names of keys alone, as every server can."""
    user = make_user()
    for shift in range(3):
        names = []
        for number, slot in enumerate(form.slots):
            words = [word for word in KEYWORDS[number + shift * 7 :] if slot.takes(word)]
            names.append(next(word for word in words if word not in names))
        words = form.words(names)
        rules = [f"~{name}" for name in names]
        mocks("ACL", "SETUSER", "user0", "resetkeys", "+@all", *rules)
        assert not refused(user(*words)), words
        for slot, name in zip(form.slots, names, strict=True):
            if slot.access != "N":
                others = [rule for rule in rules if rule != f"~{name}"]
                mocks("ACL", "SETUSER", "user0", "resetkeys", *others)
                assert refused(user(*words)), (words, name)
        mocks("FLUSHALL")


def test_a_key_in_the_place_of_a_keyword_hides_no_other(mocks: Wire, make_user: MakeUser) -> None:
    """A server that looks for keywords itself would take other words for keys than what runs."""
    mocks("AI.TENSORSET", "secret", "INT8", 1, "VALUES", 7)
    for name in ("INPUTS", "mine"):
        store(mocks, name, TWO)
    user = make_user("+@all", "~mine*", "~INPUTS", "~OUTPUTS", "~1", "~2")
    mocks("AI.TENSORSET", "mine:x", "INT8", 1)
    for line in (
        "AI.MODELEXECUTE INPUTS INPUTS 2 secret mine:x OUTPUTS 2 mine:y mine:z",
        "AI.MODELEXECUTE mine INPUTS 2 mine:x secret OUTPUTS 2 OUTPUTS 1",
        "AI.MODELEXECUTE mine INPUTS 2 mine:x mine:x OUTPUTS 2 mine:y secret",
        "AI.MODELEXECUTE mine INPUTS 2 OUTPUTS 1 OUTPUTS 2 mine:y secret",
        "AI.MODELRUN INPUTS INPUTS secret mine:x OUTPUTS mine:y mine:z",
        "AI.MODELRUN mine INPUTS mine:x mine:x OUTPUTS OUTPUTS secret",
        "AI.DAGEXECUTE LOAD 1 mine:x PERSIST 1 secret |> AI.TENSORSET secret INT8 1",
        "AI.DAGEXECUTE LOAD 2 mine:x secret |> AI.TENSORGET secret VALUES",
        "AI.DAGEXECUTE_RO LOAD 1 secret |> AI.TENSORGET secret VALUES",
    ):
        assert refused(user.line(line)), line
    line = "AI.MODELEXECUTE INPUTS INPUTS 2 mine:x mine:x OUTPUTS 2 OUTPUTS 1"
    assert user.line(line) == OK
    assert mocks("AI.TENSORGET", "secret", "VALUES") == [7]
    assert mocks("EXISTS", "OUTPUTS", "1") == 2


def test_rights_to_read_and_to_write(
    mocks: Wire, make_user: MakeUser, server_binary: ServerBinary
) -> None:
    if server_binary.version < (7, 0):
        # A pattern is for reading and writing.
        assert isinstance(mocks("ACL", "SETUSER", "ann", "%R~in:*"), Failure)
        return
    store(mocks, "in:m", TWO)
    mocks("AI.TENSORSET", "in:x", "INT8", 1)
    user = make_user("+@all", "%R~in:*", "%W~out:*")
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
    run = "AI.MODELEXECUTE {} INPUTS 2 in:x in:x OUTPUTS 2 out:y out:z"
    dag = f"AI.DAGEXECUTE LOAD 1 in:x PERSIST 1 {{}} |> {run}"
    assert user.line(dag.format("out:y", "in:m")) == [OK]
    assert refused(user.line(dag.format("in:y", "in:m")))
    assert refused(user.line(dag.format("out:y", "out:m")))
