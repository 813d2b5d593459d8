"""Who took part in which round: the events of a run, ordered once more by the engine alone.

The model of the ledger's rules has to know it, and it stands in no table: most events carry no
transactions. Cells that jumped lack the events of whole epochs, so each epoch is read where most of
its events are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.ids import Epoch, MemberIndex, Round
from hashgraph.event import Event
from hashgraph.places import Places
from hashgraph.replay import replay
from ledger.genesis import Genesis
from ledger.roster import Roster
from sim.once import decoded_event


def creators_by_round(
    genesis: Genesis, rosters: Mapping[Epoch, Roster], journals: Iterable[Sequence[bytes]]
) -> dict[Round, set[MemberIndex]]:
    """Return, for each decided round of the journals, the creators of the events it received."""
    fullest: dict[Epoch, list[Event]] = {}
    for blocks in journals:
        for epoch, events in _by_epoch(genesis, rosters, blocks).items():
            if len(events) > len(fullest.get(epoch, ())):
                fullest[epoch] = events
    creators: dict[Round, set[MemberIndex]] = {}
    for epoch in sorted(fullest):
        roster, events = rosters[epoch], fullest[epoch]
        done = replay(
            events,
            roster.weights,
            coin_period=roster.rules.coin_period,
            first_round=roster.first_round,
            rule_set=roster.rules.rule_set,
        )
        after = rosters.get(Epoch(epoch + 1))
        number, decided = roster.first_round, set(done.decided_rounds)
        while number in decided and (after is None or number < after.first_round):
            creators[number] = set()
            number = Round(number + 1)
        for event in events:
            received = done.received.get(event.id)
            if received is not None and received in creators:
                creators[received].add(event.creator)
    return creators


def _by_epoch(
    genesis: Genesis, rosters: Mapping[Epoch, Roster], blocks: Iterable[bytes]
) -> dict[Epoch, list[Event]]:
    places: dict[Epoch, Places] = {}
    epochs: dict[Epoch, list[Event]] = {}
    for block in blocks:
        stored, epoch = decoded_event(block, genesis.network_id)
        of_epoch = places.setdefault(epoch, Places(len(rosters[epoch].members)))
        event = of_epoch.resolve_stored(stored)
        of_epoch.add(event)
        epochs.setdefault(epoch, []).append(event)
    return epochs
