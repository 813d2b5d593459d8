"""Unsigned varints, in front of libp2p's messages (multiformats/unsigned-varint)."""

from __future__ import annotations


def encode_varint(number: int) -> bytes:
    """Return a number in 7-bit pieces, the least first."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
