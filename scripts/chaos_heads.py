"""The heads that cells publish while a chaos run goes on: no later one may contradict them.

A watcher asks each cell again and again for the heads of its journals, over crashes, restarts and
rotations. Of one fork of a journal no head may be shorter than one before; and in the end every
head that was seen has to be that of so many of the blocks that are there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from chaos_cell import PAGE, Cell
from chaos_errors import HEADS_CONTRADICT, Finding

from core.errors import MyceldError
from journal.checkpoint import parse_checkpoint
from journal.merkle import Frontier
from myceld import Client

if TYPE_CHECKING:
    from myceld.views import JournalView

_INTERVAL_S: Final = 0.5

Key: TypeAlias = tuple[int, str, int]
"""Number of the cell, name of the journal, fork."""


class HeadWatch:
    """What the cells published. Its thread watches until it is stopped."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.findings: list[Finding] = []
        self.seen: dict[Key, dict[int, str]] = {}
        """Sizes and roots."""
        self._cells = cells
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()

    def note(self, cell: int, journal: str, text: str) -> None:
        """Take a published head."""
        head = parse_checkpoint(text)
        seen = self.seen.setdefault((cell, journal, head.fork), {})
        if seen and head.size < max(seen):
            detail = f"cell-{cell}, journal {journal}: {head.size} blocks after {max(seen)}"
            self.findings.append(Finding(HEADS_CONTRADICT, detail))
        if seen.setdefault(head.size, head.root.hex()) != head.root.hex():
            detail = f"cell-{cell}, journal {journal}: two roots of {head.size} blocks"
            self.findings.append(Finding(HEADS_CONTRADICT, detail))

    def check(self, cell: Cell, client: Client) -> list[Finding]:
        """Check all heads of a cell that were seen against the blocks that it has now."""
        findings: list[Finding] = []
        for item in own_journals(client):
            name, head = item["name"], parse_checkpoint(item["checkpoint"])
            seen = self.seen.get((cell.number, name, head.fork), {})
            roots = _roots_at(client, name, head.size, set(seen))
            wrong = [size for size, root in sorted(seen.items()) if roots.get(size) != root]
            if wrong:
                detail = f"{cell.name}, journal {name}: the head of {wrong[0]} blocks is no more"
                findings.append(Finding(HEADS_CONTRADICT, detail))
        return findings

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S):
            for cell in self._cells:
                try:
                    for item in own_journals(cell.client):
                        self.note(cell.number, item["name"], item["checkpoint"])
                except MyceldError:
                    continue  # it is down


@contextmanager
def watched(cells: Sequence[Cell]) -> Iterator[HeadWatch]:
    """Watch the heads of cells inside the block."""
    watch = HeadWatch(cells)
    try:
        yield watch
    finally:
        watch.stop()


def own_journals(client: Client) -> list[JournalView]:
    """Return a cell's journals, without the copies that it has of others'."""
    return [item for item in client.journals()["items"] if not item["name"].startswith("follow-")]


def _roots_at(client: Client, name: str, length: int, sizes: set[int]) -> dict[int, str]:
    """Return the roots of a journal's first blocks, for so many of them as are wanted."""
    tree, roots = Frontier(), {}
    for at in range(0, length + 1, PAGE):
        limit = min(PAGE, length - at)
        blocks = client.journal_blocks(name, start=at, limit=limit)["items"] if limit else []
        for block in blocks:
            if tree.size in sizes:
                roots[tree.size] = tree.root().hex()
            tree.append(bytes.fromhex(block["leaf_hash"]))
    if tree.size in sizes:
        roots[tree.size] = tree.root().hex()
    return roots
