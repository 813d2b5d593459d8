"""What is asked of the state service: request models, and the wishes that they come to."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from core.limits import HASH_SIZE_BYTES, INT_MAX
from gateway.asks import KeyAsk, LimitAsk, WaitAsk
from gateway.kinds import (
    Digits,
    Flag,
    Hex,
    Index,
    Items,
    Key,
    Name,
    OneOf,
    Text,
    WaitSeconds,
    Whole,
    Wrong,
)
from gateway.limits import WAIT_TIMEOUT_S_DEFAULT
from gateway.reading import Ask
from gateway.state_views import ChangesQuery, NamespaceWish, WriteWish
from ledger.limits import BATCH_ITEMS_MAX, NAMESPACE_OWNERS_MAX, NAMESPACE_WRITERS_MAX
from ledger.namespaces import Access

_ACCESS: Final = tuple(one.value for one in Access)
_CONDITIONS: Final = ("if_absent", "if_round", "if_hash")


class ValueAsk(KeyAsk):
    """A key, and when."""

    at: Annotated[int | None, Digits()] = None
    """The round after which; the newest applied one unless given."""


class PrefixAsk(LimitAsk):
    """A part of what begins alike."""

    prefix: Annotated[str, Text(0)] = ""
    """With what it begins."""
    after: Annotated[str, Text(0)] = ""
    """Where the last part ended: `next` of its answer."""


class ListAsk(PrefixAsk):
    """Keys that begin alike, and when."""

    at: Annotated[int | None, Digits()] = None
    """The round after which; the newest applied one unless given."""


class HistoryAsk(KeyAsk, LimitAsk):
    """What became of a key, the newest first."""

    before: Annotated[int, Digits(1)] = INT_MAX
    """Only what was written in rounds before this one."""


class DifferencesAsk(PrefixAsk):
    """Two rounds to compare."""

    first: Index = Field(alias="from")
    """The earlier round."""
    last: Index = Field(alias="to")
    """The later round."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise Wrong("expected a round that is not before `from`", "to")
        return self


class ChangesAsk(LimitAsk):
    """Which changes are waited for."""

    prefix: Annotated[str, Text(0)] = ""
    """With what the keys begin."""
    after_round: Annotated[int | None, Digits()] = None
    """Changes after this round; from now on unless given."""
    after_key: Annotated[str, Text(0)] = ""
    """Changes in that round too, of keys behind this one."""
    timeout_s: WaitSeconds = WAIT_TIMEOUT_S_DEFAULT
    """How long to wait for the first one."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.after_key and self.after_round is None:
            raise Wrong("does not go without `after_round`", "after_key")
        return self

    def query(self) -> ChangesQuery:
        """Return what is wanted."""
        return ChangesQuery(self.prefix, self.after_round, self.after_key, self.limit)


class WriteItem(Ask):
    """One key that is to be written, at most with one condition."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["value"], "properties": {"delete": {"const": False}}},
                {"required": ["value_hex"], "properties": {"delete": {"const": False}}},
                {"required": ["delete"], "properties": {"delete": {"const": True}}},
            ]
        }
    )

    key: Key
    """The key."""
    value: Annotated[str | None, Text(0)] = None
    """The value as text."""
    value_hex: Annotated[bytes | None, Hex()] = None
    """The value as bytes, in hex, instead."""
    delete: Annotated[bool, Flag()] = False
    """Take the key away: there is no value then."""
    if_absent: Annotated[bool | None, Flag(always=True)] = None
    """Only if there is no value."""
    if_round: Annotated[int | None, Whole()] = None
    """Only if it was last written in this round."""
    if_hash: Annotated[bytes | None, Hex(HASH_SIZE_BYTES)] = None
    """Only if this is the SHA-256 of the value."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        values = (self.value is not None) + (self.value_hex is not None)
        if self.delete and values:
            raise Wrong("what is deleted has no value", "delete")
        if values != (not self.delete):
            raise Wrong("expected exactly one of `value` and `value_hex`", "value")
        given = [name for name in _CONDITIONS if name in self.model_fields_set]
        if len(given) > 1:
            raise Wrong(f"does not go with {given[0]}", given[1])
        return self

    def wish(self) -> WriteWish:
        """Return what is to be written."""
        text = None if self.value is None else self.value.encode()
        return WriteWish(
            key=self.key,
            value=self.value_hex if text is None else text,
            if_absent=self.if_absent is not None,
            if_round=self.if_round,
            if_hash=self.if_hash,
        )


class WriteAsk(WaitAsk):
    """Writes that apply together or not at all."""

    writes: Annotated[list[WriteItem], Items(1, BATCH_ITEMS_MAX, "objects")]
    """Each key at most once."""


class RollbackAsk(WaitAsk):
    """What is to be put back as it was: a key, or all with a prefix."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["key"]}, {"required": ["prefix"]}]}
    )

    key: Annotated[str | None, Text()] = None
    """One key."""
    prefix: Annotated[str | None, Text(0)] = None
    """All keys with this prefix, instead."""
    to_round: Annotated[int, Whole()]
    """What was after this round."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.key is None) == (self.prefix is None):
            raise Wrong("expected exactly one of `key` and `prefix`", "key")
        return self


class NamespaceAsk(WaitAsk):
    """A namespace that is to be claimed, or changed."""

    name: Annotated[str, Text()]
    """Its name: keys that begin with it and `/` belong to it."""
    owners: Annotated[list[Name], Items(0, NAMESPACE_OWNERS_MAX, "cells")] = Field(
        default_factory=list
    )
    """Cell ids or members' names; this cell alone unless given."""
    access: Annotated[str, OneOf(_ACCESS)] = Access.OWNERS.value
    """Who may write."""
    writers: Annotated[list[Name], Items(0, NAMESPACE_WRITERS_MAX, "cells")] = Field(
        default_factory=list
    )
    """Who may, if `access` is `writers`."""

    def wish(self) -> NamespaceWish:
        """Return the namespace."""
        return NamespaceWish(self.name, tuple(self.owners), self.access, tuple(self.writers))


class ReleaseAsk(WaitAsk):
    """A namespace that is to be given up."""

    name: Annotated[str, Text()]
    """Its name."""
