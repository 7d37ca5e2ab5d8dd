"""Runs a model or a script on files and keys, in one request: a DAG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redisai_rs.cli import arrays
from redisai_rs.cli.arrays import Named
from redisai_rs.cli.output import as_json, printable, shown
from redisai_rs.cli.progress import Progress
from redisai_rs.cli.stored import key_of
from redisai_rs.exceptions import Error, TimeoutError

if TYPE_CHECKING:
    from redisai_rs.client import Client, Dag

TENSORS = """\
A tensor is a file if its name ends in .npy, or is - (stdin or stdout, in the same format); else it
is the key of a tensor. An output without an -o of its own is printed."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what both kinds of runs take."""
    parser.add_argument(
        "words", metavar="INPUT", nargs="*", default=[], help="a .npy file, -, or a key"
    )
    parser.add_argument(
        "-o",
        "--output",
        dest="outputs",
        metavar="OUTPUT",
        action="append",
        default=[],
        help="where an output goes: a .npy file, -, or a key; once for each output, in their order",
    )
    parser.add_argument(
        "--timeout", type=positive, metavar="MS", help="give up after so many milliseconds"
    )


def positive(text: str) -> int:
    """A number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


class Request:
    """One run, and where its tensors come from and go to.

    The names of keys are their names in the DAG; everything else has one that is no key's.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        known: Sequence[tuple[str, str]],
        *,
        read_only: bool = True,
    ) -> None:
        """Reads the files.

        known: the name and the dtype of each output, as far as they are known.
        read_only: whether what runs writes no keys by itself.
        """
        self._options = options
        self._read_only = read_only
        words = [*options.words, *options.outputs]
        self._prefix = "local"
        while any(word.startswith(self._prefix) for word in words):
            self._prefix += "_"
        self._arrays = {
            self._name("input", place, word): arrays.read(word)
            for place, word in enumerate(options.words)
            if arrays.is_file(word)
        }
        more = range(len(known), len(options.outputs))
        self._known = [*known, *((f"output {place + 1}", "") for place in more)]
        self._places = [*options.outputs, *([""] * (len(known) - len(options.outputs)))]
        self.inputs = [self._name("input", *pair) for pair in enumerate(options.words)]
        """The names of the inputs in the DAG."""
        self.outputs = [self._name("output", *pair) for pair in enumerate(self._places)]
        """Those of the outputs."""

    def _name(self, role: str, number: int, word: str) -> bytes:
        is_key = word and not arrays.is_file(word)
        return key_of(word) if is_key else f"{self._prefix}-{role}-{number}".encode()

    def begin(self, client: Client) -> Dag[dict[str, Any]]:
        """A DAG that has the inputs."""
        routing = key_of(self._options.key)
        load = list(dict.fromkeys(name for name in self.inputs if name not in self._arrays))
        keys = [word for word in self._options.outputs if not arrays.is_file(word)]
        persist = list(dict.fromkeys(map(key_of, keys)))
        if persist or not self._read_only:
            dag = client.dag(load=load, persist=persist, routing=routing)
        else:
            # A replica takes it too.
            dag = client.dag_ro(load=load, routing=routing)
        for name, array in self._arrays.items():
            dag.tensor(name, array)
        return dag

    def end(self, dag: Dag[dict[str, Any]]) -> int:
        """Runs it, and writes or prints what comes."""
        for name, word, (_, dtype) in self._each():
            if not word or arrays.is_file(word):
                dag.get(name, values=dtype == "STRING")
        found = self._run(dag)
        told = [self._take(found, *each) for each in self._each()]
        # An array in the pipe is all that is in it.
        stream = sys.stderr if arrays.PIPE in self._options.outputs else sys.stdout
        if self._options.json:
            print(as_json({"outputs": told}), file=stream)
        else:
            for one in told:
                print(_line(one), file=stream)
        return 0

    def _run(self, dag: Dag[dict[str, Any]]) -> dict[str, Any]:
        limit = self._options.timeout
        try:
            with Progress(f"running {shown(key_of(self._options.key))}"):
                return dag.run(timeout=limit and limit / 1000)
        except TimeoutError as error:
            raise Error(f"it took longer than {limit} ms (--timeout): no output is kept") from error

    def _each(self) -> Iterator[tuple[bytes, str, tuple[str, str]]]:
        return zip(self.outputs, self._places, self._known, strict=True)

    def _take(
        self, found: dict[str, Any], name: bytes, word: str, known: tuple[str, str]
    ) -> dict[str, Any]:
        """Writes one output if it goes to a file; gives what is told of it."""
        title, dtype = known
        if word and not arrays.is_file(word):
            return {"name": title, "key": key_of(word)}
        value = found[name.decode()]
        if value is None:
            return {"name": title, "dtype": None}
        output = Named.of(value, dtype)
        if word:
            arrays.write(word, output.array)
            return {"name": title, "file": word}
        return {"name": title, **(output.facts() if self._options.json else {"array": output})}


def _line(told: dict[str, Any]) -> str:
    """What is told of an output, for people."""
    name = shown(told["name"])
    if "array" in told:
        return f"{name}  {told['array'].title()}\n{told['array'].text()}"
    if "key" in told:
        return f"{name}  -> {shown(told['key'])}"
    return f"{name}  -> {printable(told['file'])}" if "file" in told else f"{name}  no tensor"
