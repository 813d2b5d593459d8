"""A disk for the pages of the state's map, as the tests of the ledger have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.ids import Epoch
from ledger.page_rows import PageRow, PageWrites
from ledger.patches import HeadRow, StoredMap, stored_map
from ledger.tree import StateTree


class PageDisk:
    """Pages by number, and which of them are of the past only."""

    def __init__(self) -> None:
        self.rows: dict[int, PageRow] = {}
        self.dead: dict[int, Epoch] = {}
        self.log: dict[int, bytes] = {}

    def write(self, writes: PageWrites) -> None:
        """Do what a batch says."""
        for number in writes.gone:
            self.rows.pop(number, None)
        self.rows |= {row.id: row for row in writes.put}
        self.dead |= dict(writes.died)
        for digest, body, saved, number in writes.folded:
            if number in self.rows:
                self.rows[number] = self.rows[number]._replace(
                    digest=digest, body=body, saved=saved
                )
        if writes.log:
            self.log[writes.number] = writes.log
        self.log = {number: log for number, log in self.log.items() if number > writes.log_done}

    def drop(self, epoch: int) -> None:
        """Drop what only states before the end of an epoch need."""
        for number in [number for number, died in self.dead.items() if died <= epoch]:
            del self.rows[number], self.dead[number]

    def read(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return bodies of pages."""
        return {number: self.rows[number].body for number in numbers if number in self.rows}

    def heads(self) -> StoredMap:
        """Return what a start is made from."""
        rows = [HeadRow(*row[:5], row.saved) for row in self.rows.values()]
        return stored_map(rows, self.dead, sorted(self.log.items()))

    def write_all(self, other: PageDisk) -> None:
        """Have the pages of another disk, and no others."""
        self.rows, self.dead, self.log = dict(other.rows), dict(other.dead), dict(other.log)

    def fill(self, entries: Iterable[tuple[bytes, bytes]], epoch: Epoch) -> None:
        """Have the pages of a whole map and no others, as after a jump to the end of an epoch."""
        self.rows, self.dead, self.log = {}, {}, {}
        tree = StateTree(self.read)
        tree.restore(StoredMap(), epoch)
        self.write(tree.update(entries))
