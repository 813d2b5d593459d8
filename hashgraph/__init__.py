"""Pure hashgraph: events, rounds, fame and one order (Baird 2016). See README.md in this folder."""

from __future__ import annotations

from hashgraph.engine import Engine
from hashgraph.event import Event, decode_event, encode_event, event_body, event_id, make_event
from hashgraph.fame import Coin
from hashgraph.outcome import DecidedRound, Effects, Fork, OrderedEvent, Outcome

__all__ = [
    "Coin",
    "DecidedRound",
    "Effects",
    "Engine",
    "Event",
    "Fork",
    "OrderedEvent",
    "Outcome",
    "decode_event",
    "encode_event",
    "event_body",
    "event_id",
    "make_event",
]
