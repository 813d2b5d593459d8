"""The clients' calls about consensus: what it does, its hashgraph, and why events are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myceld.question import Question, at, call, get

if TYPE_CHECKING:
    from myceld.views import ConsensusView, DagView, EventView, EventWhyView, WitnessesView


class ConsensusCalls:
    """The part of both clients that is about the hashgraph of the present epoch."""

    @call
    def consensus(self) -> Question[ConsensusView]:
        """Return the ConsensusView: what consensus does now."""
        return get("/api/v1/consensus")

    @call
    def witnesses(self, round_number: int) -> Question[WitnessesView]:
        """Return the WitnessesView of a round."""
        return get(at("/api/v1/consensus/rounds/{round}", round=round_number))

    @call
    def dag(
        self,
        *,
        start: int | None = None,
        after: str | None = None,
        from_round: int | None = None,
        to_round: int | None = None,
        limit: int = 100,
    ) -> Question[DagView]:
        """Return a DagView: the newest events, those from an arrival or of rounds, or what is new.

        `after` is the cursor of an earlier answer, and goes with `limit` alone.
        """
        given = {"start": start, "after": after, "from_round": from_round, "to_round": to_round}
        query: dict[str, object] = {n: value for n, value in given.items() if value is not None}
        return get("/api/v1/consensus/events", {**query, "limit": limit})

    @call
    def event(self, event_id: str) -> Question[EventView]:
        """Return the EventView of an event, by its id in hex."""
        return get(at("/api/v1/consensus/events/{id}", id=event_id))

    @call
    def why_event(self, event_id: str) -> Question[EventWhyView]:
        """Return the WhyView of an event, by its id in hex."""
        return get(at("/api/v1/consensus/events/{id}/why", id=event_id))
