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
from core.limits import (
    INT_MAX,
    MESSAGE_SIZE_BYTES_MAX,
    NESTING_DEPTH_MAX,
    VALUES_COST_FACTOR,
    VALUES_COST_FREE_BYTES,
    VALUES_MAX,
)

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


_LONG_ARRAY_TAGS: Final = ((b"\xdc", 2), (b"\xdd", 4))
_TAGS_LOOKED_AT_MAX: Final = 32

# What Python keeps for a value, its place in an array included. The same for every version of
# Python and every machine: what one cell refuses, all must refuse.
_SMALL_COST_BYTES: Final = 8
_NUMBER_COST_BYTES: Final = 40
_BYTES_COST_BYTES: Final = 41
_TEXT_COST_BYTES: Final = 64
_ARRAY_COST_BYTES: Final = 80
_UNCHECKED_SIZE_BYTES_MAX: Final = 512
"""So few bytes can not cost much, unless one of them announces a long array."""
_BUFFER_SIZE_BYTES: Final = 256

_PLAIN: Final = 0
_BYTES: Final = 1
_TEXT: Final = 2
_ARRAY: Final = 3
_REFUSED: Final = 4


def _tag_table() -> tuple[tuple[int, int, int], ...]:
    """Return for each first byte of a value (msgpack specification) what it begins.

    Of plain values: (_PLAIN, bytes that follow, cost). Of others: (kind, bytes of the length that
    follow, length where none follow). What is _REFUSED must be so here: who took its first byte
    for a value would read on at the wrong place, and count something else than msgpack decodes.
    """
    table = [(_PLAIN, 0, _SMALL_COST_BYTES)] * 256
    for tag in (*range(0x80, 0x90), 0xC1, *range(0xC7, 0xCC), *range(0xD4, 0xD9), 0xDE, 0xDF):
        table[tag] = (_REFUSED, 0, 0)  # maps, extensions, floats
    for length in range(16):
        table[0x90 + length] = (_ARRAY, 0, length)
    for length in range(32):
        table[0xA0 + length] = (_TEXT, 0, length)
    for power in range(4):
        table[0xCC + power] = table[0xD0 + power] = (_PLAIN, 1 << power, _NUMBER_COST_BYTES)
    for power in range(3):
        table[0xC4 + power], table[0xD9 + power] = (_BYTES, 1 << power, 0), (_TEXT, 1 << power, 0)
    table[0xDC], table[0xDD] = (_ARRAY, 2, 0), (_ARRAY, 4, 0)
    return tuple(table)


_TAGS: Final = _tag_table()


def encode(value: Value) -> bytes:
    """Return the canonical encoding of `value`."""
    return _packed(value, _BUFFER_SIZE_BYTES)


def decode(
    data: bytes,
    *,
    size_bytes_max: int = MESSAGE_SIZE_BYTES_MAX,
    values_max: int = VALUES_MAX,
) -> Value:
    """Return the value that `data` encodes.

    Arrays come back as lists. Raises NotCanonical for anything but the canonical encoding of an
    accepted value: too long, truncated, trailing bytes, longer form, map, float, extension,
    invalid UTF-8, an integer beyond 63 bits, nesting deeper than NESTING_DEPTH_MAX, more than
    `values_max` values, or values that take more memory than VALUES_COST_FACTOR allows.
    """
    if len(data) > size_bytes_max:
        raise NotCanonical(f"{len(data)} bytes, at most {size_bytes_max} are accepted")
    if len(data) > _UNCHECKED_SIZE_BYTES_MAX or _may_hold_long_array(data):
        _check_cost(data, values_max)
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
    if _packed(value, len(data) + 1) != data:
        raise NotCanonical("not in shortest form")
    return value


def _packed(value: Value, buffer_size_bytes: int) -> bytes:
    """Encode with a buffer of our own size: msgpack would take 256 KiB for a few bytes."""
    packed: bytes = msgpack.Packer(use_bin_type=True, buf_size=buffer_size_bytes).pack(value)
    return packed


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


def _check_cost(data: bytes, values_max: int) -> None:
    """Raise NotCanonical where decoding would take much more memory or time than the bytes do.

    msgpack allocates an array when it reads its length, so a few bytes of nested lengths could take
    a hundred megabytes; and a frame of nothing but empty arrays takes 80 bytes for each of its own.
    """
    position, left, values = 0, 1, 1
    budget_bytes = VALUES_COST_FACTOR * len(data) + VALUES_COST_FREE_BYTES
    while left:
        if left > len(data) - position:
            raise NotCanonical("an array is shorter than it says")
        left -= 1
        kind, size, length = _TAGS[data[position]]
        position += 1 + size
        cost_bytes = length
        if kind == _REFUSED:
            raise NotCanonical("a map, an extension or a float")
        if kind != _PLAIN:
            if size:
                length = int.from_bytes(data[position - size : position], "big")
            if kind == _ARRAY:
                left += length
                values += length
                cost_bytes = _ARRAY_COST_BYTES
                if values > values_max:
                    raise NotCanonical(f"more than {values_max} values")
            else:
                position += length
                cost_bytes = length + (_TEXT_COST_BYTES if kind == _TEXT else _BYTES_COST_BYTES)
                if length < 2 and kind == _BYTES:  # Python keeps all bytes objects of these
                    cost_bytes = _SMALL_COST_BYTES
        budget_bytes -= cost_bytes
        if budget_bytes < 0:
            raise NotCanonical("many small values in few bytes")


def _check_accepted(value: Value, depth: int) -> None:
    if depth > NESTING_DEPTH_MAX:
        raise NotCanonical(f"nested deeper than {NESTING_DEPTH_MAX}")
    if isinstance(value, list):
        may_hold_numbers = depth < NESTING_DEPTH_MAX
        for item in value:
            kind = type(item)
            if kind is bytes:
                continue
            if kind is int and may_hold_numbers and -INT_MAX - 1 <= item <= INT_MAX:
                continue  # most are: a call for each would take longer than the decoding
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
