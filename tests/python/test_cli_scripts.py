"""`redisai-rs script`: what it stores and runs is what PyTorch computes."""

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

SOURCE = """\
def helper(x):
    return x * 2


def double(tensors: List[Tensor], keys: List[str], args: List[str]):
    return helper(tensors[0])


def both(tensors: list[torch.Tensor], keys: list[str], args: list[str]):
    return tensors[0] + tensors[1], tensors[0] - tensors[1]


def visit(tensors: List[Tensor], keys: List[str], args: List[str]):
    redis.execute("APPEND", keys[0], args[0])
"""


def npy(*values: float) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(values, np.float32))
    return file.getvalue()


@pytest.fixture
def script(ai, tmp_path):
    """The script `s`, stored from a file."""
    (tmp_path / "s.py").write_text(SOURCE)
    return ai("script", "store", "s", tmp_path / "s.py", "--tag", "t")


def test_store_finds_the_entry_points(script, ai, raw):
    assert script.lines == ["stored s on CPU: double, both, visit"]
    reply = raw.execute_command("AI.SCRIPTGET", "s")
    found = dict(zip(reply[::2], reply[1::2], strict=True))
    assert found[b"Entry Points"] == [b"double", b"both", b"visit"]
    assert (found[b"tag"], found[b"source"]) == (b"t", SOURCE.encode())
    assert ai("script", "get", "s", "-").output == SOURCE.encode()
    words = ["--entry-point", "both", "--json"]
    done = ai("script", "store", "s", "-", *words, stdin=SOURCE.encode())
    assert done.json == {"key": "s", "device": "CPU", "entry_points": ["both"]}
    assert raw.execute_command("AI.SCRIPTGET", "s", "META")[5] == [b"both"]


def test_run_on_files_and_keys(script, ai, raw, tmp_path):
    done = ai("script", "run", "s", "double", "-", stdin=npy(1, 2.5))
    assert done.lines == ["output 1  FLOAT 2", "[2., 5.]"]
    raw.execute_command("AI.TENSORSET", "a", "FLOAT", 2, "VALUES", 3, 4)
    done = ai("script", "run", "s", "both", "a", "-", "-o", "sum", "-o", "-", stdin=npy(1, 1))
    np.testing.assert_array_equal(np.load(io.BytesIO(done.output)), [2, 3])
    assert done.errors.splitlines() == ["output 1  -> sum", "output 2  -> -"]
    sums = raw.execute_command("AI.TENSORGET", "sum", "VALUES")
    assert list(map(float, sums)) == [4, 5]
    done = ai("script", "run", "s", "both", "a", "a", "--count", 2, "--json")
    values = [one["values"] for one in done.json["outputs"]]
    assert values == [[6, 8], [0, 0]]


def test_run_with_keys_and_words(script, ai, raw):
    words = ["--key", "k", "--arg=-x", "--count", "0"]
    done = ai("script", "run", "s", "visit", *words)
    assert (done.status, done.output, done.errors) == (0, b"", "")
    assert raw.get("k") == b"-x"


def test_ls_info_and_rm(script, ai):
    lines = ai("script", "ls").lines
    assert [line.split() for line in lines] == [
        ["KEY", "DEVICE", "STATE", "TAG"],
        ["s", "CPU", "ready", "t"],
    ]
    pairs = [line.partition("  ") for line in ai("script", "info", "s").lines]
    facts = {name: value.strip() for name, _, value in pairs}
    assert facts["entry_points"] == "double, both, visit"
    assert set(facts["functions"].split(", ")) >= {"double", "both", "visit", "helper"}
    assert facts["type"] == "SCRIPT"
    assert ai("script", "rm", "s").lines == ["deleted s"]
    assert ai("script", "ls").errors == "no scripts in this database\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("store", "n", "-"), "say --entry-point"),
        (("store", "n", "/nowhere.py"), "/nowhere.py cannot be read: No such file"),
        (("run", "gone", "f"), "ERR"),
        (("run", "s", "gone"), "gone"),
        (("rm", "gone"), "gone: ERR"),
        (("info", "gone"), "ERR"),
        (("get", "gone", "-"), "ERR"),
    ],
)
def test_errors_are_one_line(script, ai, words, text):
    done = ai("script", *words, stdin=b"def f(x):\n    return x\n")
    assert text in done.failed()
    assert done.output == b""


def test_a_source_that_is_none_is_told(ai):
    assert "is not understood" in ai("script", "store", "s", "-", stdin=b"def f(:\n").failed()
    words = ["--entry-point", "f"]
    done = ai("script", "store", "s", "-", *words, stdin=b"def f(:\n")
    assert done.failed()
