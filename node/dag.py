"""The hashgraph of the present epoch, for questions: events with all that is known of them.

The engine and the index are in memory and are read at once. An event itself is there only until it
is ordered; later it is read from the consensus journal. So every answer that takes events comes in
slices, others get their turn between them, and what was read must still be true after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.ids import EventId, MemberIndex, NetworkId
from gateway.consensus_views import EventRefView
from gateway.errors import HashgraphMoved
from gossip.index import EventIndex
from hashgraph.engine import Engine
from hashgraph.event import Event, decode_event
from journal.errors import NoSuchBlock
from ledger.roster import Roster
from node.limits import DAG_SLICE_EVENTS
from node.stages.placed import Placed


@dataclass(frozen=True, slots=True)
class Dag:
    """The hashgraph of one epoch as it is known now."""

    roster: Roster
    network_id: NetworkId
    engine: Engine
    index: EventIndex
    placed: Placed
    count: int
    """How many of its events are in the journal; later ones are not shown yet."""
    read: Callable[[Sequence[int]], Awaitable[Sequence[bytes]]]
    """Returns the journal blocks of events by arrival; raises NoSuchBlock."""
    is_current: Callable[[], bool]
    """Whether the cell still takes part in this epoch."""

    async def events(self, arrivals: Sequence[int]) -> list[Event]:
        """Return events with their parents; raises HashgraphMoved.

        For at most DAG_SLICE_EVENTS: who wants more asks several times.
        """
        held = {at: self.engine.event(self.index.at(at).id) for at in arrivals}
        lacking = [at for at, event in held.items() if event is None]
        if lacking:
            try:
                blocks = await self.read(lacking)
            except NoSuchBlock as error:
                raise HashgraphMoved("an event is not in the journal yet") from error
            self.check_current()
            for at, block in zip(lacking, blocks, strict=True):
                held[at] = self._decoded(block)
        return [event for at in arrivals if (event := held[at]) is not None]

    async def give_way(self) -> None:
        """Let others work; raises HashgraphMoved if they began another epoch."""
        await asyncio.sleep(0)
        self.check_current()

    def check_current(self) -> None:
        """Raise HashgraphMoved if the epoch is over: its hashgraph is let go of."""
        if not self.is_current():
            raise HashgraphMoved("another epoch has begun")

    def slices(self, arrivals: Sequence[int]) -> list[Sequence[int]]:
        """Return the arrivals in slices."""
        return [
            arrivals[at : at + DAG_SLICE_EVENTS] for at in range(0, len(arrivals), DAG_SLICE_EVENTS)
        ]

    def ref(self, event_id: EventId) -> EventRefView:
        """Return an event by all its names."""
        at = self.index.arrival(event_id)
        found = self.index.at(at)
        return EventRefView(event_id.hex(), at, found.creator, found.sequence)

    def refs(self, event_ids: Sequence[EventId]) -> list[EventRefView]:
        """Return events by all their names."""
        return [self.ref(event_id) for event_id in event_ids]

    def name(self, member: MemberIndex | int) -> str:
        """Return what a member is called."""
        return self.roster.members[member].name

    def label(self, event_id: EventId) -> str:
        """Return an event in words: its creator and its number."""
        found = self.index.at(self.index.arrival(event_id))
        return f"{self.name(found.creator)}/{found.sequence}"

    def time_ns(self, event_id: EventId) -> int:
        """Return when an event was made, by its creator's clock."""
        return self.index.at(self.index.arrival(event_id)).time_ns

    def weight(self, event_ids: Sequence[EventId]) -> int:
        """Return what the creators of events weigh together."""
        at = self.index.arrival
        return sum(self.roster.weights[self.index.at(at(one)).creator] for one in event_ids)

    def _decoded(self, block: bytes) -> Event:
        signed = decode_event(block, network_id=self.network_id, epoch=self.roster.epoch)
        return self.index.resolve_stored(signed)
