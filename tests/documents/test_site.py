"""The site of the documentation, as `make docs` builds it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import redisai_rs
import redisai_rs.testing
from sphinx.util.inventory import InventoryFile

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built without a warning."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", DOCS, out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return out


def test_every_page_is_in_it(site):
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    pages.remove(Path("README.html"))
    assert len(pages) > 20
    assert {page for page in pages if not (site / page).is_file()} == set()
    front = (site / "index.html").read_text()
    assert {page for page in pages if f'href="{page}"' not in front} == {Path("index.html")}


@pytest.mark.parametrize("module", [redisai_rs, redisai_rs.testing])
def test_every_public_name_is_in_it(site, module):
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda _, page: page)
    listed = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    wanted = {f"{module.__name__}.{name}" for name in module.__all__} - {"redisai_rs.__version__"}
    assert len(wanted) > 5
    assert wanted - listed == set()


def test_the_command_line_s_help_is_in_it(site):
    page = (site / "reference" / "command-line.html").read_text()
    page = re.sub("<.*?>", "", page)
    for verb in ("serve", "module-path", "doctor", "model store", "tensor get", "stats"):
        assert f"redisai-rs {verb}" in page
    assert "redisai-rs serve -- --appendonly yes" in page
