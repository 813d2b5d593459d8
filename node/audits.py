"""Audits of journals on request: one at a time, in the background, with how far each has come."""

from __future__ import annotations

import asyncio

from core.errors import MyceldError
from gateway.views import AuditView
from journal import Store
from node.errors import AuditRunning
from node.limits import AUDITS_REMEMBERED_MAX


class Audits:
    """Runs audits and remembers the last one of each journal."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._views: dict[str, AuditView] = {}
        self._wanted: asyncio.Queue[str] = asyncio.Queue(1)
        self._running: str | None = None

    async def run(self) -> None:
        """Do what `start` asks for until cancelled."""
        while True:
            name = await self._wanted.get()
            await self._audit(name)
            self._running = None

    def start(self, name: str) -> AuditView:
        """Begin an audit, unless one of this journal is running; raises AuditRunning."""
        if self._running == name:
            return self._views[name]
        if self._running is not None:
            raise AuditRunning(f"journal {self._running} is being audited")
        self._running = name
        self._views.pop(name, None)
        if len(self._views) >= AUDITS_REMEMBERED_MAX:
            self._views.pop(next(iter(self._views)))
        self._note(name, "running", 0, self._store.state_of(name).size)
        self._wanted.put_nowait(name)
        return self._views[name]

    def view(self, name: str) -> AuditView | None:
        """Return how far the last audit of a journal has come, None if there was none."""
        return self._views.get(name)

    async def _audit(self, name: str) -> None:
        journal = await self._store.journal(name)
        length = journal.length
        try:
            audit = await journal.audit(lambda done, of: self._note(name, "running", done, of))
        except MyceldError as error:
            done = self._views[name].done
            self._note(name, "failed", done, length, error=str(error))
        else:
            self._note(
                name,
                "ok",
                audit.blocks,
                audit.blocks,
                cleared=audit.cleared,
                size_bytes=audit.content_bytes,
            )

    def _note(
        self,
        name: str,
        state: str,
        done: int,
        length: int,
        *,
        cleared: int = 0,
        size_bytes: int = 0,
        error: str | None = None,
    ) -> None:
        self._views[name] = AuditView(name, state, done, length, cleared, size_bytes, error)
