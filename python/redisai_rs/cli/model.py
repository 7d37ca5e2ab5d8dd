"""`redisai-rs model`: models of a server."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from redisai_rs import formats, sources
from redisai_rs.cli import arrays, remote, running, stored
from redisai_rs.cli.arrays import PIPE
from redisai_rs.cli.output import as_json, shown, size
from redisai_rs.cli.progress import Progress
from redisai_rs.cli.running import Request, positive

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
    Actions = argparse._SubParsersAction[argparse.ArgumentParser]

BACKENDS = ["ONNX", "TORCH", "TF", "TFLITE"]
STORE = """\
  redisai-rs model store digits digits.onnx
  redisai-rs model store digits digits.onnx --batch-size 32 --min-batch-timeout 5
  redisai-rs model store frozen graph.pb --input x --output y    TensorFlow: names of nodes
  redisai-rs model store saved ./saved_model                     a SavedModel's directory
  curl -s https://example.org/m.onnx | redisai-rs model store m -
"""
RUN = f"""\
  redisai-rs model run digits x.npy                      print the outputs
  redisai-rs model run digits x.npy -o digit.npy         the first output to a file
  redisai-rs model run digits x -o y -o p                keys in, keys out
  redisai-rs model run digits - -o - < x.npy > y.npy

{running.TENSORS}
"""
EXAMPLES = stored.Examples(
    get="""\
  redisai-rs model get digits digits.onnx
  redisai-rs model get digits - | sha256sum
""",
    ls="""\
  redisai-rs model ls
  redisai-rs model ls --json | jq -r '.[].key'
""",
    rm="""\
  redisai-rs model rm digits digits:old
  redisai-rs model rm -- -odd-name
""",
    info="""\
  redisai-rs model info digits
  redisai-rs model info digits --json | jq .run_ns.p99
""",
)


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("model", help="store, list, run and delete a server's models")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_store(actions)
    stored.add_actions(
        actions,
        "model",
        EXAMPLES,
        add_run=_add_run,
        run_get=run_get,
        run_info=run_info,
        told=(
            "Writes a model as it was stored to a file, or to stdout for -.",
            "Shows a model's options, inputs and outputs, and how its runs went.",
        ),
    )


def _add_store(actions: Actions) -> None:
    store = stored.action(
        actions,
        "store",
        run_store,
        "store a model",
        "Stores a model from a file, a SavedModel's directory, or stdin for -. The server builds"
        " its session before the command ends.",
        STORE,
    )
    store.add_argument("key", metavar="KEY")
    store.add_argument("file", metavar="FILE", help="a file, a directory, or - for stdin")
    store.add_argument(
        "--backend",
        type=str.upper,
        choices=BACKENDS,
        help="the framework (default: by the model's content)",
    )
    store.add_argument("--device", default="CPU", help="CPU, GPU, GPU:1, … (default: CPU)")
    store.add_argument("--tag", default="", help="any text, for people")
    for name, what in (
        ("--batch-size", "rows that requests may share in one run (default: they share none)"),
        ("--min-batch-size", "rows that a run waits for"),
        ("--min-batch-timeout", "milliseconds that it waits for them"),
    ):
        unit = "MS" if name.endswith("timeout") else "ROWS"
        store.add_argument(name, type=positive, default=0, metavar=unit, help=what)
    for name in ("input", "output"):
        store.add_argument(
            f"--{name}",
            dest=f"{name}s",
            metavar="NAME",
            action="append",
            default=[],
            help=f"TensorFlow: the name of an {name}; once for each, in their order",
        )


def _add_run(actions: Actions) -> None:
    run = stored.action(
        actions,
        "run",
        run_model,
        "run a model on files and keys",
        "Runs a model once. With files alone nothing is stored in the server.",
        RUN,
    )
    run.add_argument("key", metavar="KEY")
    running.add_options(run)


def run_store(options: argparse.Namespace) -> int:
    """Runs `store`."""
    key = stored.key_of(options.key)
    blob = sys.stdin.buffer.read() if options.file == PIPE else sources.read(options.file)
    backend = options.backend or formats.backend_of(blob)
    progress = Progress(f"storing {shown(key)}", "sent, the server builds its session")
    with remote.client(options) as client, progress:
        client.model_store(
            key,
            blob,
            backend=backend,
            device=options.device,
            tag=options.tag,
            batch_size=options.batch_size,
            min_batch_size=options.min_batch_size,
            min_batch_timeout=options.min_batch_timeout / 1000,
            inputs=options.inputs,
            outputs=options.outputs,
            progress=progress.sent,
        )
    device = options.device.upper()
    if options.json:
        print(as_json({"key": key, "backend": backend, "device": device, "bytes": len(blob)}))
    else:
        print(f"stored {shown(key)}: {backend} on {device}, {size(len(blob))}")
    return 0


def run_get(options: argparse.Namespace) -> int:
    """Runs `get`."""
    key = stored.key_of(options.key)
    with remote.client(options) as client, Progress(f"getting {shown(key)}"):
        blob = client.model_get(key).blob
    return stored.write_bytes(options, blob or b"")


def run_model(options: argparse.Namespace) -> int:
    """Runs `run`."""
    key = stored.key_of(options.key)
    arrays.need()
    with remote.client(options) as client:
        with Progress(f"waiting for the session of {shown(key)}"):
            # It knows the outputs.
            names = client.model_get(key, meta=True).outputs
        details = client.info(key, full=True).details
        dtypes = {one.name: one.dtype for one in details.outputs} if details else {}
        request = Request(options, [(name, dtypes.get(name, "")) for name in names])
        dag = request.begin(client).model(key, request.inputs, request.outputs)
        return request.end(dag)


def run_info(options: argparse.Namespace) -> int:
    """Runs `info`."""
    key = stored.key_of(options.key)
    with remote.client(options) as client:
        with Progress(f"waiting for the session of {shown(key)}"):
            definition = client.model_get(key, meta=True)
        found = stored.facts(client.info(key, full=True))
    found |= {
        "batch_size": definition.batch_size,
        "min_batch_size": definition.min_batch_size,
        "min_batch_timeout_ms": round(definition.min_batch_timeout * 1000),
    }
    return stored.show(options, found)
