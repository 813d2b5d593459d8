"""Puts the certified state in the place of one that is not the network's, in one transaction.

What was wrong stays to be looked into: a copy of the whole store beside it, and the wrong headers
in their journal, which only grows; those behind them count (`node.headers`). Lines of the order
that the fetched receipts do not bear out go. What came after the fetched end of an epoch is applied
again from the events, as after any restart. In the first epoch there is no end of one to fetch:
then everything is applied again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from core.ids import Epoch
from journal import Pen
from journal.checkup import copy_store
from node.installation import PUT_EPOCHS, PUT_HISTORY, PUT_TOLD_FROM, SWAP, Checkpoint
from node.stages.execution import Divergence
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL, Statement, unplaced_statements

_LOG = structlog.get_logger("repair")
_DROP_WRONG: Final = (
    "DELETE FROM ordered WHERE round >= ? AND NOT EXISTS (SELECT 1 FROM next_ordered AS right "
    "WHERE right.position = ordered.position AND right.id = ordered.id "
    "AND right.round = ordered.round AND right.outcome = ordered.outcome)"
)
_DROP_LATER_EPOCHS: Final = "DELETE FROM epoch WHERE number > ?"
_RIGHT_ROSTERS: Final = (
    "UPDATE epoch SET roster = (SELECT roster FROM next_link WHERE next_link.epoch + 1 = number) "
    "WHERE number IN (SELECT epoch + 1 FROM next_link)"
)
_RESET: Final = (
    "DELETE FROM state",
    "DELETE FROM page",
    "DELETE FROM page_log",
    "DELETE FROM dead_page",
    "DELETE FROM change",
    "DELETE FROM told_from",
    "DELETE FROM ordered",
    "DELETE FROM epoch",
)


async def keep_evidence(directory: Path, found: Divergence | None) -> None:
    """Copy the store as it is beside itself, once for each divergence; raises a disk's fault."""
    if found is None:
        return
    target = directory / f"diverged-{found.certificate.round}.db"
    if await asyncio.to_thread(target.exists):
        return
    await asyncio.to_thread(copy_store, directory / "cell.db", target)
    _LOG.info("evidence kept", file=str(target))


async def install_repair(pen: Pen, checkpoint: Checkpoint | None, owed: Sequence[bytes]) -> None:
    """Put the state of a prepared checkpoint in place, or the empty one without it; durably.

    `pen` is that of HEADERS_JOURNAL; nothing else may write to the store meanwhile. `owed` as in
    `node.installation.install`.
    """
    store = pen.store
    events = (await store.journal(EVENTS_JOURNAL)).length
    headers = (await store.journal(HEADERS_JOURNAL)).length
    blocks: list[bytes] = []
    if checkpoint is None:
        statements: list[Statement] = [(sql, [()]) for sql in _RESET]
        statements.append((PUT_HISTORY, [(headers, 1, 0)]))
    else:
        first, epoch = checkpoint.headers[0].round, Epoch(checkpoint.link.header.epoch + 1)
        blocks = [header.encode() for header in checkpoint.headers]
        statements = [(_DROP_WRONG, [(first,)]), *((sql, [()]) for sql in SWAP)]
        statements += [
            (_DROP_LATER_EPOCHS, [(epoch,)]),
            (_RIGHT_ROSTERS, [()]),
            (PUT_EPOCHS, [(events,)]),
            ("DROP TABLE next_link", [()]),
            (PUT_TOLD_FROM, [(checkpoint.link.header.round,)]),
            (PUT_HISTORY, [(headers, first, epoch)]),
        ]
    await pen.write(blocks, [*statements, *unplaced_statements(owed)], durable=True)
