"""What the arguments of a kind are, for machines: names, types and bounds, in their order.

docs/transactions.md is made of it, and so are descriptions for other languages. It does not parse:
each kind does that itself, and the tests hold the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from ledger.limits import MEMO_SIZE_BYTES_MAX, NAME_LENGTH_MAX, SUPPLY_MAX


class Type(StrEnum):
    """What an argument is, and what its bounds count."""

    INTEGER = "integer"
    """Bounds of the value."""
    BYTES = "bytes"
    """Bounds of the size."""
    TEXT = "text"
    """Bounds of the size of its UTF-8; no control characters."""
    NAME = "name"
    """Text whose bounds count characters."""
    BOOLEAN = "boolean"
    LIST = "list"
    """Bounds of the number of items."""


@dataclass(frozen=True, slots=True)
class Field:
    """One argument."""

    name: str
    type: Type
    low: int
    high: int
    what: str
    item: Type | None = None
    """Type of a list's items."""


Schema: TypeAlias = tuple[Field, ...]
"""The arguments of a kind, in their order."""


def public_key(name: str, what: str) -> Field:
    """Return a field that holds a public key."""
    return Field(name, Type.BYTES, PUBLIC_KEY_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, what)


def digest(name: str, what: str) -> Field:
    """Return a field that holds a hash or an id."""
    return Field(name, Type.BYTES, HASH_SIZE_BYTES, HASH_SIZE_BYTES, what)


def signature(name: str, what: str) -> Field:
    """Return a field that holds a signature."""
    return Field(name, Type.BYTES, SIGNATURE_SIZE_BYTES, SIGNATURE_SIZE_BYTES, what)


def integer(name: str, what: str, *, low: int = 0, high: int = INT_MAX) -> Field:
    """Return a field that holds an integer."""
    return Field(name, Type.INTEGER, low, high, what)


def amount(what: str, *, low: int = 1) -> Field:
    """Return the field of an amount in base units."""
    return Field("amount", Type.INTEGER, low, SUPPLY_MAX, what)


def data(name: str, what: str, *, high: int, low: int = 0) -> Field:
    """Return a field of bytes."""
    return Field(name, Type.BYTES, low, high, what)


def text(name: str, what: str, *, high: int, low: int = 0) -> Field:
    """Return a field of text."""
    return Field(name, Type.TEXT, low, high, what)


def name_of(name: str, what: str, *, low: int = 1, high: int = NAME_LENGTH_MAX) -> Field:
    """Return a field of text that is bounded in characters."""
    return Field(name, Type.NAME, low, high, what)


ACCOUNT_TO: Final = Field(
    "to",
    Type.BYTES,
    8,
    PUBLIC_KEY_SIZE_BYTES,
    "Who is paid: a public key, the id of a multi-signature account, or `treasury`.",
)
MEMO: Final = text("memo", "What it is for; one line, may be empty.", high=MEMO_SIZE_BYTES_MAX)
EXPIRES: Final = integer("expires_round", "The last round in which it holds.")
