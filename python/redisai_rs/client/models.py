"""Commands of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redisai_rs import formats, sources
from redisai_rs.client.command import (
    Argument,
    Command,
    Key,
    Progress,
    Reply,
    Where,
    check,
    counted,
    done,
    many,
    milliseconds,
    pairs,
    text,
    texts,
    timeout_words,
    word,
)


@dataclass(frozen=True)
class ModelDefinition:
    """What a key holds of a model."""

    backend: str
    """`ONNX`, `TORCH`, `TF` or `TFLITE`."""
    device: str
    """As it was given."""
    tag: str
    batch_size: int
    min_batch_size: int
    min_batch_timeout: float
    """Seconds."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    blob: bytes | None = None
    """The model's bytes; `None` where only the rest was asked for."""


def model_store(
    key: Key,
    source: sources.Source,
    *,
    backend: str | None = None,
    device: str = "CPU",
    tag: str = "",
    batch_size: int = 0,
    min_batch_size: int = 0,
    min_batch_timeout: float = 0,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    progress: Progress | None = None,
) -> Command[None]:
    """Stores a model and builds its session on the server (`AI.MODELSTORE`).

    Parameters
    ----------
    key
        Its key.
    source
        A path, of a SavedModel's directory too, which is packed; the model's bytes; or a file
        object. Bytes are sent from where they are, in chunks of the server's `MODEL_CHUNK_SIZE`.
    backend
        `ONNX`, `TORCH`, `TF` or `TFLITE`; left out, the content says it.
    device
        `CPU`, `GPU` or `GPU:n`.
    tag
        A label.
    batch_size
        Rows of several requests that one run may take; 0: every request runs alone.
    min_batch_size, min_batch_timeout
        Rows that a run waits for, and for how many seconds at most (0: without end).
    inputs, outputs
        Names of the graph's nodes, for TF.
    progress
        Called as `progress(sent, total)`, in bytes, while the model is sent.

    Raises
    ------
    InvalidModelError
        The file is no model, or its framework refuses it.
    BackendMissingError
        The server could not load the backend; its log says why.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx", batch_size=32)
    """
    args = _options(tag, batch_size, min_batch_size, min_batch_timeout)
    if inputs or outputs:
        args += [*counted("INPUTS", inputs), *counted("OUTPUTS", outputs)]
    return _store("AI.MODELSTORE", key, source, backend, device, args, progress)


def model_set(
    key: Key,
    source: sources.Source,
    *,
    backend: str | None = None,
    device: str = "CPU",
    tag: str = "",
    batch_size: int = 0,
    min_batch_size: int = 0,
    min_batch_timeout: float = 0,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    progress: Progress | None = None,
) -> Command[None]:
    """As `model_store`, by the deprecated `AI.MODELSET`.

    Examples
    --------
    >>> client.model_set("m", "digits.onnx")
    """
    args = _options(tag, batch_size, min_batch_size, min_batch_timeout)
    if inputs or outputs:
        args += ["INPUTS", *many(inputs), "OUTPUTS", *many(outputs)]
    return _store("AI.MODELSET", key, source, backend, device, args, progress)


def _store(
    command: str,
    key: Key,
    source: sources.Source,
    backend: str | None,
    device: str,
    args: list[Argument],
    progress: Progress | None,
) -> Command[None]:
    """A command that stores a model; `args`: what stands between its device and its bytes."""
    blob = sources.read(source)
    words = [command, word(key), backend or formats.backend_of(blob), device, *args, "BLOB"]
    return Command(words, done, blob=memoryview(blob), progress=progress)


def _options(
    tag: str, batch_size: int, min_batch_size: int, min_batch_timeout: float
) -> list[Argument]:
    """The sections between the device and the names, as far as they say anything."""
    args: list[Argument] = ["TAG", word(tag)] if tag else []
    sections = {
        "BATCHSIZE": batch_size,
        "MINBATCHSIZE": min_batch_size,
        "MINBATCHTIMEOUT": milliseconds(min_batch_timeout),
    }
    for name, value in sections.items():
        if value:
            args += [name, value]
    return args


def model_get(key: Key, *, meta: bool = False) -> Command[ModelDefinition]:
    """Reads a model's definition (`AI.MODELGET`).

    Parameters
    ----------
    key
        Its key.
    meta
        Whether to leave its bytes out.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx", tag="v1")
    >>> client.model_get("m", meta=True).outputs
    ('digit', 'probabilities')
    """
    args: list[Argument] = ["AI.MODELGET", word(key), "META"]
    return Command(args if meta else [*args, "BLOB"], _definition)


def model_del(key: Key) -> Command[None]:
    """Deletes a model (`AI.MODELDEL`); runs that use it end as they would have.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> client.model_del("m")
    """
    return Command(["AI.MODELDEL", word(key)], done)


def model_execute(
    key: Key,
    inputs: Sequence[Key],
    outputs: Sequence[Key],
    *,
    timeout: float | None = None,
) -> Command[None]:
    """Runs a model on stored tensors (`AI.MODELEXECUTE`).

    Parameters
    ----------
    key
        The model's key.
    inputs, outputs
        Keys of its tensors, in the model's order.
    timeout
        Seconds; afterwards `redisai_rs.TimeoutError`, and nothing is stored.

    Raises
    ------
    InputError
        Inputs that do not fit the model, where the text says so.
    RunError
        What else the framework says.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> client.tensor_set("x", dtype="FLOAT", shape=(1, 64))
    >>> client.model_execute("m", ["x"], ["digit", "p"], timeout=60)
    >>> client.tensor_get("p").shape
    (1, 10)
    """
    args: list[Argument] = ["AI.MODELEXECUTE", word(key)]
    args += [*counted("INPUTS", inputs), *counted("OUTPUTS", outputs), *timeout_words(timeout)]
    return Command(args, done)


def model_run(
    key: Key,
    inputs: Sequence[Key],
    outputs: Sequence[Key],
    *,
    timeout: float | None = None,
) -> Command[None]:
    """As `model_execute`, by the deprecated `AI.MODELRUN`.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> client.tensor_set("x", dtype="FLOAT", shape=(1, 64))
    >>> client.model_run("m", ["x"], ["digit", "p"])
    """
    args: list[Argument] = ["AI.MODELRUN", word(key), *timeout_words(timeout)]
    return Command([*args, "INPUTS", *many(inputs), "OUTPUTS", *many(outputs)], done)


def model_scan() -> Command[list[tuple[str, str]]]:
    """Key and tag of each model of the selected database (`AI._MODELSCAN`).

    In a cluster: of all primaries.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx", tag="v1")
    >>> client.model_scan()
    [('m', 'v1')]
    """
    return Command(["AI._MODELSCAN"], scanned, Where.PRIMARIES)


def scanned(replies: list[Reply]) -> list[tuple[str, str]]:
    """The keys and tags of all nodes."""
    return [(text(key), text(tag)) for reply in replies for key, tag in check(reply)]


def _definition(reply: Reply) -> ModelDefinition:
    found = pairs(check(reply))
    blob = found.get("blob")
    return ModelDefinition(
        backend=text(found["backend"]),
        device=text(found["device"]),
        tag=text(found["tag"]),
        batch_size=found["batchsize"],
        min_batch_size=found["minbatchsize"],
        min_batch_timeout=found["minbatchtimeout"] / 1000,
        inputs=tuple(texts(found["inputs"])),
        outputs=tuple(texts(found["outputs"])),
        blob=b"".join(blob) if isinstance(blob, list) else blob,
    )
