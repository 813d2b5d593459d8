"""Append-only logs with signed Merkle heads and proofs, in one crash-safe SQLite file.

The names below are loaded when they are first asked for: who needs no more than the pure parts
(`journal.merkle`, `journal.checkpoint`) loads no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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

_MODULES: Final = {
    "Appended": "events",
    "Audit": "audit",
    "Batch": "writer",
    "Conflict": "events",
    "Durability": "store",
    "Event": "events",
    "Journal": "log",
    "Pen": "pen",
    "Snapshot": "snapshot",
    "Store": "store",
    "Subscription": "events",
    "Truncated": "events",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"journal.{_MODULES[name]}"), name)
