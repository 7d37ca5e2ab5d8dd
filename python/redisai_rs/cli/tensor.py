"""`redisai-rs tensor`: arrays into keys and out of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from redisai_rs._core import Tensor
from redisai_rs.cli import arrays, remote, stored
from redisai_rs.cli.arrays import Named
from redisai_rs.cli.output import as_json, shown, size
from redisai_rs.cli.progress import Progress

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

SET = """\
  redisai-rs tensor set x image.npy
  redisai-rs tensor set x weights.npy --dtype BFLOAT16
  make-an-array | redisai-rs tensor set x -
"""
GET = """\
  redisai-rs tensor get y                  print it
  redisai-rs tensor get y y.npy            write it to a file
  redisai-rs tensor get y - | redisai-rs tensor set y - --url redis://other
"""


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("tensor", help="set and get tensors, from and to .npy files")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    put = stored.action(
        actions,
        "set",
        run_set,
        "store an array as a tensor",
        "Stores an array from a .npy file, or from stdin for -, as a tensor.",
        SET,
    )
    put.add_argument("key", metavar="KEY")
    put.add_argument("file", metavar="FILE", help="a .npy file, or - for stdin")
    put.add_argument(
        "--dtype",
        type=str.upper,
        help="what .npy cannot say: BFLOAT16, whose bits are an array of uint16",
    )
    get = stored.action(
        actions,
        "get",
        run_get,
        "print a tensor, or write it to a file",
        "Prints a tensor, or writes it to a .npy file, or to stdout for -. BFLOAT16, which .npy"
        " files do not have, is written as uint16 of the same bits.",
        GET,
    )
    get.add_argument("key", metavar="KEY")
    get.add_argument("file", metavar="FILE", nargs="?", help="a .npy file, or - for stdout")


def run_set(options: argparse.Namespace) -> int:
    """Runs `set`."""
    key = stored.key_of(options.key)
    tensor = Tensor(arrays.read(options.file), dtype=options.dtype)
    with remote.client(options) as client, Progress(f"setting {shown(key)}"):
        client.tensor_set(key, tensor)
    if options.json:
        print(as_json({"key": key, "dtype": tensor.dtype, "shape": list(tensor.shape)}))
    else:
        title = arrays.title(tensor.dtype, tensor.shape)
        print(f"set {shown(key)}: {title}, {size(tensor.nbytes)}")
    return 0


def run_get(options: argparse.Namespace) -> int:
    """Runs `get`."""
    key = stored.key_of(options.key)
    arrays.need()
    with remote.client(options) as client, Progress(f"getting {shown(key)}"):
        array = client.tensor_get(key)
        # Without ml_dtypes its bits come as those of another dtype.
        told = client.tensor_meta(key).dtype if array.dtype == "u2" else ""
    found = Named.of(array, told)
    if options.file:
        arrays.write(options.file, found.array)
        if options.file != arrays.PIPE:
            return stored.wrote(options, found.array.nbytes, f"{found.title()}, ")
    elif options.json:
        print(as_json({"key": key, **found.facts()}))
    else:
        print(f"{found.title()}\n{found.text()}")
    return 0
