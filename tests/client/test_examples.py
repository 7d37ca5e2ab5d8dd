"""The examples of the documentation give what they show, on a real server."""

from __future__ import annotations

import doctest
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
from documents import transcripts
from redisai_rs import Client, aio
from redisai_rs.client import Dag, Pipeline
from redisai_rs.client.dags import Dags
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
        yield {"client": client, "url": server.url, "np": np, "source": SOURCE}
    server.assert_alive()


def run(test: doctest.DocTest) -> None:
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(test, out=said.write)
    assert runner.failures == 0, said.getvalue()


def methods(kind: type) -> list[Any]:
    """The public methods that a class has itself."""
    found = ((name, thing) for name, thing in vars(kind).items() if not name.startswith("_"))
    return [pytest.param(thing, id=name) for name, thing in found if callable(thing)]


@pytest.mark.parametrize(
    "thing",
    [Client, *methods(Client), *methods(Dags), Dag, Pipeline, Pipeline.execute, aio.Client],
)
def test_examples_of_the_client(names: dict[str, Any], thing: Any) -> None:
    text = thing.__doc__
    if thing is Client.close:
        assert text.startswith("Closes the connections")
        return
    test = doctest.DocTestParser().get_doctest(text, names, str(thing), None, 0)
    assert test.examples
    run(test)


def test_the_page(names: dict[str, Any]) -> None:
    blocks = [block for block in transcripts.blocks(PAGE) if block.language == "pycon"]
    text = "\n".join(f"{block.text}\n" for block in blocks).replace(URL, names["url"])
    text = text.replace("port=6379", f"port={names['url'].rpartition(':')[2]}")
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 5
    run(test)
