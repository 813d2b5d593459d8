"""Feeds a whole graph to the engine and returns all it says, in the oracle's form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hashgraph.engine import Engine
from hashgraph.event import Event, middle_bit
from hashgraph.fame import Coin
from hashgraph.outcome import OrderedEvent, Outcome


def replay(
    events: Sequence[Event],
    weights: Sequence[int],
    *,
    coin_period: int = 10,
    first_round: int = 1,
    coin: Coin = middle_bit,
    rule_set: int = 1,
) -> Outcome:
    """Return what the engine says about `events`, which come parents first.

    Raises what `Engine` and `Engine.add` raise.
    """
    engine = Engine(
        weights,
        coin_period=coin_period,
        first_round=first_round,
        coin=coin,
        rule_set=rule_set,
    )
    order: list[OrderedEvent] = []
    for event in events:
        for decided in engine.add(event).decided:
            order += decided.ordered
    return outcome_of(engine, events, order)


def outcome_of(engine: Engine, events: Iterable[Event], order: Sequence[OrderedEvent]) -> Outcome:
    """Return the answers of an engine about `events`, all of them added, with the order it gave."""
    ids = [event.id for event in events]
    rounds = sorted({engine.round_of(key) for key in ids})
    received = {key: engine.received_round(key) for key in ids}
    return Outcome(
        round={key: engine.round_of(key) for key in ids},
        witnesses={number: frozenset(engine.witnesses(number)) for number in rounds},
        famous={key: engine.famous(key) for key in ids if engine.is_witness(key)},
        decided_rounds=engine.decided_rounds,
        received={key: number for key, number in received.items() if number is not None},
        order=tuple(order),
    )
