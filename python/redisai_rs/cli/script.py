"""`redisai-rs script`: scripts of a server."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from typing import TYPE_CHECKING

from redisai_rs import sources
from redisai_rs.cli import arrays, remote, running, stored
from redisai_rs.cli.output import as_json, printable, shown
from redisai_rs.cli.progress import Progress
from redisai_rs.cli.running import Request
from redisai_rs.exceptions import Error

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
    Actions = argparse._SubParsersAction[argparse.ArgumentParser]

STORE = """\
  redisai-rs script store steps steps.py
  redisai-rs script store steps steps.py --entry-point prepare --entry-point decide
"""
RUN = f"""\
  redisai-rs script run steps prepare image.npy -o x
  redisai-rs script run steps decide y p --arg 0.9
  redisai-rs script run steps visit --key visits --count 0

{running.TENSORS}
"""
EXAMPLES = stored.Examples(
    get="  redisai-rs script get steps -\n",
    ls="""\
  redisai-rs script ls
  redisai-rs script ls --json | jq -r '.[].key'
""",
    rm="  redisai-rs script rm steps\n",
    info="  redisai-rs script info steps\n",
)
# Of an entry point, as TorchScript writes them.
_PARAMETERS = re.compile(r"([Ll]ist\[(torch\.)?Tensor\]) [Ll]ist\[str\] [Ll]ist\[str\]")


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("script", help="store, list, run and delete a server's scripts")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_store(actions)
    stored.add_actions(
        actions,
        "script",
        EXAMPLES,
        add_run=_add_run,
        run_get=run_get,
        run_info=run_info,
        told=(
            "Writes a script's source to a file, or to stdout for -.",
            "Shows a script's options and functions, and how its runs went.",
        ),
    )


def _add_store(actions: Actions) -> None:
    store = stored.action(
        actions,
        "store",
        run_store,
        "store a script",
        "Stores a TorchScript source from a file, or from stdin for -. The server compiles it"
        " before the command ends.",
        STORE,
    )
    store.add_argument("key", metavar="KEY")
    store.add_argument("file", metavar="FILE", help="a file, or - for stdin")
    store.add_argument("--device", default="CPU", help="CPU, GPU, GPU:1, … (default: CPU)")
    store.add_argument("--tag", default="", help="any text, for people")
    store.add_argument(
        "--entry-point",
        dest="entry_points",
        metavar="NAME",
        action="append",
        help="a function that runs may name; once for each (default: each with the parameters"
        " List[Tensor], List[str], List[str])",
    )


def _add_run(actions: Actions) -> None:
    run = stored.action(
        actions,
        "run",
        run_script,
        "run a function of a script on files and keys",
        "Runs a function once.",
        RUN,
    )
    run.add_argument("key", metavar="KEY")
    run.add_argument("function", metavar="FUNCTION")
    running.add_options(run)
    run.add_argument(
        "--count",
        type=int,
        choices=range(65536),
        metavar="N",
        help="how many outputs the function gives (default: as many as -o, and at least 1)",
    )
    for name, what in (("key", "a key that the function may read and write"), ("arg", "a word")):
        run.add_argument(
            f"--{name}",
            dest=f"script_{name}s",
            metavar=name.upper(),
            action="append",
            default=[],
            help=f"{what}; once for each, in their order",
        )


def run_store(options: argparse.Namespace) -> int:
    """Runs `store`."""
    key = stored.key_of(options.key)
    data = sys.stdin.buffer.read() if options.file == arrays.PIPE else sources.read(options.file)
    source = data.decode(errors="surrogateescape")
    names = options.entry_points or entry_points(source)
    with remote.client(options) as client, Progress(f"storing {shown(key)}"):
        client.script_store(key, source, names, device=options.device, tag=options.tag)
    device = options.device.upper()
    if options.json:
        print(as_json({"key": key, "device": device, "entry_points": names}))
    else:
        print(f"stored {shown(key)} on {device}: {', '.join(map(shown, names))}")
    return 0


def entry_points(source: str) -> list[str]:
    """The functions of a source that have an entry point's parameters."""
    try:
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Error(f"the source is not understood: {error}") from error
    found = [function.name for function in functions if _is_entry_point(function.args)]
    if not found:
        raise Error(
            "no function has the parameters of an entry point (List[Tensor], List[str], List[str]):"
            " say --entry-point"
        )
    return found


def _is_entry_point(parameters: ast.arguments) -> bool:
    types = [ast.unparse(one.annotation) for one in parameters.args if one.annotation]
    return bool(_PARAMETERS.fullmatch(" ".join(types)))


def run_get(options: argparse.Namespace) -> int:
    """Runs `get`."""
    with remote.client(options) as client:
        source = client.script_get(stored.key_of(options.key)).source or ""
    if options.file == arrays.PIPE and sys.stdout.isatty():
        print("\n".join(printable(line.expandtabs()) for line in source.split("\n")))
        return 0
    return stored.write_bytes(options, source.encode(errors="surrogateescape"))


def run_script(options: argparse.Namespace) -> int:
    """Runs `run`."""
    arrays.need()
    count = max(len(options.outputs), 1) if options.count is None else options.count
    names = [(f"output {place}", "") for place in range(1, count + 1)]
    request = Request(options, names, read_only=False)
    with remote.client(options) as client:
        dag = request.begin(client).script(
            stored.key_of(options.key),
            options.function,
            request.inputs,
            request.outputs,
            keys=list(map(stored.key_of, options.script_keys)),
            args=list(map(stored.key_of, options.script_args)),
        )
        return request.end(dag)


def run_info(options: argparse.Namespace) -> int:
    """Runs `info`."""
    key = stored.key_of(options.key)
    with remote.client(options) as client:
        definition = client.script_get(key, meta=True)
        found = stored.facts(client.info(key, full=True))
    return stored.show(options, found | {"entry_points": definition.entry_points})
