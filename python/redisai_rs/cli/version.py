"""`redisai-rs version`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from redisai_rs.build import build_info

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "version",
        help="print the version and how it was built",
        description="Prints the version, then the facts of the build, one a line.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Runs the verb."""
    facts = asdict(build_info())
    print(f"redisai-rs {facts.pop('version')}")
    for name, value in facts.items():
        print(f"{name}: {value or 'not known'}")
    return 0
