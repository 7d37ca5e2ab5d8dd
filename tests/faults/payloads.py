"""`DUMP` payloads of module types, taken apart and put together, so that they can lie."""

from __future__ import annotations

import struct

# Opcodes of a module type's values in an RDB.
EOF, SIGNED, UNSIGNED, FLOAT, DOUBLE, STRING = range(6)
Value = tuple[int, int | bytes]


def _table() -> list[int]:
    # CRC-64 "Jones", reflected, as servers use it.
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc64(data: bytes) -> int:
    """The checksum of a payload."""
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def number(value: int) -> bytes:
    """A length as an RDB holds it, always in the widest form."""
    return b"\x81" + struct.pack(">Q", value % 2**64)


def read_number(data: bytes, at: int) -> tuple[int, int]:
    """A length and where it ends."""
    first = data[at]
    if first >> 6 == 0:
        return first & 0x3F, at + 1
    if first >> 6 == 1:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    if first == 0x80:
        return struct.unpack_from(">I", data, at + 1)[0], at + 5
    assert first == 0x81, hex(first)
    return struct.unpack_from(">Q", data, at + 1)[0], at + 9


def read_string(data: bytes, at: int) -> tuple[bytes, int]:
    """A string that is not compressed, and where it ends."""
    packed = {0xC0: 1, 0xC1: 2, 0xC2: 4}.get(data[at])
    if packed:
        raw = data[at + 1 : at + 1 + packed]
        return str(int.from_bytes(raw, "little", signed=True)).encode(), at + 1 + packed
    length, at = read_number(data, at)
    return data[at : at + length], at + length


class Payload:
    """The values of a payload, with the type and the version around them."""

    def __init__(self, dumped: bytes) -> None:
        assert crc64(dumped[:-8]) == int.from_bytes(dumped[-8:], "little")
        self.version = dumped[-10:-8]
        self.kind = dumped[0]
        self.module, at = read_number(dumped, 1)
        self.values: list[Value] = []
        while (opcode := dumped[at]) != EOF:
            read = read_string if opcode == STRING else read_number
            value, at = read(dumped, at + 1)
            self.values.append((opcode, value))
        assert at + 11 == len(dumped)

    def with_values(self, values: list[Value], module: int | None = None) -> bytes:
        """The same with other values (and another type or encoding version), its checksum right."""
        body = bytes([self.kind]) + number(self.module if module is None else module)
        for opcode, value in values:
            if isinstance(value, bytes):
                body += bytes([opcode]) + number(len(value)) + value
            else:
                body += bytes([opcode]) + number(value)
        return self.signed(body + bytes([EOF]))

    def signed(self, body: bytes) -> bytes:
        """A body with version and checksum."""
        body += self.version
        return body + crc64(body).to_bytes(8, "little")
