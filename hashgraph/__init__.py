"""Pure hashgraph: events, rounds, fame and one order (Baird 2016). See README.md in this folder."""

from __future__ import annotations

from hashgraph.engine import Engine
from hashgraph.event import Event, UnresolvedEvent, decode_event, encode_event, make_event
from hashgraph.evidence import (
    ForkEvidence,
    decode_evidence,
    encode_evidence,
    fork_evidence,
    verify_fork,
)
from hashgraph.fame import Coin
from hashgraph.header import SignedHeader
from hashgraph.outcome import DecidedRound, Effects, Fork, OrderedEvent, Outcome, Seal
from hashgraph.places import Places

__all__ = [
    "Coin",
    "DecidedRound",
    "Effects",
    "Engine",
    "Event",
    "Fork",
    "ForkEvidence",
    "OrderedEvent",
    "Outcome",
    "Places",
    "Seal",
    "SignedHeader",
    "UnresolvedEvent",
    "decode_event",
    "decode_evidence",
    "encode_event",
    "encode_evidence",
    "fork_evidence",
    "make_event",
    "verify_fork",
]
