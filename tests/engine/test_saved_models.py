"""SavedModel directories in process. Expected values are TensorFlow's and zipfile's."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import redisai_rs as rai
from redisai_rs import formats


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A SavedModel with a variable: x * [2, 3]."""
    tf = pytest.importorskip("tensorflow", reason="tensorflow-cpu is not installed")

    class Line(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = tf.Variable([2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def scaled(self, x):
            return {"y": x * self.slope}

    line = Line()
    place = tmp_path_factory.mktemp("saved") / "line"
    tf.saved_model.save(line, str(place), {"serving_default": line.scaled})
    return place


@pytest.mark.parametrize("kind", [Path, str])
def test_a_directory_loads(engine, folder, kind):
    loaded = engine.load(kind(folder))
    assert loaded.backend == "TF"
    x = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(loaded.run(x), x * np.array([2, 3], np.float32))


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    """Whatever their dates, rights and the order in which they were made."""
    copy = tmp_path / "copy"
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            place = copy / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            os.utime(place, (0, 0))
            place.chmod(0o600)
    packed = formats.pack_saved_model(folder)
    assert formats.pack_saved_model(str(copy)) == packed
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == sorted(files, key=os.fsencode)
        assert all(archive.read(name) == path.read_bytes() for name, path in files.items())


@pytest.fixture
def small(tmp_path) -> Path:
    """A directory that looks like a SavedModel."""
    root = tmp_path / "small"
    (root / "variables").mkdir(parents=True)
    (root / formats.SAVED_MODEL).write_bytes(b"graph")
    return root


def test_links_to_files_are_followed(small, tmp_path):
    (tmp_path / "blob").write_bytes(b"weights")
    (small / "variables" / "variables.index").symlink_to(tmp_path / "blob")
    with zipfile.ZipFile(io.BytesIO(formats.pack_saved_model(small))) as archive:
        assert archive.read("variables/variables.index") == b"weights"


def a_link_to_a_directory(root: Path) -> None:
    (root / "variables" / "again").symlink_to(root)


def a_link_to_nothing(root: Path) -> None:
    (root / "variables" / "variables.index").symlink_to(root / "nothing")


def a_pipe(root: Path) -> None:
    os.mkfifo(root / "variables" / "variables.index")


def no_graph(root: Path) -> None:
    (root / formats.SAVED_MODEL).unlink()


def a_name_that_is_no_text(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (a_link_to_a_directory, "again is neither a file nor a directory"),
        (a_link_to_nothing, "index is neither a file nor a directory"),
        (a_pipe, "index is neither a file nor a directory"),
        (no_graph, "has no saved_model.pb"),
        (a_name_that_is_no_text, "is not UTF-8"),
    ],
)
def test_what_is_no_saved_model(small, spoil, text):
    spoil(small)
    with pytest.raises(rai.InvalidModelError, match=text):
        formats.pack_saved_model(small)


def test_a_file_that_vanishes_or_cannot_be_read(small, monkeypatch):
    def gone(self, *arguments):
        raise FileNotFoundError(2, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "open", gone)
    with pytest.raises(rai.InvalidModelError, match=r"saved_model.pb cannot be read: No such file"):
        formats.pack_saved_model(small)
