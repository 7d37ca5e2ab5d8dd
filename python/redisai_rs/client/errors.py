"""Error replies as exceptions of this package.

A reply has no class, only its text: the table says which texts of the engine and of the frameworks
mean what. The texts are those of the server, and so those of `redisai_rs.Engine`.
"""

from __future__ import annotations

import re

import redis

from redisai_rs.exceptions import (
    BackendMissingError,
    Error,
    InputError,
    InvalidModelError,
    OutOfMemoryError,
    QueueFullError,
    ReplyError,
    RunError,
    UnsupportedError,
)

_Table = list[tuple[type[Error], str]]
# Of whatever command.
_ANY: _Table = [
    (
        BackendMissingError,
        "ERR Could not load backend|ERR error loading backend|ERR .* was not found: install it",
    ),
    (QueueFullError, "ERR Queue of device .* is full"),
    (
        OutOfMemoryError,
        "OOM |ERR Not enough memory|.*memory limit exceeded|.*allocation was refused",
    ),
    (
        UnsupportedError,
        "ERR unsupported (?:backend|device)|ERR Invalid DEVICE|ERR GPU requested"
        "|ERR there is no GPU|.* has no scripts|ERR .*, which tensors cannot have",
    ),
]
# What a command's own words got wrong; the engine has no such faults.
_WORDS = (
    "(?!ERR )[A-Z]{4,} |ERR (?:INPUTS|OUTPUTS|MINBATCH|Invalid argument|Insufficient|number of"
    "|Non numeric|wrong number of arguments|Could not|Cannot run|The server|missing)"
)
_STORES: _Table = [*_ANY, (ReplyError, _WORDS), (InvalidModelError, "")]
_RUNS: _Table = [
    *_ANY,
    (
        InputError,
        "(?:ERR )?Expected .* (?:inputs|outputs) but got|(?:ERR )?Number of keys given as "
        "|ERR the model's input |ERR the model's .* an input |ERR an? input |ERR input "
        "|Unexpected input data type|Got invalid dimensions for input|Invalid rank for input"
        "|Invalid Feed Input Name|Missing Input|Function does not exist|Unsupported code ",
    ),
    (ReplyError, f"{_WORDS}|ERR "),
    (RunError, ""),
]
_OTHERS: _Table = [
    *_ANY,
    (
        InputError,
        "ERR data length |ERR invalid (?:value|data type|or negative value found in tensor shape)"
        "|ERR BOOL tensor|ERR Number of string|ERR C-string|ERR wrong number of values",
    ),
    (ReplyError, ""),
]
_STORING = ("AI.MODELSTORE", "AI.MODELSET", "AI.SCRIPTSTORE", "AI.SCRIPTSET")
_RUNNING = ("AI.MODELEXECUTE", "AI.MODELRUN", "AI.SCRIPTEXECUTE", "AI.SCRIPTRUN", "AI.DAG")


def of(error: Exception, command: str) -> Exception:
    """The exception of this package for one of redis-py.

    Only error replies that say nothing else: connections, rights, clusters and read-only replicas
    are redis-py's own business, and stay its exceptions.
    """
    if type(error) not in {redis.ResponseError, redis.exceptions.OutOfMemoryError}:
        return error
    text = wire_text(error)
    table = _OTHERS
    if command in _STORING:
        table = _STORES
    elif command.startswith(_RUNNING):
        table = _RUNS
    # The last pattern of each table fits any text.
    return next(kind(text) for kind, pattern in table if re.match(pattern, text, re.DOTALL))


def wire_text(error: Exception) -> str:
    """The text of an error reply as the server has sent it: redis-py takes the code away."""
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code else str(error)
