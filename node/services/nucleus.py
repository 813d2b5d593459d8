"""The nucleus of a cell: grants its services their journals, and keeps the record of its life.

It holds the pens of all journals that services write (`journal.pen`), and gives each to one part
of the cell in each run: who has no grant can not append, whatever it holds of the store. What is
asked for twice, by nobody, or tried without a pen is refused and noted in the audit journal, whose
own pen the audit trail has. Other cells read journals as `node.access` allows, and write none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from identity.audit import AUDIT_JOURNAL
from identity.record import NUCLEUS_JOURNAL, Record, decode_record
from journal import Pen, Store
from node.clock import wall_ns
from node.errors import JournalNotGranted
from node.limits import NUCLEUS_SCANNED_MAX
from node.services.audit import AuditTrail
from node.services.table import SERVICES, start_order

STARTED: Final = "nucleus.started"
STOPPED: Final = "nucleus.stopped"
HEALTH: Final = "health.changed"
_SET: Final = "metadata.set"
_REMOVED: Final = "metadata.removed"


@dataclass(frozen=True, slots=True)
class Life:
    """What the journal says of the cell's lives, as far back as it is read at a start."""

    started_ms: int = 0
    """Of the last start; 0 if there was none."""
    stopped_ms: int = 0
    """Of the end of the last life that ended as asked."""
    metadata: tuple[tuple[str, str], ...] = ()


class Nucleus:
    """The nucleus of a cell on its open store. `begin` comes before each run of the parts."""

    def __init__(self, store: Store, audit: AuditTrail) -> None:
        self._store = store
        self.audit = audit
        self._pens: dict[str, Pen] = {}
        self._given: set[str] = set()
        self._own: Pen
        self.life = Life()
        """What `started` found and noted."""
        self.begin()

    def begin(self) -> None:
        """Take all grants back and hold the journals again: another run of the parts begins."""
        self.close()
        for service in SERVICES:
            for name in (service.journal, *service.also):
                self._pens[name] = self._store.pen(name, self.audit.not_granted)
        self._own = self.grant("nucleus")

    def close(self) -> None:
        """Take all grants back, and hold nothing any more."""
        for pen in self._pens.values():
            pen.give_back()
        self._pens.clear()
        self._given.clear()

    def grant(self, service: str, journal: str | None = None) -> Pen:
        """Return what alone writes a journal of a service in this run, once.

        Without a name it is the service's own journal. Raises JournalNotGranted.
        """
        known = next((one for one in SERVICES if one.name == service), None)
        if known is None:
            raise self._refused(service, journal or "?", "there is no such service")
        name = journal or known.journal
        if name not in (known.journal, *known.also):
            raise self._refused(service, name, "it is another service's")
        if name in self._given:
            raise self._refused(service, name, "it was given to a part of this run already")
        self._given.add(name)
        return self._pens[name]

    async def started(
        self, version: str, name: str, metadata: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Note that the cell starts, its services in their order, and metadata that is new.

        Each service has its journal then.
        """
        for service in start_order():
            await self._store.journal(service.journal)
        await self._store.journal(AUDIT_JOURNAL)
        before, now = await self._life(), wall_ms()
        services = ", ".join(service.name for service in start_order())
        await write_records(
            self._own,
            [
                Record(now, STARTED, name, f"version {version}"),
                Record(now, "services.started", name, services),
                *_changes(dict(before.metadata), dict(metadata), now),
            ],
        )
        self.life = Life(now, before.stopped_ms, tuple(metadata))
        self.audit.local("nucleus.start", name)

    async def stopped(self, name: str, why: str) -> None:
        """Note that the cell ends, and why."""
        await write_records(self._own, [Record(wall_ms(), STOPPED, name, why)])
        self.audit.local("nucleus.stop", name)

    async def health_changed(self, records: Sequence[Record]) -> None:
        """Note how the health of services changed."""
        await write_records(self._own, records)
        for record in records:
            self.audit.local(record.event, record.subject, record.detail)

    async def describe(self, metadata: Sequence[tuple[str, str]]) -> None:
        """Say this of the cell from now on, and note what is new; nothing if nothing is."""
        before, self.life = self.life, replace(self.life, metadata=tuple(metadata))
        rows = _changes(dict(before.metadata), dict(metadata), wall_ms())
        if rows:
            await write_records(self._own, rows)

    async def _life(self) -> Life:
        """Return what the end of the journal says; older rows are not read."""
        journal = await self._store.journal(NUCLEUS_JOURNAL)
        started = stopped = 0
        metadata: dict[str, str] = {}
        first = max(journal.min_index, journal.length - NUCLEUS_SCANNED_MAX)
        async for block in journal.read(first):
            record = decode_record(block)
            match record.event:
                case "nucleus.started":
                    started = record.time_ms
                case "nucleus.stopped":
                    stopped = record.time_ms
                case "metadata.set":
                    metadata[record.subject] = record.detail
                case "metadata.removed":
                    metadata.pop(record.subject, None)
        return Life(started, stopped, tuple(sorted(metadata.items())))

    def _refused(self, service: str, journal: str, why: str) -> JournalNotGranted:
        self.audit.not_granted(journal, service, why)
        return JournalNotGranted(f"{service} may not write {journal}: {why}")


async def write_records(pen: Pen, records: Sequence[Record]) -> None:
    """Append rows to the journal of a grant; raises PenVoid or the store's faults."""
    await pen.write([record.encode() for record in records], durable=False)


def _changes(old: dict[str, str], new: dict[str, str], now_ms: int) -> list[Record]:
    """Return the rows that make the metadata what it is to be."""
    set_ = [Record(now_ms, _SET, key, value) for key, value in new.items() if old.get(key) != value]
    return set_ + [Record(now_ms, _REMOVED, key) for key in old if key not in new]


def wall_ms() -> int:
    """Return the wall clock in ms."""
    return wall_ns() // 1_000_000
