"""The errors of this package; each text is one line that says what to do."""

from __future__ import annotations


class RedisAIError(Exception):
    """Base of every error that this package raises itself."""


class NotInstalledError(RedisAIError):
    """Something that the call needs is not installed."""


class ServerError(RedisAIError):
    """A server could not be started, or is not in the state that was asked for."""


class ServerCrashedError(ServerError):
    """A server ended by a crash; the text holds the end of its log."""


class ReplyError(RedisAIError):
    """A server answered with an error; the text is the server's."""
