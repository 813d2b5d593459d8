"""A disk for the pages of the state's map, as the tests of the ledger have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.ids import Epoch
from ledger.page import PageHead, PageRow, PageWrites
from ledger.tree import StateTree


class PageDisk:
    """Pages by number, and which of them are of the past only."""

    def __init__(self) -> None:
        self.rows: dict[int, PageRow] = {}
        self.dead: dict[int, Epoch] = {}

    def write(self, writes: PageWrites) -> None:
        """Do what a batch says."""
        for number in writes.gone:
            self.rows.pop(number, None)
        self.rows |= {row.id: row for row in writes.put}
        self.dead |= dict(writes.died)

    def drop(self, epoch: int) -> None:
        """Drop what only states before the end of an epoch need."""
        for number in [number for number, died in self.dead.items() if died <= epoch]:
            del self.rows[number], self.dead[number]

    def read(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return bodies of pages."""
        return {number: self.rows[number].body for number in numbers if number in self.rows}

    def heads(self) -> list[PageHead]:
        """Return what a start is made from."""
        return [
            PageHead(
                row.id, Epoch(row.born), self.dead.get(row.id), row.first, row.leaves, row.digest
            )
            for row in self.rows.values()
        ]

    def write_all(self, other: PageDisk) -> None:
        """Have the pages of another disk, and no others."""
        self.rows, self.dead = dict(other.rows), dict(other.dead)

    def fill(self, entries: Iterable[tuple[bytes, bytes]], epoch: Epoch) -> None:
        """Have the pages of a whole map and no others, as after a jump to the end of an epoch."""
        self.rows, self.dead = {}, {}
        tree = StateTree(self.read)
        tree.restore([], epoch)
        self.write(tree.update(entries))
