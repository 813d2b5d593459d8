"""What the tests of the stages share: one cell of the four fixed keys, fed by hand."""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import CellId, Epoch, MemberIndex, TransactionId
from core.ids import Sequence as SequenceNumber
from gossip.limits import EVENT_PATIENCE_MS
from gossip.wire import Events, Have, Vector, Want
from hashgraph.event import Event, UnresolvedEvent, decode_any_event, encode_event, make_event
from hashgraph.header import Parent
from identity.keys import KeyPair, verify
from ledger.roster import Roster
from ledger.transaction import opaque_transaction, transaction_id
from node.stages.consensus import Consensus, Effects, Identity, Unpacked
from node.stages.mempool import Mempool
from tests.ledger.world import GENESIS, KEYS, START_NS

EPOCH = Epoch(0)
STRANGER = KeyPair(bytes([9]) * 32)


def peer(member: int) -> CellId:
    """Return a member's cell id."""
    return KEYS[member].cell_id


def made(
    creator: int,
    parent: Parent | None = None,
    others: Sequence[Parent] = (),
    *,
    time_ns: int | None = None,
    payload: Sequence[bytes] = (),
    key: KeyPair | None = None,
    epoch: Epoch = EPOCH,
) -> Event:
    """Return a signed event; `key` signs in place of the creator."""
    sequence = 0 if parent is None else parent.sequence + 1
    return make_event(
        network_id=GENESIS.network_id,
        epoch=epoch,
        creator=MemberIndex(creator),
        sequence=SequenceNumber(sequence),
        self_parent=None if parent is None else parent.id,
        other_parents=others,
        time_ns=START_NS + sequence if time_ns is None else time_ns,
        payload=payload,
        sign=(key or KEYS[creator]).sign,
    )


class Cell:
    """The consensus stage of one member (or of none), its journal, and what it did."""

    def __init__(
        self,
        me: int | None = 0,
        blocks: Sequence[bytes] = (),
        *,
        roster: Roster = GENESIS.roster,
        before: Roster | None = None,
        first_block: int = 0,
    ) -> None:
        """`blocks` are the whole journal; those before `first_block` are not replayed."""
        key = STRANGER if me is None else KEYS[me]
        self.mempool = Mempool()
        self.stage = Consensus(
            GENESIS,
            roster,
            Identity(key.public_key, key.sign),
            self.mempool,
            before=before,
            first_block=first_block,
        )
        self.blocks = list(blocks)
        self.replayed = [d for block in blocks[first_block:] for d in self.stage.replay(block)]
        self.own_before = self.stage.take_own_before()
        self.stage.replayed()
        self.now_ms = 1_000_000

    def connect(self, *members: int) -> None:
        """Let members connect."""
        for member in members:
            self.stage.connected(peer(member), self.now_ms)

    def observe(self, *told: tuple[int, int]) -> Effects:
        """Let members tell how many events of ours they have, (member, count)."""
        for member, count in told:
            self.tell(member, (0, 0, 0, 0), yours=count)
        return self.finish()

    def tell(
        self,
        member: int,
        vector: Vector,
        *,
        yours: int = 0,
        sealed: bool = False,
        epoch: Epoch | None = None,
    ) -> None:
        """Let a member tell what it has, of the cell's epoch unless given."""
        frame = Have(self.stage.epoch if epoch is None else epoch, vector, yours, sealed)
        self.stage.told(peer(member), frame, self.now_ms)

    def ask(self, member: int, vector: Vector, *, epoch: Epoch | None = None) -> None:
        """Let a member want what lies beyond a vector, of the cell's epoch unless given."""
        frame = Want(self.stage.epoch if epoch is None else epoch, vector)
        self.stage.wanted(peer(member), frame, self.now_ms)

    def receive(self, member: int, *events: Event) -> None:
        """Take events from a member, with honest verdicts."""
        self.receive_bytes(member, *map(encode_event, events))

    def receive_bytes(
        self, member: int, *encoded: bytes, last: bool = False, epoch: Epoch | None = None
    ) -> Unpacked | None:
        """Take a frame of encoded events, of the cell's epoch unless given."""
        name = peer(member)
        frame = Events(self.stage.epoch if epoch is None else epoch, encoded, last)
        fresh = self.stage.unpack(name, frame)
        if fresh is not None:
            verdicts = [verify(*check) for check in fresh.checks]
            self.stage.received(name, fresh, verdicts, self.now_ms, last=last)
        return fresh

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
    def events(effects: Effects) -> list[UnresolvedEvent]:
        """Return the events among the blocks of some effects."""
        return [decode_any_event(block, GENESIS.network_id)[0] for block in effects.blocks]
