"""Numbers in arguments: what the server's own commands take we take, and nothing else.

`INCRBY` reads an integer and `ZADD` a double with the functions that modules are given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from commands.wire import OK, Failure, Wire, failure

BAD_VALUE = failure("ERR invalid value")
BAD_SHAPE = failure("ERR invalid or negative value found in tensor shape")

INTEGERS = """0 1 -1 9 10 127 128 -128 -129 255 256 32767 -32768 65535 2147483647 -2147483648
4294967295 4294967296 9223372036854775806 9223372036854775807 9223372036854775808
-9223372036854775807 -9223372036854775808 -9223372036854775809 18446744073709551615
99999999999999999999 00 01 -0 -01 +1 + - -- --1 1- 1.0 1. .1 1e3 0x1 0b1 1_000 1,000 a 1a a1
nan inf １ ²""".split()
INTEGERS += ["", " ", " 1", "1 ", "\t1", "1\n", "1\0", "\0", "1\r\n", "- 1", "1 2"]

DOUBLES = """0 -0 1 -1 +1 +0 0.0 .5 5. -.5 +.5 . - + -. 1.5 007 00 1e5 1E5 1e+5 1e-5 1e 1e+ 1e- e5
.e5 1e5e5 1e5.5 1.2.3 1e308 1.7976931348623157e308 1.7976931348623159e308 -1e309 1e309 1e400 -1e400
2.2250738585072014e-308 5e-324 4.9e-324 3e-324 1e-400 -1e-400 0e999 0e-999 9007199254740993
0.1 0.30000000000000004 123456789012345678901234567890 1e22 1e23 8.41e21
3.4028235677973366e38 179769313486231580793728971405303415079934132710037826936173778980444968292764
inf -inf +inf INF Inf iNf infinity Infinity -INFINITY infinit infinityx infx in i
nan NaN -nan nan() nan(1) NAN ++1 --1 +-1 1+ 1- 1f 1d 1L 1_000 1,5 1,000 0b1 0o7 １ ½""".split()
DOUBLES += ["", " ", " 1", "1 ", "\t1", "\n1", "1\n", "\v1", "1\0", "\0", "1 2", "- 1", "1\0e5"]

HEX = """0x10 0X10 -0x10 +0x10 0x 0x. 0xg 0x1p 0x1p4 0x1P-4 0x.8 0x1. 0x1.8p1 0x1p+3 0x1p1023
0x1p1024 0x1p-1074 0x1p-1075 0x1.8p-1075 0x1.fffffffffffff7p1023 0x1.fffffffffffff8p1023
0x0p99999999 0x1.00000000000008p0 0x1.000000000000081p0 0x1.00000000000018p0
0x123456789abcdef0123456789 0x1p99999999999999999999 0x1.8.1 0x1pp1 0xnan""".split()


def mutants(seeds: list[str], alphabet: str, count: int) -> list[str]:
    """Random texts near the seeds: a character put in, taken out or changed."""
    chance = random.Random(5)
    found = []
    for _ in range(count):
        text = list(chance.choice(seeds))
        for _ in range(chance.randint(1, 3)):
            at = chance.randint(0, len(text))
            text[at : at + chance.randint(0, 1)] = chance.choice(["", chance.choice(alphabet)])
        found.append("".join(text))
    return found


@pytest.fixture
def hex_floats(wire: Wire) -> bool:
    """Whether this server's own commands read hex floats: some newer ones do not."""
    return wire("ZADD", "probe", "0x10", "m") == 1


def by_server_integers(wire: Wire, texts: list[str]) -> list[object]:
    """What `INCRBY` makes of each: the number, or None."""
    commands = []
    for text in texts:
        commands += [("SET", "n", "0"), ("INCRBY", "n", text)]
    replies = wire.many(commands)[1::2]
    return [None if isinstance(reply, Failure) else reply for reply in replies]


def by_server_doubles(wire: Wire, texts: list[str]) -> Iterator[object]:
    """What `ZADD` makes of each: the number, or None."""
    commands = []
    for text in texts:
        commands += [("DEL", "z"), ("ZADD", "z", text, "m"), ("ZSCORE", "z", "m")]
    replies = wire.many(commands)
    for added, score in zip(replies[1::3], replies[2::3], strict=True):
        yield None if isinstance(added, Failure) else float(score)


def by_us(wire: Wire, dtype: str, texts: list[str]) -> list[object]:
    """What `AI.TENSORSET … VALUES` makes of each: the number, or None."""
    commands = []
    for text in texts:
        commands += [("AI.TENSORSET", "t", dtype, 1, "VALUES", text), ("AI.TENSORGET", "t", "BLOB")]
    replies = wire.many(commands)
    found: list[object] = []
    for stored, blob in zip(replies[::2], replies[1::2], strict=True):
        if stored == OK:
            kind = np.int64 if dtype == "INT64" else np.float64
            found.append(np.frombuffer(blob, kind)[0].item())
        else:
            assert stored == BAD_VALUE
            found.append(None)
    return found


