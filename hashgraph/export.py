"""A graph as `hashgraph-vector/1`, so that what happened anywhere can be looked at everywhere.

What the format does not know is told beside it: `signature`, whose middle bit is the coin and which
breaks ties of time. The expectations are the engine's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.ids import EventId
from hashgraph.event import Event, middle_bit
from hashgraph.replay import replay
from hashgraph.vector import SCHEMA, Vector, outcome_as_json


def vector_of(
    events: Sequence[Event],
    weights: Sequence[int],
    *,
    coin_period: int,
    first_round: int,
    rule_set: int = 1,
    name: str,
    source: str,
) -> dict[str, object]:
    """Return the JSON object for `events`, which come parents first.

    Events are named `<creator>.<sequence>`; further ones of a fork get `'`, `''` and so on. Raises
    what `Engine.add` raises.
    """
    names = _names(events)
    vector = Vector(
        weights=tuple(weights),
        coin_period=coin_period,
        first_round=first_round,
        events=tuple(events),
        names=names,
        coins={event.id: middle_bit(event) for event in events},
        by_id={event.id: event for event in events},
        rule_set=rule_set,
    )
    outcome = outcome_as_json(
        replay(
            events,
            weights,
            coin_period=coin_period,
            first_round=first_round,
            rule_set=rule_set,
        ),
        vector,
    )
    outcome["received_2016"] = outcome.pop("received")
    return {
        "schema": SCHEMA,
        "id": name,
        "source": source,
        "members": len(weights),
        "weights": list(weights),
        "coin_period": coin_period,
        "first_round": first_round,
        "rule_set": rule_set,
        "events": [_event(event, names) for event in events],
        "expect": outcome,
    }


def _event(event: Event, names: dict[EventId, str]) -> dict[str, object]:
    return {
        "id": names[event.id],
        "creator": event.creator,
        "self_parent": None if event.self_parent is None else names[event.self_parent],
        "other_parents": [names[parent] for parent in event.other_parents],
        "time": event.time_ns,
        "hash": event.id.hex(),
        "signature": event.signature.hex(),
        "coin": int(middle_bit(event)),
    }


def _names(events: Sequence[Event]) -> dict[EventId, str]:
    seen: Counter[tuple[int, int]] = Counter()
    names = {}
    for event in events:
        place = (event.creator, event.sequence)
        names[event.id] = f"{event.creator}.{event.sequence}" + "'" * seen[place]
        seen[place] += 1
    return names
