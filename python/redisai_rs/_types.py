"""The dictionaries that the extension gives."""

from __future__ import annotations

from typing import TypedDict


class FoundBackend(TypedDict):
    """What was found of a backend, without loading it."""

    name: str
    library: str
    framework: str
    framework_version: str
    searched: list[str]
    problem: str


class LoadedBackend(TypedDict):
    """What a loaded backend says of its framework."""

    framework_version: str
    framework: str
