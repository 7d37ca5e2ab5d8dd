"""Fields of the saved versions before 4, by the tables of the contract."""

from __future__ import annotations

OLD_TENSOR = [1, 2**64 - 1, 16, 0, 1, 2, 1, 2, 2, 1, 0, b"\x01\x00\xff\xff"]
NAMES = [1, b"a\0", 2, b"b\0", b"\0"]
CHUNKS = [4, 2, b"blo", b"b"]
OLD_MODELS = {
    0: [2, b"CPU:\0", b"tag\0", 4, 9, *NAMES, b"blob"],
    1: [2, b"CPU:\0", b"tag", 4, 9, *NAMES, *CHUNKS],
    2: [2, b"CPU:\0", b"tag", 4, 9, 250, *NAMES, *CHUNKS],
    3: [2, b"CPU:\0", b"tag", 4, 9, 250, *NAMES, *CHUNKS],
}
OLD_SCRIPTS = {
    0: [b"CPU:\0", b"tag\0", b"def f(a): return a\0"],
    1: [b"CPU:\0", b"tag", b"def f(a): return a\0"],
    2: [b"CPU:\0", b"tag", b"def f(a): return a\0"],
    3: [b"CPU:\0", b"tag", b"def f(a): return a\0", 2, b"f\0", b"g\0"],
}


def module_id(name: str, version: int) -> int:
    """A type's number in a payload: six bits for each character of its name, ten of the version."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | letters.index(character)
    return number << 10 | version
