"""The routes of consensus: what it does, its rounds, windows of the hashgraph, and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import model_validator

from gateway.asks import HashPath, LimitAsk
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
from gateway.kinds import Digits, Index, Text, Wrong
from gateway.operations import Operation, get
from gateway.reading import Ask
from gateway.waiting import Waiting


class RoundPath(Ask):
    """A round, in the path."""

    round: Index
    """Its number."""


class WindowAsk(LimitAsk):
    """Which part of the hashgraph is wanted; the newest unless given."""

    start: Annotated[int | None, Digits()] = None
    """Events from this place on, in the order in which this cell took them in."""
    after: Annotated[str | None, Text(0)] = None
    """What came after an answer: its `cursor`. Goes with `limit` alone."""
    from_round: Annotated[int | None, Digits()] = None
    """Events of this round and later ones."""
    to_round: Annotated[int | None, Digits()] = None
    """Events of this round and earlier ones."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.after is not None and self.model_fields_set - {"after", "limit"}:
            raise Wrong("goes with `limit` alone", "after")
        return self

    def query(self) -> DagQuery:
        """Return what is wanted."""
        return DagQuery(
            start=self.start,
            after=self.after,
            from_round=self.from_round,
            to_round=self.to_round,
            limit=self.limit,
        )


class ConsensusRoutes:
    """Everything that a client can ask of the hashgraph."""

    tag = "consensus"

    def __init__(self, cell: ConsensusCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/consensus", self.consensus),
            get("/api/v1/consensus/rounds/{round}", self.round, NoSuchRound, HashgraphMoved),
            get("/api/v1/consensus/events", self.events, HashgraphMoved),
            get("/api/v1/consensus/events/{id}", self.event, NoSuchEvent),
            get("/api/v1/consensus/events/{id}/why", self.why, NoSuchEvent, HashgraphMoved),
        ]

    async def consensus(self) -> ConsensusView:
        """Return what consensus does, and what it waits for."""
        return await self._waits.read(self._cell.consensus())

    async def round(self, path: RoundPath) -> WitnessesView:
        """Return the witnesses of a round, and what was decided of each."""
        return await self._waits.read(self._cell.witnesses(path.round))

    async def events(self, query: WindowAsk) -> DagView:
        """Return a window of the hashgraph."""
        return await self._waits.read(self._cell.dag(query.query()))

    async def event(self, path: HashPath) -> EventView:
        """Return an event and what it carries."""
        return await self._waits.read(self._cell.event(path.id))

    async def why(self, path: HashPath) -> EventWhyView:
        """Return why an event is where it is."""
        return await self._waits.read(self._cell.why(path.id))
