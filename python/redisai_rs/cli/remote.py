"""The server that a verb speaks to: where it is, and what to do when it does not answer."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from redisai_rs.exceptions import Error, NotInstalledError, ReplyError

if TYPE_CHECKING:
    from redisai_rs.client import Client

DEFAULT = "redis://127.0.0.1:6379"
VARIABLE = "REDISAI_URL"
_TIMEOUT = 10.0
"""Seconds for a server to let a client in; `?socket_timeout=` in a URL overrules."""


def texts(description: str, examples: str) -> dict[str, Any]:
    """What `add_parser` takes for a help text that ends with examples, line by line."""
    return {
        "description": textwrap.fill(description, 80),
        "epilog": f"examples:\n{examples}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def add_options(parser: argparse.ArgumentParser, *, cluster: bool) -> None:
    """Adds the options of every verb that speaks to a server."""
    parser.add_argument(
        "--url",
        help="the server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, or"
        f" unix://PATH (default: the variable {VARIABLE}, else {DEFAULT})",
    )
    if cluster:
        parser.add_argument(
            "-c", "--cluster", action="store_true", help="the server is a node of a cluster"
        )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


@contextmanager
def client(options: argparse.Namespace) -> Iterator[Client]:
    """A client of the server; its errors are this package's, in one line that says what to do."""
    from redisai_rs.client import Client  # noqa: PLC0415 (the other verbs need no redis-py)

    url = _url(options)
    with told(options):
        try:
            _knock(url)
            made = Client(url, **_client_options(options))
        except ValueError as error:
            raise Error(f"{place(url)} is no address of a server: {error}") from error
        with made:
            yield made


def _knock(url: str) -> None:
    """Raises where there is no server that lets this user in: that need not take long."""
    import redis  # noqa: PLC0415

    waits = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
    # Who may not ask is in all the same.
    allowed = suppress(redis.exceptions.NoPermissionError)
    with redis.Redis.from_url(url, **waits, **_no_retries()) as knocking, allowed:
        knocking.ping()


def _client_options(options: argparse.Namespace) -> dict[str, Any]:
    # A run takes as long as it takes, and the user can end it.
    waits = {"socket_timeout": None, "socket_connect_timeout": _TIMEOUT}
    if getattr(options, "cluster", False):
        return waits | {"cluster": True}
    return waits | _no_retries()


def _no_retries() -> dict[str, Any]:
    """What may have run is not run again unasked."""
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return {"retry": Retry(NoBackoff(), 0)}


@contextmanager
def told(options: argparse.Namespace) -> Iterator[None]:
    """Turns redis-py's errors into this package's."""
    try:
        import redis  # noqa: PLC0415
    except ImportError:
        raise NotInstalledError("redis-py is missing: `pip install 'redisai-rs[client]'`") from None
    try:
        yield
    except (redis.RedisError, ReplyError) as error:
        raise Error(_text(_url(options), error)) from error


def _url(options: argparse.Namespace) -> str:
    return options.url or os.environ.get(VARIABLE) or DEFAULT


def place(url: str) -> str:
    """The address without its password."""
    bare, _, options = url.partition("?")
    if "@" not in url:
        return bare if "password" in options else url
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        # A password that is not written as it should be reaches into what follows.
        if parts.port is not None or (host and "@" not in parts.path + parts.query):
            return f"{parts.scheme}://{host}{parts.path}"
    except ValueError:
        pass
    return "the server of the URL"


def _text(url: str, error: Exception) -> str:
    """What an error says to do."""
    import redis  # noqa: PLC0415

    where = place(url)
    if isinstance(error, redis.AuthenticationError):
        wanted = "@" not in url and "password=" not in url
        says = "wants a password: say it in the URL, as in redis://:PASSWORD@HOST"
        return f"{where} {says if wanted else 'refuses the user or the password of the URL'}"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return f"{where} loads its data: wait until that is done"
    if isinstance(error, redis.exceptions.MovedError):
        return f"{where} is a node of a cluster, and the key belongs to another: say --cluster"
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return (
            f"{where} cannot be reached: {error}; `redisai-rs serve` starts a server, --url or"
            f" {VARIABLE} names another"
        )
    return _text_of_reply(where, error)


def _text_of_reply(where: str, error: Exception) -> str:
    from redisai_rs.client.errors import wire_text  # noqa: PLC0415

    text = wire_text(error)
    if "unknown command" in text:
        return (
            f'{where} has not the module ai: start it with --loadmodule "$(redisai-rs module-path)"'
        )
    return text
