"""The routes of consensus: what it does, its rounds, windows of the hashgraph, and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import model_validator

from core.limits import HASH_SIZE_BYTES
from gateway.asks import LimitAsk
from gateway.consensus_views import (
    ConsensusCell,
    ConsensusView,
    DagQuery,
    DagView,
    EventView,
    EventWhyView,
    WitnessesView,
)
from gateway.errors import HashgraphMoved, NoSuchEvent, NoSuchRound
from gateway.kinds import Digits, Hex, Index, Text, Wrong
from gateway.limits import DAG_CURSOR_LENGTH_MAX
from gateway.operations import Operation, get
from gateway.reading import Ask
from gateway.waiting import Waiting


class EventAsk(Ask):
    """An event."""

    id: Annotated[bytes, Hex(HASH_SIZE_BYTES)]
    """Its id."""


class RoundAsk(Ask):
    """A round of the hashgraph."""

    round: Index
    """Its number."""


class DagAsk(LimitAsk):
    """Which events are wanted: the newest, unless something else is given."""

    start: Annotated[int | None, Digits()] = None
    """From this arrival on."""
    after: Annotated[str | None, Text(1, DAG_CURSOR_LENGTH_MAX)] = None
    """What is new after this cursor of an earlier answer; goes with `limit` alone."""
    from_round: Annotated[int | None, Digits()] = None
    """Made in this round or later."""
    to_round: Annotated[int | None, Digits()] = None
    """Made in this round or earlier."""

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if self.after is not None and self.model_fields_set - {"after", "limit"}:
            raise Wrong("goes with `limit` alone", "after")
        return self

    def query(self) -> DagQuery:
        """Return what is wanted."""
        return DagQuery(self.start, self.after, self.from_round, self.to_round, self.limit)


class ConsensusRoutes:
    """Everything that a client can ask of the hashgraph of the present epoch."""

    tag = "consensus"

    def __init__(self, cell: ConsensusCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        events = "/api/v1/consensus/events"
        return [
            get("/api/v1/consensus", self.consensus),
            get("/api/v1/consensus/rounds/{round}", self.witnesses, NoSuchRound),
            get(events, self.dag, HashgraphMoved),
            get(events + "/{id}", self.event, NoSuchEvent, HashgraphMoved),
            get(events + "/{id}/why", self.why, NoSuchEvent, HashgraphMoved),
        ]

    async def consensus(self) -> ConsensusView:
        """Return what consensus does now, and what it waits for."""
        return await self._waits.read(self._cell.consensus())

    async def witnesses(self, path: RoundAsk) -> WitnessesView:
        """Return a round: its witnesses, their fame, the votes on them, the judges."""
        return await self._waits.read(self._cell.witnesses(path.round))

    async def dag(self, query: DagAsk) -> DagView:
        """Return a window of the hashgraph, or what is new in it.

        Events are listed by arrival: the number in which they came to this cell, parents before
        children. To follow, ask for what is new after the `cursor` of each answer.
        """
        return await self._waits.read(self._cell.dag(query.query()))

    async def event(self, path: EventAsk) -> EventView:
        """Return everything about one event."""
        return await self._waits.read(self._cell.event(path.id))

    async def why(self, path: EventAsk) -> EventWhyView:
        """Return why an event is where it is in the order, or what it waits for."""
        return await self._waits.read(self._cell.why(path.id))
