"""How this package was built."""

from __future__ import annotations

from dataclasses import dataclass

from redisai_rs import _core


@dataclass(frozen=True)
class BuildInfo:
    """Facts about a build; an empty text means that the fact is not known.

    Examples
    --------
    >>> rai.BuildInfo("2.0.0", "", "rustc 1.92.0", "x86_64-unknown-linux-gnu", "release").profile
    'release'
    """

    version: str
    commit: str
    rustc: str
    target: str
    profile: str


def build_info() -> BuildInfo:
    """Gives the facts about the build of this package.

    Examples
    --------
    >>> rai.build_info().version == rai.__version__
    True
    """
    return BuildInfo(**_core.build_info())
