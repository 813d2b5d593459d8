"""Why an event is where it is: who strongly sees it, the votes on it, its judges and its time.

Votes are counted here again, from what the engine says about seeing, as it lets go of ballots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.ids import EventId, Round
from hashgraph.engine import Engine
from hashgraph.event import Event
from hashgraph.outcome import OrderedEvent
from hashgraph.vector import Vector


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's vote; `yes` and `no` weigh what it counted, None for a first vote."""

    voter: EventId
    vote: bool
    yes: int | None
    no: int | None
    decides: bool
    by_coin: bool


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


def explain(vector: Vector, name: str) -> Explanation:
    """Return the explanation of an event of a graph, by its name in the file.

    Raises NothingToExplain, and what `Engine` and `Engine.add` raise.
    """
    event = vector.event_named(name)
    engine = Engine(
        vector.weights,
        coin_period=vector.coin_period,
        first_round=vector.first_round,
        coin=vector.coin,
    )
    order: list[OrderedEvent] = []
    for item in vector.events:
        for decided in engine.add(item).decided:
            order += decided.ordered
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
        voting=_voting(engine, vector, event) if is_witness else (),
        received=received,
        judges=judges,
        median_ns=times[len(times) // 2] if times else None,
        consensus_time_ns=order[places[0]].consensus_time_ns if places else None,
        position=places[0] if places else None,
    )


def _median_inputs(
    engine: Engine, vector: Vector, event: Event, received: Round
) -> tuple[MedianInput, ...]:
    by_id = {item.id: item for item in vector.events}
    inputs = []
    for judge in engine.judges(received):
        first = by_id[judge]
        while first.self_parent is not None and engine.is_ancestor(first.self_parent, event.id):
            first = by_id[first.self_parent]
        inputs.append(MedianInput(judge, first.id, first.time_ns))
    return tuple(inputs)


def _voting(engine: Engine, vector: Vector, event: Event) -> tuple[VotingRound, ...]:
    """Count every vote on a witness, up to the round that decides or the last one."""
    by_id = {item.id: item for item in vector.events}
    first = engine.round_of(event.id)
    ballots: dict[EventId, bool] = {}
    rounds = []
    for number in range(first + 1, engine.last_round + 1):
        distance = number - first
        is_coin_round = distance % vector.coin_period == 0
        votes = []
        for voter in engine.witnesses(Round(number)):
            if distance == 1:
                sees = engine.sees(voter, event.id)
                vote = Vote(voter, sees, None, None, decides=False, by_coin=False)
            else:
                heard = {elector: ballots[elector] for elector in engine.electors(voter)}
                weights = {elector: vector.weights[by_id[elector].creator] for elector in heard}
                yes = sum(weight for elector, weight in weights.items() if heard[elector])
                coin = (lambda voter=voter: vector.coin(by_id[voter])) if is_coin_round else None
                vote = _count(voter, yes, sum(weights.values()) - yes, sum(vector.weights), coin)
            votes.append(vote)
        ballots = {vote.voter: vote.vote for vote in votes}
        rounds.append(VotingRound(Round(number), distance, is_coin_round, tuple(votes)))
        if any(vote.decides for vote in votes):
            break
    return tuple(rounds)


def _count(voter: EventId, yes: int, no: int, total: int, coin: Callable[[], bool] | None) -> Vote:
    """Return the vote that follows from a count; `coin` is given in coin rounds."""
    is_clear = 3 * max(yes, no) > 2 * total
    by_coin = coin is not None and not is_clear
    answer = coin() if coin is not None and by_coin else yes >= no
    return Vote(voter, answer, yes, no, decides=is_clear and coin is None, by_coin=by_coin)
