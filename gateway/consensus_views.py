"""What the gateway shows of consensus: the hashgraph of the present epoch, and why it is as it is.

Events are named in two ways. Their ids are the same in every cell. Their *arrivals*, numbers from
0 in the order in which this cell got them, parents first, are this cell's own: lists go by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DagQuery:
    """Which events are wanted: exactly one of the first four is given, or none for the newest."""

    start: int | None = None
    """From this arrival on."""
    after: str | None = None
    """What is new after this cursor."""
    from_round: int | None = None
    to_round: int | None = None
    """Created in these rounds; with `start`, from this arrival on."""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class DagEventView:
    """One event as a window shows it."""

    arrival: int
    id: str
    creator: int
    """Position of the member in the epoch, from 0."""
    branch: int
    """As `creator`, unless the member forked: then its further branches have numbers of their own.
    Branch and sequence together name one event."""
    sequence: int
    parents: Sequence[tuple[int, int]]
    """(branch, sequence) of each, the self-parent first."""
    time_ns: int
    """When it was made, by its creator's clock."""
    round: int
    """Round created."""
    witness: bool
    famous: bool | None
    """Null: not decided yet, or no witness."""
    received: int | None
    """Round received; null: it has no place in the order yet."""
    consensus_time_ns: int | None
    position: int | None
    """In the order of the epoch's events, from 0."""
    transactions: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PlacedView:
    """An event that got its place in the order."""

    arrival: int
    received: int
    consensus_time_ns: int
    position: int


@dataclass(frozen=True, slots=True)
class MarkView:
    """A witness and its fame."""

    arrival: int
    famous: bool | None


@dataclass(frozen=True, slots=True)
class DagRoundView:
    """One round of a window."""

    round: int
    known: int | None
    """How many events this cell had when the round was decided; null: it is not."""
    witnesses: Sequence[MarkView]


@dataclass(frozen=True, slots=True)
class DagView:
    """A window of the hashgraph, or what is new in it."""

    epoch: int
    first_round: int
    """Of the epoch."""
    members: Sequence[str]
    """Names, by position."""
    branches: Sequence[int]
    """The creator of each branch."""
    events: int
    """How many there are in the epoch."""
    items: Sequence[DagEventView]
    """By arrival."""
    placed: Sequence[PlacedView]
    """With `after`: what got its place meanwhile, in order."""
    rounds: Sequence[DagRoundView]
    """Those of the events; with `after`: those that may have changed."""
    next: int | None
    """`start` of the events that follow, null at the end."""
    cursor: str
    """Ask with `after` this for what is new."""
    more: bool
    """With `after`: ask again at once, there is more."""


@dataclass(frozen=True, slots=True)
class EventRefView:
    """An event by all its names."""

    id: str
    arrival: int
    creator: int
    sequence: int


@dataclass(frozen=True, slots=True)
class EventView:
    """Everything about one event."""

    epoch: int
    event: DagEventView
    member: str
    """Name of its creator."""
    cell_id: str
    parents: Sequence[EventRefView]
    """The self-parent first."""
    transaction_ids: Sequence[str]
    """The first ones, if they are many."""
    signature: str
    forked: bool
    """Whether its creator signed another event with this sequence number."""


@dataclass(frozen=True, slots=True)
class UndecidedView:
    """A round that is not decided."""

    round: int
    witnesses: int
    famous: int
    not_famous: int
    undecided: int
    missing: Sequence[str]
    """Members without a witness in it, as far as this cell knows."""
    words: str
    """What it waits for."""


@dataclass(frozen=True, slots=True)
class ConsensusView:
    """What consensus does now."""

    epoch: int
    first_round: int
    epoch_rounds: int
    """After how many rounds the epoch ends by itself."""
    members: Sequence[str]
    rule_set: int
    coin_period: int
    round_created: int
    """The highest round with an event."""
    round_decided: int
    undecided: Sequence[UndecidedView]
    """The first ones, if they are many."""
    events: int
    unordered: int
    """Events without a place in the order."""
    orphans: int
    """Events that wait for their parents."""
    forked: Sequence[str]
    """Members that signed two events with one sequence number."""
    working: bool
    """Whether transactions have no place in the order yet."""
    silent_because: str | None
    """Why this cell made no event when it last could have; null: it made one, or has no vote."""
    phase: str
    words: str
    """What it does or waits for."""


@dataclass(frozen=True, slots=True)
class WitnessView:
    """A witness of a round."""

    id: str
    arrival: int
    creator: int
    sequence: int
    famous: bool | None
    judge: bool
    votes_yes: int
    """Weight of the witnesses of the next round that see it: the votes that all others count."""
    votes_no: int
    voters: int


@dataclass(frozen=True, slots=True)
class WitnessesView:
    """One round of the hashgraph."""

    epoch: int
    round: int
    decided: bool
    known: int | None
    """How many events this cell had when it was decided."""
    received: int
    """How many events have their place by it."""
    witnesses: Sequence[WitnessView]
    words: str
    """How it was decided, or what it waits for."""


@dataclass(frozen=True, slots=True)
class JudgeView:
    """A judge of the round received, and how it has the event."""

    judge: EventRefView
    first: EventRefView
    """The earliest event of the judge's chain that has the event."""
    time_ns: int
    """When that one was made: the judge's vote on the time."""
    path: Sequence[EventRefView]
    """From `first` down to the event, parent by parent; empty if it is too long to show."""


@dataclass(frozen=True, slots=True)
class LookView:
    """A round from which the event was, or is not yet, received."""

    round: int
    decided: bool
    witnesses: int
    lacking: Sequence[EventRefView]
    """Judges without the event, or witnesses without it that may still become judges."""
    missing: Sequence[str]
    """Of an undecided round: members without a witness in it."""


@dataclass(frozen=True, slots=True)
class NeighbourView:
    """The event before or after in the order of a round."""

    event: EventRefView
    median_ns: int
    whitened: str
    """Its signature XOR those of all judges: decides between equal medians."""


@dataclass(frozen=True, slots=True)
class EventWhyView:
    """Why an event is where it is, or what it waits for."""

    epoch: int
    event: EventRefView
    member: str
    round: int
    witness: bool
    famous: bool | None
    strongly_sees: Sequence[EventRefView]
    """Of a witness: the witnesses of the round before that it strongly sees."""
    received: int | None
    judges: Sequence[JudgeView]
    median_ns: int | None
    consensus_time_ns: int | None
    position: int | None
    whitened: str | None
    before: NeighbourView | None
    after: NeighbourView | None
    passed: Sequence[LookView]
    """Decided rounds that did not receive it, the newest ones."""
    pending: Sequence[LookView]
    """Rounds that are not decided and may receive it."""
    words: Sequence[str]
    """The same in sentences."""


class ConsensusCell(Protocol):
    """What the routes of consensus need of a running cell."""

    async def consensus(self) -> ConsensusView:
        """Return what consensus does now."""
        ...

    async def witnesses(self, round_number: int) -> WitnessesView:
        """Return a round of the present epoch; raises NoSuchRound."""
        ...

    async def dag(self, query: DagQuery) -> DagView:
        """Return a window of the hashgraph; raises HashgraphMoved, BadRequest (the cursor)."""
        ...

    async def event(self, event_id: bytes) -> EventView:
        """Return an event of the present epoch; raises NoSuchEvent, HashgraphMoved."""
        ...

    async def why(self, event_id: bytes) -> EventWhyView:
        """Return why an event is where it is; raises NoSuchEvent, HashgraphMoved."""
        ...
