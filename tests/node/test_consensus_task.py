"""The owner of the consensus stage is told the end of an epoch without anybody waiting."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from core.errors import InvariantBroken
from core.ids import Round
from journal import Pen, Store
from node.consensus_task import ConsensusTask
from node.inbox import ConsensusInbox, ExecutionInbox, Wake
from node.peers import Peers
from node.receipts import Receipts
from node.stages.intake import Intake
from node.tables import EVENTS_JOURNAL
from node.verifier import Verifier
from tests.ledger.world import GENESIS, START_NS
from tests.node.stages.world import Cell

NEXT = GENESIS.roster.next(Round(17), START_NS + 10**9)


class FakePeers:
    """Remembers the rosters entered."""

    def __init__(self) -> None:
        self.entered: list[object] = []

    def enter(self, roster: object) -> None:
        self.entered.append(roster)


def _task(cell: Cell, inbox: ConsensusInbox) -> ConsensusTask:
    execution: ExecutionInbox = asyncio.Queue(1)
    return ConsensusTask(
        cell.stage,
        Pen(cast("Store", None), EVENTS_JOURNAL),
        cast("Verifier", None),
        GENESIS,
        inbox=inbox,
        execution=execution,
        receipts=Receipts(),
        intake=cast("Intake", None),
        applied_round=lambda: Round(0),
    )


def test_a_full_inbox_does_not_hold_up_execution_and_the_epoch_begins_all_the_same() -> None:
    cell, peers = Cell(), FakePeers()
    inbox = ConsensusInbox()
    inbox.put_nowait(Wake())
    task = _task(cell, inbox)
    task.sealed(NEXT)
    assert inbox.qsize() == 1
    task._begin_epoch(cast("Peers", peers))
    task._begin_epoch(cast("Peers", peers))
    assert (cell.stage.epoch, peers.entered) == (1, [NEXT])


def test_an_idle_owner_is_woken_and_one_end_is_told_once() -> None:
    inbox = ConsensusInbox()
    task = _task(Cell(), inbox)
    task.sealed(NEXT)
    assert inbox.get_nowait() == Wake()
    with pytest.raises(InvariantBroken):
        task.sealed(NEXT)
