"""What the verbs of models and of scripts share: list, show and delete keys, write blobs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from redisai_rs.cli import arrays, remote
from redisai_rs.cli.output import (
    as_json,
    duration,
    file_error,
    printable,
    shown,
    size,
    table,
    write_to_pipe,
)
from redisai_rs.exceptions import Error

if TYPE_CHECKING:
    from redisai_rs.client import Client, Info

    Actions = argparse._SubParsersAction[argparse.ArgumentParser]

_POINTS = ("p50", "p90", "p99", "p99_9", "max")


def action(
    actions: Actions,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    description: str,
    examples: str,
    *,
    several_nodes: bool = True,
) -> argparse.ArgumentParser:
    """Adds an action of a verb, with the options of every one that speaks to a server."""
    parser = actions.add_parser(
        name,
        help=text,
        **remote.texts(description, examples),
    )
    remote.add_options(parser, cluster=several_nodes)
    parser.set_defaults(run=run)
    return parser


@dataclass(frozen=True)
class Examples:
    """Those of the help texts of the actions that both kinds have."""

    get: str
    ls: str
    rm: str
    info: str


def add_actions(
    actions: Actions,
    kind: str,
    examples: Examples,
    *,
    add_run: Callable[[Actions], None],
    run_get: Callable[[argparse.Namespace], int],
    run_info: Callable[[argparse.Namespace], int],
    told: tuple[str, str],
) -> None:
    """Adds `get`, `ls`, `rm`, `run`, `info`; `told`: what the first and the last of them do."""
    writes, shows = told
    get = action(actions, "get", run_get, f"write a {kind} to a file", writes, examples.get)
    get.add_argument("key", metavar="KEY")
    get.add_argument("file", metavar="FILE", help="a file, or - for stdout")
    action(
        actions,
        "ls",
        lambda options: list_keys(options, kind),
        f"list {kind}s",
        f"Lists the {kind}s of the database, by name.",
        examples.ls,
    )
    remove = action(
        actions,
        "rm",
        lambda options: delete(options, kind),
        f"delete {kind}s",
        f"Deletes {kind}s. Runs that use one end as they would have.",
        examples.rm,
    )
    remove.add_argument("words", metavar="KEY", nargs="+")
    add_run(actions)
    what = "inputs, outputs" if kind == "model" else "functions"
    text = f"show a {kind}: its options, {what} and counters"
    info = action(actions, "info", run_info, text, shows, examples.info)
    info.add_argument("key", metavar="KEY")


def key_of(word: str) -> bytes:
    """The key that a word of the command line names: its very bytes."""
    return os.fsencode(word)


def infos(client: Client, found: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What `AI.INFO key FULL` tells of each key of a scan, in the byte order of their names."""
    pipe = client.pipeline()
    for key in sorted(os.fsencode(key) for key, _ in found):
        pipe.info(key, full=True)
    replies = pipe.execute(raise_on_error=False) if len(pipe) else []
    # What has been deleted since the scan is an error.
    return [facts(reply) for reply in replies if not isinstance(reply, Exception)]


def facts(info: Info) -> dict[str, Any]:
    """What `AI.INFO key FULL` tells, without levels."""
    flat = asdict(info)
    return flat | (flat.pop("details") or {})


def list_keys(options: argparse.Namespace, kind: str) -> int:
    """Runs `ls`."""
    with remote.client(options) as client:
        found = infos(client, client.model_scan() if kind == "model" else client.script_scan())
    if options.json:
        print(as_json(found))
    elif found:
        titles = ["KEY", *(["BACKEND"] if kind == "model" else []), "DEVICE", "STATE", "TAG"]
        rows = [[shown(one[title.lower()]) for title in titles] for one in found]
        print(table(titles, rows))
    else:
        print(f"no {kind}s in this database", file=sys.stderr)
    return 0


def delete(options: argparse.Namespace, kind: str) -> int:
    """Runs `rm`; a key that cannot be deleted does not keep the others."""
    deleted = []
    with remote.client(options) as client:
        remove = client.model_del if kind == "model" else client.script_del
        for key in map(key_of, options.words):
            try:
                with remote.told(options):
                    remove(key)
            except Error as error:
                print(f"redisai-rs: {shown(key)}: {printable(str(error))}", file=sys.stderr)
                continue
            deleted.append(key)
            if not options.json:
                print(f"deleted {shown(key)}")
    if options.json:
        print(as_json({"deleted": deleted}))
    return int(len(deleted) < len(options.words))


def show(options: argparse.Namespace, found: dict[str, Any]) -> int:
    """Runs `info`."""
    if options.json:
        print(as_json(found))
        return 0
    flat: dict[str, str] = {}
    for name, value in found.items():
        flat.update(_lines(name, value))
    known = {name: line for name, line in flat.items() if line}
    width = max(map(len, known))
    for name, line in known.items():
        print(f"{name.ljust(width)}  {line}")
    return 0


def _lines(name: str, value: Any) -> dict[str, str]:
    if name in {"inputs", "outputs"}:
        return {f"{name[:-1]} {shown(one['name'])}": _tensor(one) for one in value}
    if name in {"queue_ns", "run_ns"}:
        points = [f"{point.replace('_', '.')} {duration(value[point])}" for point in _POINTS]
        text = ", ".join(points) if value["count"] else "no runs"
        return {name.replace("_ns", " time"): text}
    if isinstance(value, dict):
        return {f"{name} {of}": _plain(item) for of, item in value.items()}
    return {name: _plain(value)}


def _tensor(one: dict[str, Any]) -> str:
    shape = one["shape"]
    dims = "any shape" if shape is None else "x".join("?" if n < 0 else str(n) for n in shape)
    return f"{shown(one['dtype']) or 'any dtype'} {dims or 'scalar'}"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return shown(value) if isinstance(value, bytes | str) else "-" if value is None else str(value)


def write_bytes(options: argparse.Namespace, data: bytes) -> int:
    """Writes what was got to a file, or to stdout for `-`."""
    if options.file == arrays.PIPE:
        write_to_pipe(data)
        return 0
    try:
        with open(options.file, "wb") as file:
            file.write(data)
    except OSError as error:
        raise file_error(options.file, "written", error) from error
    return wrote(options, len(data))


def wrote(options: argparse.Namespace, count: int, what: str = "") -> int:
    """Tells that a file was written."""
    if options.json:
        print(as_json({"key": key_of(options.key), "file": options.file, "bytes": count}))
    else:
        print(f"wrote {printable(options.file)}: {what}{size(count)}")
    return 0
