"""Reading an old epoch from the consensus journal, to serve cells that are still in it."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import check
from core.ids import Epoch
from gossip.index import EventIndex
from hashgraph.event import decode_any_event
from journal import Store
from ledger.genesis import Genesis
from node.tables import EVENTS_JOURNAL, epochs_from


@dataclass(frozen=True, slots=True)
class Archive:
    """The events of an epoch; the first one is block `first_block` of the journal."""

    epoch: Epoch
    index: EventIndex
    first_block: int


async def read_epoch(store: Store, genesis: Genesis, epoch: Epoch) -> Archive:
    """Return the index of a sealed epoch; lets others work between any few blocks."""
    ((roster, at),) = epochs_from(store, genesis, epoch, 1)
    check(roster.epoch == epoch, "the roster of every sealed epoch is kept")
    index, first_block = EventIndex(len(roster.members)), at
    journal = await store.journal(EVENTS_JOURNAL)
    async for block in journal.read(at):
        event, of = decode_any_event(block, genesis.network_id)
        if of > epoch:
            break
        if of == epoch:
            if len(index) == 0:
                first_block = at
            index.add_stored(event)
        at += 1
    return Archive(epoch, index, first_block)
