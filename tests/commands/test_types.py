"""The types `AI_TENSOR`, `AI__MODEL` and `AI_SCRIPT` under the server's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import scripts
from commands.dtypes import NUMBERS, Number
from commands.models import ONE, TWO, store
from commands.wire import OK, Status, Wire
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_tensor_passes_dump_restore_and_copy(wire: Wire, number: Number) -> None:
    count = len(number.values)
    wire("AI.TENSORSET", "k", number.name, 1, count, 1, "BLOB", number.blob)
    assert wire("RESTORE", "restored", 0, wire("DUMP", "k")) == OK
    assert wire("COPY", "k", "copy") == 1
    for name in ("restored", "copy"):
        assert wire("AI.TENSORGET", name) == wire("AI.TENSORGET", "k")
    # What is stored over the first leaves the others alone.
    wire("AI.TENSORSET", "k", "INT8", 1)
    assert wire("AI.TENSORGET", "copy", "BLOB") == number.blob


def test_scalars_and_strings_pass_dump_and_restore(wire: Wire) -> None:
    wire("AI.TENSORSET", "scalar", "DOUBLE", "VALUES", "0.1")
    wire("AI.TENSORSET", "strings", "STRING", 2, 2, "BYTES", b"a\0b", b"", bytes(range(256)), "x")
    for name in ("scalar", "strings"):
        payload = wire("DUMP", name)
        before = wire("AI.TENSORGET", name, "META", "VALUES")
        wire("DEL", name)
        assert wire("RESTORE", name, 0, payload) == OK
        assert wire("AI.TENSORGET", name, "META", "VALUES") == before


def test_a_model_passes_dump_restore_and_copy(mocks: Wire) -> None:
    store(mocks, "m", TWO, "TAG", "t", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 9)
    assert mocks("RESTORE", "restored", 0, mocks("DUMP", "m")) == OK
    assert mocks("COPY", "m", "copy") == 1
    shown = mocks("AI.MODELGET", "m")
    mocks("AI.TENSORSET", "x", "INT8", 1, "VALUES", 7)
    mocks("AI.MODELDEL", "m")
    for name in ("restored", "copy"):
        assert mocks("AI.MODELGET", name) == shown
        run = ["AI.MODELRUN", name, "INPUTS", "x", "x", "OUTPUTS", "y", "z"]
        assert mocks(*run) == OK
    assert mocks("COPY", "copy", "x") == 0
    assert mocks("COPY", "copy", "x", "REPLACE") == 1
    assert mocks("TYPE", "x") == Status(b"AI__MODEL")


def test_a_script_passes_dump_restore_and_copy(mocks: Wire) -> None:
    names = ["ENTRY_POINTS", 2, "same", "sum"]
    command = ["AI.SCRIPTSTORE", "s", "gpu", "TAG", b"t\0", *names, "SOURCE", scripts.SOURCE]
    assert mocks(*command) == OK
    mocks("AI.SCRIPTSET", "without", "CPU", "SOURCE", scripts.SOURCE)
    for name in ("s", "without"):
        assert mocks("RESTORE", "restored", 0, mocks("DUMP", name), "REPLACE") == OK
        assert mocks("COPY", name, "copy", "REPLACE") == 1
        shown = mocks("AI.SCRIPTGET", name)
        mocks("AI.SCRIPTDEL", name)
        for one in ("restored", "copy"):
            assert mocks("AI.SCRIPTGET", one) == shown
            mocks("AI.TENSORSET", "x", "INT8", 1, "VALUES", 7)
            assert mocks("AI.SCRIPTRUN", one, "same", "INPUTS", "x", "OUTPUTS", "y") == OK
    assert mocks("COPY", "copy", "x") == 0
    assert mocks("COPY", "copy", "x", "REPLACE") == 1
    assert mocks("TYPE", "x") == Status(b"AI_SCRIPT")


def test_memory_is_counted(mocks: Wire) -> None:
    size = 1 << 20
    for words in (["UINT8", size], ["DOUBLE", size // 8], ["UINT8", size, "BLOB", bytes(size)]):
        mocks("AI.TENSORSET", "t", *words)
        assert size <= mocks("MEMORY", "USAGE", "t") < size * 1.1 + 1000
    mocks("AI.TENSORSET", "t", "INT8", 1)
    assert mocks("MEMORY", "USAGE", "t") < 1000
    blob = ONE + b"\n" * size
    store(mocks, "m", blob)
    assert size <= mocks("MEMORY", "USAGE", "m") < size * 1.1 + 4000
    scripts.store(mocks, "s", scripts.SOURCE + b"\n" * size)
    assert size <= mocks("MEMORY", "USAGE", "s") < size * 1.1 + 4000


def test_scan_by_type(mocks: Wire) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    mocks("SET", "s", "v")
    scripts.store(mocks, "p")
    for kind, name in (("AI_TENSOR", b"t"), ("AI__MODEL", b"m"), ("AI_SCRIPT", b"p")):
        assert mocks("SCAN", 0, "COUNT", 1000, "TYPE", kind)[1] == [name]


@pytest.fixture
def debug(
    make_server: Callable[..., Server], server_binary: ServerBinary, mock_path: Path
) -> Iterator[Wire]:
    """A server that lets everybody call DEBUG."""
    config = {"enable-debug-command": "yes"} if server_binary.version >= (7, 0) else {}
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path]
    server = make_server(server_binary, module_args=arguments, config=config)
    wire = Wire((server.host, server.port))
    yield wire
    wire.close()


def test_digests(debug: Wire) -> None:
    """The same for the same value however it came, another one for any difference."""

    def digest(name: str) -> bytes:
        (found,) = debug("DEBUG", "DIGEST-VALUE", name)
        return bytes(found)

    same = [["VALUES", 1, 2], ["BLOB", np.array([1, 2], np.int32).tobytes()]]
    other = [["INT32", 2, "VALUES", 2, 1], ["INT32", 2, 1, "VALUES", 1, 2]]
    other += [["UINT32", 2, "VALUES", 1, 2], ["INT32", 1, 2, "VALUES", 1, 2], ["INT32", 2]]
    other += [["STRING", 2, "VALUES", "a", "bc"], ["STRING", 2, "VALUES", "ab", "c"]]
    digests = set()
    for words in same:
        debug("AI.TENSORSET", "t", "INT32", 2, *words)
        digests.add(digest("t"))
    assert len(digests) == 1
    for words in other:
        assert debug("AI.TENSORSET", "t", *words) == OK
        digests.add(digest("t"))
    assert len(digests) == 1 + len(other)
    models = set()
    for options in ([], ["TAG", "t"], ["BATCHSIZE", 2], ["BATCHSIZE", 2, "MINBATCHSIZE", 2]):
        store(debug, "m", ONE, *options)
        models.add(digest("m"))
    store(debug, "m", TWO)
    models.add(digest("m"))
    assert len(models) == 5
    # A run does not change a model, nor does the size of the chunks that it is saved in.
    before = digest("m")
    debug.line("AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 2 y z")
    debug("AI.CONFIG", "MODEL_CHUNK_SIZE", 3)
    assert digest("m") == before
    found = set()
    for words in (
        ["ENTRY_POINTS", 1, "same"],
        ["ENTRY_POINTS", 2, "same", "sum"],
        ["TAG", "t", "ENTRY_POINTS", 1, "same"],
    ):
        for source in (scripts.SOURCE, scripts.SOURCE + b"def more identity"):
            assert debug("AI.SCRIPTSTORE", "s", "CPU", *words, "SOURCE", source) == OK
            found.add(digest("s"))
    assert debug("AI.SCRIPTSET", "s", "CPU", "SOURCE", scripts.SOURCE) == OK
    found.add(digest("s"))
    assert len(found) == 7
    debug("COPY", "s", "copy")
    assert digest("copy") == digest("s")
