"""ACL categories: the server's own, where a module can name them."""

from __future__ import annotations

from access.conftest import MakeUser
from commands.wire import OK, Failure, Wire
from redisai_rs.servers import ServerBinary

EXPECTED = {
    "write": "tensorset modelstore modelset modeldel modelexecute modelrun dagexecute dagrun "
    "scriptstore scriptset scriptdel scriptexecute scriptrun config",
    "read": "tensorget modelget _modelscan scriptget _scriptscan info dagexecute_ro dagrun_ro",
    "fast": "tensorset tensorget modeldel scriptdel info",
    "blocking": "modelexecute modelrun scriptexecute scriptrun "
    "dagexecute dagexecute_ro dagrun dagrun_ro",
}


def refused(reply: object) -> bool:
    return isinstance(reply, Failure) and reply.startswith(b"NOPERM")


def ours(wire: Wire) -> set[str]:
    """The names of the commands that this build has."""
    names = (one[0].decode() for one in wire("COMMAND"))
    return {name for name in names if name.startswith("ai.")}


def has_categories(server: ServerBinary) -> bool:
    return server.version >= (7, 4)


def test_each_command_is_where_it_belongs(wire: Wire, server_binary: ServerBinary) -> None:
    commands = ours(wire)
    expected = {
        category: commands & {f"ai.{name}" for name in names.split()}
        for category, names in EXPECTED.items()
    }
    # Whoever is not fast is slow, and each reads or writes; there is nothing else.
    expected["slow"] = commands - expected["fast"]
    assert expected["read"] | expected["write"] == commands
    for category in wire("ACL", "CAT"):
        names = {name.decode().lower() for name in wire("ACL", "CAT", category)}
        found = {name for name in names if name.startswith("ai.")}
        right = expected.get(category.decode(), set()) if has_categories(server_binary) else set()
        assert found == right, category


def test_a_user_who_may_read(mocks: Wire, make_user: MakeUser, server_binary: ServerBinary) -> None:
    mocks("AI.TENSORSET", "k", "INT8", 1)
    user = make_user("+@read", "~*")
    if not has_categories(server_binary):
        # No command of a module is in a category: each has to be named.
        assert refused(user("AI.TENSORGET", "k", "VALUES"))
        user = make_user("+@read", "+ai.tensorget", "~*")
    assert user("AI.TENSORGET", "k", "VALUES") == [0]
    assert refused(user("AI.TENSORSET", "k", "INT8", 1))
    assert refused(user("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE"))


def test_a_category_that_is_taken_away(
    mocks: Wire, make_user: MakeUser, server_binary: ServerBinary
) -> None:
    """On servers where a module cannot name categories this takes nothing of ours away."""
    user = make_user("+@all", "-@write", "~*")
    reply = user("AI.TENSORSET", "k", "INT8", 1)
    assert refused(reply) if has_categories(server_binary) else reply == OK
    # That way works everywhere.
    user = make_user("+@all", "-ai.tensorset", "~*")
    assert refused(user("AI.TENSORSET", "k", "INT8", 1))


def test_storing_models_is_in_no_category_that_is_often_taken_away(
    mocks: Wire, make_user: MakeUser
) -> None:
    """So it has to be named, and docs/security.md says it."""
    user = make_user("+@all", "-@dangerous", "-@admin", "-@scripting", "~*")
    assert user("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == OK
    assert refused(user("RESTORE", "m2", 0, mocks("DUMP", "m")))