def test_integers(wire: Wire) -> None:
    texts = INTEGERS + mutants(INTEGERS, "0123456789-+. x\0", 2000)
    expected = by_server_integers(wire, texts)
    assert expected.count(None) > 100
    assert len(texts) - expected.count(None) > 100
    compared = zip(texts, by_us(wire, "INT64", texts), expected, strict=True)
    assert not [(text, mine, its) for text, mine, its in compared if mine != its]


def test_doubles(wire: Wire) -> None:
    texts = DOUBLES + mutants(DOUBLES, "0123456789-+.eEinfa \0", 3000)
    texts = [text for text in texts if "x" not in text.lower()]
    expected = list(by_server_doubles(wire, texts))
    assert expected.count(None) > 100
    assert len(texts) - expected.count(None) > 100
    ours = by_us(wire, "DOUBLE", texts)
    # Not by their bits: some servers show −0 as 0.
    compared = zip(texts, ours, expected, strict=True)
    assert not [(text, mine, its) for text, mine, its in compared if mine != its]
    assert np.copysign(1, by_us(wire, "DOUBLE", ["-0", "-0.0", "0"])).tolist() == [-1, -1, 1]


def test_hex_floats(wire: Wire, hex_floats: bool) -> None:
    texts = HEX + mutants(HEX, "0123456789abcdefpP.+-", 1000)
    texts = [text for text in texts if text.lower().lstrip("+-").startswith("0x")]
    ours = by_us(wire, "DOUBLE", texts)
    if hex_floats:
        assert ours == list(by_server_doubles(wire, texts))
    # Also where the server does not read them.
    known = [(t, float.fromhex(t)) for t in HEX[:2] + HEX[8:10] + ["0x.8", "0x1.8p1", "0x1p-1074"]]
    assert by_us(wire, "DOUBLE", [text for text, _ in known]) == [value for _, value in known]


@pytest.mark.parametrize(
    "place",
    [
        ("AI.TENSORSET", "d", "UINT8", None),
        ("AI.TENSORSET", "d", "UINT8", "1", None, "1"),
    ],
    ids=["last", "inner"],
)
def test_dims_are_integers_above_zero(wire: Wire, place: tuple[str | None, ...]) -> None:
    texts = [text for text in INTEGERS if len(text) < 7]
    expected = by_server_integers(wire, texts)
    replies = wire.many([[text if a is None else a for a in place] for text in texts])
    for text, value, reply in zip(texts, expected, replies, strict=True):
        good = isinstance(value, int) and value > 0
        assert reply == (OK if good else BAD_SHAPE), text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("7", 7),
        ("7.0", 7),
        ("1e3", 1000),
        ("0x10", 16),
        ("9007199254740992", 2**53),
        ("-1", None),
        ("-1.0", None),
        ("7.5", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        (" 7", None),
        ("7 ", None),
        ("x", None),
        ("1e400", None),
        ("9223372036854775808", None),
        ("1e19", None),
    ],
)
def test_counts_may_be_doubles_without_a_fraction(
    mocks: Wire, text: str, value: int | None
) -> None:
    """The options of a store, and TF's counts of names, as RedisAI's own reader takes them."""
    options = {
        "BATCHSIZE": ["BATCHSIZE", text],
        "MINBATCHSIZE": ["BATCHSIZE", "1", "MINBATCHSIZE", text],
        "MINBATCHTIMEOUT": ["BATCHSIZE", "1", "MINBATCHSIZE", "1", "MINBATCHTIMEOUT", text],
    }
    for name, words in options.items():
        reply = mocks("AI.MODELSTORE", "m", "ONNX", "CPU", *words, "BLOB", "identity")
        if value is None:
            assert reply == failure(f"ERR Invalid argument for {name}")
            continue
        assert reply == OK
        shown = mocks("AI.MODELGET", "m", "META")
        assert shown[shown.index(name.lower().encode()) + 1] == value


@pytest.mark.parametrize("text", ["1.0", "+1", "01", " 1", "1 ", "0x1", "1e0", "", "x", "inf"])
def test_counts_of_keys_and_timeouts_are_integers(mocks: Wire, text: str) -> None:
    blob = "identity\ninput a\noutput b"
    assert mocks("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob) == OK
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    run = ["AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y"]
    assert mocks(*run) == OK
    bad_input = failure("ERR Invalid argument for input_count")
    assert mocks(*run[:3], text, *run[4:]) == bad_input
    bad_output = failure("ERR Invalid argument for output_count")
    assert mocks(*run[:6], text, *run[7:]) == bad_output
    bad_timeout = failure("ERR Invalid value for TIMEOUT")
    assert mocks(*run, "TIMEOUT", text) == bad_timeout
    assert mocks("AI.MODELRUN", "m", "TIMEOUT", text, "INPUTS", "x", "OUTPUTS", "y") == bad_timeout
