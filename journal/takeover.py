"""A store goes over to the next key of its cell: every head is signed anew, nothing else changes.

The trees, the blocks and the forks stay. The heads that the old key signed stay true of what they
cover, and whoever has one can be shown that the new ones continue it. All heads change in one
durable transaction, so a store belongs to the one key or to the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from core.failpoint import hit
from core.ids import PublicKey
from journal.checkpoint import Sign, sign_checkpoint
from journal.errors import WrongCell
from journal.layout import JournalState


def sign_anew(
    connection: sqlite3.Connection,
    states: Iterable[JournalState],
    *,
    cell_id: str,
    public_key: PublicKey,
    sign: Sign,
) -> None:
    """Sign the heads of `states`, which were checked against the old key, for the new one.

    Raises WrongCell for encrypted journals: their blocks are bound to the old cell id.
    """
    heads = []
    for state in states:
        if state.key_check:
            raise WrongCell(f"journal {state.name} is encrypted, and can not go over to a new key")
        origin = f"{cell_id}/{state.name}/{state.fork}"
        head = sign_checkpoint(origin, state.size, state.root, public_key, sign)
        heads.append((head, state.number))
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE journal_store SET cell_id = ?", (cell_id,))
        connection.executemany("UPDATE journal_head SET head = ? WHERE number = ?", heads)
        hit("journal.takeover.before")
        connection.execute("COMMIT")
        hit("journal.takeover.after")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    connection.execute("PRAGMA synchronous = NORMAL")
