"""The first bytes of a TLS connection: is a ClientHello whole, and which groups does it offer?

Pure. Finds no fault with a hello that is whole: OpenSSL does that. Layout: RFC 8446, 4.1.2 and 5.1;
RFC 8422, 5.1 for the groups.
"""

from __future__ import annotations

import struct
from typing import Final

from gateway.limits import HELLO_RECORDS_MAX, HELLO_SIZE_BYTES_MAX

X25519: Final = 0x001D
"""Groups by their numbers."""
P256: Final = 0x0017

_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_HANDSHAKE, _CLIENT_HELLO, _MAJOR = 22, 1, 3
_VERSION_AND_RANDOM: Final = 34
_GROUPS: Final = 10


class NotHello(Exception):
    """These bytes begin no TLS connection; a state between two parts of the entrance, no error."""


def groups_of(data: bytes) -> frozenset[int] | None:
    """Return the groups that a whole ClientHello offers, None while it is not whole.

    Raises NotHello for whatever can not become one, too large ones among them.
    """
    message = _message(data)
    if message is None:
        return None
    try:
        return _groups(message)
    except IndexError:
        return frozenset()


def _message(data: bytes) -> bytes | None:
    """Return the hello without the records that it comes in."""
    message, at, records = b"", 0, 0
    while len(data) > at:
        records += 1
        if data[at] != _HANDSHAKE or data[at + 1 : at + 2] not in (b"", bytes([_MAJOR])):
            raise NotHello
        size = int.from_bytes(data[at + 3 : at + _RECORD_HEAD])
        end = at + _RECORD_HEAD + size
        if len(data) < at + _RECORD_HEAD:
            return None
        if not size or end > HELLO_SIZE_BYTES_MAX or records > HELLO_RECORDS_MAX:
            raise NotHello
        message += data[at + _RECORD_HEAD : end]
        if message[:1] not in (b"", bytes([_CLIENT_HELLO])):
            raise NotHello
        if len(message) >= _MESSAGE_HEAD:
            wanted = _MESSAGE_HEAD + int.from_bytes(message[1:_MESSAGE_HEAD])
            if wanted > HELLO_SIZE_BYTES_MAX:
                raise NotHello
            if len(message) >= wanted:
                return message[:wanted]
        at = end
    return None


def _groups(message: bytes) -> frozenset[int]:
    """Return the groups; raises IndexError when the hello ends before it should."""
    at = _MESSAGE_HEAD + _VERSION_AND_RANDOM
    at += 1 + message[at]
    at += 2 + _number(message, at)
    at += 1 + message[at] + 2
    while at < len(message):
        kind, size = _number(message, at), _number(message, at + 2)
        at += 4
        if kind == _GROUPS:
            groups = message[at + 2 : at + size]
            return frozenset(struct.unpack(f">{len(groups) // 2}H", groups[: len(groups) & ~1]))
        at += size
    return frozenset()


def _number(message: bytes, at: int) -> int:
    return message[at] << 8 | message[at + 1]
