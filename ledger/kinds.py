"""The table of transaction kinds: name, arguments, bounds and effect, one entry each.

A new kind is one dataclass of arguments and one row of `_KINDS`. `parse` turns the canonical
array of arguments into the dataclass and checks every bound that needs no state; `changes` says
what the kind writes. Both are pure and must give the same answer at every cell for ever: a change
of meaning is a new kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_text, encode
from core.ids import NetworkId, PublicKey, Round, TransactionId
from core.limits import INT_MAX
from ledger.errors import Malformed, Oversize, UnknownKind
from ledger.limits import KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from ledger.names import controls_display
from ledger.roster import Roster

VALUE_PREFIX: Final = b"value/"
"""State keys of user values: this prefix, then the key in UTF-8."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set `key` to `value`, whoever set it before."""

    key: str
    value: bytes


Arguments: TypeAlias = Put
"""All argument types, one per kind."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a kind may know beside its arguments."""

    id: TransactionId
    sender: PublicKey
    round: Round
    network_id: NetworkId
    roster: Roster
    """Of the round's epoch."""
    read: Callable[[bytes], bytes | None]
    """State key -> its value as earlier transactions left it, None for none."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    name: str
    arguments: type[Arguments]
    parse: Callable[[list[Value]], Arguments]
    build: Callable[[Arguments], Sequence[Value]]
    changes: Callable[[Arguments, Context], list[tuple[bytes, bytes]]]


def parse_arguments(kind: str, items: list[Value]) -> Arguments:
    """Return the checked arguments of a kind.

    Raises UnknownKind, Malformed, Oversize or WrongShape.
    """
    row = _KINDS.get(kind)
    if row is None:
        raise UnknownKind(f"{kind!r} is not a kind of transaction")
    return row.parse(items)


def build_arguments(arguments: Arguments) -> tuple[str, Sequence[Value]]:
    """Return the kind's name and the encodable arguments, after the checks of `parse_arguments`."""
    row = _BY_ARGUMENTS[type(arguments)]
    items = row.build(arguments)
    row.parse(list(items))
    return row.name, items


def changes_of(arguments: Arguments, context: Context) -> list[tuple[bytes, bytes]]:
    """Return the (state key, state value) pairs that the transaction writes.

    Raises a TransactionRefused when the state does not allow it.
    """
    return _BY_ARGUMENTS[type(arguments)].changes(arguments, context)


def check_key(key: str) -> bytes:
    """Return the UTF-8 bytes of a state key; raises Malformed or Oversize."""
    try:
        raw = key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a key must be valid Unicode text") from error
    if not raw or controls_display(key):
        raise Malformed("a key must have at least one character, and none that control the display")
    if len(raw) > KEY_SIZE_BYTES_MAX:
        raise Oversize(f"the key has {len(raw)} bytes, at most {KEY_SIZE_BYTES_MAX} are taken")
    return raw


def _parse_put(items: list[Value]) -> Put:
    key, value = as_array(items, length=2)
    put = Put(as_text(key, length_max=INT_MAX), as_bytes(value))
    check_key(put.key)  # its length too
    if len(put.value) > VALUE_SIZE_BYTES_MAX:
        raise Oversize(
            f"the value has {len(put.value)} bytes, at most {VALUE_SIZE_BYTES_MAX} are taken"
        )
    return put


def _build_put(put: Put) -> Sequence[Value]:
    return put.key, put.value


def _put_changes(put: Put, context: Context) -> list[tuple[bytes, bytes]]:
    state_value = encode([put.value, context.round, context.sender])
    return [(VALUE_PREFIX + check_key(put.key), state_value)]


_KINDS: Final = {
    row.name: row
    for row in (Kind("put", Put, parse=_parse_put, build=_build_put, changes=_put_changes),)
}
_BY_ARGUMENTS: Final = {row.arguments: row for row in _KINDS.values()}
