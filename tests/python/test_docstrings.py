"""Every public name is documented with an example, and every example gives what it shows.

In the examples `np` and `rai` are what they are everywhere, `engine` is an engine, `url` that of a
server, and the demo's models are files in the working directory.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redisai_rs
import redisai_rs.testing
from redisai_rs import Engine
from redisai_rs.testing import Server

MODULES = ["redisai_rs", "redisai_rs.exceptions", "redisai_rs.testing"]
# What is a value, or a type that only annotations use.
VALUES = {"__version__", "DEADLINE"}
DATA = Path(redisai_rs.__file__).parent / "demo_data"


def public() -> Iterator[tuple[str, Any]]:
    """The public names of the package, and those of their methods, that need an example."""
    for path in MODULES:
        module = importlib.import_module(path)
        names = getattr(module, "__all__", None) or [
            name for name, thing in vars(module).items() if inspect.isclass(thing)
        ]
        for name in sorted(set(names) - VALUES):
            thing = getattr(module, name)
            # The client's are run by tests/client/test_examples.py, with a client at hand.
            if thing.__module__.startswith("redisai_rs.client"):
                continue
            if path == "redisai_rs" or not hasattr(redisai_rs, name):
                yield f"{path}.{name}", thing


def methods(thing: type) -> Iterator[tuple[str, Any]]:
    """The public methods that a class of this package has."""
    for name, member in inspect.getmembers(thing, callable):
        owners = [base for base in thing.__mro__ if name in vars(base)]
        ours = bool(owners) and owners[0].__module__.startswith("redisai_rs")
        if ours and not name.startswith("_") and not inspect.isclass(member):
            yield name, member


def examples(thing: Any) -> str:
    """The section of examples in a docstring."""
    doc = inspect.getdoc(thing) or ""
    return doc.partition("Examples\n--------\n")[2]


NAMES = dict(public())


def test_names_are_found() -> None:
    assert len(NAMES) > 25
    assert "redisai_rs.Engine" in NAMES
    assert dict(methods(redisai_rs.Model)).keys() >= {"run", "submit", "run_async", "stats"}


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example(name: str) -> None:
    """A method may be shown in the example of its class, or of another method."""
    thing = NAMES[name]
    assert ">>> " in examples(thing)
    if inspect.isclass(thing):
        members = dict(methods(thing))
        text = "".join(map(examples, [thing, *members.values()]))
        shown = {name for name, member in members.items() if ">>> " in examples(member)}
        shown |= set(re.findall(r"\.(\w+)\(", text))
        assert members.keys() - shown == set()


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What examples need not define."""
    with Engine(intra_op_threads=1, inter_op_threads=1) as engine, Server() as server:
        yield {"np": np, "rai": redisai_rs, "engine": engine, "url": server.url}


def docstrings(name: str) -> Iterator[doctest.DocTest]:
    """The examples of a name and of its members."""
    thing = NAMES[name]
    parser = doctest.DocTestParser()
    members = list(methods(thing)) if inspect.isclass(thing) else []
    for title, member in [(name, thing), *((f"{name}.{one}", two) for one, two in members)]:
        doc = inspect.getdoc(member) or ""
        test = parser.get_doctest(doc, {}, title, None, None)
        if test.examples:
            yield test


@pytest.mark.parametrize("name", NAMES)
def test_the_examples(
    name: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in DATA.glob("digits.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    tests = list(docstrings(name))
    assert tests
    for test in tests:
        test.globs = dict(names)
        said = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
        runner.run(test, out=said.write)
        assert runner.failures == 0, said.getvalue()


def test_an_example_that_is_wrong_is_found() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    runner = doctest.DocTestRunner()
    runner.run(test, out=lambda _: None)
    assert runner.failures == 1
