"""What the tests of the stages share: one cell of the four fixed keys, fed by hand."""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import CellId, Epoch, MemberIndex, TransactionId
from core.ids import Sequence as SequenceNumber
from gossip.limits import EVENT_PATIENCE_MS
from hashgraph.event import Event, decode_event, encode_event, make_event
from identity.keys import KeyPair, verify
from ledger.transaction import opaque_transaction, transaction_id
from node.stages.consensus import Consensus, Effects, Identity
from node.stages.mempool import Mempool
from tests.ledger.world import GENESIS, KEYS, START_NS

EPOCH = Epoch(0)
STRANGER = KeyPair(bytes([9]) * 32)


def peer(member: int) -> CellId:
    """Return a member's cell id."""
    return KEYS[member].cell_id


def made(
    creator: int,
    parent: Event | None = None,
    others: Sequence[Event] = (),
    *,
    time_ns: int | None = None,
    payload: Sequence[bytes] = (),
    key: KeyPair | None = None,
) -> Event:
    """Return a signed event; `key` signs in place of the creator."""
    sequence = 0 if parent is None else parent.sequence + 1
    return make_event(
        network_id=GENESIS.network_id,
        epoch=EPOCH,
        creator=MemberIndex(creator),
        sequence=SequenceNumber(sequence),
        self_parent=None if parent is None else parent.id,
        other_parents=[other.id for other in others],
        time_ns=START_NS + sequence if time_ns is None else time_ns,
        payload=payload,
        sign=(key or KEYS[creator]).sign,
    )


class Cell:
    """The consensus stage of one member (or of none), its journal, and what it did."""

    def __init__(self, me: int | None = 0, blocks: Sequence[bytes] = ()) -> None:
        key = STRANGER if me is None else KEYS[me]
        identity = Identity(None if me is None else MemberIndex(me), key.sign)
        self.mempool = Mempool()
        self.stage = Consensus(GENESIS, EPOCH, identity, self.mempool)
        self.blocks = list(blocks)
        self.now_ms = 1_000_000
        for block in blocks:
            self.stage.replay(block)

    def connect(self, *members: int) -> None:
        """Let members connect."""
        for member in members:
            self.stage.connected(peer(member), self.now_ms)

    def observe(self, *told: tuple[int, int]) -> Effects:
        """Let members tell how many events of ours they have, (member, count)."""
        for member, count in told:
            vector = [0, 0, 0, 0]
            vector[0] = count
            self.stage.told(peer(member), tuple(vector), self.now_ms)
        return self.finish()

    def receive(self, member: int, *events: Event) -> None:
        """Take events from a member, with honest verdicts."""
        fresh = self.stage.unpack(peer(member), [encode_event(event) for event in events])
        verdicts = [verify(*self.stage.signature_check(event)) for event in fresh]
        self.stage.received(peer(member), fresh, verdicts, self.now_ms)

    def submit(self, text: str) -> TransactionId:
        """Queue a transaction."""
        raw = opaque_transaction(text.encode())
        self.mempool.add(transaction_id(raw), raw)
        return transaction_id(raw)

    def finish(self, *, after_ms: int = EVENT_PATIENCE_MS) -> Effects:
        """Let time pass and return the effects."""
        self.now_ms += after_ms
        effects = self.stage.finish(self.now_ms, START_NS + self.now_ms)
        self.blocks += effects.blocks
        return effects

    @staticmethod
    def events(effects: Effects) -> list[Event]:
        """Return the events among the blocks of some effects."""
        return [
            decode_event(block, network_id=GENESIS.network_id, epoch=EPOCH)
            for block in effects.blocks
        ]
