"""Files and TensorFlow's graphs: a SavedModel reads its own, and nothing reads the server's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backends.tf_models import refused, store, zipped
from models_on_servers import get, run

WORDS = "red\ngreen\nblue\n"
SECRET = "secret\n"


def initializer(tf, words: Path):
    """What fills a table from a file: a word for each line, its number for the word."""
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    return tf.lookup.TextFileInitializer(str(words), tf.string, whole, tf.int64, number)


def of_today(tf, words: Path, folder: Path) -> None:
    """As TensorFlow 2 writes it: the table is filled by a function."""

    class Vocabulary(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.lookup.StaticHashTable(initializer(tf, words), -1)
            self.first = tf.Variable(100, dtype=tf.int64)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
        def look(self, word):
            return {"number": self.table.lookup(word) + self.first}

    model = Vocabulary()
    tf.saved_model.save(model, str(folder), {"serving_default": model.look})


def of_old(tf, words: Path, folder: Path) -> None:
    """As TensorFlow 1 writes it: a collection of assets, an operation that is run at the start."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        table = tf.lookup.StaticHashTable(initializer(tf, words), -1)
        word = v1.placeholder(tf.string, [None], name="word")
        first = v1.get_variable("first", initializer=tf.constant(100, tf.int64))
        number = table.lookup(word) + first
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(folder))
        predict = v1.saved_model.predict_signature_def({"word": word}, {"number": number})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": predict},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()


@pytest.fixture(scope="module", params=[of_today, of_old])
def vocabulary(request, tf, tmp_path_factory) -> Path:
    """A SavedModel whose table is filled from a file of its assets."""
    place = tmp_path_factory.mktemp("vocabulary")
    (place / "words.txt").write_text(WORDS)
    request.param(tf, place / "words.txt", place / "saved")
    # What it was made from is gone: it has its own.
    (place / "words.txt").unlink()
    return place / "saved"


def look_up(client, *words: str) -> list[int]:
    client.execute_command("AI.TENSORSET", "w", "STRING", len(words), "VALUES", *words)
    run(client, "m", ["w"], ["n"])
    return get(client, "n", "int64").tolist()


def test_a_table_is_filled_from_the_model_s_own_assets(make_server, vocabulary, tmp_path):
    server = make_server(env={"TMPDIR": str(tmp_path)})
    with server.client() as client:
        store(client, zipped(vocabulary))
        assert look_up(client, "blue", "red", "none") == [102, 100, 99]
        # And again, when the session is built anew.
        client.execute_command("DEBUG", "RELOAD")
        assert look_up(client, "green") == [101]
        assert list(tmp_path.iterdir()) == []


def edited(vocabulary: Path, folder: Path, edit: Callable[[object], object]) -> bytes:
    """The archive with another graph, which `edit` gives or changes."""
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 (it takes seconds)

    shutil.copytree(vocabulary, folder)
    place = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(place.read_bytes())
    edit(model)
    place.write_bytes(model.SerializeToString())
    return zipped(folder)


def change_assets(model, change: Callable[[object], None]) -> None:
    """Changes the message that says which asset there is, wherever it stands."""
    from tensorflow.core.protobuf import meta_graph_pb2  # noqa: PLC0415 (it takes seconds)

    meta = model.meta_graphs[0]
    for asset in meta.asset_file_def:
        change(asset)
    for packed in meta.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        change(asset)
        packed.Pack(asset)


def read_instead(model, secret: Path) -> str:
    """Puts a path into the constant that stands for the asset's; gives its name."""
    names = []
    change_assets(model, lambda asset: names.append(asset.tensor_info.name.split(":")[0]))
    (node,) = (node for node in model.meta_graphs[0].graph_def.node if node.name == names[0])
    node.attr["value"].tensor.string_val[:] = [str(secret).encode()]
    return node.name


def test_the_constant_of_an_asset_is_not_read(client, vocabulary, tmp_path):
    """TensorFlow feeds the path, so that it does not matter what the graph says."""
    (tmp_path / "secret").write_text(SECRET)
    change = lambda model: read_instead(model, tmp_path / "secret")  # noqa: E731
    store(client, edited(vocabulary, tmp_path / "saved", change))
    assert look_up(client, "secret", "green") == [99, 101]


def test_a_path_that_is_no_asset_is_refused(client, vocabulary, tmp_path):
    (tmp_path / "secret").write_text(SECRET)

    def forget(model) -> None:
        read_instead(model, tmp_path / "secret")
        model.meta_graphs[0].ClearField("asset_file_def")
        model.meta_graphs[0].collection_def.pop("saved_model_assets", None)

    text = refused(client, edited(vocabulary, tmp_path / "saved", forget))
    assert "InitializeTableFromTextFileV2" in text


