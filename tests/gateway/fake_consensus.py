"""The hashgraph of a fake cell: a real one, of four members that gossiped."""

from __future__ import annotations

from functools import cached_property

from core.ids import EventId, Round
from gateway.consensus_views import (
    ConsensusView,
    DagQuery,
    DagView,
    EventView,
    EventWhyView,
    WitnessesView,
)
from gateway.errors import NoSuchEvent
from node.dag import Dag
from node.dag_reasons import event_view, undecided_views, why_view, witnesses_view
from node.dag_window import window
from tests.node.dag_world import DagWorld


class FakeConsensus:
    """The part of FakeCell that is about consensus."""

    @cached_property
    def hashgraph(self) -> DagWorld:
        """Made when it is asked for: most tests do not."""
        made = DagWorld()
        for member in range(4):
            made.add(member, [])
        made.gossip(80)
        return made

    async def consensus(self) -> ConsensusView:
        dag = self.hashgraph.dag()
        return ConsensusView(
            epoch=0,
            first_round=1,
            epoch_rounds=2048,
            members=[member.name for member in dag.roster.members],
            rule_set=2,
            coin_period=10,
            round_created=dag.engine.last_round,
            round_decided=dag.engine.last_decided_round,
            undecided=undecided_views(dag),
            events=dag.count,
            unordered=dag.engine.unordered_count,
            orphans=0,
            forked=[],
            working=True,
            silent_because="too-soon",
            phase="ordering",
            words="ordering transactions; 4 of 4 members reachable",
        )

    async def witnesses(self, round_number: int) -> WitnessesView:
        return witnesses_view(self.hashgraph.dag(), Round(round_number))

    async def dag(self, query: DagQuery) -> DagView:
        return await window(self.hashgraph.dag(), query)

    async def event(self, event_id: bytes) -> EventView:
        return await event_view(*self._known(event_id))

    async def why(self, event_id: bytes) -> EventWhyView:
        return await why_view(*self._known(event_id))

    def _known(self, event_id: bytes) -> tuple[Dag, EventId]:
        dag, known = self.hashgraph.dag(), EventId(event_id)
        if known not in dag.index:
            raise NoSuchEvent("no such event")
        return dag, known
