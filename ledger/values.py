"""Values of the shared state: set, set if nobody did meanwhile, taken away.

    put       [key, value]               whoever set it before
    put-if    [key, value, condition]    if the condition holds
    delete    [key, condition]           the same

    condition  []                      always
               ["absent"]              the key has no value
               ["round", number]       its value is that of this round
               ["hash", SHA-256]       its value has this hash

A value is known by the round that set it: of two transactions that expect the same one only the
first finds it, and no later value ever has an earlier round. Writes that belong together are a
batch. Who may write a key, its namespace says (`ledger.namespaces`).

    "value/" ‖ key -> [value, round, sender]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import Hash, PublicKey, Round
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import BadCondition, ConditionFailed, Malformed, NoSuchValue, Oversize
from ledger.limits import KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from ledger.names import controls_display
from ledger.namespaces import check_may_write

VALUE_PREFIX: Final = b"value/"
"""State keys of user values: this prefix, then the key in UTF-8."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set `key` to `value`, whoever set it before."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """The key has no value."""


@dataclass(frozen=True, slots=True)
class IfRound:
    """The key's value was set in this round."""

    round: Round


@dataclass(frozen=True, slots=True)
class IfHash:
    """The key's value has this SHA-256."""

    hash: Hash


Condition: TypeAlias = IfAbsent | IfRound | IfHash | None
"""None: always."""


@dataclass(frozen=True, slots=True)
class PutIf:
    """Set `key` to `value` if a condition holds."""

    key: str
    value: bytes
    condition: Condition


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the value of `key` away if a condition holds."""

    key: str
    condition: Condition = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the state keeps of a value."""

    value: bytes
    round: Round
    """In which it was set."""
    sender: PublicKey

    def encode(self) -> bytes:
        """Return the state value: [value, round, sender]."""
        return encode([self.value, self.round, self.sender])


def value_key(key: str) -> bytes:
    """Return the state key of a user's key; raises Malformed or Oversize."""
    return VALUE_PREFIX + check_key(key)


def decode_stored(value: bytes) -> Stored:
    """Return the value in a state value; raises NotCanonical or WrongShape."""
    content, number, sender = as_array(decode(value), length=3)
    return Stored(
        as_bytes(content),
        Round(as_int(number)),
        PublicKey(as_bytes(sender, size=PUBLIC_KEY_SIZE_BYTES)),
    )


def check_key(key: str) -> bytes:
    """Return the UTF-8 bytes of a user's key; raises Malformed or Oversize."""
    try:
        raw = key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a key must be valid Unicode text") from error
    if not raw or controls_display(key):
        raise Malformed("a key must have at least one character, and none that control the display")
    if len(raw) > KEY_SIZE_BYTES_MAX:
        raise Oversize(f"the key has {len(raw)} bytes, at most {KEY_SIZE_BYTES_MAX} are taken")
    return raw


def parse_put(items: list[Value]) -> Put:
    """Return the checked arguments of `put`; raises Malformed, Oversize or WrongShape."""
    key, value = as_array(items, length=2)
    return Put(_parse_key(key), _parse_value(value))


def build_put(put: Put) -> Sequence[Value]:
    """Return the encodable arguments of `put`."""
    return put.key, put.value


def put_cost(put: Put | PutIf) -> int:
    """Return what setting a value costs."""
    return cost_of(writes=2, size_bytes=text_size_bytes(put.key) + len(put.value))


def put_changes(put: Put, context: Context) -> list[tuple[bytes, bytes | None]]:
    """Return what a put writes; raises WriteForbidden."""
    check_may_write(put.key, context)
    return [(value_key(put.key), Stored(put.value, context.round, context.sender).encode())]


def parse_put_if(items: list[Value]) -> PutIf:
    """Return the checked arguments of `put-if`; as `parse_put`, and BadCondition."""
    key, value, condition = as_array(items, length=3)
    return PutIf(_parse_key(key), _parse_value(value), _parse_condition(condition))


def build_put_if(put: PutIf) -> Sequence[Value]:
    """Return the encodable arguments of `put-if`."""
    return put.key, put.value, _condition_value(put.condition)


def put_if_changes(put: PutIf, context: Context) -> list[tuple[bytes, bytes | None]]:
    """Return what it writes; raises WriteForbidden or ConditionFailed."""
    check_may_write(put.key, context)
    _check_condition(put.key, put.condition, context)
    return [(value_key(put.key), Stored(put.value, context.round, context.sender).encode())]


def parse_delete(items: list[Value]) -> Delete:
    """Return the checked arguments; raises Malformed, Oversize, BadCondition or WrongShape."""
    key, condition = as_array(items, length=2)
    delete = Delete(_parse_key(key), _parse_condition(condition))
    if isinstance(delete.condition, IfAbsent):
        raise BadCondition("what is absent can not be deleted")
    return delete


def build_delete(delete: Delete) -> Sequence[Value]:
    """Return the encodable arguments of `delete`."""
    return delete.key, _condition_value(delete.condition)


def delete_cost(delete: Delete) -> int:
    """Return what taking a value away costs."""
    return cost_of(writes=1, size_bytes=text_size_bytes(delete.key))


def delete_changes(delete: Delete, context: Context) -> list[tuple[bytes, bytes | None]]:
    """Return what it writes; raises WriteForbidden, NoSuchValue or ConditionFailed."""
    check_may_write(delete.key, context)
    if context.read(value_key(delete.key)) is None:
        raise NoSuchValue(f"there is no value at {delete.key!r}")
    _check_condition(delete.key, delete.condition, context)
    return [(value_key(delete.key), None)]


def _check_condition(key: str, condition: Condition, context: Context) -> None:
    value = context.read(value_key(key))
    found = None if value is None else decode_stored(value)
    match condition:
        case IfAbsent() if found is not None:
            raise ConditionFailed(f"{key!r} has a value, of round {found.round}")
        case IfRound() if found is None or found.round != condition.round:
            raise ConditionFailed(f"{key!r} {_since(found)}, not that of round {condition.round}")
        case IfHash() if found is None or hashlib.sha256(found.value).digest() != condition.hash:
            raise ConditionFailed(f"{key!r} {_since(found)}, not one with that hash")


def _since(found: Stored | None) -> str:
    return "has no value" if found is None else f"has a value of round {found.round}"


def _parse_key(value: Value) -> str:
    key = as_text(value, length_max=INT_MAX)
    check_key(key)  # its length too
    return key


def _parse_value(item: Value) -> bytes:
    value = as_bytes(item)
    if len(value) > VALUE_SIZE_BYTES_MAX:
        raise Oversize(
            f"the value has {len(value)} bytes, at most {VALUE_SIZE_BYTES_MAX} are taken"
        )
    return value


def _parse_condition(value: Value) -> Condition:
    items = as_array(value, length_max=2)
    if not items:
        return None
    match as_text(items[0], length_max=INT_MAX), len(items):
        case "absent", 1:
            return IfAbsent()
        case "round", 2:
            return IfRound(Round(as_int(items[1], low=1)))
        case "hash", 2:
            return IfHash(Hash(as_bytes(items[1], size=HASH_SIZE_BYTES)))
    raise BadCondition("a condition is empty, absent, or a round or a hash")


def _condition_value(condition: Condition) -> list[Value]:
    match condition:
        case IfAbsent():
            return ["absent"]
        case IfRound():
            return ["round", condition.round]
        case IfHash():
            return ["hash", condition.hash]
    return []
