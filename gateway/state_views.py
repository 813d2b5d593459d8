"""What the gateway shows of the state service, and what it asks of the cell for that.

The values become the JSON of docs/api.md; see `gateway.views` for what all of them have in common.
Whatever is in the state can be read by everybody who runs a full copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.views import ReceiptView, Stage, StateValueView


@dataclass(frozen=True, slots=True)
class StateEntryView:
    """A key with what a round made of it."""

    key: str
    value: str | None
    """None if it is no valid text, or was taken away."""
    value_hex: str | None
    """None if it was taken away."""
    round: int
    """Which set it, or took it away."""
    by: str | None
    """Public key of who set it."""


@dataclass(frozen=True, slots=True)
class StateListView:
    """Keys in the order of their bytes."""

    items: list[StateEntryView]
    next: str | None
    """Ask for what comes after this key; None at the end."""
    round: int
    """After which they are so: the newest that this cell has applied, unless asked for another."""


@dataclass(frozen=True, slots=True)
class StateHistoryView:
    """What rounds made of a key, the newest first."""

    items: list[StateEntryView]
    next: int | None
    """Ask for what was before this round; None at the end of what is kept."""
    kept_from: int
    """The first round whose state is kept here."""


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A key that is not what it was."""

    key: str
    before: StateEntryView | None
    after: StateEntryView | None
    """None: there is no value."""


@dataclass(frozen=True, slots=True)
class DifferencesView:
    """Keys in the order of their bytes that differ after two rounds."""

    items: list[DifferenceView]
    next: str | None
    """Ask for what comes after this key; None at the end."""


@dataclass(frozen=True, slots=True)
class ChangesView:
    """What rounds changed, in their order."""

    items: list[StateEntryView]
    round: int
    key: str
    """Ask for what comes after this round and key to go on without a gap."""


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """Who owns a namespace, and who may write to it."""

    name: str
    owners: list[str]
    """Cell ids, as they were named: a key that was given up stands for the one that followed."""
    access: str
    """`owners`, `writers`, `members` or `anyone`."""
    writers: list[str]
    round: int
    """In which it was claimed or last changed."""


@dataclass(frozen=True, slots=True)
class WriteWish:
    """One key that is to be written."""

    key: str
    value: bytes | None
    """None: take it away."""
    if_absent: bool = False
    if_round: int | None = None
    if_hash: bytes | None = None
    """At most one condition."""


@dataclass(frozen=True, slots=True)
class NamespaceWish:
    """A namespace that is to be claimed, or changed."""

    name: str
    owners: tuple[str, ...]
    """Cell ids or members' names; none: this cell."""
    access: str
    writers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangesQuery:
    """Which changes are wanted: keys with a prefix, after a round (and a key in it)."""

    prefix: str
    after_round: int | None
    """None: from now on."""
    after_key: str
    limit: int


class StateCell(Protocol):
    """What the gateway's routes of the state service need of a running cell."""

    async def state_value(self, key: str, at: int | None = None) -> StateValueView:
        """Return the value of `key` after the last applied round, or another one.

        Raises NoSuchKey, or StateNotKept for a round that is not kept.
        """
        ...

    async def write_state(
        self, wishes: Sequence[WriteWish], *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign writes, which apply together or not at all, and submit them as `submit` does."""
        ...

    async def roll_back(
        self, prefix: str, to_round: int, *, exact: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Put back what keys with a prefix (or, `exact`, one key) were after a round.

        One batch, which is refused if any of it changes meanwhile. Raises StateNotKept,
        NothingToRollBack, TooMuchToRollBack or what `submit` raises.
        """
        ...

    async def state_entries(
        self, prefix: str, after: str, limit: int, at: int | None = None
    ) -> StateListView:
        """Return the keys with a prefix that come after another one, now or after a round."""
        ...

    async def state_history(self, key: str, before: int, limit: int) -> StateHistoryView:
        """Return what rounds before this one made of a key."""
        ...

    async def state_differences(
        self, rounds: tuple[int, int], prefix: str, after: str, limit: int
    ) -> DifferencesView:
        """Return which keys differ after two rounds; raises StateNotKept or StateTooFar."""
        ...

    async def state_changes(self, query: ChangesQuery, timeout_s: float) -> ChangesView:
        """Return changes, at once if there are some, else when there are or time is over.

        Raises StateNotKept, when what follows is not kept any more: who reads too slowly has to
        read the state anew. Raises TooManyWatchers.
        """
        ...

    async def set_namespace(
        self, wish: NamespaceWish, *, claims: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a claim, or new rules, and submit it; raises NoSuchCell or what `submit` raises."""
        ...

    async def release_namespace(self, name: str, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """Give a namespace up; raises what `submit` raises."""
        ...

    async def namespaces(self, prefix: str, after: str, limit: int) -> list[NamespaceView]:
        """Return the namespaces whose names begin so, in order, after another one."""
        ...

    async def namespace(self, key: str) -> NamespaceView:
        """Return the smallest namespace around a key, or the one of that name.

        Raises NoNamespace.
        """
        ...
