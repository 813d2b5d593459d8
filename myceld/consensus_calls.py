"""The client's calls about consensus: what it does, its hashgraph, and why events are there."""

from __future__ import annotations

from myceld.calls import Calls, JsonObject


class ConsensusCalls(Calls):
    """The part of `Client` that is about the hashgraph of the present epoch."""

    def consensus(self) -> JsonObject:
        """Return the ConsensusView: what consensus does now."""
        return self._get("/api/v1/consensus")

    def witnesses(self, round_number: int) -> JsonObject:
        """Return the WitnessesView of a round."""
        return self._get(f"/api/v1/consensus/rounds/{round_number}")

    def dag(
        self,
        *,
        start: int | None = None,
        after: str | None = None,
        from_round: int | None = None,
        to_round: int | None = None,
        limit: int = 100,
    ) -> JsonObject:
        """Return a DagView: the newest events, those from an arrival or of rounds, or what is new.

        `after` is the cursor of an earlier answer, and goes with `limit` alone.
        """
        given = {"start": start, "after": after, "from_round": from_round, "to_round": to_round}
        query: dict[str, object] = {n: value for n, value in given.items() if value is not None}
        return self._get("/api/v1/consensus/events", {**query, "limit": limit})

    def event(self, event_id: str) -> JsonObject:
        """Return the EventView of an event, by its id in hex."""
        return self._get(f"/api/v1/consensus/events/{event_id}")

    def why_event(self, event_id: str) -> JsonObject:
        """Return the WhyView of an event, by its id in hex."""
        return self._get(f"/api/v1/consensus/events/{event_id}/why")
