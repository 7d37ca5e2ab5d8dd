"""Each program of `examples` runs, and prints what `docs/examples.md` shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from documents import transcripts

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGE = ROOT / "docs" / "examples.md"
SHOWN = {
    block.options["program"]: block
    for block in transcripts.blocks(PAGE)
    if "program" in block.options
}
pytestmark = pytest.mark.slow
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def fits(printed: str, shown: str, tolerance: float = 0.03) -> bool:
    """Whether texts are equal but for their numbers, and those nearly so.

    A network that was trained on another processor is not the same to the last bit.
    """
    if _NUMBER.sub("#", printed).split() != _NUMBER.sub("#", shown).split():
        return False
    numbers = zip(_NUMBER.findall(printed), _NUMBER.findall(shown), strict=True)
    return all(abs(float(one) - float(other)) <= tolerance * float(other) for one, other in numbers)


def run(program: Path, *arguments: str, folder: Path) -> str:
    """What a program prints that runs without a warning."""
    command = [sys.executable, "-W", "error", str(program), *arguments]
    env = os.environ | {"MPLCONFIGDIR": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_program_is_shown() -> None:
    assert len(EXAMPLES) == 4
    assert {path.stem for path in EXAMPLES} == set(SHOWN)


@pytest.mark.parametrize(
    "program",
    [path for path in EXAMPLES if path.stem != "batching_under_load"],
    ids=lambda path: path.stem,
)
def test_a_program_prints_what_is_shown(program: Path, tmp_path: Path) -> None:
    printed = run(program, folder=tmp_path)
    assert fits(printed, SHOWN[program.stem].text), printed


def test_batches_are_shared_and_drawn(tmp_path: Path) -> None:
    program = next(path for path in EXAMPLES if path.stem == "batching_under_load")
    printed = run(program, "picture.svg", folder=tmp_path)
    assert fits(printed, SHOWN[program.stem].text, tolerance=float("inf")), printed
    _, *rows, shared = printed.splitlines()
    assert [int(row.split()[0]) for row in rows] == [1, 2, 4, 8, 16, 32]
    # Rates are for a machine without anything else to do.
    runs, requests = map(int, _NUMBER.findall(shared))
    assert 0 < 2 * runs < requests
    for picture in (tmp_path / "picture.svg", PAGE.parent / "pictures" / "batching.svg"):
        assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("printed", "fit"),
    [
        ("right: 96%\na b", True),
        ("right: 90%\na b", False),
        ("right: 97%\na c", False),
        ("right: 97%", False),
    ],
)
def test_what_does_not_fit_is_found(printed: str, fit: bool) -> None:
    assert fits(printed, "right: 97%\na b") == fit
