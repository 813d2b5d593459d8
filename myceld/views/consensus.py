"""Answers about consensus. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class UndecidedView(TypedDict):
    """A round that is not decided."""

    round: int
    witnesses: int
    famous: int
    not_famous: int
    undecided: int
    missing: list[str]
    """Members without a witness in it, as far as this cell knows."""
    words: str
    """What it waits for."""


class ConsensusView(TypedDict):
    """What consensus does now."""

    epoch: int
    first_round: int
    epoch_rounds: int
    """After how many rounds the epoch ends by itself."""
    members: list[str]
    rule_set: int
    coin_period: int
    round_created: int
    """The highest round with an event."""
    round_decided: int
    undecided: list[UndecidedView]
    """The first ones, if they are many."""
    events: int
    unordered: int
    """Events without a place in the order."""
    orphans: int
    """Events that wait for their parents."""
    forked: list[str]
    """Members that signed two events with one sequence number."""
    working: bool
    """Whether transactions have no place in the order yet."""
    silent_because: str | None
    """Why this cell made no event when it last could have; null: it made one, or has no vote."""
    phase: str
    words: str
    """What it does or waits for."""


class WitnessView(TypedDict):
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


class WitnessesView(TypedDict):
    """One round of the hashgraph."""

    epoch: int
    round: int
    decided: bool
    known: int | None
    """How many events this cell had when it was decided."""
    received: int
    """How many events have their place by it."""
    witnesses: list[WitnessView]
    words: str
    """How it was decided, or what it waits for."""


class DagEventView(TypedDict):
    """One event as a window shows it."""

    arrival: int
    id: str
    creator: int
    """Position of the member in the epoch, from 0."""
    branch: int
    """As `creator`, unless the member forked: then its further branches have numbers of their own.
    Branch and sequence together name one event.
    """
    sequence: int
    parents: list[list[int]]
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


class PlacedView(TypedDict):
    """An event that got its place in the order."""

    arrival: int
    received: int
    consensus_time_ns: int
    position: int


class MarkView(TypedDict):
    """A witness and its fame."""

    arrival: int
    famous: bool | None


class DagRoundView(TypedDict):
    """One round of a window."""

    round: int
    known: int | None
    """How many events this cell had when the round was decided; null: it is not."""
    witnesses: list[MarkView]


class DagView(TypedDict):
    """A window of the hashgraph, or what is new in it."""

    epoch: int
    first_round: int
    """Of the epoch."""
    members: list[str]
    """Names, by position."""
    branches: list[int]
    """The creator of each branch."""
    events: int
    """How many there are in the epoch."""
    items: list[DagEventView]
    """By arrival."""
    placed: list[PlacedView]
    """With `after`: what got its place meanwhile, in order."""
    rounds: list[DagRoundView]
    """Those of the events; with `after`: those that may have changed."""
    next: int | None
    """`start` of the events that follow, null at the end."""
    cursor: str
    """Ask with `after` this for what is new."""
    more: bool
    """With `after`: ask again at once, there is more."""


class EventRefView(TypedDict):
    """An event by all its names."""

    id: str
    arrival: int
    creator: int
    sequence: int


class EventView(TypedDict):
    """Everything about one event."""

    epoch: int
    event: DagEventView
    member: str
    """Name of its creator."""
    cell_id: str
    parents: list[EventRefView]
    """The self-parent first."""
    transaction_ids: list[str]
    """The first ones, if they are many."""
    signature: str
    forked: bool
    """Whether its creator signed another event with this sequence number."""


class JudgeView(TypedDict):
    """A judge of the round received, and how it has the event."""

    judge: EventRefView
    first: EventRefView
    """The earliest event of the judge's chain that has the event."""
    time_ns: int
    """When that one was made: the judge's vote on the time."""
    path: list[EventRefView]
    """From `first` down to the event, parent by parent; empty if it is too long to show."""


class NeighbourView(TypedDict):
    """The event before or after in the order of a round."""

    event: EventRefView
    median_ns: int
    whitened: str
    """Its signature XOR those of all judges: decides between equal medians."""


class LookView(TypedDict):
    """A round from which the event was, or is not yet, received."""

    round: int
    decided: bool
    witnesses: int
    lacking: list[EventRefView]
    """Judges without the event, or witnesses without it that may still become judges."""
    missing: list[str]
    """Of an undecided round: members without a witness in it."""


class EventWhyView(TypedDict):
    """Why an event is where it is, or what it waits for."""

    epoch: int
    event: EventRefView
    member: str
    round: int
    witness: bool
    famous: bool | None
    strongly_sees: list[EventRefView]
    """Of a witness: the witnesses of the round before that it strongly sees."""
    received: int | None
    judges: list[JudgeView]
    median_ns: int | None
    consensus_time_ns: int | None
    position: int | None
    whitened: str | None
    before: NeighbourView | None
    after: NeighbourView | None
    passed: list[LookView]
    """Decided rounds that did not receive it, the newest ones."""
    pending: list[LookView]
    """Rounds that are not decided and may receive it."""
    words: list[str]
    """The same in sentences."""
