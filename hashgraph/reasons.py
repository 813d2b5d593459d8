"""Why an event is where it is, or what it still waits for, read off a running engine.

Unlike `explain`, which replays a graph from a file, this asks what the engine knows at the moment
and walks over no events, so a live cell can answer with it. An event is received in the first
decided round all of whose judges have it (Baird 2016, section 5: findOrder); its time is the median
of when each judge's chain first had it. So three things say it all: the rounds that passed it by
and whose judges lacked it, the judges that received it, or the rounds that are not decided yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.ids import EventId, Round
from hashgraph.engine import Engine
from hashgraph.limits import ROUNDS_PASSED_SHOWN_MAX, ROUNDS_PENDING_SHOWN_MAX


@dataclass(frozen=True, slots=True)
class WitnessLook:
    """A witness, and whether it has the event that is asked about."""

    id: EventId
    famous: bool | None
    judge: bool
    has: bool


@dataclass(frozen=True, slots=True)
class RoundLook:
    """A round from which an event could be received: it is if all judges have it."""

    round: Round
    decided: bool
    """Whether it was handed on. A round above one that is open is not, even if all is known."""
    witnesses: tuple[WitnessLook, ...]

    @property
    def lacking(self) -> tuple[EventId, ...]:
        """The judges without the event, or the witnesses that may still become judges."""
        return tuple(
            one.id
            for one in self.witnesses
            if not one.has and (one.judge if self.decided else one.famous is not False)
        )


@dataclass(frozen=True, slots=True)
class JudgeLook:
    """A judge of the round received, and the earliest self-ancestor of it that has the event."""

    judge: EventId
    first: EventId


@dataclass(frozen=True, slots=True)
class Reasons:
    """All that decides the place of one event, as far as it is decided."""

    id: EventId
    round: Round
    witness: bool
    famous: bool | None
    strongly_sees: tuple[EventId, ...]
    """Of a witness: the witnesses of the round before that it strongly sees."""
    received: Round | None
    judges: tuple[JudgeLook, ...]
    passed: tuple[RoundLook, ...]
    """Decided rounds that did not receive it, the newest ROUNDS_PASSED_SHOWN_MAX, rising."""
    pending: tuple[RoundLook, ...]
    """Rounds that are not decided and may receive it, rising; nothing once it is received."""


def reasons(engine: Engine, event_id: EventId) -> Reasons:
    """Return why an event is where it is; raises UnknownEvent."""
    number, received = engine.round_of(event_id), engine.received_round(event_id)
    end = engine.last_decided_round + 1 if received is None else received
    begin = max(number, end - ROUNDS_PASSED_SHOWN_MAX)
    pending: range = range(0)
    if received is None:
        first = max(number, end)
        pending = range(first, min(engine.last_round + 1, first + ROUNDS_PENDING_SHOWN_MAX))
    firsts = [
        (judge, engine.first_with(judge, event_id))
        for judge in (() if received is None else engine.judges(received))
    ]
    return Reasons(
        id=event_id,
        round=number,
        witness=engine.is_witness(event_id),
        famous=engine.famous(event_id),
        strongly_sees=engine.electors(event_id),
        received=received,
        judges=tuple(JudgeLook(judge, first) for judge, first in firsts if first is not None),
        passed=tuple(_look(engine, Round(one), event_id) for one in range(begin, end)),
        pending=tuple(_look(engine, Round(one), event_id) for one in pending),
    )


def first_votes(engine: Engine, witness: EventId) -> tuple[tuple[EventId, bool], ...]:
    """Return the witnesses of the next round, and whether each sees this one.

    These are the votes that all later ones count (section 5: decideFame); what a weak voter copies
    under rule set 2 is not shown. Raises UnknownEvent.
    """
    voters = engine.witnesses(Round(engine.round_of(witness) + 1))
    return tuple((voter, engine.sees(voter, witness)) for voter in voters)


def median_ns(times_ns: list[int]) -> int:
    """Return the median as the order takes it: of an even number the upper one."""
    return sorted(times_ns)[len(times_ns) // 2]


def _look(engine: Engine, number: Round, event_id: EventId) -> RoundLook:
    judges = set(engine.judges(number))
    return RoundLook(
        number,
        number <= engine.last_decided_round,
        tuple(
            WitnessLook(
                witness,
                engine.famous(witness),
                witness in judges,
                engine.is_ancestor(witness, event_id),
            )
            for witness in engine.witnesses(number)
        ),
    )
