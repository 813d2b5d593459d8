"""What the message service of a cell knows: its conversations, rooms, and what it keeps for others.

Shared by those who send, take and relay. All is loaded from the store when a cell starts, and each
change goes back there through the scribe.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from core.ids import CellId, NetworkId, short
from identity.keys import KeyPair
from identity.messages.chat import Room
from identity.messages.delivery import Change, Inbox, Outbox, Waiting
from identity.messages.envelope import (
    Header,
    MessageType,
    content_of,
    decode_block,
    decode_message,
    encode_envelope,
    sent_block,
    signed_message,
)
from identity.messages.policy import Decision, Kind, Policy
from identity.messages.proof import MESSAGE_JOURNAL, Heads, JournalProof, encode_proof
from identity.messages.relay import Keeping
from identity.messages.sealing import Opener, seal
from identity.messages.statements import (
    Floor,
    Pair,
    Receipt,
    Refusal,
    Statement,
    sign_statement,
    signing_key,
)
from journal import Journal, Pen, Store
from node import message_tables as tables
from node.clock import wall_ns
from node.limits import (
    MESSAGE_STRANGER_UNREAD_BYTES_MAX,
    MESSAGE_STRANGERS_UNREAD_BYTES_MAX,
    MESSAGES_RECENT_MAX,
)
from node.lines import Lines
from node.services.message_scribe import Scribe
from node.tables import Statement as Sql

_LOG = structlog.get_logger("messages")


@dataclass(frozen=True, slots=True)
class Former:
    """The key before the present one, and until when what is sealed for it is opened."""

    key: KeyPair
    until_ms: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose messages these are, and whom it believes what."""

    key: KeyPair
    network_id: NetworkId
    policy: Policy
    lines: Lines
    """Which cell a key belongs to."""
    is_member: Callable[[CellId], bool]
    former: Former | None = None


