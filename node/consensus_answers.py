"""What a running cell answers about consensus: its hashgraph, rounds, and why events are there."""

from __future__ import annotations

from collections.abc import Sequence

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
from journal import Journal
from node import status
from node.dag import Dag
from node.dag_reasons import event_view, undecided_views, why_view, witnesses_view
from node.dag_window import window
from node.journal_answers import JournalAnswers
from node.stages.consensus import Consensus
from node.tables import EVENTS_JOURNAL


class ConsensusAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about consensus."""

    async def consensus(self) -> ConsensusView:
        """See `gateway.consensus_views.ConsensusCell.consensus`."""
        dag, consensus = await self._dag(), self._parts.consensus
        engine, rules, why = dag.engine, dag.roster.rules, consensus.why_silent
        phase, words = status.phase_of(self._parts)
        return ConsensusView(
            epoch=dag.roster.epoch,
            first_round=dag.roster.first_round,
            epoch_rounds=rules.epoch_rounds,
            members=[member.name for member in dag.roster.members],
            rule_set=rules.rule_set,
            coin_period=rules.coin_period,
            round_created=engine.last_round,
            round_decided=engine.last_decided_round,
            undecided=undecided_views(dag),
            events=len(dag.index),
            unordered=engine.unordered_count,
            orphans=consensus.orphans,
            forked=[dag.name(creator) for creator in engine.forked_creators],
            working=consensus.has_work,
            silent_because=None if why is None else why.value,
            phase=phase,
            words=words,
        )

    async def witnesses(self, round_number: int) -> WitnessesView:
        """See `gateway.consensus_views.ConsensusCell.witnesses`."""
        return witnesses_view(await self._dag(), Round(round_number))

    async def dag(self, query: DagQuery) -> DagView:
        """See `gateway.consensus_views.ConsensusCell.dag`."""
        return await window(await self._dag(), query)

    async def event(self, event_id: bytes) -> EventView:
        """See `gateway.consensus_views.ConsensusCell.event`."""
        dag = await self._dag()
        return await event_view(dag, self._known(dag, EventId(event_id)))

    async def why(self, event_id: bytes) -> EventWhyView:
        """See `gateway.consensus_views.ConsensusCell.why`."""
        dag = await self._dag()
        return await why_view(dag, self._known(dag, EventId(event_id)))

    async def _dag(self) -> Dag:
        return dag_of(self._parts.consensus, await self._parts.store.journal(EVENTS_JOURNAL))

    def _known(self, dag: Dag, event_id: EventId) -> EventId:
        """Return the id of an event that can be shown; raises NoSuchEvent."""
        if event_id in dag.index and dag.index.arrival(event_id) < dag.count:
            return event_id
        if event_id not in dag.index and self._parts.consensus.block_of(event_id) is not None:
            raise NoSuchEvent("the event is of an epoch that is over")
        raise NoSuchEvent(f"epoch {dag.roster.epoch} has no such event, as far as this cell knows")


def dag_of(consensus: Consensus, journal: Journal) -> Dag:
    """Return the hashgraph of the epoch that a cell takes part in, as it is now."""
    engine, index, first = consensus.engine, consensus.index, consensus.first_block

    async def read(arrivals: Sequence[int]) -> Sequence[bytes]:
        return await journal.get_many([first + arrival for arrival in arrivals])

    return Dag(
        roster=consensus.roster,
        network_id=consensus.network_id,
        engine=engine,
        index=index,
        placed=consensus.placed,
        count=max(0, min(len(index), journal.length - first)),
        read=read,
        is_current=lambda: consensus.engine is engine,
    )
