"""Methods of the clients, made of the functions that build commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def like(build: Callable[..., Any], method: F, result: object = None) -> F:
    """Gives a method the name, the documentation and the signature of a function."""
    signature = inspect.signature(build)
    parameters = list(signature.parameters.values())
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if result is None:
        # Written as `Command[…]`: what is in the brackets.
        result = str(signature.return_annotation).removeprefix("Command[").removesuffix("]")
    changed = signature.replace(parameters=[own, *parameters], return_annotation=result)
    method.__name__ = build.__name__
    method.__qualname__ = f"Client.{build.__name__}"
    method.__doc__ = build.__doc__
    method.__signature__ = changed  # type: ignore[attr-defined]
    return method
