"""The demo's classifier in each of its forms."""

from __future__ import annotations

import struct

from redisai_rs import module_path

DATA = module_path().parent.parent / "demo_data"
PIXELS = 64


def blob(form: str) -> bytes:
    return (DATA / form).read_bytes()


def rows() -> list[tuple[bytes, int]]:
    """Each image's pixels, and the digit that was written."""
    data = (DATA / "digits.bin").read_bytes()
    starts = range(0, len(data), PIXELS + 1)
    return [(data[at : at + PIXELS], data[at + PIXELS]) for at in starts]


def pixels(images: list[tuple[bytes, int]]) -> bytes:
    """Images as a FLOAT tensor's bytes."""
    return b"".join(struct.pack(f"<{PIXELS}f", *image) for image, _ in images)
