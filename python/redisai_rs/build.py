"""How this package was built."""

from __future__ import annotations

from dataclasses import dataclass

from redisai_rs import _core


@dataclass(frozen=True)
class BuildInfo:
    """Facts about a build; an empty text means that the fact is not known."""

    version: str
    commit: str
    rustc: str
    target: str
    profile: str


def build_info() -> BuildInfo:
    """Gives the facts about the build of this package."""
    return BuildInfo(**_core.build_info())
