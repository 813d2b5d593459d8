"""The voting rules read aloud: the events of a run go to the engine and to the brute-force oracle.

The cells of a run share one engine, so a wrong rule would be wrong at all of them alike. The oracle
shares no code with it. It is slow, so of each epoch only the first events are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from core.ids import Epoch
from hashgraph.event import Event
from hashgraph.oracle import oracle
from hashgraph.outcome import Outcome
from hashgraph.places import Places
from hashgraph.replay import replay
from ledger.genesis import Genesis
from ledger.roster import Roster
from sim.limits import (
    ORACLE_EPOCHS_MAX,
    ORACLE_EVENTS,
    ORACLE_EVENTS_BEHIND_FORK,
    ORACLE_EVENTS_MAX,
)
from sim.once import decoded_event


def contradictions(
    genesis: Genesis, rosters: Mapping[Epoch, Roster], blocks: Iterable[bytes]
) -> Iterator[str]:
    """Yield where engine and oracle differ on the events of one cell's journal."""
    epochs = _events_by_epoch(genesis, rosters, blocks)
    by_forks = sorted(epochs, key=lambda epoch: (-_forks(epochs[epoch]), epoch))
    for epoch in by_forks[:ORACLE_EPOCHS_MAX]:
        roster, events = rosters[epoch], _beginning(epochs[epoch])
        read = oracle(
            events,
            roster.weights,
            coin_period=roster.rules.coin_period,
            first_round=roster.first_round,
            rule_set=roster.rules.rule_set,
        )
        done = replay(
            events,
            roster.weights,
            coin_period=roster.rules.coin_period,
            first_round=roster.first_round,
            rule_set=roster.rules.rule_set,
        )
        what = _difference(read, done)
        if what:
            yield f"epoch {epoch}: the engine's {what} are not those of the rules"


def _events_by_epoch(
    genesis: Genesis, rosters: Mapping[Epoch, Roster], blocks: Iterable[bytes]
) -> dict[Epoch, list[Event]]:
    places: dict[Epoch, Places] = {}
    epochs: dict[Epoch, list[Event]] = {}
    for block in blocks:
        stored, epoch = decoded_event(block, genesis.network_id)
        known = epochs.setdefault(epoch, [])
        if len(known) < ORACLE_EVENTS_MAX:
            of_epoch = places.setdefault(epoch, Places(len(rosters[epoch].members)))
            event = of_epoch.resolve_stored(stored)
            of_epoch.add(event)
            known.append(event)
    return epochs


def _beginning(events: list[Event]) -> list[Event]:
    """Return the first events of an epoch, and what follows its first fork."""
    known: set[tuple[int, int]] = set()
    for at, event in enumerate(events):
        place = (event.creator, event.sequence)
        if place in known:
            return events[: max(ORACLE_EVENTS, at + ORACLE_EVENTS_BEHIND_FORK)]
        known.add(place)
    return events[:ORACLE_EVENTS]


def _forks(events: Iterable[Event]) -> int:
    places = [(event.creator, event.sequence) for event in events]
    return len(places) - len(set(places))


def _difference(read: Outcome, done: Outcome) -> str:
    names = ("round", "witnesses", "famous", "decided_rounds", "received", "order")
    differ = [name for name in names if getattr(read, name) != getattr(done, name)]
    return ", ".join(differ).replace("_", " ")
