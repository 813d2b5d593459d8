"""Why an event is where it is: who strongly sees it, the votes on it, its judges and its time.

Votes are counted here again, from what the engine says about seeing, as it lets go of ballots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from core.ids import EventId, Round
from hashgraph.engine import Engine
from hashgraph.event import Event
from hashgraph.outcome import OrderedEvent
from hashgraph.vector import Vector


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's vote; `yes` and `no` weigh what it counted, None if it counted nothing.

    That is so for a first vote and for a copied one. A voter is weak if those it strongly sees in
    the round before are no supermajority; under rule set 2 it copies its guide's vote.
    """

    voter: EventId
    vote: bool
    yes: int | None
    no: int | None
    decides: bool
    by_coin: bool
    is_weak: bool
    copies: EventId | None


@dataclass(frozen=True, slots=True)
class VotingRound:
    """The votes of one round on a witness."""

    round: Round
    distance: int
    is_coin_round: bool
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class MedianInput:
    """A judge, and the earliest self-ancestor of it that has the event."""

    judge: EventId
    first: EventId
    time_ns: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that led to the place of one event in the order."""

    event: Event
    round: Round
    is_witness: bool
    famous: bool | None
    strongly_sees: tuple[EventId, ...]
    strongly_seen_by: tuple[EventId, ...]
    voting: tuple[VotingRound, ...]
    received: Round | None
    judges: tuple[MedianInput, ...]
    median_ns: int | None
    consensus_time_ns: int | None
    position: int | None


class Explainer:
    """Explains any event of one graph, which it gives to an engine once."""

    def __init__(self, vector: Vector, *, rule_set: int = 1) -> None:
        """Raise what `Engine` and `Engine.add` raise."""
        self._vector = vector
        self._rule_set = rule_set
        self._engine = Engine(
            vector.weights,
            coin_period=vector.coin_period,
            first_round=vector.first_round,
            coin=vector.coin,
            rule_set=rule_set,
        )
        self._order: list[OrderedEvent] = []
        for item in vector.events:
            for decided in self._engine.add(item).decided:
                self._order += decided.ordered

    def explain(self, name: str) -> Explanation:
        """Return the explanation of an event, by its name in the file; raises NothingToExplain."""
        vector, engine, order = self._vector, self._engine, self._order
        event = vector.event_named(name)
        places = [place for place, item in enumerate(order) if item.event.id == event.id]
        received = engine.received_round(event.id)
        judges = () if received is None else _median_inputs(engine, vector, event, received)
        times = sorted(judge.time_ns for judge in judges)
        is_witness = engine.is_witness(event.id)
        return Explanation(
            event=event,
            round=engine.round_of(event.id),
            is_witness=is_witness,
            famous=engine.famous(event.id),
            strongly_sees=engine.electors(event.id),
            strongly_seen_by=tuple(
                other.id for other in vector.events if engine.strongly_sees(other.id, event.id)
            ),
            voting=_voting(engine, vector, event, self._rule_set) if is_witness else (),
            received=received,
            judges=judges,
            median_ns=times[len(times) // 2] if times else None,
            consensus_time_ns=order[places[0]].consensus_time_ns if places else None,
            position=places[0] if places else None,
        )


def _median_inputs(
    engine: Engine, vector: Vector, event: Event, received: Round
) -> tuple[MedianInput, ...]:
    firsts = [(judge, engine.first_with(judge, event.id)) for judge in engine.judges(received)]
    return tuple(
        MedianInput(judge, first, vector.by_id[first].time_ns)
        for judge, first in firsts
        if first is not None
    )


def _voting(engine: Engine, vector: Vector, event: Event, rule_set: int) -> tuple[VotingRound, ...]:
    """Count every vote on a witness, up to the round that decides or the last one."""
    first = engine.round_of(event.id)
    below: dict[EventId, Vote] = {}
    rounds = []
    for number in range(first + 1, engine.last_round + 1):
        distance = number - first
        is_coin_round = distance % vector.coin_period == 0
        voters = engine.witnesses(Round(number))
        weak = {voter for voter in voters if not _is_super(vector, engine.electors(voter))}
        votes: dict[EventId, Vote] = {}
        for voter in sorted(voters, key=weak.__contains__):
            if rule_set == 2 and voter in weak:
                strong = (other for other in voters if other not in weak)
                guide = min(other for other in strong if engine.is_ancestor(voter, other))
                vote = replace(_uncounted(voter, answer=votes[guide].vote), copies=guide)
            elif distance == 1:
                vote = _uncounted(voter, answer=engine.sees(voter, event.id))
            else:
                heard = [below[elector] for elector in engine.electors(voter)]
                vote = _counted(vector, voter, heard, is_coin_round=is_coin_round)
            votes[voter] = replace(vote, is_weak=voter in weak)
        below = votes
        listed = tuple(votes[voter] for voter in voters)
        rounds.append(VotingRound(Round(number), distance, is_coin_round, listed))
        if any(vote.decides for vote in listed):
            break
    return tuple(rounds)


def _is_super(vector: Vector, events: Iterable[EventId]) -> bool:
    """Return whether the creators of these events, each by another one, are a supermajority."""
    return 3 * _weight(vector, events) > 2 * sum(vector.weights)


def _weight(vector: Vector, events: Iterable[EventId]) -> int:
    return sum(vector.weights[vector.by_id[event].creator] for event in events)


def _uncounted(voter: EventId, *, answer: bool) -> Vote:
    return Vote(voter, answer, None, None, decides=False, by_coin=False, is_weak=False, copies=None)


def _counted(vector: Vector, voter: EventId, heard: list[Vote], *, is_coin_round: bool) -> Vote:
    """Return the vote that follows from those of the electors."""
    yes = _weight(vector, (vote.voter for vote in heard if vote.vote))
    no = _weight(vector, (vote.voter for vote in heard if not vote.vote))
    is_clear = 3 * max(yes, no) > 2 * sum(vector.weights)
    by_coin = is_coin_round and not is_clear
    answer = vector.coin(vector.by_id[voter]) if by_coin else yes >= no
    decides = is_clear and not is_coin_round
    return replace(
        _uncounted(voter, answer=answer), yes=yes, no=no, decides=decides, by_coin=by_coin
    )
