"""Which key follows which: what the state keeps of rotations, and how an old key leads to today's.

Whoever rotated is a line of keys, from the first one to the present one. Of each key that was given
up the state has the next one, with the signatures of both over that step, so that anybody can check
it without the transaction. Of each key that came by a rotation it has where it came from, and of
the first key of each line the present one: finding that takes three reads, however long the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import as_array, as_bytes, as_int, decode, encode
from core.errors import check
from core.ids import NetworkId, PublicKey, Round, Signature
from core.limits import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES

ROTATED_PREFIX: Final = b"rotated/"
"""State keys of keys that were given up: this prefix, then the key."""

ORIGIN_PREFIX: Final = b"key-origin/"
"""State keys of where a key came from: this prefix, then the key."""

PRESENT_PREFIX: Final = b"key-present/"
"""State keys of the present key of a line: this prefix, then the line's first key."""

_DOMAIN: Final = "myceld/key-rotation/1"

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""
SignatureCheck: TypeAlias = tuple[PublicKey, bytes, bytes]
"""(public key, message, signature), as `identity.keys.verify_all` takes them."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What the state keeps of a key that was given up."""

    successor: PublicKey
    round: Round
    """In which the rotation was applied."""
    consent: Signature
    """The old key's, over `succession_message`."""
    possession: Signature
    """The new key's, over the same."""

    def encode(self) -> bytes:
        """Return the state value: [successor, round, consent, possession]."""
        return encode([self.successor, self.round, self.consent, self.possession])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key came from."""

    first: PublicKey
    """The first key of its line."""
    before: PublicKey
    round: Round
    """In which it came."""

    def encode(self) -> bytes:
        """Return the state value: [first, before, round]."""
        return encode([self.first, self.before, self.round])


def succession_message(network_id: NetworkId, old: PublicKey, new: PublicKey) -> bytes:
    """Return what both keys sign: `["myceld/key-rotation/1", network id, old, new]`."""
    return encode([_DOMAIN, network_id, old, new])


def rotated_key(key: PublicKey) -> bytes:
    """Return the state key of what follows a key."""
    return ROTATED_PREFIX + key


def origin_key(key: PublicKey) -> bytes:
    """Return the state key of where a key came from."""
    return ORIGIN_PREFIX + key


def present_key(first: PublicKey) -> bytes:
    """Return the state key of the present key of a line."""
    return PRESENT_PREFIX + first


def decode_succession(value: bytes) -> Succession:
    """Return what follows a key, from a state value; raises NotCanonical or WrongShape."""
    successor, round_number, consent, possession = as_array(decode(value), length=4)
    return Succession(
        PublicKey(as_bytes(successor, size=PUBLIC_KEY_SIZE_BYTES)),
        Round(as_int(round_number)),
        Signature(as_bytes(consent, size=SIGNATURE_SIZE_BYTES)),
        Signature(as_bytes(possession, size=SIGNATURE_SIZE_BYTES)),
    )


def decode_origin(value: bytes) -> Origin:
    """Return where a key came from, from a state value; raises NotCanonical or WrongShape."""
    first, before, round_number = as_array(decode(value), length=3)
    return Origin(
        PublicKey(as_bytes(first, size=PUBLIC_KEY_SIZE_BYTES)),
        PublicKey(as_bytes(before, size=PUBLIC_KEY_SIZE_BYTES)),
        Round(as_int(round_number)),
    )


def origin_of(read: Read, key: PublicKey) -> Origin | None:
    """Return where a key came from, None if it did not come by a rotation."""
    value = read(origin_key(key))
    return None if value is None else decode_origin(value)


def first_key(read: Read, key: PublicKey) -> PublicKey:
    """Return the first key of whoever has or had `key`: what stays through all rotations."""
    origin = origin_of(read, key)
    return key if origin is None else origin.first


def current_key(read: Read, key: PublicKey) -> PublicKey:
    """Return the present key of whoever once had `key`: itself, unless it was given up."""
    if read(rotated_key(key)) is None:
        return key
    origin = origin_of(read, key)
    value = read(present_key(key if origin is None else origin.first))
    check(value is not None, "a key was given up, and its line has no present one")
    return PublicKey(value or b"")