def test_an_asset_that_names_another_tensor_is_refused(client, vocabulary, tmp_path):
    (tmp_path / "secret").write_text(SECRET)

    def elsewhere(model) -> None:
        read_instead(model, tmp_path / "secret")
        graph = model.meta_graphs[0].graph_def
        graph.node.add(name="decoy", op="Placeholder").attr["dtype"].type = 7
        change_assets(model, lambda asset: setattr(asset.tensor_info, "name", "decoy:0"))

    text = refused(client, edited(vocabulary, tmp_path / "saved", elsewhere))
    assert "InitializeTableFromTextFileV2" in text


@pytest.mark.parametrize("form", ["../../../../..{}", "a/../../../../../..{}", "{}", ".."])
def test_an_asset_s_file_lies_within(client, vocabulary, tmp_path, form):
    (tmp_path / "secret").write_text(SECRET)
    name = form.format(tmp_path / "secret")
    rename = lambda model: change_assets(model, lambda it: setattr(it, "filename", name))  # noqa: E731
    text = refused(client, edited(vocabulary, tmp_path / "saved", rename))
    assert "asset outside of it" in text


def test_variables_of_others_are_not_restored(client, vocabulary, tmp_path):
    """A checkpoint on the server's disk, and an operation that would restore from there."""
    other = shutil.copytree(vocabulary / "variables", tmp_path / "other") / "variables"

    def restore_other(model) -> None:
        meta = model.meta_graphs[0]
        name = meta.saver_def.filename_tensor_name.split(":")[0]
        graph = meta.graph_def
        (old,) = (node for node in graph.node if node.name == name)
        constant = graph.node.add(name="other", op="Const")
        constant.attr["dtype"].type = 7
        constant.attr["value"].tensor.dtype = 7
        constant.attr["value"].tensor.string_val[:] = [str(other).encode()]
        for node in graph.node:
            node.input[:] = [re.sub(f"^{old.name}(:0)?$", "other", it) for it in node.input]

    text = refused(client, edited(vocabulary, tmp_path / "saved", restore_other))
    assert "RestoreV2" in text


def reader(tf, folder: Path) -> Path:
    """A SavedModel that reads the file of its input's name."""

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="x")])
        def read(self, x):
            return {"number": tf.io.read_file(x)}

    model = Reader()
    tf.saved_model.save(model, str(folder), {"serving_default": model.read})
    return folder


def test_the_graph_that_is_looked_at_is_the_one_that_is_loaded(client, tf, vocabulary, tmp_path):
    """TensorFlow takes the graph whose only tag is `serve`, wherever it stands."""
    evil = (reader(tf, tmp_path / "reader") / "saved_model.pb").read_bytes()

    def hide(model) -> None:
        model.meta_graphs[0].meta_info_def.tags.append("gpu")
        model.MergeFromString(evil)

    text = refused(client, edited(vocabulary, tmp_path / "saved", hide))
    assert "ReadFile" in text


def test_a_graph_in_pieces_is_refused(client, vocabulary, tmp_path):
    """Whichever of the two files TensorFlow loads, only one is looked at."""
    folder = shutil.copytree(vocabulary, tmp_path / "saved")
    (folder / "saved_model.cpb").write_bytes(b"")
    assert "saved_model.cpb" in refused(client, zipped(folder))


# Operations whose inputs or attributes are called like files or addresses, and that touch none.
HARMLESS = {
    "ExperimentalSetStatsAggregatorDataset",
    "SetStatsAggregatorDataset",
    "ShardedFilename",
    "ShardedFilespec",
}
# What names a file, a directory, another machine, a graph in a string.
TELLING = re.compile(
    "file|path$|^directory$|logdir|address|_prefix$|^prefix$|^shard_dir$|memory_region|^graph_def$"
    "|debug_urls"
)
# By their attributes: in a frozen graph each of them is refused only where it names a file.
BY_ATTRIBUTE = {"FixedUnigramCandidateSampler"}


def operations(tf) -> Iterator[object]:
    """All of the library's operations."""
    from tensorflow.core.framework import op_def_pb2  # noqa: PLC0415 (it takes seconds)
    from tensorflow.python.client import pywrap_tf_session  # noqa: PLC0415

    buffer = pywrap_tf_session.TF_GetAllOpList()
    listed = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(buffer))
    yield from listed.op


def test_no_operation_on_files_is_forgotten(client, tf):
    """Those of the TensorFlow that is installed, by the names of what they take."""
    seen = set()
    for operation in operations(tf):
        names = [it.name for it in operation.input_arg]
        names += [it.name for it in operation.attr if it.type in {"string", "list(string)"}]
        if not any(TELLING.search(name) for name in names):
            continue
        seen.add(operation.name)
        if operation.name in HARMLESS | BY_ATTRIBUTE:
            continue
        graph = tf.compat.v1.GraphDef()
        graph.node.add(name="x", op=operation.name)
        text = refused(client, graph.SerializeToString(), "INPUTS", 1, "x", "OUTPUTS", 1, "x")
        assert operation.name in text and "files" in text
    assert len(seen) > 50
