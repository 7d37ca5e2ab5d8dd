"""Commands of scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redisai_rs.client.command import (
    Argument,
    Command,
    Key,
    Reply,
    Where,
    check,
    counted,
    done,
    many,
    pairs,
    text,
    texts,
    timeout_words,
    word,
)
from redisai_rs.client.models import scanned


@dataclass(frozen=True)
class ScriptDefinition:
    """What a key holds of a script."""

    device: str
    tag: str
    entry_points: tuple[str, ...]
    source: str | None = None
    """TorchScript; `None` where only the rest was asked for."""


def script_store(
    key: Key,
    source: str,
    entry_points: Sequence[str],
    *,
    device: str = "CPU",
    tag: str = "",
) -> Command[None]:
    """Stores a TorchScript source and compiles it on the server (`AI.SCRIPTSTORE`).

    Parameters
    ----------
    key
        Its key.
    source
        The source itself.
    entry_points
        Functions of `(tensors: List[Tensor], keys: List[str], args: List[str])`.
    device
        `CPU`, `GPU` or `GPU:n`.
    tag
        A label.

    Raises
    ------
    InvalidModelError
        PyTorch refuses it.
    BackendMissingError
        The server could not load PyTorch; its log says why.

    Examples
    --------
    >>> source = '''
    ... def double(tensors: List[Tensor], keys: List[str], args: List[str]):
    ...     return tensors[0] * 2
    ... '''
    >>> client.script_store("s", source, ["double"])
    """
    args: list[Argument] = ["AI.SCRIPTSTORE", word(key), device, *_tag(tag)]
    return Command([*args, *counted("ENTRY_POINTS", entry_points), "SOURCE", word(source)], done)


def script_set(key: Key, source: str, *, device: str = "CPU", tag: str = "") -> Command[None]:
    """Stores a script without entry points, by the deprecated `AI.SCRIPTSET`.

    Any of its functions can be called, by `script_run`.

    Examples
    --------
    >>> client.script_set("old", "def double(x):\\n    return x * 2\\n")
    """
    args: list[Argument] = ["AI.SCRIPTSET", word(key), device, *_tag(tag)]
    return Command([*args, "SOURCE", word(source)], done)


def _tag(tag: str) -> list[Argument]:
    return ["TAG", word(tag)] if tag else []


def script_get(key: Key, *, meta: bool = False) -> Command[ScriptDefinition]:
    """Reads a script's definition (`AI.SCRIPTGET`).

    Parameters
    ----------
    key
        Its key.
    meta
        Whether to leave its source out.

    Examples
    --------
    >>> client.script_set("old", "def double(x):\\n    return x * 2\\n", tag="v1")
    >>> client.script_get("old", meta=True)
    ScriptDefinition(device='CPU', tag='v1', entry_points=(), source=None)
    """
    args: list[Argument] = ["AI.SCRIPTGET", word(key), "META"]
    return Command(args if meta else [*args, "SOURCE"], _definition)


def script_del(key: Key) -> Command[None]:
    """Deletes a script (`AI.SCRIPTDEL`); runs that use it end as they would have.

    Examples
    --------
    >>> client.script_set("old", "def double(x):\\n    return x * 2\\n")
    >>> client.script_del("old")
    """
    return Command(["AI.SCRIPTDEL", word(key)], done)


def script_execute(
    key: Key,
    function: str,
    inputs: Sequence[Key] = (),
    outputs: Sequence[Key] = (),
    *,
    keys: Sequence[Key] = (),
    args: Sequence[Key] = (),
    timeout: float | None = None,
) -> Command[None]:
    """Runs a function of a script on stored tensors (`AI.SCRIPTEXECUTE`).

    Parameters
    ----------
    key
        The script's key.
    function
        One of its entry points.
    inputs, outputs
        Keys of its tensors.
    keys
        Names of keys that the script may read and write; they decide where it runs in a cluster.
    args
        Words for the script.
    timeout
        Seconds; afterwards `redisai_rs.TimeoutError`, and no output is stored.

    Examples
    --------
    >>> client.script_store("s", source, ["double"])
    >>> client.tensor_set("x", [1.5, 2])
    >>> client.script_execute("s", "double", ["x"], ["y"])
    >>> client.tensor_get("y")
    array([3., 4.])
    """
    words: list[Argument] = ["AI.SCRIPTEXECUTE", word(key), word(function)]
    words += sections(inputs, outputs, keys, args)
    return Command([*words, *timeout_words(timeout)], done)


def sections(
    inputs: Sequence[Key], outputs: Sequence[Key], keys: Sequence[Key], args: Sequence[Key]
) -> list[Argument]:
    """What follows the function; `KEYS` or `INPUTS` has to come first."""
    words = counted("KEYS", keys) if keys else []
    if inputs or not keys:
        words += counted("INPUTS", inputs)
    if args:
        words += counted("ARGS", args)
    if outputs:
        words += counted("OUTPUTS", outputs)
    return words


def script_run(
    key: Key,
    function: str,
    inputs: Sequence[Key] = (),
    outputs: Sequence[Key] = (),
    *,
    timeout: float | None = None,
) -> Command[None]:
    """Runs any function of a script, by the deprecated `AI.SCRIPTRUN`.

    Examples
    --------
    >>> client.script_set("old", "def double(x):\\n    return x * 2\\n")
    >>> client.tensor_set("x", [1.5, 2])
    >>> client.script_run("old", "double", ["x"], ["y"])
    >>> client.tensor_get("y")
    array([3., 4.])
    """
    words: list[Argument] = ["AI.SCRIPTRUN", word(key), word(function), *timeout_words(timeout)]
    return Command([*words, "INPUTS", *many(inputs), "OUTPUTS", *many(outputs)], done)


def script_scan() -> Command[list[tuple[str, str]]]:
    """Key and tag of each script of the selected database (`AI._SCRIPTSCAN`).

    In a cluster: of all primaries.

    Examples
    --------
    >>> client.script_set("old", "def double(x):\\n    return x * 2\\n", tag="v1")
    >>> client.script_scan()
    [('old', 'v1')]
    """
    return Command(["AI._SCRIPTSCAN"], scanned, Where.PRIMARIES)


def _definition(reply: Reply) -> ScriptDefinition:
    found = pairs(check(reply))
    return ScriptDefinition(
        device=text(found["device"]),
        tag=text(found["tag"]),
        entry_points=tuple(texts(found["Entry Points"])),
        source=text(found["source"]) if "source" in found else None,
    )
