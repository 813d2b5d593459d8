"""Append-only logs with signed Merkle heads and proofs, in one crash-safe SQLite file."""

from journal.store import Durability, Journal, Store
from journal.writer import Batch

__all__ = ["Batch", "Durability", "Journal", "Store"]
