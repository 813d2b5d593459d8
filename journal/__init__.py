"""Append-only logs with signed Merkle heads and proofs, in one crash-safe SQLite file."""

from journal.audit import Audit
from journal.events import Appended, Conflict, Event, Subscription, Truncated
from journal.log import Journal
from journal.pen import Pen
from journal.snapshot import Snapshot
from journal.store import Durability, Store
from journal.writer import Batch

__all__ = [
    "Appended",
    "Audit",
    "Batch",
    "Conflict",
    "Durability",
    "Event",
    "Journal",
    "Pen",
    "Snapshot",
    "Store",
    "Subscription",
    "Truncated",
]
