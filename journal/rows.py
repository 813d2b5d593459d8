"""Rows of blocks in memory, found by the index of any block in them; bounded by their bytes."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence

from journal.layout import Slot
from journal.limits import SLOT_OVERHEAD_BYTES


class Row:
    """One chunk row: its blocks, and which of them were compared with their leaf hash."""

    __slots__ = ("checked", "first", "size_bytes", "slots")

    def __init__(self, first: int, slots: Sequence[Slot], stored_bytes: int) -> None:
        self.first = first
        self.slots = slots
        self.checked = 0  # bit n: slot n is the block that was signed
        self.size_bytes = stored_bytes + SLOT_OVERHEAD_BYTES * len(slots)


class RowCache:
    """Keeps the rows used last. `version` names a journal between two of its edits."""

    def __init__(self, size_bytes_max: int) -> None:
        self._size_bytes_max = size_bytes_max
        self._size_bytes = 0
        self._rows: OrderedDict[tuple[tuple[int, int], int], Row] = OrderedDict()
        self._firsts: dict[tuple[int, int], list[int]] = {}

    def find(self, version: tuple[int, int], index: int) -> Row | None:
        """Return the row that has block `index`."""
        firsts = self._firsts.get(version)
        if not firsts:
            return None
        at = bisect_right(firsts, index)
        if at == 0:
            return None
        key = (version, firsts[at - 1])
        row = self._rows[key]
        if index - row.first >= len(row.slots):
            return None
        self._rows.move_to_end(key)
        return row

    def put(self, version: tuple[int, int], row: Row) -> None:
        """Keep `row`, in place of one that starts at the same index."""
        key = (version, row.first)
        old = self._rows.pop(key, None)
        if old is not None:
            self._size_bytes -= old.size_bytes
        else:
            insort(self._firsts.setdefault(version, []), row.first)
        self._rows[key] = row
        self._size_bytes += row.size_bytes
        while self._size_bytes > self._size_bytes_max:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        (version, first), row = self._rows.popitem(last=False)
        self._size_bytes -= row.size_bytes
        firsts = self._firsts[version]
        del firsts[bisect_right(firsts, first) - 1]
        if not firsts:
            del self._firsts[version]
