"""Scripts on real servers: what TorchScript computes in Python, the server computes."""

import textwrap

import numpy as np
import pytest
import redis
from backends.torch_values import get, put, say

SOURCE = textwrap.dedent("""
    def scale(tensors: List[Tensor], keys: List[str], args: List[str]):
        factor = float(args[0])
        return [t * factor for t in tensors]

    def stack(tensors: List[Tensor], keys: List[str], args: List[str]):
        return torch.stack(tensors), torch.tensor([len(keys), len(args)]).to(torch.float32)

    def words(tensors: List[Tensor], keys: List[str], args: List[str]):
        counts: Dict[str, int] = {}
        for word in args:
            counts[word] = counts.get(word, 0) + 1
        best: Optional[str] = None
        for word, count in counts.items():
            if best is None or count > counts[best]:
                best = word
        if best is None:
            raise Exception("no word at all")
        return torch.tensor([float(counts[best]), float(len(best))])

    def add(a, b):
        return a + b
""")
NAMES = ("scale", "stack", "words")


@pytest.fixture
def client(server):
    client = server.client()
    client.flushall()
    command = ["AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", len(NAMES), *NAMES]
    assert say(client, *command, "SOURCE", SOURCE) == b"OK"
    put(client, "x", np.array([1.0, 2.0]))
    put(client, "y", np.array([3.0, 5.0]))
    return client


def test_an_entry_point_gets_all_of_inputs_keys_and_args(client):
    words = ["INPUTS", 2, "x", "y", "ARGS", 1, "2.5", "OUTPUTS", 2, "a", "b"]
    assert say(client, "AI.SCRIPTEXECUTE", "s", "scale", *words) == b"OK"
    assert get(client, "a").tolist() == [2.5, 5.0]
    assert get(client, "b").tolist() == [7.5, 12.5]
    words = ["KEYS", 1, "k", "INPUTS", 2, "x", "y", "OUTPUTS", 2, "a", "b"]
    assert say(client, "AI.SCRIPTEXECUTE", "s", "stack", *words) == b"OK"
    assert get(client, "a").tolist() == [[1, 2], [3, 5]]
    assert get(client, "b").tolist() == [1, 0]


def test_strings_dicts_and_exceptions(client):
    words = ["INPUTS", 1, "x", "ARGS", 3, "wort", "a", "wort", "OUTPUTS", 1, "a"]
    assert say(client, "AI.SCRIPTEXECUTE", "s", "words", *words) == b"OK"
    assert get(client, "a").tolist() == [2, 4]
    with pytest.raises(redis.ResponseError, match="no word at all"):
        say(client, "AI.SCRIPTEXECUTE", "s", "words", "INPUTS", 1, "x", "OUTPUTS", 1, "a")


def test_other_functions_are_called_as_they_can_be(client):
    words = ["INPUTS", "x", "y", "OUTPUTS", "a"]
    assert say(client, "AI.SCRIPTRUN", "s", "add", *words) == b"OK"
    assert get(client, "a").tolist() == [4, 7]
    with pytest.raises(redis.ResponseError, match="Function does not exist: none"):
        say(client, "AI.SCRIPTRUN", "s", "none", *words)


@pytest.mark.parametrize(
    ("names", "source", "text"),
    [
        (["g"], "def f(a):\n    return a\n", "Function g does not exist in the given script."),
        (
            ["f"],
            "def f(a):\n    return a\n",
            "Wrong number of inputs in function f. Expected 3 but was 1",
        ),
        (
            ["f"],
            "def f(a, b, c):\n    return a\n",
            "Wrong inputs type in function f. Expected signature similar to: def f(tensors:"
            " List[Tensor], keys: List[str], args: List[str])",
        ),
    ],
)
def test_entry_points_are_checked_at_the_store(client, names, source, text):
    command = ["AI.SCRIPTSTORE", "t", "CPU", "ENTRY_POINTS", len(names), *names]
    with pytest.raises(redis.ResponseError) as caught:
        say(client, *command, "SOURCE", source)
    assert str(caught.value) == text
    assert client.exists("t") == 0


def test_what_ends_torchs_compiler_is_refused_and_the_server_lives(client):
    bad = [
        "def f(a):\n    x: Any = [1]\n    return a\n",
        "def f(a):\n    return a" + " + 1" * 10_000 + "\n",
        "def f(a):\n    return " + "-" * 50_000 + "a\n",
        "def f(a):\n    return f(a)\n",
        "def f(a):\n    torch.save(a, 'x')\n    return a\n",
    ]
    for source in bad:
        with pytest.raises(redis.ResponseError):
            say(client, "AI.SCRIPTSET", "t", "CPU", "SOURCE", source)
    assert client.ping()


def test_a_loop_without_end_stops_at_the_deadline(client):
    source = "def f(a):\n    i = 0\n    while True:\n        i += 1\n    return a\n"
    say(client, "AI.SCRIPTSET", "t", "CPU", "SOURCE", source)
    words = ["TIMEOUT", 100, "INPUTS", "x", "OUTPUTS", "a"]
    for _ in range(3):
        assert say(client, "AI.SCRIPTRUN", "t", "f", *words) == b"TIMEDOUT"
    words = ["INPUTS", 1, "x", "ARGS", 1, "2", "OUTPUTS", 1, "a"]
    assert say(client, "AI.SCRIPTEXECUTE", "s", "scale", *words) == b"OK"


def test_a_dag_of_a_script_around_a_script(client):
    words = ["LOAD", 2, "x", "y", "PERSIST", 1, "out", "|>"]
    words += ["AI.SCRIPTEXECUTE", "s", "scale", "INPUTS", 2, "x", "y", "ARGS", 1, "2"]
    words += ["OUTPUTS", 2, "p", "q", "|>"]
    words += ["AI.SCRIPTEXECUTE", "s", "stack", "INPUTS", 2, "p", "q", "OUTPUTS", 2, "out", "n"]
    assert say(client, "AI.DAGEXECUTE", "ROUTING", "x", *words) == [b"OK", b"OK"]
    assert get(client, "out").tolist() == [[2, 4], [6, 10]]


def test_what_is_printed_goes_to_the_log(client, server):
    source = "def f(a):\n    print('seen by', 3)\n    return a\n"
    say(client, "AI.SCRIPTSET", "t", "CPU", "SOURCE", source)
    assert say(client, "AI.SCRIPTRUN", "t", "f", "INPUTS", "x", "OUTPUTS", "a") == b"OK"
    server.wait_for_log("PyTorch print: seen by 3")
