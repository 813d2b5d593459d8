"""Two cells and a relay over links that lose, repeat and reorder, with restarts at any moment.

Both ends rotate their keys, and learn of each other's rotations at any time after. What is by
or for another key than its receiver knows is not heard; the key before opens what was sealed for
it.

However it goes: what arrives is in order and there once; what the sender calls delivered is there;
and what is not there in the end, the sender was told that it failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.ids import CellId
from identity.messages.delivery import (
    Change,
    Delivered,
    Failed,
    Inbox,
    Outbox,
    Read,
    Verdict,
    Waiting,
)
from identity.messages.errors import MessageExpired, NumberUsed
from identity.messages.relay import Held, Keeping

SENDER, RECEIVER = CellId("alice"), CellId("bob")
SIZE_BYTES = 600


@dataclass(frozen=True)
class Packet:
    """One message, receipt, refusal or floor somewhere on the network."""

    to: CellId
    what: str
    number: int
    replay_id: bytes = b""
    read: int = 0
    keys: tuple[int, int] = (0, 0)
    """The sender's and the receiver's, as whoever says it knows them."""


@dataclass
class SenderDisk:
    """What survives a restart of the sender."""

    messages: dict[int, Waiting] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    floor: int = 1
    taken: int = 0
    read: int = 0


Log: TypeAlias = list[tuple[int, bytes]]


class Delivery(RuleBasedStateMachine):
    """The shells of both ends and of a relay, as the daemon's are."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.packets: list[Packet] = []
        self.disk = SenderDisk()
        self.lazy: list[Change] = []
        self.outbox = Outbox(RECEIVER)
        self.log: Log = []
        self.taken_on_disk = 0
        self.inbox = self._open_inbox()
        self.writing: Log = []
        self.relayed: dict[int, tuple[bytes, tuple[int, int]]] = {}
        self.sender_keys = [0, 0]
        """The sender's key, and what it knows of the receiver's."""
        self.receiver_keys = [0, 0]
        """What the receiver knows of the sender's key, and its own."""
        self.keeping = Keeping()
        self.sent: dict[int, bytes] = {}

    @rule(count=st.integers(1, 4), lives_ms=st.sampled_from([5_000, 60_000, 10**9]))
    def send(self, count: int, lives_ms: int) -> None:
        for _ in range(count):
            number, expires_ms = self.outbox.reserve(self.now_ms + lives_ms)
            replay_id = len(self.sent).to_bytes(16, "big")
            waiting = Waiting(number, replay_id, number, SIZE_BYTES, expires_ms)
            self.disk.messages[number], self.disk.status[number] = waiting, "queued"
            self.outbox.add(waiting)
            self.sent[number] = replay_id

    @rule(ms=st.sampled_from([1, 500, 2_500, 70_000]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms
        self._note(self.outbox.expire(self.now_ms))

    @rule()
    def transmit(self) -> None:
        self._tell_floor(RECEIVER)
        for waiting in self.outbox.take_due(self.now_ms):
            message = Packet(RECEIVER, "message", waiting.number, waiting.replay_id)
            self.packets.append(replace(message, keys=self._as_sender()))

    @rule()
    def the_sender_rotates(self) -> None:
        self.the_sender_restarts(durable=True)
        self.sender_keys[0] += 1

    @rule()
    def the_receiver_rotates(self) -> None:
        self.the_receivers_disk_is_done()
        self.the_receiver_restarts()
        self.receiver_keys[1] += 1

    @rule()
    def the_sender_learns_of_a_rotation(self) -> None:
        self.sender_keys[1] = self.receiver_keys[1]
        self.outbox.connected()

    @rule()
    def the_receiver_learns_of_a_rotation(self) -> None:
        self.receiver_keys[0] = self.sender_keys[0]

    @rule()
    def reconnect(self) -> None:
        self.outbox.connected()

    @rule()
    def give_to_the_relay(self) -> None:
        if self.outbox.needs_floor:
            self._flush()
            self.keeping.drop_through(SENDER, RECEIVER, self.outbox.floor - 1)
        for waiting in self.outbox:
            keys = self._as_sender()
            if self.relayed.get(waiting.number, (b"", None))[1] != keys:
                self.keeping.drop(SENDER, RECEIVER, waiting.number)
            if not self.keeping.has(SENDER, RECEIVER, waiting.number):
                held = Held(SENDER, RECEIVER, waiting.number, SIZE_BYTES, self.now_ms + 100_000)
                self.keeping.keep(held)
                self.relayed[waiting.number] = waiting.replay_id, keys

    @rule()
    def the_relay_hands_over(self) -> None:
        self.keeping.expire(self.now_ms)
        for held in self.keeping.kept_for(RECEIVER):
            replay_id, keys = self.relayed[held.number]
            message = Packet(RECEIVER, "message", held.number, replay_id, keys=keys)
            self.packets.append(message)

    @rule(data=st.data(), keep=st.booleans())
    def a_packet_arrives(self, data: st.DataObject, keep: bool) -> None:  # noqa: FBT001 - drawn
        if self.packets:
            at = data.draw(st.integers(0, len(self.packets) - 1))
            packet = self.packets[at] if keep else self.packets.pop(at)
            self._arrive(packet)

    @rule()
    def all_packets_arrive(self) -> None:
        packets, self.packets = self.packets, []
        for packet in packets:
            self._arrive(packet)

    @rule()
    def packets_are_lost(self) -> None:
        self.packets.clear()

    @rule()
    def the_receivers_disk_is_done(self) -> None:
        for number, replay_id in self.writing:
            self.log.append((number, replay_id))
            self.inbox.stored(number)
            self.taken_on_disk = number
        self.writing = []
        self._confirm()

    @rule()
    def somebody_reads(self) -> None:
        if self.inbox.mark_read(self.inbox.taken):
            self._confirm()

    @rule()
    def the_receiver_restarts(self) -> None:
        self.writing = []
        self.inbox = self._open_inbox()

    @rule(durable=st.booleans())
    def the_sender_restarts(self, durable: bool) -> None:  # noqa: FBT001 - drawn
        if durable:
            self._flush()
        self.lazy = []
        disk = self.disk
        next_number = max(disk.messages, default=0) + 1
        self.outbox = Outbox(
            RECEIVER, next_number=next_number, floor=disk.floor, taken=disk.taken, read=disk.read
        )
        for number, waiting in sorted(disk.messages.items()):
            if number >= disk.floor and disk.status[number] == "queued":
                self.outbox.add(waiting)

    @invariant()
    def what_arrived_is_in_order_and_there_once(self) -> None:
        numbers = [number for number, _ in self.log]
        assert numbers == sorted(set(numbers))
        assert all(self.sent[number] == replay_id for number, replay_id in self.log)

    @invariant()
    def what_is_called_delivered_is_there(self) -> None:
        there = {number for number, _ in self.log}
        assert all(
            number in there for number, status in self.disk.status.items() if status == "delivered"
        )

    def teardown(self) -> None:
        """Let both ends talk over a good link until nothing waits; then all must be accounted."""
        self.the_sender_restarts(durable=True)
        self.packets.clear()
        self.the_receiver_learns_of_a_rotation()
        self.the_sender_learns_of_a_rotation()
        for _ in range(8 + len(self.sent)):
            self.reconnect()
            self.transmit()
            self.all_packets_arrive()
            self.the_receivers_disk_is_done()
            self.all_packets_arrive()
            self.now_ms += 10
        self._flush()
        assert len(self.outbox) == 0
        there = {number for number, _ in self.log}
        for number, status in self.disk.status.items():
            assert status in ("delivered", "failed")
            assert number in there or status == "failed"
        super().teardown()

    def _open_inbox(self) -> Inbox:
        return Inbox(RECEIVER, lambda number: dict(self.log).get(number), taken=self.taken_on_disk)

    def _as_sender(self) -> tuple[int, int]:
        return self.sender_keys[0], self.sender_keys[1]

    def _arrive(self, packet: Packet) -> None:
        by, to = packet.keys
        match packet.what:
            case "message":
                own = self.receiver_keys[1]
                if by == self.receiver_keys[0] and to in (own, own - 1):
                    self._take(packet)
            case "floor" if by != self.receiver_keys[0]:
                return
            case "receipt" | "refusal" if to != self.sender_keys[1]:
                return
            case "floor":
                if self.inbox.skip_to(packet.number):
                    self.taken_on_disk = self.inbox.taken
                self._confirm()
            case "receipt":
                self.keeping.drop_through(SENDER, RECEIVER, packet.number)
                self._note(self.outbox.confirmed(packet.number, packet.replay_id, packet.read))
            case "refusal":
                self.keeping.drop(SENDER, RECEIVER, packet.number)
                self._note(self.outbox.refused(packet.number, packet.replay_id, NumberUsed.code))

    def _take(self, packet: Packet) -> None:
        match self.inbox.judge(packet.number, packet.replay_id):
            case Verdict.TAKE:
                self.inbox.accept(packet.number, packet.replay_id)
                self.writing.append((packet.number, packet.replay_id))
            case Verdict.AGAIN | Verdict.EARLY:
                self._confirm()
            case Verdict.CONFLICT:
                refusal = Packet(SENDER, "refusal", packet.number, packet.replay_id)
                self.packets.append(replace(refusal, keys=self._as_receiver()))

    def _confirm(self) -> None:
        taken, replay_id, read = self.inbox.receipt
        receipt = Packet(SENDER, "receipt", taken, replay_id, read)
        self.packets.append(replace(receipt, keys=self._as_receiver()))

    def _as_receiver(self) -> tuple[int, int]:
        return self.receiver_keys[0], self.receiver_keys[1]

    def _tell_floor(self, to: CellId) -> None:
        if self.outbox.needs_floor:
            self._flush()
            floor = Packet(to, "floor", self.outbox.floor, keys=self._as_sender())
            self.packets.append(floor)

    def _note(self, changes: list[Change]) -> None:
        codes = {change.code for change in changes if isinstance(change, Failed)}
        assert codes <= {MessageExpired.code}, "nothing is refused that was sent once"
        self.lazy += changes

    def _flush(self) -> None:
        """Make durable what was learned: one transaction, with the floor."""
        for change in self.lazy:
            match change:
                case Delivered():
                    self.disk.taken = max(self.disk.taken, change.through)
                    for number, status in self.disk.status.items():
                        if number <= change.through and status == "queued":
                            self.disk.status[number] = "delivered"
                case Read():
                    self.disk.read = change.through
                case Failed():
                    if self.disk.status[change.number] == "queued":
                        self.disk.status[change.number] = "failed"
        self.lazy = []
        self.disk.floor = self.outbox.floor


Delivery.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestDelivery = Delivery.TestCase
