"""DUMP payloads that a test has changed, with the checksum that fits again."""

from __future__ import annotations

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # Jones, reflected


def _row(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


_TABLE = [_row(byte) for byte in range(256)]


def crc64(data: bytes) -> int:
    """The server's checksum of a payload and its version."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def signed(body: bytes) -> bytes:
    """A payload of this body, which ends with the two bytes of the version."""
    return body + crc64(body).to_bytes(8, "little")
