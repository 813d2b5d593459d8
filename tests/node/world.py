"""A seed-driven world: the real consensus and execution stages on virtual time, network and disk.

Each cell's disk keeps what was committed; a crash loses a random tail of what was not fsynced.
Links delay, lose (by breaking: a stream never loses single frames), and can be cut.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from core.ids import CellId, Epoch, EventId, MemberIndex, TransactionId
from gossip.sync import Send, SendEvents
from gossip.wire import Events, Frame, Have, Want, decode_frame, encode_frame
from hashgraph.event import decode_event
from identity.keys import KeyPair, verify
from ledger.certificate import CheckpointSignature
from ledger.genesis import Genesis, Member
from ledger.header import RoundHeader
from ledger.transaction import opaque_transaction, transaction_id
from node.stages.consensus import Consensus, Effects, Identity
from node.stages.execution import Execution
from node.stages.mempool import Mempool

START_NS = 1_700_000_000_000_000_000
EPOCH = Epoch(0)


@dataclass
class Disk:
    """Blocks of the consensus journal; the first `synced` survive a power cut."""

    blocks: list[bytes] = field(default_factory=list)
    synced: int = 0


class SimCell:
    """One cell: stages in memory, and its disk."""

    def __init__(self, world: World, index: int, key: KeyPair) -> None:
        self.world = world
        self.index = index
        self.key = key
        self.disk = Disk()
        self.up = False
        self.life = 0
        self.stored: set[TransactionId] = set()
        self.signed: dict[int, EventId] = {}
        self.headers: list[RoundHeader] = []
        self.order: list[tuple[bytes, int]] = []

    def start(self) -> None:
        genesis, me = self.world.genesis, MemberIndex(self.index)
        identity = Identity(me, self.key.sign)
        self.mempool = Mempool()
        self.consensus = Consensus(genesis, EPOCH, identity, self.mempool)
        self.execution = Execution(genesis, EPOCH, identity)
        self.headers, self.order = [], []
        self.up, self.life = True, self.life + 1
        self.peers: set[int] = set()
        for block in self.disk.blocks:
            for decided in self.consensus.replay(block):
                self._execute(decided)
        self.wake()

    def crash(self, *, power: bool) -> None:
        self.up = False
        if power:
            keep = self.world.random.randint(self.disk.synced, len(self.disk.blocks))
            del self.disk.blocks[keep:]
        for peer in list(self.peers):
            self.world.unlink(self.index, peer)

    def restore(self, blocks: list[bytes]) -> None:
        """Put an old copy of the disk back, as if the directory came from a backup."""
        self.disk = Disk(list(blocks), len(blocks))

    def submit(self, raw: bytes) -> TransactionId:
        transaction = transaction_id(raw)
        self.mempool.check_room(1, len(raw))
        self.mempool.add(transaction, raw)
        self.wake()
        return transaction

    def receive(self, peer: int, data: bytes) -> None:
        frame = decode_frame(data[4:])
        now, name = self.world.now_ms, self.world.cells[peer].key.cell_id
        match frame:
            case Have():
                self.consensus.told(name, frame.vector, now)
            case Want():
                self.consensus.wanted(name, frame.vector)
            case Events():
                events = self.consensus.unpack(name, frame.events)
                verdicts = [verify(*self.consensus.signature_check(event)) for event in events]
                self.consensus.received(name, events, verdicts, now)
                self.consensus.answered(name, now, last=frame.last)
            case _:
                raise AssertionError(frame)
        self.wake()

    def wake(self) -> None:
        now = self.world.now_ms
        self._carry_out(self.consensus.finish(now, START_NS + now * 1_000_000 + self.index))
        wait = self.consensus.wait_ms(now)
        if wait is not None:
            life = self.life
            self.world.at(wait, lambda: self.wake() if self.up and self.life == life else None)

    def _carry_out(self, effects: Effects) -> None:
        assert not effects.drops, effects.drops
        self.disk.blocks += effects.blocks
        if effects.durable:
            self.disk.synced = len(self.disk.blocks)
        for block in effects.blocks:
            event = decode_event(block, network_id=self.world.genesis.network_id, epoch=EPOCH)
            if event.creator == self.index:
                before = self.signed.setdefault(event.sequence, event.id)
                assert before == event.id, f"cell {self.index} signed {event.sequence} twice"
        self.stored.update(effects.stored)
        for effect in effects.sends:
            peer = self.world.index_of[effect.peer]
            match effect:
                case Send():
                    self._send(peer, effect.frame)
                case SendEvents():
                    blocks = tuple(self.disk.blocks[at] for at in effect.arrivals)
                    self._send(peer, Events(blocks, effect.last))
                    if self.consensus.is_streaming(effect.peer):
                        self.consensus.drained(effect.peer)
                        self.world.at(0, lambda: self.wake() if self.up else None)
        for decided in effects.rounds:
            self._execute(decided)

    def _send(self, peer: int, frame: Frame) -> None:
        self.world.send(self.index, peer, encode_frame(frame))

    def _execute(self, decided: object) -> None:
        candidates = self.execution.candidates(decided)  # type: ignore[arg-type]  # a DecidedRound
        before = {identity for identity, _ in self.order}
        executed = self.execution.apply(decided, candidates, lambda _: True, before)  # type: ignore[arg-type]  # a DecidedRound
        self.headers.append(executed.applied.header)
        self.order += [
            (entry.receipt.id, entry.receipt.consensus_time_ns)
            for entry in executed.applied.entries
        ]
        self.world.check_agreement(self)
        signature: CheckpointSignature | None = executed.signature
        if signature is not None:
            self.execution.add_signature(signature)


class World:
    """Cells, links and virtual time, all chance from one seed."""

    def __init__(self, seed: int, cells: int = 4, *, delay_ms: tuple[int, int] = (1, 20)) -> None:
        self.random = Random(seed)  # noqa: S311 - chance of a test, not a secret
        self.now_ms = 0
        self.delay_ms = delay_ms
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        keys = [KeyPair(bytes([seed % 251, index + 1]) * 16) for index in range(cells)]
        self.genesis = Genesis(
            "sim",
            tuple(Member(key.public_key, 1, f"cell-{at}") for at, key in enumerate(keys, 1)),
            START_NS,
        )
        self.cells = [SimCell(self, index, key) for index, key in enumerate(keys)]
        self.index_of: dict[CellId, int] = {c.key.cell_id: c.index for c in self.cells}
        self._links: dict[tuple[int, int], int] = {}
        self._last: dict[tuple[int, int], int] = {}
        self.frames = 0

    def start(self) -> None:
        for cell in self.cells:
            cell.start()
        self.connect_all()

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._count, action))

    def run(self, duration_ms: int) -> None:
        end = self.now_ms + duration_ms
        while self._queue and self._queue[0][0] <= end:
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
        self.now_ms = end

    def connect_all(self) -> None:
        for one in self.cells:
            for other in self.cells:
                if one.index < other.index:
                    self.link(one.index, other.index)

    def link(self, one: int, other: int) -> None:
        if other in self.cells[one].peers or not (self.cells[one].up and self.cells[other].up):
            return
        self._links[one, other] = self._links[other, one] = self._next()
        for at, peer in ((one, other), (other, one)):
            cell = self.cells[at]
            cell.peers.add(peer)
            cell.consensus.connected(self.cells[peer].key.cell_id, self.now_ms)
            cell.wake()

    def unlink(self, one: int, other: int) -> None:
        self._links.pop((one, other), None)
        self._links.pop((other, one), None)
        for at, peer in ((one, other), (other, one)):
            cell = self.cells[at]
            if peer in cell.peers:
                cell.peers.discard(peer)
                if cell.up:
                    cell.consensus.disconnected(self.cells[peer].key.cell_id)

    def partition(self, *groups: set[int]) -> None:
        for one in range(len(self.cells)):
            for other in range(one + 1, len(self.cells)):
                if not any({one, other} <= group for group in groups):
                    self.unlink(one, other)

    def send(self, sender: int, receiver: int, data: bytes) -> None:
        link = self._links.get((sender, receiver))
        if link is None:
            return
        self.frames += 1
        # A stream keeps its order: never before what was sent on it earlier.
        arrival = max(
            self.now_ms + self.random.randint(*self.delay_ms), self._last.get((sender, receiver), 0)
        )
        self._last[sender, receiver] = arrival

        def deliver() -> None:
            if self._links.get((sender, receiver)) == link and self.cells[receiver].up:
                self.cells[receiver].receive(sender, data)

        self.at(arrival - self.now_ms, deliver)

    def submit(self, cell: int, text: str) -> TransactionId:
        return self.cells[cell].submit(opaque_transaction(text.encode()))

    def check_agreement(self, cell: SimCell) -> None:
        """Headers of equal rounds are equal, so order, times and state are."""
        at = len(cell.headers) - 1
        for other in self.cells:
            if other is not cell and other.up and len(other.headers) > at:
                assert other.headers[at].hash == cell.headers[at].hash, f"round {at + 1} differs"

    def check_settled(self, acknowledged: set[TransactionId]) -> None:
        """All cells agree on the whole order, which has each acknowledged transaction once."""
        orders = [cell.order for cell in self.cells if cell.up]
        assert all(order == orders[0] for order in orders), [len(order) for order in orders]
        listed = [identity for identity, _ in orders[0]]
        assert len(set(listed)) == len(listed)
        assert acknowledged <= set(listed), f"{len(acknowledged - set(listed))} lost"
        roots = {cell.headers[-1].state_root for cell in self.cells if cell.up and cell.headers}
        assert len(roots) <= 1

    def _next(self) -> int:
        self._count += 1
        return self._count
