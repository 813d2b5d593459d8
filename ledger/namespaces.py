"""Namespaces: who may write which keys. Everybody can read all of them, on every full copy.

    namespace-claim   [name, [owner, …], access, [writer, …]]
    namespace-set     the same, by an owner: hand it on, or change who may write
    namespace-release [name], by an owner: nobody has it any more

The namespace `club` is all keys that begin with `club/`. It is claimed once, by anybody; a part of
it, such as `club/minutes`, by an owner of the smallest namespace around it only. A key belongs to
the smallest claimed namespace around it, and to nobody without one: then anybody may write it.
What was under a name before it was claimed belongs to the namespace from then on. Owners may
always write, and a single one changes everything. A key that was given up stands for the one that
followed, as an owner and as a writer. What lies in a namespace that is released stays, and belongs
to the one around it, or to nobody; parts that were claimed stay claimed.

    "namespace/" ‖ name -> [[owner, …], access, [writer, …], round]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import PublicKey, Round
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import (
    BadNamespace,
    NamespaceTaken,
    NoSuchNamespace,
    NotAnOwner,
    WriteForbidden,
)
from ledger.limits import (
    NAMESPACE_CLAIM_WRITES,
    NAMESPACE_DEPTH_MAX,
    NAMESPACE_NAME_SIZE_BYTES_MAX,
    NAMESPACE_OWNERS_MAX,
    NAMESPACE_WRITERS_MAX,
)
from ledger.members import Changes
from ledger.names import is_line
from ledger.succession import Read, current_key

NAMESPACE_PREFIX: Final = b"namespace/"
"""State keys of namespaces: this prefix, then the name in UTF-8."""


class Access(StrEnum):
    """Who may write beside the owners."""

    OWNERS = "owners"
    WRITERS = "writers"
    """Those of a list."""
    MEMBERS = "members"
    """Of the epoch in which it is ordered."""
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who owns a namespace, and who may write to it."""

    owners: tuple[PublicKey, ...]
    access: Access = Access.OWNERS
    writers: tuple[PublicKey, ...] = ()
    """With access WRITERS; else none."""


@dataclass(frozen=True, slots=True)
class NamespaceClaim:
    """Take a namespace that nobody has."""

    name: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class NamespaceSet:
    """Give a namespace other rules, and maybe other owners."""

    name: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class NamespaceRelease:
    """Give a namespace up: from transaction version 3 on."""

    name: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """What the state keeps of a namespace."""

    rules: Rules
    round: Round
    """In which it was claimed or last changed."""

    def encode(self) -> bytes:
        """Return the state value: [[owner, …], access, [writer, …], round]."""
        return encode([*_rules_value(self.rules), self.round])


def namespace_key(name: str) -> bytes:
    """Return the state key of a namespace."""
    return NAMESPACE_PREFIX + name.encode("utf-8")


def decode_namespace(value: bytes) -> Namespace:
    """Return the namespace in a state value; raises NotCanonical, WrongShape or BadNamespace."""
    *rules, number = as_array(decode(value), length=4)
    return Namespace(_parse_rules(rules), Round(as_int(number)))


def parse_claim(items: list[Value]) -> NamespaceClaim:
    """Return the checked arguments of `namespace-claim`; raises BadNamespace or WrongShape."""
    name, *rules = as_array(items, length=4)
    return NamespaceClaim(_parse_name(name), _parse_rules(rules))


def parse_set(items: list[Value]) -> NamespaceSet:
    """Return the checked arguments of `namespace-set`; raises BadNamespace or WrongShape."""
    name, *rules = as_array(items, length=4)
    return NamespaceSet(_parse_name(name), _parse_rules(rules))


def parse_release(items: list[Value]) -> NamespaceRelease:
    """Return the checked arguments of `namespace-release`; raises BadNamespace or WrongShape."""
    (name,) = as_array(items, length=1)
    return NamespaceRelease(_parse_name(name))


def build_release(release: NamespaceRelease) -> Sequence[Value]:
    """Return the encodable arguments of `namespace-release`."""
    return (release.name,)


def build_namespace(what: NamespaceClaim | NamespaceSet) -> Sequence[Value]:
    """Return the encodable arguments of both kinds."""
    return what.name, *_rules_value(what.rules)


def claim_cost(claim: NamespaceClaim) -> int:
    """Return what a claim costs: names are few, and kept for ever."""
    return cost_of(writes=NAMESPACE_CLAIM_WRITES, size_bytes=_size_bytes(claim))


def set_cost(change: NamespaceSet) -> int:
    """Return what new rules cost."""
    return cost_of(writes=1, size_bytes=_size_bytes(change))


def release_cost(_: NamespaceRelease) -> int:
    """Return what giving a namespace up costs: nothing of it stays."""
    return cost_of(writes=1)


