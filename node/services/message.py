"""The message service of a cell: sends, takes, relays, and tells how far each message has come.

Streams of a protocol of their own carry messages; either end may dial, when it has something for
the other. What waits for a cell that can not be reached is tried again and given to members to
keep. What is on disk decides: a start goes on from there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import structlog

from core.errors import InvariantBroken, MyceldError, RemoteViolation
from core.ids import CellId, NetworkId, PublicKey, cell_id_of, short
from gateway.errors import NoSuchMessage, NoSuchRoom
from gossip.host import PeerStream
from identity.messages.chat import Chat, Room, encode_chat, make_room
from identity.messages.delivery import Waiting
from identity.messages.envelope import MessageType, sent_block
from identity.messages.errors import BadRoom, BodyTooLong, OutboxFull
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    EXPIRES_MS_DEFAULT,
    REPLAY_ID_SIZE_BYTES,
    ROOM_ID_SIZE_BYTES,
    WAITING_TOTAL_MAX,
)
from identity.messages.wire import Collect, EnvelopeFrame, StatementFrame
from journal import Pen, Store
from node import message_tables as tables
from node.conversation_tables import ConversationRow, conversations
from node.errors import ToItself
from node.limits import (
    DIAL_TIMEOUT_MS,
    MESSAGE_COLLECT_S,
    MESSAGE_DIAL_MS_MAX,
    MESSAGE_DIAL_MS_MIN,
    MESSAGE_DIALS_MAX,
    MESSAGE_LINKS_MAX,
    MESSAGE_LINKS_PER_PEER_MAX,
    MESSAGE_OWED_MAX,
    MESSAGE_OWED_TRIES_MAX,
    MESSAGE_STRANGER_LINKS_MAX,
    PROOF_PAUSE_MS,
)
from node.message_tables import MessageRow, Wanted
from node.peers import Peers
from node.services.message_arrivals import Arrivals, Judge
from node.services.message_desk import Desk, Draft, Owner, wall_ms
from node.services.message_link import Link
from node.services.message_relay import Relay, relays_for
from node.session import now_ms
from node.successors import successor_hint
from node.tables import Statement

_LOG = structlog.get_logger("messages")
_ENVELOPE_EXTRA_BYTES = 1500
"""What a proof adds to a signed message, at most nearly always."""


def message_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of messages in a network."""
    return f"/myceld/{network_id.hex()}/message/2"


@dataclass(slots=True)
class _Target:
    """A cell that is to be connected to."""

    due_ms: int = 0
    pause_ms: int = MESSAGE_DIAL_MS_MIN
    failures: int = 0
    task: asyncio.Task[None] | None = None


