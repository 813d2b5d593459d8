"""What arrives on a stream of messages, and what becomes of it.

A message is taken when, in this order: it is for this cell and network; its sender's key signed it;
it is in the sender's journal under a head which that key signed; that key, and the one it is for,
are the present ones (`Desk.agrees`); it is the next of its sender; the policy allows it; its body
opens. Before the last of the first three holds, nobody knows who wrote
it: then the stream ends, as honest cells send no such thing. Later it is refused with a reason
that its sender is told. Only what was taken is journaled, and only then confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from core.codec import WrongShape
from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, short
from identity.messages.chat import Chat, decode_chat
from identity.messages.delivery import Verdict
from identity.messages.envelope import (
    Envelope,
    Message,
    MessageType,
    decode_envelope,
    received_block,
    verify_signature,
)
from identity.messages.errors import (
    MessageDenied,
    MessageNotForUs,
    NumberUsed,
    ProofWanted,
)
from identity.messages.policy import Kind, kind_of
from identity.messages.proof import verify_proof
from identity.messages.sealing import Opener
from identity.messages.statements import (
    Floor,
    Receipt,
    Refusal,
    Statement,
    decode_statement,
    signer_of,
    signing_key,
    verify_statement,
)
from identity.messages.wire import (
    Collect,
    EnvelopeFrame,
    Frame,
    Full,
    Keep,
    Kept,
    Prove,
    StatementFrame,
)
from node import message_tables as tables
from node.limits import MESSAGE_FRAMES_PER_TURN
from node.services.message_desk import Desk
from node.services.message_link import Link
from node.services.message_relay import Relay
from node.services.message_unproven import Unproven
from node.session import now_ms
from node.tables import Statement as Sql

_LOG = structlog.get_logger("messages")

_ANSWERED: Final = frozenset({MessageType.EXEC, MessageType.QUERY})
"""Types of which there are answers, too: those are taken from whoever was asked."""

Judge: TypeAlias = Callable[[CellId, MessageType, bytes], bool]
"""Sender, type and body -> whether there is something to do; raises why it is not taken."""


@dataclass(slots=True)
class _Batch:
    """What one read brought: what is on its way to the disk, and who is to be told."""

    writes: list[asyncio.Future[int]] = field(default_factory=list)
    touched: dict[CellId, None] = field(default_factory=dict)
    refusals: list[tuple[CellId, bytes]] = field(default_factory=list)
    kept: list[Envelope] = field(default_factory=list)


class Arrivals:
    """Takes frames for one cell. `link_to` finds the stream to a cell, `wake` its pump."""

    def __init__(self, desk: Desk, relay: Relay, link_to: Callable[[CellId], Link | None]) -> None:
        self._desk = desk
        self._relay = relay
        self._link_to = link_to
        self._unproven = Unproven()
        self.judge: Judge = _nothing_to_do
        self.prove: Callable[[CellId], None] = _prove_nothing
        """Told which cell wants a proof of our key."""

    async def take(self, link: Link, frames: Sequence[Frame]) -> None:
        """Deal with what one read brought; returns when all of it is durable.

        Raises RemoteViolation when the peer sent what no honest cell sends.
        """
        batch = _Batch()
        try:
            for number, frame in enumerate(frames, start=1):
                await self._take_one(link, frame, batch)
                if number % MESSAGE_FRAMES_PER_TURN == 0:
                    await asyncio.sleep(0)
        except RemoteViolation:
            self._desk.refused += 1
            raise
        finally:
            if batch.writes:
                await asyncio.wait(batch.writes)
                for write in batch.writes:
                    if not write.cancelled():
                        write.exception()  # what was not written comes again
            await self._relay.keep(link, batch.kept)
            self._answer(link, batch)

    async def _take_one(self, link: Link, frame: Frame, batch: _Batch) -> None:
        match frame:
            case EnvelopeFrame():
                envelope = decode_envelope(frame.envelope)
                try:
                    self._take_message(envelope, batch, link)
                except RemoteViolation as error:
                    if envelope.message.header.sender_id == link.cell_id:
                        raise
                    self._desk.refused += 1
                    _LOG.debug(
                        "relayed message refused", peer=short(link.cell_id), reason=str(error)
                    )
            case StatementFrame():
                await self._take_statement(link, frame.statement, batch)
            case Keep():
                envelope = decode_envelope(frame.envelope)
                if envelope.message.header.sender_id != link.cell_id:
                    raise MessageNotForUs("a cell may only have its own messages kept")
                self._check(envelope)
                batch.kept.append(envelope)
            case Kept() | Full():
                self._relay.answered(link, frame)
            case Collect():
                link.wake()
            case Prove():
                if self._desk.has_for(link.cell_id):
                    self.prove(link.cell_id)

    def _take_message(self, envelope: Envelope, batch: _Batch, link: Link) -> None:
        desk, header = self._desk, envelope.message.header
        first = desk.owner.lines.first
        if first(header.receiver_id) != desk.line:
            raise MessageNotForUs(f"a message for {short(header.receiver_id)}")
        origin = self._check(envelope)
        opener, sender = desk.opener_for(header), first(header.sender_id)
        verdict = desk.inbox(sender).judge(header.number, header.replay_id)
        if opener is None or not desk.agrees(header):
            # It comes again, signed and sealed anew, or once we know of the rotation.
            _LOG.debug("message by or for another key", sender=short(header.sender_id))
            if verdict is Verdict.AGAIN:
                batch.touched[sender] = None  # a relay keeps it still
            return
        match verdict:
            case Verdict.EARLY if not desk.may_skip(sender):
                self._refuse(envelope.message, MessageDenied.code, batch)
            case Verdict.AGAIN | Verdict.EARLY:
                batch.touched[sender] = None
            case Verdict.CONFLICT:
                batch.touched[sender] = None  # which tells it where to go on
                self._refuse(envelope.message, NumberUsed.code, batch)
            case Verdict.TAKE if desk.may_store(sender):  # else it will come again
                self._take_next(envelope, opener, origin, batch, link)

    def _take_next(
        self, envelope: Envelope, opener: Opener, origin: int, batch: _Batch, link: Link
    ) -> None:
        """Journal the next message of its sender if it may be, and says something."""
        desk, header = self._desk, envelope.message.header
        sender = desk.owner.lines.first(header.sender_id)
        is_direct = link.cell_id == header.sender_id
        try:
            body, chat, is_done = self._opened(
                envelope.message, opener, link.peer_key if is_direct else b""
            )
        except ProofWanted as error:
            if is_direct and self._unproven.may_wait(sender, header.number, now_ms()):
                link.send(Prove(header.number))
                return  # it will come again
            desk.owner.policy.unproven(header.sender_id, kind_of(header.type))
            self._refuse(envelope.message, error.code, batch)
            return
        except MyceldError as error:
            _LOG.info("message refused", sender=short(sender), reason=str(error))
            self._refuse(envelope.message, error.code, batch)
            return
        self._unproven.forget(sender)
        batch.touched[sender] = None
        inbox = desk.kept_inbox(sender)
        inbox.accept(header.number, header.replay_id)
        desk.unread_bytes[sender] += len(envelope.encoded)

        def make(index: int) -> tuple[bytes, list[Sql]]:
            row = self._row(envelope, sender, index, origin, body, chat, is_done)
            noted = tables.add_message(row)
            return received_block(envelope.encoded), [*noted, *self._meet(envelope.message, chat)]

        def done(_: int) -> None:
            inbox.stored(header.number)
            desk.tell()

        batch.writes.append(asyncio.ensure_future(desk.scribe.write(make, done)))

    def _check(self, envelope: Envelope) -> int:
        """Return the message's index in its sender's journal if signature and proof are good."""
        message, desk = envelope.message, self._desk
        if message.header.network_id != desk.owner.network_id:
            raise MessageNotForUs("a message of another network")
        key = message.header.sender  # whether that is its key still, `Desk.agrees` says
        verify_signature(message, key)
        return verify_proof(message, envelope.proof, key, desk.heads).index

    def _opened(
        self, message: Message, opener: Opener, channel: bytes
    ) -> tuple[bytes, Chat | None, bool]:
        """Return the body as it was before it was sealed, what it says if it is a chat, and
        whether there is nothing to do about it.

        Raises MessageDenied, ProofWanted, SealBroken, BadMessage, or what is wrong with what it
        asks for.
        """
        header = message.header
        if not header.type.is_sealed:
            if header.type not in _ANSWERED:
                self._check_allowed(message, channel)
            try:
                first = self._desk.owner.lines.first(header.sender_id)
                asks = self.judge(first, header.type, message.body)
            except MyceldError:
                self._check_allowed(message, channel)  # who may not learns nothing of what there is
                raise
            if asks:
                self._check_allowed(message, channel)
            return message.body, None, not asks
        self._check_allowed(message, channel)
        body = opener.open(header, message.body)
        chat = decode_chat(body) if header.type is MessageType.CHAT else None
        if chat is not None and chat.room is not None and chat.room.id not in self._desk.rooms:
            self._check_may(header.sender_id, Kind.ROOM, channel)
        return body, chat, True

    def _check_allowed(self, message: Message, channel: bytes) -> None:
        self._check_may(message.header.sender_id, kind_of(message.header.type), channel)

    def _check_may(self, sender: CellId, kind: Kind, channel: bytes) -> None:
        decision = self._desk.may(sender, kind, channel)
        if decision.needs_proof:
            raise ProofWanted(decision.why)
        if not decision.allowed:
            raise MessageDenied(decision.why)

    def _row(
        self,
        envelope: Envelope,
        sender: CellId,
        index: int,
        origin: int,
        body: bytes,
        chat: Chat | None,
        is_done: bool,  # noqa: FBT001 - a column of the row
    ) -> tables.MessageRow:
        header = envelope.message.header
        room = None if chat is None or chat.room is None else chat.room.id
        return tables.MessageRow(
            id=index,
            way=tables.RECEIVED,
            cell=sender,
            number=header.number,
            replay_id=header.replay_id,
            origin=origin,
            type=header.type,
            time_ms=header.timestamp_ms,
            expires_ms=0,
            size_bytes=len(envelope.encoded),
            status="delivered",
            why=None,
            room=room,
            body=body,
            is_done=is_done,
        )

    def _meet(self, message: Message, chat: Chat | None) -> list[Sql]:
        """Note what a chat tells of its room, if its sender may."""
        if chat is None or chat.room is None:
            return []
        rooms, told, sender = self._desk.rooms, chat.room, message.header.sender
        owner = self._desk.owner
        known, first_of = rooms.get(told.id), owner.lines.first_key
        is_new = known is None and told.has(sender, first_of)
        if not is_new and (known is None or not known[0].is_followed_by(told, sender, first_of)):
            return []
        is_left = not told.has(owner.key.public_key, first_of)
        rooms[told.id] = (told, is_left)
        return [tables.put_room(told, is_left=is_left)]

    def _refuse(self, message: Message, code: str, batch: _Batch) -> None:
        header = message.header
        sender = self._desk.owner.lines.first(header.sender_id)
        word = self._desk.refusal(sender, header.number, header.replay_id, code)
        batch.refusals.append((sender, word))

    async def _take_statement(self, link: Link, data: bytes, batch: _Batch) -> None:
        statement, body, signature = decode_statement(data)
        desk = self._desk
        if statement.pair.network_id != desk.owner.network_id:
            raise MessageNotForUs("a statement of another network")
        verify_statement(body, signature, signing_key(statement))
        if not desk.believes(statement):
            return  # it is said again, by the present key, or once we know that it is that
        first, pair = desk.owner.lines.first, statement.pair
        sender, receiver = first(pair.sender_id), first(pair.receiver_id)
        if isinstance(statement, Floor) and receiver == desk.line:
            if desk.may_skip(sender) and desk.kept_inbox(sender).skip_to(statement.floor):
                await desk.scribe.note([tables.note_taken(sender, statement.floor - 1)])
            batch.touched[sender] = None
        elif not isinstance(statement, Floor) and sender == desk.line:
            self._hear(statement)
        elif link.cell_id == signer_of(statement):
            self._relay.hear(statement, data)

    def _hear(self, statement: Statement) -> None:
        """Note what a receiver says of our messages."""
        receiver = statement.pair.receiver_id
        outbox = self._desk.outboxes.get(self._desk.owner.lines.first(receiver))
        if outbox is None:
            return  # it was never written to, so far as this cell knows
        match statement:
            case Receipt():
                changes = outbox.confirmed(statement.taken, statement.replay_id, statement.read)
            case Refusal():
                changes = outbox.refused(statement.number, statement.replay_id, statement.code)
            case _:
                raise WrongShape("a floor is not a receiver's word")
        self._desk.note(outbox, changes)
        link = self._link_to(receiver)
        if link is not None and changes:
            link.wake()

    def _answer(self, link: Link, batch: _Batch) -> None:
        """Confirm what is durable now, to the peer and to the sender if that is another one."""
        words = [(sender, self._desk.receipt(sender)) for sender in batch.touched]
        for sender, word in [*words, *batch.refusals]:
            link.send(StatementFrame(word))
            other = self._link_to(sender)
            if other is not None and other is not link and other.has_room:
                other.send(StatementFrame(word))


def _prove_nothing(_cell: CellId) -> None:
    """Leave it: no identity service is there."""


def _nothing_to_do(_sender: CellId, _type: MessageType, _body: bytes) -> bool:
    """Take everything, and do nothing about it."""
    return False
