"""In a healthy network next to no event is received twice."""

from __future__ import annotations

import pytest

from core.ids import EventId
from gossip.wire import Events, decode_frame
from hashgraph.event import decode_any_event
from tests.node.world import World

REPEATED_SHARE_MAX = 0.05


class _Received(World):
    """Counts events as they are received."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, cells=4)
        self.seen: list[set[EventId]] = [set() for _ in range(4)]
        self.received = 0
        self.repeated = 0

    def send(self, sender: int, receiver: int, data: bytes) -> None:
        frame = decode_frame(data[4:])
        if isinstance(frame, Events):
            for encoded in frame.events:
                event, _ = decode_any_event(encoded, self.genesis.network_id)
                own = self.genesis.roster.index_of(self.cells[receiver].key.public_key)
                self.received += 1
                self.repeated += event.id in self.seen[receiver] or event.creator == own
                self.seen[receiver].add(event.id)
        super().send(sender, receiver, data)


@pytest.mark.parametrize("seed", range(2))
def test_at_most_one_event_in_twenty_is_received_twice_in_a_healthy_network(seed: int) -> None:
    world = _Received(seed)
    world.start()
    sent = set()
    for number in range(150):
        sent.add(world.submit(number % 4, str(number)))
        world.run(5)
    world.run(3_000)
    world.check_settled(sent)
    assert world.received > 500
    assert world.repeated <= REPEATED_SHARE_MAX * world.received