class Messages:
    """Owner of the message service. `run` must be running for anything to move."""

    def __init__(self, desk: Desk, peers: Peers) -> None:
        self._desk = desk
        self._peers = peers
        self._links: dict[CellId, list[Link]] = {}
        self._targets: dict[CellId, _Target] = {}
        self._owed: dict[CellId, None] = {}
        self._collect: set[CellId] = set()
        self._relay = Relay(desk, self.link_to, self._is_known)
        self._arrivals = Arrivals(desk, self._relay, self.link_to)
        self._arrivals.prove = self._note_proof_wanted
        self._prove: Callable[[CellId], Awaitable[None]] | None = None
        self._proofs: dict[CellId, int] = {}
        """Cells that want a proof of our key, and when the last one to each was begun."""
        self._proofs_wanted: set[CellId] = set()
        self._protocol = message_protocol(desk.owner.network_id)
        self._stirred = asyncio.Event()
        peers.host.set_handler(self._protocol, peers.guarded(self._serve))
        desk.owner.lines.listen(self._rotated)

    @classmethod
    async def open(cls, store: Store, owner: Owner, peers: Peers, pen: Pen) -> Messages:
        """Return the service as the store has it; it answers from the start of the host on.

        `pen` is that of the journal of messages.
        """
        return cls(await Desk.open(store, owner, pen), peers)

    @property
    def desk(self) -> Desk:
        """Return what the service knows."""
        return self._desk

    def link_to(self, cell: CellId) -> Link | None:
        """Return the stream on which a cell is sent what there is for it, by any of its ids.

        It is one with the cell's present key: with a former one nobody is told anything.
        """
        links = self._links.get(self._present(cell))
        return links[0] if links else None

    def judge_work(self, judge: Judge) -> None:
        """Have what messages ask for judged when they arrive."""
        self._arrivals.judge = judge

    def prove_by(self, prove: Callable[[CellId], Awaitable[None]]) -> None:
        """Have our key proven by this to cells that want it before they take a message."""
        self._prove = prove

    async def run(self) -> None:
        """Write, dial and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._desk.scribe.run(), name="message-scribe")
            group.create_task(self._collect_sometimes(), name="message-collect")
            while True:
                self._stirred.clear()
                self._prove_to(group)
                pause_s = self._look_after(group)
                try:
                    async with asyncio.timeout(pause_s):
                        await self._stirred.wait()
                except TimeoutError:
                    continue

    async def send(
        self,
        receiver: CellId,
        message_type: MessageType,
        body: bytes,
        *,
        room: bytes | None = None,
        expires_ms: int = EXPIRES_MS_DEFAULT,
    ) -> MessageRow:
        """Journal a message, durably, and have it delivered, to whatever key the cell has by then.

        Raises ToItself, NotACellId, BodyTooLong, SealBroken or OutboxFull.
        """
        desk = self._desk
        if desk.owner.lines.first(receiver) == desk.line:
            raise ToItself("a cell sends no messages to itself")
        if len(body) > BODY_SIZE_BYTES_MAX:
            raise BodyTooLong(f"a body of {len(body)} bytes, at most {BODY_SIZE_BYTES_MAX}")
        outbox = desk.outbox(receiver)
        outbox.check_room()
        if desk.waiting_total() >= WAITING_TOTAL_MAX:
            raise OutboxFull(f"{WAITING_TOTAL_MAX} messages wait to be delivered")
        time_ms = wall_ms()
        # Nothing can fail between the reserving of a number and the queueing of its message.
        replay_id = secrets.token_bytes(REPLAY_ID_SIZE_BYTES)
        draft, number = Draft(message_type, time_ms, replay_id, body), outbox.next_number
        header, signed = desk.write(draft, outbox, number)
        _, until_ms = outbox.reserve(time_ms + expires_ms)

        def row(index: int) -> MessageRow:
            return MessageRow(
                id=index,
                way=tables.SENT,
                cell=outbox.receiver,
                number=number,
                replay_id=replay_id,
                origin=index,
                type=message_type,
                time_ms=time_ms,
                expires_ms=until_ms,
                size_bytes=len(signed) + _ENVELOPE_EXTRA_BYTES,
                status="queued",
                why=None,
                room=room,
                body=body,
            )

        def make(index: int) -> tuple[bytes, list[Statement]]:
            return sent_block(signed), tables.add_message(row(index))

        def done(index: int) -> None:
            size_bytes = len(signed) + _ENVELOPE_EXTRA_BYTES
            waiting = Waiting(number, replay_id, index, size_bytes, until_ms)
            desk.note(outbox, outbox.add(waiting))
            desk.remember(index, header, signed)
            if desk.has_strays:
                self._stirred.set()
            self._stir(receiver)

        return row(await desk.scribe.write(make, done))

    async def say(
        self, room_id: bytes, text: str, *, expires_ms: int = EXPIRES_MS_DEFAULT
    ) -> list[MessageRow]:
        """Send a text to everybody in a room; raises NoSuchRoom, BadRoom or what `send` does."""
        return await self._tell_room(self.room(room_id), text, expires_ms=expires_ms)

    async def chat(
        self, receiver: CellId, text: str, *, expires_ms: int = EXPIRES_MS_DEFAULT
    ) -> MessageRow:
        """Send a text to one cell."""
        body = encode_chat(Chat(text))
        return await self.send(receiver, MessageType.CHAT, body, expires_ms=expires_ms)

    async def create_room(self, name: str, members: Sequence[CellId]) -> Room:
        """Make a room with this cell and others in it, and tell them; raises BadRoom."""
        keys = self._present_keys(members) | {self._desk.owner.key.public_key}
        room = make_room(secrets.token_bytes(ROOM_ID_SIZE_BYTES), name, 1, keys)
        return await self._change_room(room, room)

    async def change_room(
        self, room_id: bytes, *, add: Sequence[CellId] = (), leave: bool = False
    ) -> Room:
        """Take cells into a room, or leave it, and tell all. Raises NoSuchRoom or BadRoom."""
        room = self.room(room_id)
        members = self._present_keys((*room.member_ids, *add))
        if leave:
            members.discard(self._desk.owner.key.public_key)
            if not members:
                self._desk.rooms[room.id] = (room, True)
                await self._desk.scribe.note([tables.put_room(room, is_left=True)])
                return room
        return await self._change_room(room, room.with_members(members))

    def room(self, room_id: bytes) -> Room:
        """Return a room that this cell is in; raises NoSuchRoom."""
        room, is_left = self._desk.rooms.get(room_id, (None, True))
        if room is None or is_left:
            raise NoSuchRoom(f"this cell is in no room {room_id.hex()[:32]}")
        return room

    def known_room(self, room_id: bytes) -> Room | None:
        """Return a room that this cell is in, or was."""
        return self._desk.rooms.get(room_id, (None, True))[0]

    def rooms(self) -> list[tuple[Room, bool]]:
        """Return all rooms, and whether this cell left each."""
        return [self._desk.rooms[identity] for identity in sorted(self._desk.rooms)]

    async def message(self, message_id: int) -> MessageRow:
        """Return one message as it stands; raises NoSuchMessage."""
        await self._desk.scribe.flush()
        row = tables.message(self._desk.store, message_id)
        if row is None:
            raise NoSuchMessage(f"there is no message {message_id}")
        return row

    async def messages(
        self, wanted: Wanted, *, offset: int, limit: int, oldest_first: bool = False
    ) -> tuple[list[MessageRow], int]:
        """Return a page of messages and how many there are in all."""
        await self._desk.scribe.flush()
        store = self._desk.store
        page = tables.messages(store, wanted, offset=offset, limit=limit, oldest_first=oldest_first)
        return page, tables.message_count(store, wanted)

    async def conversations(
        self, *, cell: CellId | None, room: bytes | None, offset: int, limit: int
    ) -> list[ConversationRow]:
        """Return a page of conversations, or the one that is meant, the newest first."""
        await self._desk.scribe.flush()
        line = None if cell is None else self._desk.owner.lines.first(cell)
        return conversations(self._desk.store, cell=line, room=room, offset=offset, limit=limit)

    async def end(self) -> int:
        """Return what is greater than the id of every message so far."""
        await self._desk.scribe.flush()
        return tables.messages_end(self._desk.store)

    def news(self) -> Awaitable[None]:
        """Return what is done when a message has come, or one went on, after this call."""
        return self._desk.news()

    async def mark_read(self, message_id: int) -> MessageRow:
        """Note that a message was read, with all before it of its sender; tell the sender.

        Raises NoSuchMessage.
        """
        row = await self.message(message_id)
        if row.way != tables.RECEIVED:
            raise NoSuchMessage(f"message {message_id} was sent by this cell")
        if self._desk.inbox(row.cell).mark_read(row.number):
            self._desk.scribe.learn(tables.note_read(row.cell, row.number))
            await self._desk.scribe.flush()
            self._desk.unread_bytes[row.cell] = tables.unread_of(self._desk.store, row.cell)
            if len(self._owed) < MESSAGE_OWED_MAX:
                self._owed[row.cell] = None
            self._stir(row.cell)
        return await self.message(message_id)

    async def _change_room(self, before: Room, room: Room) -> Room:
        desk = self._desk
        is_left = not room.has(desk.owner.key.public_key, desk.owner.lines.first_key)
        self._desk.rooms[room.id] = (room, is_left)
        await self._desk.scribe.note([tables.put_room(room, is_left=is_left)])
        await self._tell_room(room, "", also=before.member_ids)
        return room

    async def _tell_room(
        self,
        room: Room,
        text: str,
        *,
        also: Sequence[CellId] = (),
        expires_ms: int = EXPIRES_MS_DEFAULT,
    ) -> list[MessageRow]:
        members = dict.fromkeys(map(self._desk.owner.lines.first, (*room.member_ids, *also)))
        members.pop(self._desk.line, None)
        if text and not members:
            raise BadRoom("nobody else is in the room")
        body = encode_chat(Chat(text, room))
        sends = [
            self.send(member, MessageType.CHAT, body, room=room.id, expires_ms=expires_ms)
            for member in members
        ]
        return list(await asyncio.gather(*sends))

    def _present(self, cell: CellId) -> CellId:
        return self._desk.owner.lines.present(cell)

    def _present_keys(self, cells: Sequence[CellId]) -> set[PublicKey]:
        return set(map(self._desk.owner.lines.present_key, cells))

    def _rotated(self, old: PublicKey, new: PublicKey) -> None:
        """A cell has another key: what was on its way is sealed for that one and sent at once."""
        desk, cell = self._desk, cell_id_of(new)
        desk.has_strays = True
        self._relay.forget(desk.owner.lines.first(cell), list(chain(*self._links.values())))
        successor_hint(self._peers.book, cell_id_of(old), cell)
        self._begin(cell)
        self._stirred.set()

    def _stir(self, cell: CellId) -> None:
        """There is something for a cell: have its stream look, or one be opened."""
        link = self.link_to(cell)
        if link is not None:
            link.wake()
        else:
            self._stirred.set()

    def _note_proof_wanted(self, cell: CellId) -> None:
        self._proofs_wanted.add(cell)
        self._stirred.set()

    def _prove_to(self, group: asyncio.TaskGroup) -> None:
        """Begin to prove our key to those who want it, not too often to the same cell."""
        wanted, self._proofs_wanted = self._proofs_wanted, set()
        now = now_ms()
        self._proofs = {cell: at for cell, at in self._proofs.items() if now - at < PROOF_PAUSE_MS}
        for cell in sorted(wanted - self._proofs.keys()):
            if self._prove is not None:
                self._proofs[cell] = now
                group.create_task(self._prove_and_resend(cell, self._prove), name="message-prove")

    async def _prove_and_resend(
        self, cell: CellId, prove: Callable[[CellId], Awaitable[None]]
    ) -> None:
        try:
            await prove(cell)
        except InvariantBroken:
            raise
        except MyceldError as error:
            _LOG.info("key not proven", cell=short(cell), reason=str(error))
            return
        self._begin(cell)

    def _is_known(self, cell: CellId) -> bool:
        book = self._peers.book
        return self._desk.owner.is_member(cell) or any(
            book.entry(one) is not None for one in (cell, self._present(cell))
        )

    def _look_after(self, group: asyncio.TaskGroup) -> float | None:
        """Give up what has expired and dial who is wanted; return when to look again, in s."""
        desk = self._desk
        wall = wall_ms()
        desk.gather_strays()
        for outbox in desk.outboxes.values():
            desk.note(outbox, outbox.expire(wall))
        self._relay.expire()
        wanted = self._wanted()
        for cell in set(self._targets) - wanted:
            task = self._targets[cell].task
            if task is None or task.done():
                del self._targets[cell]
        for cell in sorted(wanted):
            target = self._targets.setdefault(cell, _Target())
            if self.link_to(cell) is None:
                self._dial_if_due(group, cell, target)
        expiries = [box.expires_ms() for box in desk.outboxes.values()]
        waits_ms = [at - wall for at in expiries if at is not None]
        now = now_ms()
        dues_ms = [t.due_ms - now for c, t in self._targets.items() if self.link_to(c) is None]
        waits_ms += [due for due in dues_ms if due > 0] or [MESSAGE_DIAL_MS_MIN] * bool(dues_ms)
        return max(0.05, min(waits_ms) / 1000) if waits_ms else None

    def _wanted(self) -> set[CellId]:
        """Return the cells for which there is something, and the relays for those away.

        By their present ids, which are what is dialled.
        """
        desk = self._desk
        waited = [box.receiver for box in desk.outboxes.values() if len(box) or box.needs_floor]
        wanted = set(map(self._present, waited))
        away = [cell for cell in waited if self._is_away(cell)]
        for cell in away:
            for relay in self._relays_of(cell):
                if self._relay.has_all(relay, desk.outboxes[cell]):
                    continue
                wanted.add(relay)
                link = self.link_to(relay)
                if link is not None:
                    link.wake()
        others = (*desk.keeping.receivers(), *desk.words_for, *self._owed, *self._collect)
        wanted.update(map(self._present, others))
        wanted.discard(desk.cell_id)
        return wanted

    def _is_away(self, cell: CellId) -> bool:
        target = self._targets.get(self._present(cell))
        return self.link_to(cell) is None and target is not None and target.failures > 0

    def _relays_of(self, cell: CellId) -> list[CellId]:
        members = {member.cell_id for member in self._peers.roster.members}
        members.discard(self._present(cell))
        return relays_for(cell, members & set(self._peers.connected()))

    def _dial_if_due(self, group: asyncio.TaskGroup, cell: CellId, target: _Target) -> None:
        busy = [one for one in self._targets.values() if one.task and not one.task.done()]
        if target in busy or len(busy) >= MESSAGE_DIALS_MAX or now_ms() < target.due_ms:
            return
        target.due_ms = now_ms() + target.pause_ms
        if self._peers.conduct.is_banned(cell):
            return
        target.task = group.create_task(self._dial(cell, target), name="message-dial")

    async def _dial(self, cell: CellId, target: _Target) -> None:
        """Open a stream to a cell; it is served by a task of its own."""
        address = next(iter(self._peers.book.addresses(cell)), None)
        try:
            if address is None:
                target.failures += 1
                return
            stream = await self._peers.dial(
                address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
            )
        except MyceldError as error:
            _LOG.debug("cell not reached", cell=short(cell), reason=str(error))
            self._peers.book.failed(cell, address or "", wall_ms() * 1_000_000)
            target.failures += 1
            return
        finally:
            self._collect.discard(cell)
            if target.failures >= MESSAGE_OWED_TRIES_MAX:
                self._owed.pop(self._desk.owner.lines.first(cell), None)
            target.pause_ms = min(2 * target.pause_ms, MESSAGE_DIAL_MS_MAX)
            target.due_ms = now_ms() + target.pause_ms
            self._stirred.set()
        self._peers.book.worked(cell, address, wall_ms() * 1_000_000)
        target.failures, target.pause_ms = 0, MESSAGE_DIAL_MS_MIN
        target.task = None
        try:
            await self._serve(stream)
        finally:
            await stream.close()

    async def _serve(self, stream: PeerStream) -> None:
        """Serve a stream of messages to its end."""
        cell = stream.cell_id
        links = self._links.setdefault(cell, [])
        is_member = self._desk.owner.is_member(cell)
        if len(links) >= MESSAGE_LINKS_PER_PEER_MAX or not self._has_place(is_member=is_member):
            await stream.abort()
            return
        link = Link(stream, member=is_member)
        links.append(link)
        self._begin(cell)
        try:
            await link.run(self._arrivals.take, self._pump)
        except InvariantBroken:
            raise
        except MyceldError as error:
            _LOG.info("stream of messages ended", cell=short(cell), reason=str(error))
            if isinstance(error, RemoteViolation):
                self._peers.conduct.note_stream_end(cell, stream.remote_address, error)
        finally:
            links.remove(link)
            if links:
                self._begin(cell)
            else:
                self._links.pop(cell, None)
            self._stirred.set()

    def _has_place(self, *, is_member: bool) -> bool:
        """Return whether another stream fits beside those that there are."""
        if sum(map(len, self._links.values())) >= MESSAGE_LINKS_MAX:
            return False
        strangers = [cell for cell in self._links if not self._desk.owner.is_member(cell)]
        return is_member or len(strangers) <= MESSAGE_STRANGER_LINKS_MAX

    def _begin(self, cell: CellId) -> None:
        """A cell is reached anew: what was sent before may be lost."""
        outbox = self._desk.outboxes.get(self._desk.owner.lines.first(cell))
        if outbox is not None:
            outbox.connected()
        link = self.link_to(cell)
        if link is not None:
            link.wake()

    async def _pump(self, link: Link) -> int | None:
        """Queue what there is for a peer; see `Link.run`."""
        cell, desk = link.cell_id, self._desk
        if self.link_to(cell) is not link:
            return None
        if cell in self._collect:
            self._collect.discard(cell)
            link.send(Collect())
        line = desk.owner.lines.first(cell)
        if line in self._owed:
            del self._owed[line]
            link.send(StatementFrame(desk.receipt(cell)))
        due_ms = await self._pump_own(link)
        await self._relay.hand_over(link)
        away = [one for one in desk.outboxes if self._is_away(one)]
        relayed = [one for one in away if cell in self._relays_of(one)]
        await self._relay.ask(link, relayed)
        return due_ms

    async def _pump_own(self, link: Link) -> int | None:
        desk = self._desk
        outbox = desk.outboxes.get(desk.owner.lines.first(link.cell_id))
        if outbox is None:
            return None
        due = outbox.take_due(now_ms())
        if outbox.needs_floor and link.floor_told != (outbox.floor, outbox.retries):
            link.floor_told = (outbox.floor, outbox.retries)
            link.send(StatementFrame(await desk.floor(outbox)))
        for envelope in await desk.envelopes(outbox, due):
            link.send(EnvelopeFrame(envelope))
        if due:
            desk.scribe.learn([tables.note_sent(outbox.receiver, due[-1].number)])
            desk.tell()
        return outbox.due_in_ms(now_ms())

    async def _collect_sometimes(self) -> None:
        """Ask connected members now and then for what they keep for us and can not hand over."""
        while True:
            await asyncio.sleep(MESSAGE_COLLECT_S)
            await self._relay.forget_words()
            members = {member.cell_id for member in self._peers.roster.members}
            self._collect.update(members & set(self._peers.connected()))
            self._stirred.set()
