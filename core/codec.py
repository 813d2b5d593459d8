"""Canonical msgpack: the one encoding of everything that is signed, hashed or sent.

Values are built from arrays, byte strings, UTF-8 text, booleans, nil and 64-bit signed integers.
There are no maps, floats or extension types, and every value has exactly one encoding
(shortest form, no trailing bytes), so equal values have equal hashes in every language.

`decode` re-encodes what it read and refuses bytes that differ. It does not check the shape of a
message: each format parses its own, with the small readers at the end of this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgpack

from core.errors import RemoteViolation
from core.limits import INT_MAX, MESSAGE_SIZE_BYTES_MAX, NESTING_DEPTH_MAX

Value: TypeAlias = "bool | int | str | bytes | Sequence[Value] | None"
"""What can be encoded."""


class NotCanonical(RemoteViolation):
    """Bytes that are not the canonical encoding of a value we accept."""

    code = "MYC-CORE-002"
    remedy = "The sender must use canonical msgpack (see ARCHITECTURE.md, formats)."


class WrongShape(RemoteViolation):
    """A well-encoded value that is not the message it should be."""

    code = "MYC-CORE-003"
    remedy = "Check that both sides speak the same version of the format."


# Tags of the msgpack specification that _check_structure has to tell apart.
_SHORT_ARRAY_TAG: Final = 0x90
_SHORT_TEXT_TAG: Final = 0xA0
_LONG_ARRAY_TAGS: Final = ((b"\xdc", 2), (b"\xdd", 4))
_TAGS_LOOKED_AT_MAX: Final = 32
_BYTES_SIZES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_TEXT_SIZES: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY_SIZES: Final = {0xDC: 2, 0xDD: 4}
_LENGTH_SIZES: Final = _BYTES_SIZES | _TEXT_SIZES | _ARRAY_SIZES
_NUMBER_SIZES: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}


def encode(value: Value) -> bytes:
    """Return the canonical encoding of `value`."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def decode(data: bytes, *, size_bytes_max: int = MESSAGE_SIZE_BYTES_MAX) -> Value:
    """Return the value that `data` encodes.

    Arrays come back as lists. Raises NotCanonical for anything but the canonical encoding of an
    accepted value: too long, truncated, trailing bytes, longer form, map, float, extension,
    invalid UTF-8, an integer beyond 63 bits, or nesting deeper than NESTING_DEPTH_MAX.
    """
    if len(data) > size_bytes_max:
        raise NotCanonical(f"{len(data)} bytes, at most {size_bytes_max} are accepted")
    if _may_hold_long_array(data):
        _check_structure(data)
    try:
        value: Value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=len(data),
            max_map_len=0,
            max_ext_len=0,
            max_bin_len=len(data),
            max_str_len=len(data),
        )
    except (ValueError, msgpack.UnpackException, RecursionError, TypeError) as error:
        raise NotCanonical(f"not msgpack we accept ({type(error).__name__})") from error
    _check_accepted(value, depth=0)
    if encode(value) != data:
        raise NotCanonical("not in shortest form")
    return value


def _may_hold_long_array(data: bytes) -> bool:
    """Return whether some byte may be the tag of a long array that msgpack would allocate.

    It does not for a length above `max_array_len`. Hashes and signatures are full of bytes that
    only look like tags, and next to none of them is followed by a length that small.
    """
    looked_at = 0
    for tag, size in _LONG_ARRAY_TAGS:
        at = data.find(tag)
        while at >= 0:
            looked_at += 1
            length = int.from_bytes(data[at + 1 : at + 1 + size], "big")
            if length <= len(data) or looked_at > _TAGS_LOOKED_AT_MAX:
                return True
            at = data.find(tag, at + 1)
    return False


def _check_structure(data: bytes) -> None:
    """Raise NotCanonical unless every array is as long as it says, and not nested too deeply.

    msgpack allocates an array when it reads its length, so a few bytes of nested lengths could take
    a hundred megabytes. Short arrays can not, so this runs only where a long one may be.
    """
    position, remaining = 0, [1]
    try:
        while remaining:
            if remaining[-1] == 0:
                remaining.pop()
                continue
            remaining[-1] -= 1
            tag = data[position]
            position += 1
            if tag & 0xF0 == _SHORT_ARRAY_TAG:
                remaining.append(tag & 0x0F)
            elif tag & 0xE0 == _SHORT_TEXT_TAG:
                position += tag & 0x1F
            elif tag in _LENGTH_SIZES:
                size = _LENGTH_SIZES[tag]
                length = int.from_bytes(data[position : position + size], "big")
                position += size
                if tag in _ARRAY_SIZES:
                    remaining.append(length)
                else:
                    position += length
            else:
                position += _NUMBER_SIZES.get(tag, 0)
            if len(remaining) > NESTING_DEPTH_MAX + 2:
                raise NotCanonical(f"nested deeper than {NESTING_DEPTH_MAX}")
    except IndexError:
        raise NotCanonical("an array is shorter than it says") from None


def _check_accepted(value: Value, depth: int) -> None:
    if depth > NESTING_DEPTH_MAX:
        raise NotCanonical(f"nested deeper than {NESTING_DEPTH_MAX}")
    if isinstance(value, list):
        for item in value:
            if type(item) is not bytes:
                _check_accepted(item, depth + 1)
    elif isinstance(value, int):
        if not -INT_MAX - 1 <= value <= INT_MAX:
            raise NotCanonical("integer beyond 64 bits, signed")
    elif value is not None and not isinstance(value, (bytes, str)):
        raise NotCanonical(f"{type(value).__name__} is not an accepted type")


def as_array(
    value: Value, *, length: int | None = None, length_max: int | None = None
) -> list[Value]:
    """Return `value` as an array of exactly `length` or at most `length_max` items.

    Raises WrongShape.
    """
    if not isinstance(value, list):
        raise WrongShape("expected an array")
    if length is not None and len(value) != length:
        raise WrongShape(f"expected {length} items, got {len(value)}")
    if length_max is not None and len(value) > length_max:
        raise WrongShape(f"expected at most {length_max} items, got {len(value)}")
    return value


def as_bytes(value: Value, *, size: int | None = None, size_max: int | None = None) -> bytes:
    """Return `value` as bytes of exactly `size` or at most `size_max`, or raise WrongShape."""
    if not isinstance(value, bytes):
        raise WrongShape("expected bytes")
    if size is not None and len(value) != size:
        raise WrongShape(f"expected {size} bytes, got {len(value)}")
    if size_max is not None and len(value) > size_max:
        raise WrongShape(f"expected at most {size_max} bytes, got {len(value)}")
    return value


def as_text(value: Value, *, length_max: int) -> str:
    """Return `value` as text of at most `length_max` characters, or raise WrongShape."""
    if not isinstance(value, str):
        raise WrongShape("expected text")
    if len(value) > length_max:
        raise WrongShape(f"expected at most {length_max} characters, got {len(value)}")
    return value


def as_int(value: Value, *, low: int = 0, high: int = INT_MAX) -> int:
    """Return `value` as an integer of `low` to `high` inclusive, or raise WrongShape."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongShape("expected an integer")
    if not low <= value <= high:
        raise WrongShape(f"integer {value} is not in {low}..{high}")
    return value


def as_bool(value: Value) -> bool:
    """Return `value` as a boolean, or raise WrongShape."""
    if not isinstance(value, bool):
        raise WrongShape("expected a boolean")
    return value
