"""The examples of the documentation give what they show, on a real server."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import redisai_rs
from documents import transcripts
from redisai_rs import Client, aio
from redisai_rs.client import Dag, Pipeline
from redisai_rs.client.dags import Dags
from redisai_rs.client.queue import Queue
from redisai_rs.testing import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
URL = "redis://localhost:6379"
SOURCE = """
def double(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] * 2
"""


@pytest.fixture(scope="module")
def server(redisai_module: Path, embedded_binary: Any) -> Iterator[Server]:
    """One with the module; it may load backends from anywhere."""
    arguments = ["LOADBACKEND", "any"]
    with Server(embedded_binary, module=redisai_module, module_args=arguments) as started:
        yield started


@pytest.fixture
def names(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """What examples take for granted: an empty server, a client of it, a file."""
    shutil.copy(digits.DATA / "digits.onnx", tmp_path)
    monkeypatch.chdir(tmp_path)
    with Client(server.url) as client:
        client.redis.flushall()
        modules = {"np": np, "rai": redisai_rs, "redisai_rs": redisai_rs, "asyncio": asyncio}
        yield {"client": client, "url": server.url, "source": SOURCE} | modules
    server.assert_alive()


def run(test: doctest.DocTest) -> None:
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(test, out=said.write)
    assert runner.failures == 0, said.getvalue()


CLASSES = [Client, Dags, Dag, Queue, Pipeline, aio.Client, aio.Pipeline]
# The same functions as those of `Client`, and bases that nobody names.
COMMANDS = {name for name, _ in inspect.getmembers(Queue, callable)} - {"execute_command"}


def documented() -> Iterator[Any]:
    """What needs an example: public classes, and what they have themselves."""
    for kind in CLASSES:
        if kind not in {Dags, Queue}:
            yield pytest.param(kind, id=f"{kind.__module__}.{kind.__name__}")
        for name, thing in vars(kind).items():
            again = name in COMMANDS and kind in {Queue, aio.Client}
            if callable(thing) and not name.startswith("_") and not again:
                yield pytest.param(thing, id=f"{kind.__module__}.{kind.__name__}.{name}")


@pytest.mark.parametrize("thing", list(documented()))
def test_examples_of_the_client(names: dict[str, Any], thing: Any) -> None:
    test = doctest.DocTestParser().get_doctest(thing.__doc__, names, str(thing), None, 0)
    assert test.examples
    run(test)


def test_the_page(names: dict[str, Any]) -> None:
    blocks = [block for block in transcripts.blocks(PAGE) if block.language == "pycon"]
    text = "\n".join(f"{block.text}\n" for block in blocks).replace(URL, names["url"])
    text = text.replace("port=6379", f"port={names['url'].rpartition(':')[2]}")
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 5
    run(test)