@dataclass(frozen=True, slots=True)
class _Signed:
    """A message of this cell that is journaled."""

    header: Header
    data: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A message of this cell before it is numbered, sealed and signed."""

    type: MessageType
    time_ms: int
    replay_id: bytes
    body: bytes


class Desk:
    """State of the message service of one cell. Made by `Desk.open`."""

    def __init__(self, store: Store, journal: Journal, owner: Owner, pen: Pen) -> None:
        self.store = store
        self.journal = journal
        self.owner = owner
        self.cell_id = owner.key.cell_id
        self.line = owner.lines.first(self.cell_id)
        """The first id of this cell; conversations are kept under those of the others."""
        self.scribe = Scribe(store, journal, pen)
        self._opener = Opener(owner.key)
        self._former = None if owner.former is None else Opener(owner.former.key)
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
        self.has_strays = True
        """Whether messages may wait under an id that turned out to be another one's next."""
        self._rewriting = asyncio.Lock()
        self._recent: OrderedDict[int, _Signed] = OrderedDict()
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
        """Return what waits for a cell, by any of its ids."""
        line = self.owner.lines.first(cell)
        return self.outboxes.setdefault(line, Outbox(line))

    def inbox(self, cell: CellId) -> Inbox:
        """Return how far this cell has taken another one's messages, by any of its ids.

        Of a cell of which it took none that is not kept: whoever makes keys writes from each.
        """
        line = self.owner.lines.first(cell)
        return self.inboxes.get(line) or self._inbox(line, 0, 0)

    def kept_inbox(self, cell: CellId) -> Inbox:
        """Return the same for a cell whose next message is taken or skipped now."""
        line = self.owner.lines.first(cell)
        return self.inboxes.setdefault(line, self.inbox(cell))

    def has_for(self, cell: CellId) -> bool:
        """Return whether something waits for a cell."""
        return bool(self.outboxes.get(self.owner.lines.first(cell)))

    def may_skip(self, sender: CellId) -> bool:
        """Return whether this cell notes what a sender has given up: not for inventions."""
        return self.owner.lines.first(sender) in self.inboxes or self.may(sender, Kind.CHAT).allowed

    def gather_strays(self) -> None:
        """Move what waits under a later id of a cell to where it is sent from.

        Whoever was told a cell's new id may have written to it before this cell had come to the
        round that says whose it is. What is on its way to the disk is moved the next time.
        """
        if not self.has_strays:
            return
        self.has_strays = False
        for cell in [one for one in self.outboxes if self.owner.lines.first(one) != one]:
            stray, outbox = self.outboxes[cell], self.outbox(cell)
            if stray.is_reserved or outbox.is_reserved:
                self.has_strays = True
                continue
            for before, after in stray.hand_over(outbox):
                moved = tables.note_moved(cell, before.number, outbox.receiver, after)
                self.scribe.learn(moved)
            del self.outboxes[cell]

    def opener_for(self, header: Header) -> Opener | None:
        """Return what opens a message for this cell; None for a key that is given up for good."""
        if header.receiver == self.owner.key.public_key:
            return self._opener
        former = self.owner.former
        if former is None or header.receiver != former.key.public_key:
            return None
        return self._former if wall_ms() < former.until_ms else None

    def agrees(self, header: Header) -> bool:
        """Return whether both ends' keys are to this cell what they are to the sender.

        If not, one of the two has not come to the round of a rotation: the message comes again.
        """
        lines = self.owner.lines
        return (
            lines.is_present(header.sender)
            and lines.since(header.sender) == header.sender_since
            and lines.since(header.receiver) == header.receiver_since
        )

    def believes(self, statement: Statement) -> bool:
        """Return whether a statement is by a present key, as both ends know it."""
        lines, key = self.owner.lines, signing_key(statement)
        return lines.is_present(key) and lines.since(key) == statement.pair.since

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

    def may(self, cell: CellId, kind: Kind, channel: bytes = b"") -> Decision:
        """Return whether a cell, by any of its ids, may do something now; see `Policy.may`."""
        return self.owner.policy.may(self.owner.lines.present(cell), kind, channel)

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

    def write(self, draft: Draft, outbox: Outbox, number: int) -> tuple[Header, bytes]:
        """Return a message sealed and signed for whoever its receiver is now.

        Raises NotACellId, BodyTooLong or SealBroken.
        """
        lines, key = self.owner.lines, self.owner.key
        receiver = lines.present_key(outbox.receiver)
        header = Header(
            self.owner.network_id,
            draft.time_ms,
            key.public_key,
            receiver,
            draft.type,
            number,
            draft.replay_id,
            lines.since(key.public_key),
            lines.since(receiver),
        )
        body = seal(header, draft.body) if draft.type.is_sealed else draft.body
        content = content_of(header, body)
        return header, signed_message(content, key.sign(content))

    def remember(self, message_id: int, header: Header, signed: bytes) -> None:
        """Keep a signed message that was just journaled."""
        self._recent[message_id] = _Signed(header, signed)
        if len(self._recent) > MESSAGES_RECENT_MAX:
            self._recent.popitem(last=False)

    async def envelopes(self, outbox: Outbox, waiting: Sequence[Waiting]) -> list[bytes]:
        """Return messages with proofs under one head, which an fsync covers.

        What was signed or sealed before one of the ends rotated is so anew, under its number and
        replay id; what is confirmed or given up meanwhile is left out.
        """
        signed = [(one, await self._signed(one)) for one in waiting]
        if not all(self._is_current(outbox, one, found) for one, found in signed):
            async with self._rewriting:
                await self._rewrite(outbox, [one.number for one in waiting])
            left = [outbox.waiting(one.number) for one in waiting]
            signed = [(one, await self._signed(one)) for one in left if one is not None]
        journal, size = self.journal, self.journal.length
        if journal.durable_length < size:
            await self.store.sync()
        head = journal.checkpoint(size)
        done: list[bytes] = []
        for message, found in signed:
            hashes = tuple(await journal.prove_inclusion(message.id, size))
            proof = encode_proof(JournalProof(message.id, hashes, head))
            done.append(encode_envelope(found.data, proof))
        return done

    def receipt(self, sender: CellId) -> bytes:
        """Return this cell's signed word on how far it has taken a sender's messages."""
        taken, replay_id, read = self.inbox(sender).receipt
        return self._say(Receipt(self._pair_from(sender), taken, replay_id, read))

    def refusal(self, sender: CellId, number: int, replay_id: bytes, code: str) -> bytes:
        """Return this cell's signed word that it does not take a message."""
        return self._say(Refusal(self._pair_from(sender), number, replay_id, code))

    async def floor(self, outbox: Outbox) -> bytes:
        """Return this cell's signed word on what it has given up, once that is durable."""
        own = self.owner.key.public_key
        receiver = self.owner.lines.present_key(outbox.receiver)
        pair = Pair(self.owner.network_id, own, receiver, self.owner.lines.since(own))
        floor = Floor(pair, outbox.floor)
        await self.scribe.note([tables.note_floor(outbox.receiver, outbox.floor)])
        return self._say(floor)

    def _is_current(self, outbox: Outbox, waiting: Waiting, signed: _Signed) -> bool:
        """Return whether a message is by and for the present keys, under its number."""
        lines, header = self.owner.lines, signed.header
        receiver = lines.present_key(outbox.receiver)
        return (
            header.sender == self.owner.key.public_key
            and header.receiver == receiver
            and header.number == waiting.number
            and header.receiver_since == lines.since(receiver)
        )

    async def _signed(self, waiting: Waiting) -> _Signed:
        found = self._recent.get(waiting.id)
        if found is None:
            data = decode_block(await self.journal.get(waiting.id))[1]
            found = _Signed(decode_message(data).header, data)
        return found

    async def _rewrite(self, outbox: Outbox, numbers: Sequence[int]) -> None:
        """Journal messages anew that are not current, durably."""
        await self.scribe.flush()  # their rows may have been moved just now
        writes = []
        for number in numbers:
            waiting = outbox.waiting(number)
            row = tables.sent_row(self.store, outbox.receiver, number)
            if waiting is None or row is None:
                continue
            if not self._is_current(outbox, waiting, await self._signed(waiting)):
                writes.append(self._write_anew(outbox, row))
        await asyncio.gather(*writes)
        _LOG.info("messages sealed anew", receiver=short(outbox.receiver), count=len(writes))

    async def _write_anew(self, outbox: Outbox, row: tables.MessageRow) -> None:
        draft = Draft(row.type, row.time_ms, row.replay_id, row.body)
        header, signed = self.write(draft, outbox, row.number)

        def make(index: int) -> tuple[bytes, list[Sql]]:
            noted = tables.note_rewritten(outbox.receiver, row.number, index)
            return sent_block(signed), [noted]

        def done(index: int) -> None:
            outbox.rewritten(row.number, index)
            self.remember(index, header, signed)

        await self.scribe.write(make, done)

    def _say(self, statement: Statement) -> bytes:
        return sign_statement(statement, self.owner.key)

    def _pair_from(self, sender: CellId) -> Pair:
        """Return the direction from a cell to this one, as this one speaks of it."""
        lines, own = self.owner.lines, self.owner.key.public_key
        other = lines.present_key(sender)
        return Pair(self.owner.network_id, other, own, lines.since(own))

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
