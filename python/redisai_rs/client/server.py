"""Counters and options of the server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from redisai_rs.client.command import (
    Argument,
    Command,
    Key,
    Reply,
    Where,
    check,
    done,
    pairs,
    text,
    texts,
    word,
)


@dataclass(frozen=True)
class Percentiles:
    """Times in nanoseconds, within 7 %."""

    count: int
    p50: int
    p90: int
    p99: int
    p99_9: int
    max: int


@dataclass(frozen=True)
class ValueInfo:
    """An input or an output of a model, in its own words."""

    name: str
    dtype: str
    """Empty: not known."""
    shape: tuple[int, ...] | None
    """-1: not fixed; `None`: the rank is not known."""
    classes: tuple[Any, ...] | None = None
    """The class of each column of a ZipMap."""


@dataclass(frozen=True)
class Details:
    """What `AI.INFO key FULL` adds."""

    state: str
    """`unbuilt`, `building`, `ready` or `failed`."""
    reason: str
    """Why it failed."""
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    late: int
    """Results that came after their client's deadline."""
    batches: int
    """Runs that served more than one request."""
    batch_sizes: dict[int, int]
    """Runs by their rows, a power of two rounded down."""
    queue_ns: Percentiles
    """From the request to its run."""
    run_ns: Percentiles
    """Inside the framework."""
    batching: dict[str, Any] | None
    """What the engine has learned; `None` where requests never share runs."""
    functions: tuple[str, ...]
    """Of a script."""


@dataclass(frozen=True)
class Info:
    """Counters of a model or a script."""

    key: str
    type: str
    """`MODEL` or `SCRIPT`."""
    backend: str
    device: str
    tag: str
    duration_us: int
    """Time inside the framework, in microseconds."""
    samples: int
    """Dimension 0 of the first output, summed; -1 for a script."""
    calls: int
    errors: int
    """How many of the calls failed."""
    details: Details | None = None
    """With `full=True`."""


def info(key: Key, *, full: bool = False) -> Command[Info]:
    """Counters of a model or a script (`AI.INFO`).

    Parameters
    ----------
    key
        Its key.
    full
        Whether to ask for `Info.details` too: state, inputs and outputs, batches, latencies.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> client.info("m").calls
    0
    >>> client.info("m", full=True).details.inputs
    (ValueInfo(name='pixels', dtype='FLOAT', shape=(-1, 64), classes=None),)
    """
    args: list[Argument] = ["AI.INFO", word(key)]
    return Command([*args, "FULL"] if full else args, _info)


def info_reset(key: Key) -> Command[None]:
    """Sets the counters of a model or a script to zero (`AI.INFO key RESETSTAT`).

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> client.info_reset("m")
    """
    return Command(["AI.INFO", word(key), "RESETSTAT"], done)


def config_get(option: str) -> Command[str | int | None]:
    """An option of the module (`AI.CONFIG GET`); `None` for an unknown one.

    Examples
    --------
    >>> client.config_get("MODEL_CHUNK_SIZE")
    535822336
    """
    return Command(["AI.CONFIG", "GET", word(option)], _option, Where.ANY)


def model_chunk_size(size: int) -> Command[None]:
    """Sets the size of the chunks that models come in, in bytes (`AI.CONFIG MODEL_CHUNK_SIZE`).

    In a cluster: on every primary.

    Examples
    --------
    >>> client.model_chunk_size(1 << 20)
    """
    return Command(["AI.CONFIG", "MODEL_CHUNK_SIZE", size], _all_done, Where.PRIMARIES)


def load_backend(backend: str, path: str | os.PathLike[str]) -> Command[None]:
    """Loads a backend from a path on the server (`AI.CONFIG LOADBACKEND`).

    What it may do is governed by the load option `LOADBACKEND`. In a cluster: on every primary.

    Examples
    --------
    >>> client.load_backend("TFLITE", "redisai_tflite/redisai_tflite.so")
    """
    args: list[Argument] = ["AI.CONFIG", "LOADBACKEND", backend, os.fsencode(path)]
    return Command(args, _all_done, Where.PRIMARIES)


def backends_path(path: str | os.PathLike[str]) -> Command[None]:
    """Says where the server looks for backends (`AI.CONFIG BACKENDSPATH`).

    What it may do is governed by the load option `LOADBACKEND`. In a cluster: on every primary.

    Examples
    --------
    >>> client.backends_path(client.config_get("BACKENDSPATH"))
    """
    return Command(["AI.CONFIG", "BACKENDSPATH", os.fsencode(path)], _all_done, Where.PRIMARIES)


def _all_done(replies: list[Reply]) -> None:
    for reply in replies:
        done(reply)


def _option(reply: Reply) -> str | int | None:
    value = check(reply)
    return value if value is None or isinstance(value, int) else text(value)


def _info(reply: Reply) -> Info:
    found = pairs(check(reply))
    return Info(
        key=text(found["key"]),
        type=text(found["type"]),
        backend=text(found["backend"]),
        device=text(found["device"]),
        tag=text(found["tag"]),
        duration_us=found["duration"],
        samples=found["samples"],
        calls=found["calls"],
        errors=found["errors"],
        details=_details(found) if "state" in found else None,
    )


def _details(found: dict[str, Reply]) -> Details:
    batching = found.get("batching")
    return Details(
        state=text(found["state"]),
        reason=text(found["reason"]),
        inputs=tuple(map(_value, found["inputs"])),
        outputs=tuple(map(_value, found["outputs"])),
        late=found["late"],
        batches=found["batches"],
        batch_sizes=dict(map(tuple, found["batch_sizes"] or ())),
        queue_ns=_percentiles(found["queue_ns"]),
        run_ns=_percentiles(found["run_ns"]),
        batching=pairs(batching) if batching else None,
        functions=tuple(texts(found.get("functions", ()))),
    )


def _value(reply: Reply) -> ValueInfo:
    found = pairs(reply)
    shape, classes = found["shape"], found.get("classes")
    return ValueInfo(
        name=text(found["name"]),
        dtype=text(found["dtype"]),
        shape=None if shape is None else tuple(shape),
        classes=None if classes is None else tuple(classes),
    )


def _percentiles(reply: Reply) -> Percentiles:
    found = pairs(reply)
    names = ("count", "p50", "p90", "p99", "p99.9", "max")
    return Percentiles(*(found[name] for name in names))
