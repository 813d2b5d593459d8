"""What the hashgraph hands out: ordered events, decided rounds, effects, and a whole outcome.

The engine and the oracle share these values and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from core.ids import Epoch, EventId, MemberIndex, Round
from core.ids import Sequence as SequenceNumber
from hashgraph.event import Event


class OrderedEvent(NamedTuple):
    """One event at its place in the order, with the time the members agreed on.

    A named tuple: it is made for every event, and takes a third of the time of a frozen class.
    """

    event: Event
    consensus_time_ns: int


@dataclass(frozen=True, slots=True)
class DecidedRound:
    """One decided round: its judges by creator, and the events received in it, in order.

    The judges hold a supermajority of the weight as a rule, not always (see README.md);
    `has_supermajority` says it. There can even be none, and then the round receives nothing.
    """

    round: Round
    judges: tuple[EventId, ...]
    ordered: tuple[OrderedEvent, ...]
    has_supermajority: bool = True


@dataclass(frozen=True, slots=True)
class Seal:
    """The end of an epoch: its last round, and the last consensus time up to there, −1 for none.

    The same in every cell. With the next roster's weights it is all that the next epoch starts
    from; that one has the same rule set.
    """

    epoch: Epoch
    last_round: Round
    last_time_ns: int
    rule_set: int = 1


@dataclass(frozen=True, slots=True)
class Fork:
    """Two events of one creator with one sequence number: proof that it signed twice."""

    creator: MemberIndex
    sequence: SequenceNumber
    first: EventId
    second: EventId


@dataclass(frozen=True, slots=True)
class Effects:
    """What one added event brought about. `decided` is in round order and must be applied so."""

    round_created: Round
    witness: bool
    decided: tuple[DecidedRound, ...]
    fork: Fork | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the rules say about one graph.

    `decided_rounds` holds every decided round, also one above a round that is not decided yet;
    `received` and `order` hold what was handed on, which stops at the first undecided round.
    """

    round: dict[EventId, Round]
    witnesses: dict[Round, frozenset[EventId]]
    famous: dict[EventId, bool | None]
    decided_rounds: tuple[Round, ...]
    received: dict[EventId, Round]
    order: tuple[OrderedEvent, ...]
