"""Answers about consensus. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class UndecidedView(TypedDict):
    """A round that is not decided."""

    famous: int
    missing: list[str]
    """Members without a witness in it, as far as this cell knows."""
    not_famous: int
    round: int
    undecided: int
    witnesses: int
    words: str
    """What it waits for."""


class ConsensusView(TypedDict):
    """What consensus does now."""

    coin_period: int
    epoch: int
    epoch_rounds: int
    """After how many rounds the epoch ends by itself."""
    events: int
    first_round: int
    forked: list[str]
    """Members that signed two events with one sequence number."""
    members: list[str]
    orphans: int
    """Events that wait for their parents."""
    phase: str
    round_created: int
    """The highest round with an event."""
    round_decided: int
    rule_set: int
    silent_because: str | None
    """Why this cell made no event when it last could have; null: it made one, or has no vote."""
    undecided: list[UndecidedView]
    """The first ones, if they are many."""
    unordered: int
    """Events without a place in the order."""
    words: str
    """What it does or waits for."""
    working: bool
    """Whether transactions have no place in the order yet."""


class DagEventView(TypedDict):
    """One event as a window shows it."""

    arrival: int
    branch: int
    """As `creator`, unless the member forked: then its further branches have numbers of their own.
    Branch and sequence together name one event.
    """
    consensus_time_ns: int | None
    creator: int
    """Position of the member in the epoch, from 0."""
    famous: bool | None
    """Null: not decided yet, or no witness."""
    id: str
    parents: list[list[int]]
    """(branch, sequence) of each, the self-parent first."""
    position: int | None
    """In the order of the epoch's events, from 0."""
    received: int | None
    """Round received; null: it has no place in the order yet."""
    round: int
    """Round created."""
    sequence: int
    size_bytes: int
    time_ns: int
    """When it was made, by its creator's clock."""
    transactions: int
    witness: bool


class PlacedView(TypedDict):
    """An event that got its place in the order."""

    arrival: int
    consensus_time_ns: int
    position: int
    received: int


class MarkView(TypedDict):
    """A witness and its fame."""

    arrival: int
    famous: bool | None


class DagRoundView(TypedDict):
    """One round of a window."""

    known: int | None
    """How many events this cell had when the round was decided; null: it is not."""
    round: int
    witnesses: list[MarkView]


class DagView(TypedDict):
    """A window of the hashgraph, or what is new in it."""

    branches: list[int]
    """The creator of each branch."""
    cursor: str
    """Ask with `after` this for what is new."""
    epoch: int
    events: int
    """How many there are in the epoch."""
    first_round: int
    """Of the epoch."""
    items: list[DagEventView]
    """By arrival."""
    members: list[str]
    """Names, by position."""
    more: bool
    """With `after`: ask again at once, there is more."""
    next: int | None
    """`start` of the events that follow, null at the end."""
    placed: list[PlacedView]
    """With `after`: what got its place meanwhile, in order."""
    rounds: list[DagRoundView]
    """Those of the events; with `after`: those that may have changed."""


class EventRefView(TypedDict):
    """An event by all its names."""

    arrival: int
    creator: int
    id: str
    sequence: int


class EventView(TypedDict):
    """Everything about one event."""

    cell_id: str
    epoch: int
    event: DagEventView
    forked: bool
    """Whether its creator signed another event with this sequence number."""
    member: str
    """Name of its creator."""
    parents: list[EventRefView]
    """The self-parent first."""
    signature: str
    transaction_ids: list[str]
    """The first ones, if they are many."""


class NeighbourView(TypedDict):
    """The event before or after in the order of a round."""

    event: EventRefView
    median_ns: int
    whitened: str
    """Its signature XOR those of all judges: decides between equal medians."""


class JudgeView(TypedDict):
    """A judge of the round received, and how it has the event."""

    first: EventRefView
    """The earliest event of the judge's chain that has the event."""
    judge: EventRefView
    path: list[EventRefView]
    """From `first` down to the event, parent by parent; empty if it is too long to show."""
    time_ns: int
    """When that one was made: the judge's vote on the time."""


class LookView(TypedDict):
    """A round from which the event was, or is not yet, received."""

    decided: bool
    lacking: list[EventRefView]
    """Judges without the event, or witnesses without it that may still become judges."""
    missing: list[str]
    """Of an undecided round: members without a witness in it."""
    round: int
    witnesses: int


class EventWhyView(TypedDict):
    """Why an event is where it is, or what it waits for."""

    after: NeighbourView | None
    before: NeighbourView | None
    consensus_time_ns: int | None
    epoch: int
    event: EventRefView
    famous: bool | None
    judges: list[JudgeView]
    median_ns: int | None
    member: str
    passed: list[LookView]
    """Decided rounds that did not receive it, the newest ones."""
    pending: list[LookView]
    """Rounds that are not decided and may receive it."""
    position: int | None
    received: int | None
    round: int
    strongly_sees: list[EventRefView]
    """Of a witness: the witnesses of the round before that it strongly sees."""
    whitened: str | None
    witness: bool
    words: list[str]
    """The same in sentences."""


class WitnessView(TypedDict):
    """A witness of a round."""

    arrival: int
    creator: int
    famous: bool | None
    id: str
    judge: bool
    sequence: int
    voters: int
    votes_no: int
    votes_yes: int
    """Weight of the witnesses of the next round that see it: the votes that all others count."""


class WitnessesView(TypedDict):
    """One round of the hashgraph."""

    decided: bool
    epoch: int
    known: int | None
    """How many events this cell had when it was decided."""
    received: int
    """How many events have their place by it."""
    round: int
    witnesses: list[WitnessView]
    words: str
    """How it was decided, or what it waits for."""
