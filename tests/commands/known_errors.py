"""Every error that a client of the model and tensor commands can meet, as one pattern."""

from __future__ import annotations

import re

# Copied from the contract; `*` stands for any text.
_CONTRACT = """\
WRONGTYPE Operation against a key holding the wrong kind of value
Number of keys given as INPUTS here does not match model definition
Number of keys given as OUTPUTS here does not match model definition
Invalid argument: *
ERR wrong number of arguments for 'AI.*' command
ERR invalid data type
ERR invalid or negative value found in tensor shape
ERR a single binary string should come after the BLOB argument in 'AI.TENSORSET' command
ERR wrong number of values was given in 'AI.TENSORSET' command
ERR data length does not match tensor shape and type
ERR BOOL tensor elements must be 0 or 1
ERR Number of string elements in data blob does not match tensor length
ERR invalid value
ERR C-string value contains null character
ERR tensor key is empty or in a different shard
ERR both BLOB and VALUES specified
ERR unsupported data format
ERR unsupported backend
ERR Invalid DEVICE
ERR Invalid argument for BATCHSIZE
ERR Invalid argument for MINBATCHSIZE
ERR Invalid argument for MINBATCHTIMEOUT
ERR Invalid argument for input_count
ERR Invalid argument for output_count
ERR MINBATCHSIZE specified without BATCHSIZE
ERR MINBATCHTIMEOUT specified without MINBATCHSIZE
ERR MINBATCHTIMEOUT specified without BATCHSIZE
ERR Insufficient arguments, missing model BLOB
ERR Insufficient arguments, INPUTS and OUTPUTS not specified
ERR Invalid argument, expected BLOB
ERR INPUTS not specified
ERR OUTPUTS not specified
ERR INPUTS not specified for TF
ERR OUTPUTS not specified for TF
ERR number of model inputs does not match the number of given arguments
ERR number of model outputs does not match the number of given arguments
ERR INPUTS argument should not be specified for this backend
ERR Auto-batching not supported by the TFLITE backend
ERR Could not initialize queue on requested device
ERR model key is empty
ERR Input count must be a positive integer
ERR Output count must be a positive integer
ERR number of input keys to AI.MODELEXECUTE command does not match the number of given arguments
ERR number of output keys to AI.MODELEXECUTE command does not match the number of given arguments
ERR No value provided for TIMEOUT
ERR Invalid value for TIMEOUT
ERR cannot find run info for key
ERR unsupported subcommand
ERR error loading backend
ERR BACKENDSPATH: missing path argument
ERR MODEL_CHUNK_SIZE: invalid chunk size
ERR MODEL_CHUNK_SIZE: missing chunk size"""

# What this project adds, and what the mock says by itself.
_OURS = """\
ERR Invalid argument: *
ERR tensor is larger than the limit of 4294967296 bytes: *
ERR this path is outside of BACKENDSPATH: *
ERR BACKENDSPATH cannot be changed at run time: *"""
_MOCK = """\
ERR mock: *
ERR the model is no UTF-8 text
ERR device "*" is not known"""


def _pattern(*tables: str) -> re.Pattern[bytes]:
    rows = [row for table in tables for row in table.splitlines()]
    texts = [re.escape(row).replace(r"\*", ".*") for row in rows]
    return re.compile("|".join(texts).encode(), re.DOTALL)


KNOWN = _pattern(_CONTRACT, _OURS, _MOCK)
