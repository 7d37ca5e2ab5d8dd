"""`redisai-rs backend build`: what a backend needs and only the user's machine can make."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from redisai_rs.backends import build_shim, discover
from redisai_rs.exceptions import NotInstalledError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("backend", help="build what a backend needs")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build the library that joins a backend to the framework that is installed",
        description="Builds the library that joins the torch backend to the torch that is"
        " installed, with this machine's C++ compiler, once for each minor version of torch. It"
        " goes to the user's cache, where a server of the same user finds it.",
    )
    build.add_argument("backend", choices=["torch"], help="the backend")
    build.add_argument(
        "--beside",
        action="store_true",
        help="put it beside the backend's own library, for servers that another user runs",
    )
    build.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb."""
    found = [backend for backend in discover() if backend.name == "TORCH"]
    if not found:
        raise NotInstalledError("the torch backend is not there: install redisai-rs anew")
    folder = Path(found[0].library).parent if options.beside else None
    path, built = build_shim(found[0], _say, folder)
    print(path if built else f"{path} is there already")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
