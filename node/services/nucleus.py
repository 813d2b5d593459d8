"""The nucleus of a cell: grants its services their journals, and keeps the record of its life.

Rows of the journals `nucleus` and `identity` are written here, against a grant: a proof, made with
a secret of this run, that the nucleus gave the service this journal. Without it, or for another
journal, the write is refused and noted in the audit journal. The journals `consensus`, `state` and
`message` have each a single writer already, in the transactions of their own state. Other cells
read journals as `node.access` allows, and write none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import encode
from identity.audit import LOCAL, Act, Outcome
from identity.record import Record
from journal import Store
from node.clock import wall_ns
from node.errors import JournalNotGranted
from node.services.audit import AuditTrail
from node.services.table import SERVICES, start_order

_SECRET_SIZE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """A service's right to write its journal."""

    service: str
    journal: str
    proof: bytes


class Nucleus:
    """The nucleus of one run of a cell."""

    def __init__(self, store: Store, audit: AuditTrail) -> None:
        self._store = store
        self.audit = audit
        self._secret = secrets.token_bytes(_SECRET_SIZE_BYTES)
        self._own = self.grant("nucleus")

    def grant(self, service: str) -> Grant:
        """Return a service's grant for its own journal; raises JournalNotGranted."""
        for known in SERVICES:
            if known.name == service:
                return Grant(service, known.journal, self._proof(service, known.journal))
        raise self._refused(service, "?", "there is no such service")

    async def write(
        self, grant: Grant, records: Sequence[Record], *, durable: bool = False
    ) -> None:
        """Append to the journal of a grant; raises JournalNotGranted or the store's faults."""
        if not hmac.compare_digest(grant.proof, self._proof(grant.service, grant.journal)):
            raise self._refused(grant.service, grant.journal, "the grant was not given by this run")
        blocks = [record.encode() for record in records]
        await self._store.transaction({grant.journal: blocks}, durable=durable)

    async def started(self, version: str, name: str) -> None:
        """Note that the cell starts, and its services in their order; each has its journal then."""
        for service in start_order():
            await self._store.journal(service.journal)
        services = ", ".join(service.name for service in start_order())
        now = wall_ms()
        await self.write(
            self._own,
            [
                Record(now, "nucleus.started", name, f"version {version}"),
                Record(now, "services.started", name, services),
            ],
        )
        self.audit.local("nucleus.start", name)

    async def stopped(self, name: str, why: str) -> None:
        """Note that the cell ends, and why."""
        await self.write(self._own, [Record(wall_ms(), "nucleus.stopped", name, why)])
        self.audit.local("nucleus.stop", name)

    def _proof(self, service: str, journal: str) -> bytes:
        return hmac.digest(self._secret, encode([service, journal]), hashlib.sha256)

    def _refused(self, service: str, journal: str, why: str) -> JournalNotGranted:
        error = JournalNotGranted(f"{service} may not write {journal}: {why}")
        self.audit.note(
            Act(
                *(wall_ms(), LOCAL, b"", "journal-write", f"{service}: {journal}"),
                *(Outcome.REFUSED, error.code, why),
            )
        )
        return error


def wall_ms() -> int:
    """Return the wall clock in ms."""
    return wall_ns() // 1_000_000
