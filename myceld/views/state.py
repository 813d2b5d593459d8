"""Answers about state. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class StateEntryView(TypedDict):
    """A key with what a round made of it."""

    by: str | None
    """Public key of who set it."""
    key: str
    round: int
    """Which set it, or took it away."""
    value: str | None
    """None if it is no valid text, or was taken away."""
    value_hex: str | None
    """None if it was taken away."""


class ChangesView(TypedDict):
    """What rounds changed, in their order."""

    items: list[StateEntryView]
    key: str
    """Ask for what comes after this round and key to go on without a gap."""
    round: int


class DifferenceView(TypedDict):
    """A key that is not what it was."""

    after: StateEntryView | None
    """None: there is no value."""
    before: StateEntryView | None
    key: str


class DifferencesView(TypedDict):
    """Keys in the order of their bytes that differ after two rounds."""

    items: list[DifferenceView]
    next: str | None
    """Ask for what comes after this key; None at the end."""


class StateHistoryView(TypedDict):
    """What rounds made of a key, the newest first."""

    items: list[StateEntryView]
    kept_from: int
    """The first round whose state is kept here."""
    next: int | None
    """Ask for what was before this round; None at the end of what is kept."""


class NamespaceView(TypedDict):
    """Who owns a namespace, and who may write to it."""

    access: str
    """`owners`, `writers`, `members` or `anyone`."""
    name: str
    owners: list[str]
    """Cell ids, as they were named: a key that was given up stands for the one that followed."""
    round: int
    """In which it was claimed or last changed."""
    writers: list[str]


class NamespacesView(TypedDict):
    """Namespaces in the order of their names."""

    items: list[NamespaceView]
    next: str | None
    """`after` of the next part; null at the end."""


class StateValueView(TypedDict):
    """The value of one key after `round`."""

    certified_round: int
    key: str
    round: int
    state_root: str
    updated_by: str
    """Public key (hex) of the account that last put it."""
    updated_round: int
    value: str | None
    """The value as text; null when it is not UTF-8."""
    value_hex: str


class StateListView(TypedDict):
    """Keys in the order of their bytes."""

    items: list[StateEntryView]
    next: str | None
    """Ask for what comes after this key; None at the end."""
    round: int
    """After which they are so: the newest that this cell has applied, unless asked for another."""