def claim_changes(claim: NamespaceClaim, context: Context) -> Changes:
    """Return what a claim writes; raises NamespaceTaken or NotAnOwner."""
    key = namespace_key(claim.name)
    if context.read(key) is not None:
        raise NamespaceTaken(f"namespace {claim.name!r} was claimed before")
    around = namespace_of(context.read, claim.name)
    if around is not None and not _is_among(context, around[1].rules.owners):
        raise NotAnOwner(
            f"{claim.name!r} is inside of {around[0]!r}, which the sender does not own"
        )
    return [(key, Namespace(claim.rules, context.round).encode())]


def set_changes(change: NamespaceSet, context: Context) -> Changes:
    """Return what new rules write; raises NoSuchNamespace or NotAnOwner."""
    _check_owns(change.name, context)
    return [(namespace_key(change.name), Namespace(change.rules, context.round).encode())]


def release_changes(
    release: NamespaceRelease, context: Context
) -> list[tuple[bytes, bytes | None]]:
    """Return what giving a namespace up writes; raises NoSuchNamespace or NotAnOwner."""
    _check_owns(release.name, context)
    return [(namespace_key(release.name), None)]


def namespace_of(read: Read, key: str) -> tuple[str, Namespace] | None:
    """Return the smallest claimed namespace around a key, or a name, and what it is called."""
    parts = key.split("/")
    for count in range(min(len(parts) - 1, NAMESPACE_DEPTH_MAX), 0, -1):
        name = "/".join(parts[:count])
        value = read(namespace_key(name))
        if value is not None:
            return name, decode_namespace(value)
    return None


def check_may_write(key: str, context: Context) -> None:
    """Raise WriteForbidden unless the sender may write a key."""
    found = namespace_of(context.read, key)
    if found is None:
        return
    name, rules = found[0], found[1].rules
    allowed = rules.access is Access.ANYONE or _is_among(context, rules.owners)
    if rules.access is Access.MEMBERS:
        allowed = allowed or context.roster.index_of(context.sender) is not None
    elif rules.access is Access.WRITERS:
        allowed = allowed or _is_among(context, rules.writers)
    if not allowed:
        raise WriteForbidden(f"namespace {name!r} can be written by {rules.access}, not the sender")


def _check_owns(name: str, context: Context) -> None:
    """Raise NoSuchNamespace or NotAnOwner unless a namespace is the sender's."""
    value = context.read(namespace_key(name))
    if value is None:
        raise NoSuchNamespace(f"nobody claimed the namespace {name!r}")
    if not _is_among(context, decode_namespace(value).rules.owners):
        raise NotAnOwner(f"the sender does not own the namespace {name!r}")


def _is_among(context: Context, keys: Sequence[PublicKey]) -> bool:
    return any(current_key(context.read, key) == context.sender for key in keys)


def _parse_name(value: Value) -> str:
    name = as_text(value, length_max=INT_MAX)
    parts = name.split("/")
    if not is_line(name, NAMESPACE_NAME_SIZE_BYTES_MAX) or not all(parts):
        raise BadNamespace(
            f"a name is one line of at most {NAMESPACE_NAME_SIZE_BYTES_MAX} bytes, parts between "
            "slashes are not empty"
        )
    if len(parts) > NAMESPACE_DEPTH_MAX:
        raise BadNamespace(f"a name has at most {NAMESPACE_DEPTH_MAX} parts")
    return name


def _parse_rules(items: list[Value]) -> Rules:
    owners, access, writers = items
    word = as_text(access, length_max=INT_MAX)
    if word not in {one.value for one in Access}:
        raise BadNamespace(f"{word[:16]!r} is no access: {', '.join(Access)}")
    rules = Rules(_keys(owners), Access(word), _keys(writers))
    if not 1 <= len(rules.owners) <= NAMESPACE_OWNERS_MAX:
        raise BadNamespace(f"a namespace has 1 to {NAMESPACE_OWNERS_MAX} owners")
    writers_max = NAMESPACE_WRITERS_MAX if rules.access is Access.WRITERS else 0
    if len(rules.writers) > writers_max:
        raise BadNamespace(f"with access {rules.access} there are at most {writers_max} writers")
    return rules


def _keys(value: Value) -> tuple[PublicKey, ...]:
    keys = tuple(PublicKey(as_bytes(item)) for item in as_array(value))
    if any(len(key) != PUBLIC_KEY_SIZE_BYTES for key in keys) or len(set(keys)) != len(keys):
        raise BadNamespace(f"keys have {PUBLIC_KEY_SIZE_BYTES} bytes, and each is named once")
    return keys


def _rules_value(rules: Rules) -> list[Value]:
    return [list[Value](rules.owners), rules.access.value, list[Value](rules.writers)]


def _size_bytes(what: NamespaceClaim | NamespaceSet) -> int:
    keys = len(what.rules.owners) + len(what.rules.writers)
    return text_size_bytes(what.name) + PUBLIC_KEY_SIZE_BYTES * keys
