"""Putting a fetched checkpoint in place: made ready beside what is there, then in one transaction.

`prepare` copies the verified pieces into tables of their own, which may be interrupted and begun
again. `install` swaps them in, durably and at once: a crash leaves the cell before or after the
jump, and in both cases it starts as after any other stop. What the cell had stays: journals go on,
its order keeps its lines, and a gap is a gap (`node.headers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import encode
from core.errors import check
from core.failpoint import hit
from core.ids import Epoch, Round
from journal import Pen, Store
from journal.statements import SqlValue
from ledger.chain import RosterLink
from ledger.header import Receipt, RoundHeader
from ledger.patches import StoredMap
from ledger.transfer.staging import Staged, headers_of, receipts_of, state_of
from ledger.tree import StateTree
from node.state_tables import PAGE_TABLE, STATE_TABLE, page_reader, page_statements
from node.tables import (
    EVENTS_JOURNAL,
    HEADERS_JOURNAL,
    STAGED_TABLE,
    UNKNOWN_KIND,
    Statement,
    staged_body,
    unplaced_statements,
)

_LINKS_PER_COMMIT: Final = 256
_ROWS_PER_COMMIT: Final = 8192
_NEXT_STATE: Final = STATE_TABLE.format(name="next_state")
_NEXT_PAGE: Final = PAGE_TABLE.format(name="next_page")
_NEXT_LINK: Final = (
    "CREATE TABLE next_link (epoch INTEGER PRIMARY KEY, round INTEGER NOT NULL, "
    "header BLOB NOT NULL, certificate BLOB NOT NULL, roster BLOB NOT NULL)"
)
_PREPARE: Final = (
    "DROP TABLE IF EXISTS next_state",
    "DROP TABLE IF EXISTS next_page",
    "DROP TABLE IF EXISTS next_ordered",
    "DROP TABLE IF EXISTS next_link",
    _NEXT_STATE,
    _NEXT_PAGE,
    "CREATE TABLE next_ordered AS SELECT * FROM ordered LIMIT 0",
    _NEXT_LINK,
)
_PUT_NEXT_STATE: Final = "INSERT INTO next_state VALUES (?, ?)"
_PUT_NEXT_ORDERED: Final = (
    "INSERT INTO next_ordered (position, id, round, event, time_ns, kind, outcome, size_bytes) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
)
_PUT_NEXT_LINK: Final = "INSERT INTO next_link VALUES (?, ?, ?, ?, ?)"
SWAP: Final = (
    "DROP TABLE state",
    "ALTER TABLE next_state RENAME TO state",
    "DROP TABLE page",
    "ALTER TABLE next_page RENAME TO page",
    "DELETE FROM page_log",
    "DELETE FROM dead_page",
    "DELETE FROM change",
    # Lines that the cell has itself say more than those with receipts only.
    "INSERT OR IGNORE INTO ordered SELECT * FROM next_ordered",
    "DROP TABLE next_ordered",
    "INSERT OR IGNORE INTO seal SELECT epoch, header FROM next_link",
    "INSERT OR IGNORE INTO certificate SELECT round, certificate FROM next_link",
    "DROP TABLE staged",
    STAGED_TABLE,
)
PUT_EPOCHS: Final = "INSERT OR IGNORE INTO epoch SELECT epoch + 1, roster, ? FROM next_link"
PUT_TOLD_FROM: Final = "INSERT OR REPLACE INTO told_from VALUES (1, ?)"
PUT_HISTORY: Final = "INSERT INTO history VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint that is ready to be put in place."""

    link: RosterLink
    headers: tuple[RoundHeader, ...]
    """Of the epoch that it ends, in order."""


async def prepare(store: Store, links: Sequence[RosterLink], first_round: Round) -> Checkpoint:
    """Make ready what was fetched for the end of the last link's epoch, which begins there.

    Raises StagedLost or a write's fault.
    """
    await store.transaction({}, [(sql, [()]) for sql in _PREPARE], durable=False)
    hit("install.begin")

    def staged(identity: bytes) -> bytes | None:
        return staged_body(store, identity)

    link = links[-1]
    await _prepare_state(store, link.header, staged)
    headers = headers_of(link.header, first_round, staged)
    for header in headers:
        rows = [_ordered_row(one, header.round) for one in receipts_of(header, staged)]
        for at in range(0, len(rows), _ROWS_PER_COMMIT):
            part = rows[at : at + _ROWS_PER_COMMIT]
            await store.transaction({}, [(_PUT_NEXT_ORDERED, part)], durable=False)
            hit("install.ordered")
    for at in range(0, len(links), _LINKS_PER_COMMIT):
        some = [_link_row(one) for one in links[at : at + _LINKS_PER_COMMIT]]
        await store.transaction({}, [(_PUT_NEXT_LINK, some)], durable=False)
        hit("install.links")
    return Checkpoint(link, tuple(headers))


async def _prepare_state(store: Store, header: RoundHeader, staged: Staged) -> None:
    """Make ready the state of a header, and its map."""
    tree = StateTree(page_reader(store, "next_page"))
    tree.restore(StoredMap(), header.epoch)
    for piece in state_of(header.state_root, staged):
        pages = page_statements(tree.update(piece), "next_page")
        await store.transaction({}, [(_PUT_NEXT_STATE, piece), *pages], durable=False)
        hit("install.state")
    check(
        tree.root() == header.state_root,
        "the state that was made ready is the one that was verified",
    )


async def install(pen: Pen, checkpoint: Checkpoint, owed: Sequence[bytes]) -> None:
    """Put a prepared checkpoint in place, durably. Nothing else may write to the store meanwhile.

    `pen` is that of HEADERS_JOURNAL.

    `owed` are own transactions without a place in the order, as far as this cell knows: they are
    put again. Signed ones can not be applied twice. An opaque one may get a second place if it was
    ordered in an epoch that this cell never saw: better than to lose what was acknowledged.
    """
    store = pen.store
    events = (await store.journal(EVENTS_JOURNAL)).length
    headers = (await store.journal(HEADERS_JOURNAL)).length
    epoch = Epoch(checkpoint.link.header.epoch + 1)
    statements: list[Statement] = [(sql, [()]) for sql in SWAP]
    statements += [
        (PUT_EPOCHS, [(events,)]),
        ("DROP TABLE next_link", [()]),
        (PUT_TOLD_FROM, [(checkpoint.link.header.round,)]),
        (PUT_HISTORY, [(headers, checkpoint.headers[0].round, epoch)]),
        *unplaced_statements(owed),
    ]
    blocks = [header.encode() for header in checkpoint.headers]
    hit("install.swap.before")
    await pen.write(blocks, statements, durable=True)
    hit("install.swap.after")


def _ordered_row(receipt: Receipt, round_number: Round) -> tuple[SqlValue, ...]:
    return (
        receipt.position,
        receipt.id,
        round_number,
        receipt.event,
        receipt.consensus_time_ns,
        UNKNOWN_KIND,
        receipt.outcome,
    )


def _link_row(link: RosterLink) -> tuple[int, int, bytes, bytes, bytes]:
    return (
        link.header.epoch,
        link.header.round,
        link.header.encode(),
        encode(link.certificate.to_value()),
        link.roster.encode(),
    )
