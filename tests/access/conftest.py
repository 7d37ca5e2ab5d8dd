"""Fixtures of the access tests: those of the commands, and users with few rights."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from commands.conftest import mocks, mocks_server, wire
from commands.wire import OK, Wire
from faults.conftest import gate, held, held_arguments, held_server, pending
from redisai_rs.testing import Server

__all__ = ["gate", "held", "held_arguments", "held_server", "mocks", "mocks_server", "pending"]
__all__ += ["wire"]

MakeUser = Callable[..., Wire]


@pytest.fixture
def make_user(mocks: Wire, mocks_server: Server) -> Iterator[MakeUser]:
    """A factory: the connection of a new user with these rules, on the server of `mocks`."""
    numbers = itertools.count()
    made = []

    def make(*rules: str) -> Wire:
        name = f"user{next(numbers)}"
        assert mocks("ACL", "SETUSER", name, "reset", "on", "nopass", *rules) == OK
        user = Wire((mocks_server.host, mocks_server.port))
        made.append((name, user))
        assert user("AUTH", name, "x") == OK
        return user

    yield make
    for name, user in made:
        user.close()
        assert mocks("ACL", "DELUSER", name) == 1
