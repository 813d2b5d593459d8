"""Events are small: what one takes beyond its transactions, as sent in a simulated network."""

from __future__ import annotations

from gossip.wire import Events, decode_frame
from hashgraph.event import UnresolvedEvent, decode_any_event
from tests.node.world import World

MEMBERS = 16
OVERHEAD_BYTES_MAX = 250


class _Wire(World):
    """Notes the frames of events that are sent."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, cells=MEMBERS, delay_ms=(60, 60))
        self.events: list[UnresolvedEvent] = []
        self.event_frames_bytes = 0

    def send(self, sender: int, receiver: int, data: bytes) -> None:
        frame = decode_frame(data[4:])
        if isinstance(frame, Events):
            self.event_frames_bytes += len(data)
            self.events += [decode_any_event(e, self.genesis.network_id)[0] for e in frame.events]
        super().send(sender, receiver, data)


def test_an_event_takes_at_most_250_bytes_beyond_its_transactions_in_a_network_of_16() -> None:
    wire = _Wire(3)
    wire.start()
    for step in range(2):
        for cell in range(MEMBERS):
            wire.submit(cell, f"{step}/{cell}")
        wire.run(200)
    wire.run(600)
    transactions = sum(len(raw) for event in wire.events for raw in event.payload)
    full = [event for event in wire.events if len(event.other_places) == MEMBERS - 1]
    assert len(full) > 100, "with all other-parents"
    for event in full:
        size = len(event.encoded) - sum(map(len, event.payload))
        assert size <= OVERHEAD_BYTES_MAX
    # All that the frames have around the transactions, shared by the events in them.
    assert (wire.event_frames_bytes - transactions) / len(wire.events) <= OVERHEAD_BYTES_MAX
