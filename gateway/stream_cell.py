"""What the gateway's subscriptions need of a cell: kinds of items, places in them, pages of them.

Transactions, rounds and changes of the state come in the one order that all cells agree on, so a
place in them means the same at each cell. Messages are this cell's own. Peers have no history.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from gateway.message_views import MessageView
from gateway.state_views import StateEntryView
from gateway.views import PeerView, RoundView, TransactionView

View: TypeAlias = TransactionView | RoundView | MessageView | StateEntryView | PeerView


class StreamKind(StrEnum):
    """What can be subscribed to."""

    TRANSACTIONS = "transactions"
    ROUNDS = "rounds"
    MESSAGES = "messages"
    STATE = "state"
    PEERS = "peers"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place behind an item.

    `number` is a round for rounds and the state; for transactions and messages it is how many
    places come before the next item. `key` is the last key of that round, empty behind them all.
    """

    number: int
    key: str = ""

    @property
    def text(self) -> str:
        """Return what clients are shown."""
        return f"{self.number}:{self.key}" if self.key else str(self.number)

    def is_behind(self, other: Cursor) -> bool:
        """Return whether this place comes after another one."""
        return self._order > other._order

    @property
    def _order(self) -> tuple[int, bool, str]:
        return self.number, not self.key, self.key


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Which items are wanted."""

    kind: StreamKind
    sender: str | None = None
    """Of transactions: public key in hex."""
    transaction_kind: str | None = None
    prefix: str = ""
    """Of keys of the state."""

    def matches(self, view: View) -> bool:
        """Return whether an item of this kind is wanted."""
        match view:
            case TransactionView():
                return (self.sender is None or view.sender == self.sender) and (
                    self.transaction_kind is None or view.kind == self.transaction_kind
                )
            case StateEntryView():
                return view.key.startswith(self.prefix)
        return True


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One item, and the place behind it."""

    cursor: Cursor
    round: int | None
    view: View
    size_bytes: int
    """About how much memory it takes."""


@dataclass(frozen=True, slots=True)
class StreamPage:
    """Items without a gap, in their order, and the place up to which there are no others."""

    items: list[StreamItem]
    end: Cursor


class StreamCell(Protocol):
    """The part of `gateway.cell.Cell` that is about subscriptions."""

    def peers(self) -> list[PeerView]:
        """Return the peers, members first."""
        ...

    async def stream_head(self, kind: StreamKind) -> Cursor:
        """Return the place behind the newest item (of any kind but peers)."""
        ...

    async def stream_after_round(self, kind: StreamKind, round_number: int) -> Cursor:
        """Return the place behind all items of a round, of a kind that has rounds.

        Raises HistoryGone if what follows is not kept here.
        """
        ...

    async def stream_page(self, wanted: StreamFilter, after: Cursor, limit: int) -> StreamPage:
        """Return durable items behind a place, out of at most `limit` that are looked at.

        None, and `after` for the end, when there are none (yet). Raises HistoryGone.
        """
        ...

    async def stream_news(self, kind: StreamKind, after: Cursor) -> None:
        """Wait until there may be an item behind a place."""
        ...
