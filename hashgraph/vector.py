"""Reads `hashgraph-vector/1`: a graph as JSON, with names for ids.

    {"schema": "hashgraph-vector/1", "members": n, "weights": [int × n], "coin_period": int,
     "first_round": int, "rule_set"?: 1 | 2, "events": [{"id", "creator", "self_parent": id | null,
     "other_parents": [ids], "time"?: int, "hash"?: hex, "signature"?: hex,
                "coin"?: 0 | 1}, …]}

Events come in a topological order. Without `time`, the position in the list counts; without `hash`,
the UTF-8 bytes of the id; without `coin`, 1; without `rule_set`, 1. The hash stands for the event
id and, without `signature` and filled up with zeros to 64 bytes, for the signature. Other keys are
left to their readers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from core.ids import EventId, MemberIndex, Signature
from core.ids import Sequence as SequenceNumber
from core.limits import SIGNATURE_SIZE_BYTES
from hashgraph.errors import MalformedVector, NothingToExplain
from hashgraph.event import Event
from hashgraph.outcome import Outcome

SCHEMA: Final = "hashgraph-vector/1"


@dataclass(frozen=True, slots=True)
class Vector:
    """A graph with its rules; `names`, `coins` and `by_id` are by event id."""

    weights: tuple[int, ...]
    coin_period: int
    first_round: int
    events: tuple[Event, ...]
    names: dict[EventId, str]
    coins: dict[EventId, bool]
    by_id: dict[EventId, Event]
    rule_set: int = 1

    def coin(self, event: Event) -> bool:
        """Return the coin that the vector gives to an event."""
        return self.coins[event.id]

    def event_named(self, name: str) -> Event:
        """Return the event with a name; raises NothingToExplain."""
        for event in self.events:
            if self.names[event.id] == name:
                return event
        raise NothingToExplain(f"the graph has no event {name!r}")

    def shuffled(self, seed: str) -> tuple[Event, ...]:
        """Return the events in another topological order, which `seed` chooses."""
        return shuffled(self.events, seed)


def read_vector(text: str | bytes) -> Vector:
    """Return the vector in a JSON text; raises MalformedVector."""
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise MalformedVector(f"the schema is not {SCHEMA}")
        weights = tuple(_integer(weight) for weight in data["weights"])
        if len(weights) != data["members"]:
            raise MalformedVector(f"{len(weights)} weights for {data['members']} members")
        events, names, coins = _read_events(data["events"], members=len(weights))
        return Vector(
            weights=weights,
            coin_period=_integer(data["coin_period"]),
            first_round=_integer(data["first_round"]),
            rule_set=_integer(data.get("rule_set", 1)),
            events=events,
            names=names,
            coins=coins,
            by_id={event.id: event for event in events},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedVector(f"{type(error).__name__}: {error}") from error


def read_expected(text: str | bytes) -> dict[str, object]:
    """Return what a vector expects, under the names of `outcome_as_json`; raises MalformedVector.

    Of the rounds received, those of rule set 1 count. Nothing is returned if nothing is expected.
    """
    try:
        expect = json.loads(text).get("expect") or {}
        keys = {"received": "received_2016"}
        return {
            key: expect[keys.get(key, key)]
            for key in ("round", "witnesses", "famous", "decided_rounds", "received", "order")
            if expect.get(keys.get(key, key)) is not None
        }
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedVector(f"{type(error).__name__}: {error}") from error


def shuffled(events: tuple[Event, ...], seed: str) -> tuple[Event, ...]:
    """Return the events in another topological order: always the ready one of lowest hash."""
    lot = {e.id: sha256(seed.encode() + b"/" + e.id).digest() for e in events}
    missing = {e.id: len(_parents(e)) for e in events}
    children: dict[EventId, list[Event]] = {e.id: [] for e in events}
    for event in events:
        for parent in _parents(event):
            children[parent].append(event)
    ready = [event for event in events if not missing[event.id]]
    result = []
    while ready:
        ready.sort(key=lambda event: lot[event.id])
        event = ready.pop(0)
        result.append(event)
        for child in children[event.id]:
            missing[child.id] -= 1
            if not missing[child.id]:
                ready.append(child)
    return tuple(result)


def outcome_as_json(outcome: Outcome, vector: Vector) -> dict[str, object]:
    """Return an outcome with the vector's names, in the vector's sequence of events."""
    names = [(vector.names[event.id], event.id) for event in vector.events]
    return {
        "round": {name: outcome.round[key] for name, key in names},
        "witnesses": {
            str(number): [name for name, key in names if key in witnesses]
            for number, witnesses in sorted(outcome.witnesses.items())
        },
        "famous": {name: outcome.famous[key] for name, key in names if key in outcome.famous},
        "decided_rounds": list(outcome.decided_rounds),
        "received": {name: outcome.received[key] for name, key in names if key in outcome.received},
        "order": [vector.names[item.event.id] for item in outcome.order],
    }


def _read_events(
    items: list[dict[str, Any]], members: int
) -> tuple[tuple[Event, ...], dict[EventId, str], dict[EventId, bool]]:
    by_name: dict[str, Event] = {}
    names: dict[EventId, str] = {}
    coins: dict[EventId, bool] = {}

    def parent(name: str) -> EventId:
        if name not in by_name:
            raise MalformedVector(f"parent {name!r} does not come before its child")
        return by_name[name].id

    for position, item in enumerate(items):
        name = item["id"]
        digest = bytes.fromhex(item["hash"]) if "hash" in item else name.encode()
        signature = bytes.fromhex(item["signature"]) if "signature" in item else digest
        own = item["self_parent"]
        creator = _integer(item["creator"])
        if not 0 <= creator < members:
            raise MalformedVector(f"event {name!r} is by member {creator} of {members}")
        if own is not None and parent(own) and by_name[own].creator != creator:
            raise MalformedVector(f"the self-parent of {name!r} is by another member")
        event = Event(
            id=EventId(digest),
            creator=MemberIndex(creator),
            sequence=SequenceNumber(0 if own is None else by_name[own].sequence + 1),
            self_parent=None if own is None else parent(own),
            other_parents=tuple(parent(other) for other in item["other_parents"]),
            time_ns=_integer(item.get("time", position)),
            payload=(),
            signature=Signature(
                signature[:SIGNATURE_SIZE_BYTES].ljust(SIGNATURE_SIZE_BYTES, b"\0")
            ),
            body=b"",
        )
        if name in by_name or event.id in names:
            raise MalformedVector(f"event {name!r} is there twice")
        by_name[name] = event
        names[event.id] = name
        coins[event.id] = bool(_integer(item.get("coin", 1)))
    return tuple(by_name.values()), names, coins


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedVector(f"{value!r} is not an integer")
    return value


def _parents(event: Event) -> list[EventId]:
    own = [] if event.self_parent is None else [event.self_parent]
    return list(dict.fromkeys([*own, *event.other_parents]))
