"""Commands made wrong in every place: what `test_bad_input.py` sends."""

from __future__ import annotations

import random
from collections.abc import Iterator

from commands.models import ONE, TWO

Command = list[bytes]

# Valid commands, one of each form. Keys begin with `k:`; `k:m` is a model, `k:t` a tensor.
SEEDS: list[Command] = [
    line.encode().split()
    for line in (
        "AI.TENSORSET k:a FLOAT 2 2",
        "AI.TENSORSET k:a FLOAT 2 1 BLOB 12345678",
        "AI.TENSORSET k:a INT8 2 2 VALUES 1 2 3 4",
        "AI.TENSORSET k:a BOOL 2 VALUES 0 1",
        "AI.TENSORSET k:a DOUBLE VALUES 1.5",
        "AI.TENSORSET k:a STRING 2 VALUES a b",
        "AI.TENSORSET k:a STRING 2 BYTES a b",
        "AI.TENSORGET k:t META BLOB",
        "AI.TENSORGET k:t VALUES",
        "AI.MODELGET k:m META BLOB",
        "AI.MODELDEL k:gone",
        "AI.MODELEXECUTE k:m INPUTS 2 k:t k:t OUTPUTS 2 k:c k:d TIMEOUT 10000",
        "AI.MODELEXECUTE k:m INPUTS 2 k:t k:t OUTPUTS 2 k:c k:c",
        "AI.MODELRUN k:m TIMEOUT 10000 INPUTS k:t k:t OUTPUTS k:c k:d",
        "AI._MODELSCAN",
        "AI.INFO k:m",
        "AI.INFO k:m RESETSTAT",
        "AI.INFO k:m FULL",
        "AI.CONFIG GET MODEL_CHUNK_SIZE",
        "AI.CONFIG MODEL_CHUNK_SIZE 100",
        "AI.CONFIG BACKENDSPATH path",
        "AI.CONFIG LOADBACKEND ONNX path",
    )
]
_OPTIONS = b"TAG t BATCHSIZE 4 MINBATCHSIZE 2 MINBATCHTIMEOUT 5".split()
SEEDS += [
    [b"AI.MODELSTORE", b"k:n", b"ONNX", b"CPU", *_OPTIONS, b"BLOB", ONE],
    [b"AI.MODELSTORE", b"k:n", b"TF", b"CPU", *b"INPUTS 2 a b OUTPUTS 2 c d BLOB".split(), TWO],
    [b"AI.MODELSTORE", b"k:n", b"TORCH", b"CPU", b"BLOB", ONE[:5], ONE[5:]],
    [b"AI.MODELSET", b"k:n", b"ONNX", b"CPU", *_OPTIONS, b"BLOB", ONE],
    [b"AI.MODELSET", b"k:n", b"TF", b"CPU", *b"INPUTS a b OUTPUTS c d BLOB".split(), TWO],
    [b"AI.MODELSET", b"k:n", b"ONNX", b"CPU", ONE],
]
NAMES = sorted({seed[0] for seed in SEEDS})

# Keys of the server's own types, which no command of ours may change.
FOREIGN = [b"own:string", b"own:list", b"own:hash", b"own:set", b"own:zset", b"own:stream"]

BAD = [
    b"", b" ", b"\0", b"a\0b", b"\xff\xfe", "ü".encode(), b"\r\n", b"x\r\n+OK\r\n", b"%s%n%x%p",
    b"-1", b"0", b"00", b"1", b"+1", b"1.0", b"1.5", b"1e400", b"nan", b"inf", b"-inf", b"0x7",
    b"2147483647", b"2147483648", b"4294967296", b"9223372036854775807", b"9223372036854775808",
    b"-9223372036854775808", b"18446744073709551615", b"99999999999999999999999999",
    b"BLOB", b"VALUES", b"BYTES", b"META", b"INPUTS", b"OUTPUTS", b"TIMEOUT", b"TAG", b"BATCHSIZE",
    b"MINBATCHSIZE", b"MINBATCHTIMEOUT", b"GET", b"RESETSTAT", b"FLOAT", b"STRING", b"UINT64",
    b"TF", b"TORCH", b"TFLITE", b"GPU:99999999999999999999", b"CPU:7", b"../../etc/passwd",
    b"k:m", b"k:t", b"k:none", b"y" * 5000, *FOREIGN,
]  # fmt: skip


def wrong_in_one_place() -> Iterator[Command]:
    """Each argument replaced by each bad one, out, doubled, swapped; the command cut before it."""
    for seed in SEEDS:
        yield seed
        for at in range(1, len(seed)):
            before, here, after = seed[:at], seed[at], seed[at + 1 :]
            yield before
            yield [*before, *after]
            yield [*before, here, here, *after]
            yield [*before, here.swapcase(), *after]
            yield [*before, *after[:1], here, *after[1:]]
            for bad in BAD:
                yield [*before, bad, *after]
                yield [*before, bad, here, *after]
        for bad in BAD:
            yield [*seed, bad]


def wrong_in_several_places(count: int) -> Iterator[Command]:
    """Random changes, two to six of them."""
    chance = random.Random(11)
    for _ in range(count):
        command = list(chance.choice(SEEDS))
        for _ in range(chance.randint(2, 6)):
            at = chance.randint(1, len(command))
            other = chance.choice([seed for seed in SEEDS if len(seed) > 1])
            put = chance.choice([[], [chance.choice(BAD)], [chance.choice(other[1:])]])
            command[at : at + chance.randint(0, 2)] = put
        yield command


def random_words(count: int) -> Iterator[Command]:
    """A command's name and words that mean nothing, or something."""
    chance = random.Random(13)
    for _ in range(count):
        noise = [chance.randbytes(chance.randint(0, 40)) for _ in range(6)]
        words = [chance.choice([*noise, *BAD[:6]]) for _ in range(chance.randint(0, 6))]
        words += [chance.choice(BAD) for _ in range(chance.randint(0, 6))]
        chance.shuffle(words)
        yield [chance.choice(NAMES), *words]


def huge_shapes(count: int) -> Iterator[Command]:
    """Dims whose product overflows in every way that 64 bits know, in each form."""
    chance = random.Random(17)
    dims = [1, 2, 3, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33, 2**62, 2**63 - 1]
    forms: list[Command] = [[], [b"BLOB", b"x"], [b"VALUES", b"1"], [b"BLOB", b""], [b"VALUES"]]
    forms.append([b"BYTES", b"a"])
    for _ in range(count):
        shape = [b"%d" % chance.choice(dims) for _ in range(chance.randint(2, 9))]
        dtype = chance.choice([b"FLOAT", b"DOUBLE", b"UINT8", b"BOOL", b"FLOAT16", b"STRING"])
        yield [b"AI.TENSORSET", b"k:a", dtype, *shape, b"4294967296", *chance.choice(forms)]
