"""The routes of journals: this cell's own, and those of others that it follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from gateway.asks import CellAsk, PageAsk
from gateway.cell import Cell
from gateway.errors import NoSuchCell, NoSuchJournal
from gateway.kinds import Index, Name, Whole
from gateway.operations import Operation, Page, get, post
from gateway.reading import Ask
from gateway.views import AuditView, BlockView, FollowView, JournalView, ProofView
from gateway.waiting import Waiting


class JournalPath(Ask):
    """The name of a journal, in the path."""

    name: Name
    """As the list of journals has it."""


class BlockAsk(Ask):
    """A block."""

    index: Index
    """Its place, from 0."""


class PruneAsk(Ask):
    """What is to be deleted."""

    min_index: Annotated[int, Whole()]
    """The first block that stays whole."""


class FollowAsk(CellAsk):
    """A journal of another cell."""

    journal: Name
    """Its name there."""


class JournalRoutes:
    """Everything that a client can ask about journals."""

    tag = "journals"

    def __init__(self, cell: Cell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        one = "/api/v1/journals/{name}"
        return [
            get("/api/v1/journals", self.journals),
            get(f"{one}/blocks", self.blocks, NoSuchJournal),
            get(f"{one}/proof", self.proof, NoSuchJournal),
            get(f"{one}/audit", self.audit_of, NoSuchJournal),
            post(f"{one}/audit", self.audit, NoSuchJournal),
            post(f"{one}/prune", self.prune, NoSuchJournal),
            get("/api/v1/follows", self.follows),
            post("/api/v1/follows", self.follow, NoSuchCell),
            post("/api/v1/follows/stop", self.stop_following, NoSuchCell),
        ]

    async def journals(self) -> Page[JournalView]:
        """List the journals of this cell."""
        return Page(await self._waits.read(self._cell.journals()))

    async def blocks(self, path: JournalPath, query: PageAsk) -> Page[BlockView]:
        """List blocks of a journal."""
        work = self._cell.journal_blocks(path.name, start=query.start, limit=query.limit)
        items = await self._waits.read(work)
        return Page(items, items[-1].index + 1 if len(items) >= query.limit else None)

    async def proof(self, path: JournalPath, query: BlockAsk) -> ProofView:
        """Prove a block of a journal."""
        return await self._waits.read(self._cell.journal_proof(path.name, query.index))

    async def audit_of(self, path: JournalPath) -> AuditView:
        """Return how far the last check of a journal has come."""
        return await self._waits.read(self._cell.audit_of_journal(path.name))

    async def audit(self, path: JournalPath) -> AuditView:
        """Begin to check every byte of a journal."""
        return await self._waits.read(self._cell.audit_journal(path.name))

    async def prune(self, path: JournalPath, body: PruneAsk) -> JournalView:
        """Delete the oldest blocks of a journal, but not their hashes."""
        return await self._waits.read(self._cell.prune_journal(path.name, body.min_index))

    async def follows(self) -> Page[FollowView]:
        """List the journals of other cells that are followed, or were."""
        return Page(await self._waits.read(self._cell.follows()))

    async def follow(self, body: FollowAsk) -> FollowView:
        """Begin to follow a journal of another cell."""
        return await self._waits.read(self._cell.follow(body.cell, body.journal))

    async def stop_following(self, body: FollowAsk) -> FollowView:
        """Follow a journal no longer; its copy stays."""
        return await self._waits.read(self._cell.stop_following(body.cell, body.journal))
