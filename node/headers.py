"""The round headers of a cell, by round: HEADERS_JOURNAL with what a jump left out.

Journals only grow, so a cell that jumped to a checkpoint keeps the headers that it has and goes on
with later ones; one that was repaired goes on with the right headers of rounds of which it has
wrong ones too, and the later ones count. The table `history` says at which index each such stretch
begins, and with which round; without a row the journal begins with round 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.ids import Epoch, Round
from journal import Journal, Store
from ledger.header import RoundHeader, decode_header
from node.errors import NotInHistory
from node.tables import HEADERS_JOURNAL


@dataclass(frozen=True, slots=True)
class Stretch:
    """Headers without a gap: index `first_index` holds round `first_round`."""

    first_index: int
    first_round: Round
    epoch: Epoch
    """The first epoch whose rounds this cell applied itself here."""


class Headers:
    """Reads only. A jump ends the process's parts, so the stretches never change under it."""

    def __init__(self, journal: Journal, stretches: list[Stretch]) -> None:
        """`stretches` in order, the first at index 0."""
        self._journal = journal
        self._stretches = stretches

    @classmethod
    async def open(cls, store: Store) -> Headers:
        """Return the headers in a store."""
        rows = store.query("SELECT first_index, first_round, epoch FROM history ORDER BY 1")
        stretches = [Stretch(index, Round(at), Epoch(epoch)) for index, at, epoch in rows]
        if not stretches or stretches[0].first_index > 0:
            stretches.insert(0, Stretch(0, Round(1), Epoch(0)))
        return cls(await store.journal(HEADERS_JOURNAL), stretches)

    @property
    def first_own_epoch(self) -> Epoch:
        """The epoch since which every round was applied here, without a jump."""
        return self._stretches[-1].epoch

    @property
    def length(self) -> int:
        """How many headers there are."""
        return self._journal.length

    @property
    def last_round(self) -> Round:
        """The newest round whose header is acknowledged; 0 before the first."""
        newest = self._stretches[-1]
        return Round(newest.first_round + self.length - newest.first_index - 1)

    def index_of(self, round_number: int) -> int:
        """Return the index of a round up to the next one; raises NotInHistory for one left out."""
        at = bisect_right(self._stretches, round_number, key=lambda one: one.first_round) - 1
        if at >= 0:
            stretch = self._stretches[at]
            index = stretch.first_index + round_number - stretch.first_round
            if index < self._end(at) or at == len(self._stretches) - 1:
                return index
        goes_on = self._stretches[at + 1].first_round
        raise NotInHistory(f"round {round_number} is not held here", goes_on)

    def has(self, round_number: int) -> bool:
        """Return whether a round is acknowledged; raises NotInHistory for one left out.

        The tables may be ahead: they show what the writer has just committed.
        """
        return self.index_of(round_number) < self.length

    async def get(self, round_number: Round) -> RoundHeader:
        """Return the header of an applied round; raises NotInHistory."""
        return decode_header(await self._journal.get(self.index_of(round_number)))

    async def page(self, start: int, limit: int) -> list[RoundHeader]:
        """Return the headers of applied rounds from `start` on without a gap, at most `limit`.

        Raises NotInHistory when `start` itself was left out.
        """
        first = self.index_of(max(1, start))
        at = bisect_right(self._stretches, first, key=lambda one: one.first_index) - 1
        indexes = range(first, min(self._end(at), first + limit))
        return [decode_header(block) for block in await self._journal.get_many(indexes)]

    async def blocks(self, first: Round, last: Round) -> list[bytes]:
        """Return the encoded headers of rounds without a gap, `last` included."""
        indexes = range(self.index_of(first), self.index_of(last) + 1)
        return list(await self._journal.get_many(indexes))

    async def newest(self, count: int) -> AsyncIterator[RoundHeader]:
        """Yield the last `count` headers since the last jump or repair, oldest first."""
        first = max(self._stretches[-1].first_index, self.length - count)
        async for block in self._journal.read(first, self.length):
            yield decode_header(block)

    def _end(self, at: int) -> int:
        """Return the index behind the headers of a stretch that count: a repair replaces some."""
        here, following = self._stretches[at], self._stretches[at + 1 : at + 2]
        if not following:
            return self.length
        replaced = here.first_index + following[0].first_round - here.first_round
        return min(following[0].first_index, max(here.first_index, replaced))
