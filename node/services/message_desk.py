"""What the message service of a cell knows: its conversations, rooms, and what it keeps for others.

Shared by those who send, take and relay. All is loaded from the store when a cell starts, and each
change goes back there through the scribe.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.ids import CellId, NetworkId, PublicKey, public_key_of
from identity.keys import KeyPair
from identity.messages.chat import Room
from identity.messages.delivery import Change, Inbox, Outbox, Waiting
from identity.messages.envelope import decode_block, encode_envelope
from identity.messages.policy import Policy
from identity.messages.proof import MESSAGE_JOURNAL, Heads, JournalProof, encode_proof
from identity.messages.relay import Keeping
from identity.messages.sealing import Opener
from identity.messages.statements import Floor, Pair, Receipt, Refusal, sign_statement
from journal import Journal, Pen, Store
from node import message_tables as tables
from node.clock import wall_ns
from node.limits import (
    MESSAGE_STRANGER_UNREAD_BYTES_MAX,
    MESSAGE_STRANGERS_UNREAD_BYTES_MAX,
    MESSAGES_RECENT_MAX,
)
from node.services.message_scribe import Scribe


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose messages these are, and whom it believes what."""

    key: KeyPair
    network_id: NetworkId
    policy: Policy
    key_of: Callable[[CellId], PublicKey]
    """The present key of a cell."""
    is_member: Callable[[CellId], bool]


class Desk:
    """State of the message service of one cell. Made by `Desk.open`."""

    def __init__(self, store: Store, journal: Journal, owner: Owner, pen: Pen) -> None:
        self.store = store
        self.journal = journal
        self.owner = owner
        self.cell_id = owner.key.cell_id
        self.scribe = Scribe(store, journal, pen)
        self.opener = Opener(owner.key)
        self.heads = Heads()
        self.outboxes: dict[CellId, Outbox] = {}
        self.inboxes: dict[CellId, Inbox] = {}
        self.rooms: dict[bytes, tuple[Room, bool]] = {}
        self.keeping = Keeping(tables.kept(store))
        self.words_for = tables.word_cells(store)
        """Cells for which a statement is kept."""
        self.unread_bytes: Counter[CellId] = Counter(dict(tables.unread(store)))
        """Of what was taken from each cell."""
        self.refused = 0
        """Messages and statements that were not what they should be."""
        self._recent: OrderedDict[int, bytes] = OrderedDict()
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, store: Store, owner: Owner, pen: Pen) -> Desk:
        """Return the desk as the store has it."""
        await store.settle()  # a former life in this process may have left something under way
        desk = cls(store, await store.journal(MESSAGE_JOURNAL), owner, pen)
        for row in tables.pairs(store):
            outbox = Outbox(
                row.cell,
                next_number=row.next_number,
                floor=row.floor,
                taken=row.confirmed,
                read=row.confirmed_read,
            )
            for waiting in tables.waiting(store, row):
                outbox.add(waiting)
            desk.outboxes[row.cell] = outbox
            desk.inboxes[row.cell] = desk._inbox(row.cell, row.taken, row.read)
        desk.rooms = {room.id: (room, is_left) for room, is_left in tables.rooms(store)}
        return desk

    def outbox(self, cell: CellId) -> Outbox:
        """Return what waits for a cell."""
        return self.outboxes.setdefault(cell, Outbox(cell))

    def inbox(self, cell: CellId) -> Inbox:
        """Return how far this cell has taken another one's messages."""
        found = self.inboxes.get(cell)
        if found is None:
            found = self.inboxes[cell] = self._inbox(cell, 0, 0)
        return found

    def waiting_total(self) -> int:
        """Return how many messages of this cell are not delivered."""
        return sum(map(len, self.outboxes.values()))

    def may_store(self, sender: CellId) -> bool:
        """Return whether a sender may have more journaled here before somebody reads it."""
        if self.owner.is_member(sender):
            return True
        strangers = sum(
            size_bytes
            for cell, size_bytes in self.unread_bytes.items()
            if not self.owner.is_member(cell)
        )
        return (
            self.unread_bytes[sender] < MESSAGE_STRANGER_UNREAD_BYTES_MAX
            and strangers < MESSAGE_STRANGERS_UNREAD_BYTES_MAX
        )

    def note(self, outbox: Outbox, changes: Sequence[Change]) -> None:
        """Note how messages went on."""
        for change in changes:
            self.scribe.learn(tables.note_change(change, outbox.floor))
        if changes:
            self.scribe.learn([tables.note_next(outbox.receiver, outbox.next_number)])
            self.tell()

    def tell(self) -> None:
        """Wake everybody who waits for news."""
        news, self._news = self._news, asyncio.get_running_loop().create_future()
        news.set_result(None)

    def news(self) -> Awaitable[None]:
        """Return what is done when something has changed after this call."""
        return asyncio.shield(self._news)

    def remember(self, message_id: int, signed: bytes) -> None:
        """Keep a signed message that was just journaled."""
        self._recent[message_id] = signed
        if len(self._recent) > MESSAGES_RECENT_MAX:
            self._recent.popitem(last=False)

    async def envelopes(self, waiting: Sequence[Waiting]) -> list[bytes]:
        """Return messages with proofs under one head, which an fsync covers."""
        journal, size = self.journal, self.journal.length
        if journal.durable_length < size:
            await self.store.sync()
        head = journal.checkpoint(size)
        done: list[bytes] = []
        for message in waiting:
            signed = self._recent.get(message.id)
            if signed is None:
                signed = decode_block(await journal.get(message.id))[1]
            hashes = tuple(await journal.prove_inclusion(message.id, size))
            proof = encode_proof(JournalProof(message.id, hashes, head))
            done.append(encode_envelope(signed, proof))
        return done

    def receipt(self, sender: CellId) -> bytes:
        """Return this cell's signed word on how far it has taken a sender's messages."""
        taken, replay_id, read = self.inbox(sender).receipt
        return self._say(Receipt(self._pair(sender, self.cell_id), taken, replay_id, read))

    def refusal(self, sender: CellId, number: int, replay_id: bytes, code: str) -> bytes:
        """Return this cell's signed word that it does not take a message."""
        return self._say(Refusal(self._pair(sender, self.cell_id), number, replay_id, code))

    async def floor(self, outbox: Outbox) -> bytes:
        """Return this cell's signed word on what it has given up, once that is durable."""
        floor = Floor(self._pair(self.cell_id, outbox.receiver), outbox.floor)
        await self.scribe.note([tables.note_floor(outbox.receiver, outbox.floor)])
        return self._say(floor)

    def _say(self, statement: Receipt | Refusal | Floor) -> bytes:
        return sign_statement(statement, self.owner.key)

    def _pair(self, sender: CellId, receiver: CellId) -> Pair:
        return Pair(self.owner.network_id, public_key_of(sender), public_key_of(receiver))

    def _inbox(self, cell: CellId, taken: int, read: int) -> Inbox:
        return Inbox(
            cell,
            lambda number: tables.replay_id_of(self.store, cell, number),
            taken=taken,
            read=read,
        )


def wall_ms() -> int:
    """Return the wall clock in ms."""
    return wall_ns() // 1_000_000
