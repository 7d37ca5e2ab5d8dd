"""The errors of this package; each text is one line that says what to do.

An error of a run has the text that the server replies for the same fault.
"""

from __future__ import annotations

import builtins


class Error(Exception):
    """Base of every error that this package raises itself."""


class NotInstalledError(Error):
    """Something that the call needs is not installed."""


class BackendMissingError(NotInstalledError):
    """A backend, or the framework that it needs, could not be loaded."""


class InvalidModelError(Error, ValueError):
    """A model or a script that its framework refuses."""


class UnsupportedError(Error):
    """A device, element type or format that a backend cannot use."""


class InputError(Error, ValueError):
    """Inputs that are no tensors, or that do not fit the model: number, shape or element type."""


class RunError(Error):
    """A run that failed."""


class TimeoutError(Error, builtins.TimeoutError):
    """The time that the caller gave was over first."""


class QueueFullError(Error):
    """The device's queue is full: the request was not taken."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation was refused."""


class ServerError(Error):
    """A server could not be started, or is not in the state that was asked for."""


class ServerCrashedError(ServerError):
    """A server ended by a crash; the text holds the end of its log."""


class ReplyError(Error):
    """A server answered with an error; the text is the server's."""
