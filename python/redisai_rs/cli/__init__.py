"""The command line `redisai-rs`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from redisai_rs._core import __version__
from redisai_rs.cli import backend, demo, doctor, model, script, serve, stats, tensor
from redisai_rs.cli import version as version_verb
from redisai_rs.cli.output import printable
from redisai_rs.exceptions import Error
from redisai_rs.paths import module_path

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; gives the exit status: 0 done, 1 an error (one line on stderr), 2 usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    rest: list[str] = []
    if words[:1] == ["serve"] and "--" in words:
        # What follows `--` goes to the server untouched: argparse would read its options as ours.
        split = words.index("--")
        words, rest = words[:split], words[split + 1 :]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding gets `\xb5` for what it cannot show.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parse(words)
        options.rest = rest
        status = int(options.run(options))
        # Here, not at exit: a reader that has gone is noticed when it is written to.
        sys.stdout.flush()
        return status
    except Error as error:
        print(f"redisai-rs: {_one_line(error)}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Understands the words, or exits with 2.

    argparse takes all words of a list at once; those behind a later option it leaves over.
    """
    parser = _parser()
    options, left = parser.parse_known_args(words)
    is_option = any(word.startswith("-") and word != "-" for word in left)
    if left and (is_option or not hasattr(options, "words")):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        options.words.extend(left)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="redisai-rs",
        description="Model serving inside Redis and Valkey. `model`, `script`, `tensor` and `stats`"
        " speak to a server; all others are about this machine.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    serve.add(verbs)
    path = verbs.add_parser(
        "module-path",
        help="print the path of the Redis module",
        description="Prints the path of the Redis module, for"
        ' `redis-server --loadmodule "$(redisai-rs module-path)"`.',
    )
    path.set_defaults(run=_print_module_path)
    doctor.add(verbs)
    demo.add(verbs)
    for client_verb in (model, script, tensor, stats):
        client_verb.add(verbs)
    backend.add(verbs)
    version_verb.add(verbs)
    return parser


def _print_module_path(_: argparse.Namespace) -> int:
    print(module_path())
    return 0


def _one_line(error: Error) -> str:
    return printable(" ".join(str(error).split("\n", 1)[0].split()))
