"""Messages for cells that are away: having own ones kept by members, and keeping those of others.

As a sender: what waits for a cell that can not be reached is given to a few connected members, the
same ones each time. As a relay: what a cell may have kept is made durable before that is told, and
handed over when its receiver is there; so are receipts on their way back. The bounds are those of
`identity.messages.relay`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import structlog

from core.ids import CellId, PublicKey, cell_id_of, public_key_of, short
from identity.messages.delivery import Outbox
from identity.messages.envelope import Envelope, Header, decode_envelope
from identity.messages.errors import MessageDenied, RelayFull
from identity.messages.limits import KEPT_MS_MAX
from identity.messages.policy import Kind
from identity.messages.relay import Held
from identity.messages.statements import Floor, Receipt, Refusal, Statement
from identity.messages.wire import EnvelopeFrame, Full, Keep, Kept, StatementFrame
from node import message_tables as tables
from node.limits import MESSAGE_RELAY_PAUSE_MS, MESSAGE_RELAYS_MAX, MESSAGE_WORDS_MAX
from node.services.message_desk import Desk, wall_ms
from node.services.message_link import Link
from node.session import now_ms
from node.tables import Statement as Sql

_LOG = structlog.get_logger("messages")


class Relay:
    """The relaying of one cell. `is_known` tells cells that may ever come from inventions."""

    def __init__(
        self,
        desk: Desk,
        link_to: Callable[[CellId], Link | None],
        is_known: Callable[[CellId], bool],
    ) -> None:
        self._desk = desk
        self._link_to = link_to
        self._is_known = is_known
        self._kept_through: dict[tuple[CellId, CellId], int] = {}
        """What a relay has of our messages to a cell, up to which number."""

    async def keep(self, link: Link, envelopes: Sequence[Envelope]) -> None:
        """Keep what a peer asks to have kept, durably, and tell it; or tell it that it is full."""
        desk, statements = self._desk, []
        answers: list[Kept | Full] = []
        receivers: dict[CellId, None] = {}
        for envelope in envelopes:
            header = envelope.message.header
            held = self._held(envelope)
            try:
                if not self._has(held, envelope):
                    self._check_may_keep(held, header)
                    statements += tables.drop_kept(
                        desk.keeping.drop(held.sender, held.receiver, held.number)
                    )
                    desk.keeping.keep(held)
                    statements.append(tables.put_kept(held, envelope.encoded))
            except (RelayFull, MessageDenied) as error:
                _LOG.info("message not kept", sender=short(held.sender), reason=str(error))
                answers.append(Full(header.receiver, header.number, error.code))
            else:
                answers.append(Kept(header.receiver, header.number))
                receivers[held.receiver] = None
        if statements:
            await desk.scribe.note(statements)
        for answer in answers:
            link.send(answer)
        for receiver in receivers:
            self._wake(receiver)

    def hear(self, statement: Statement, data: bytes) -> None:
        """Take the word of one end about messages that are kept here, and keep it for the other."""
        first, pair = self._desk.owner.lines.first, statement.pair
        sender, receiver = first(pair.sender_id), first(pair.receiver_id)
        keeping = self._desk.keeping
        match statement:
            case Receipt():
                kind, dropped = "receipt", keeping.drop_through(sender, receiver, statement.taken)
            case Refusal():
                kind, dropped = "refusal", keeping.drop(sender, receiver, statement.number)
            case Floor():
                kind = "floor"
                dropped = keeping.drop_through(sender, receiver, statement.floor - 1)
        if kind != "floor" and not dropped:
            return  # it says nothing new about what we kept
        if kind == "floor" and not self._may_keep_floor(sender, receiver):
            return
        statements = tables.drop_kept(dropped)
        if tables.word_count(self._desk.store) < MESSAGE_WORDS_MAX:
            until_ms = wall_ms() + KEPT_MS_MAX
            statements.append(tables.put_word(sender, receiver, kind, until_ms, data))
            to = receiver if kind == "floor" else sender
            self._desk.words_for.add(to)
            self._desk.scribe.learn(statements)
            self._wake(to)
        else:
            self._desk.scribe.learn(statements)

    async def hand_over(self, link: Link) -> None:
        """Queue what is kept for a peer, as far as there is room: statements, then messages."""
        desk, peer = self._desk, self._desk.owner.lines.first(link.cell_id)
        if peer in desk.words_for:
            await desk.scribe.flush()
            gone: list[Sql] = []
            for sender, receiver, kind, word in tables.words_for(desk.store, peer):
                link.send(StatementFrame(word))
                gone.append(tables.drop_word(sender, receiver, kind))
            desk.words_for.discard(peer)
            desk.scribe.learn(gone)
        for held in desk.keeping.kept_for(peer):
            if not link.has_room:
                return
            if held.number <= link.handed.get(held.sender, 0):
                continue
            envelope = tables.kept_envelope(desk.store, held)
            if envelope is not None:
                link.send(EnvelopeFrame(envelope))
            link.handed[held.sender] = held.number

    async def ask(self, link: Link, away: Iterable[CellId]) -> None:
        """Ask a peer to keep what waits for cells that are away, as far as there is room."""
        desk = self._desk
        if now_ms() < link.full_until_ms:
            return
        for receiver in away:
            outbox = desk.outboxes[receiver]
            known = self._kept_through.get((link.cell_id, receiver), 0)
            through = link.relayed.get(receiver, known)
            if outbox.needs_floor and link.floors.get(receiver) != outbox.floor:
                link.floors[receiver] = outbox.floor
                link.send(StatementFrame(await desk.floor(outbox)))
            fresh = [one for one in outbox if one.number > through][:64]
            for envelope in await desk.envelopes(outbox, fresh):
                if not link.has_room:
                    return
                link.send(Keep(envelope))
            if fresh:
                link.relayed[receiver] = fresh[-1].number
                link.wake()

    def answered(self, link: Link, answer: Kept | Full) -> None:
        """Take what a relay says that it did with a message of ours."""
        receiver = self._desk.owner.lines.first(cell_id_of(answer.receiver))
        if isinstance(answer, Full):
            _LOG.info("not kept by a relay", relay=short(link.cell_id), code=answer.code)
            link.full_until_ms = now_ms() + MESSAGE_RELAY_PAUSE_MS
            before = link.relayed.get(receiver, 0)
            link.relayed[receiver] = min(before, answer.number - 1)
        elif receiver in self._desk.outboxes:
            pair = (link.cell_id, receiver)
            self._kept_through[pair] = max(answer.number, self._kept_through.get(pair, 0))
            self._desk.scribe.learn([tables.note_sent(receiver, answer.number)])
            self._desk.tell()

    def has_all(self, relay: CellId, outbox: Outbox) -> bool:
        """Return whether a relay has all that waits in an outbox."""
        return outbox.last_number <= self._kept_through.get((relay, outbox.receiver), 0)

    def forget(self, cell: CellId, links: Iterable[Link]) -> None:
        """A cell has another key: relays are to have what waits for it anew, and be handed it."""
        for pair in [one for one in self._kept_through if one[1] == cell]:
            del self._kept_through[pair]
        for link in links:
            link.relayed.pop(cell, None)
            link.floors.pop(cell, None)
            link.handed.pop(cell, None)

    def expire(self) -> None:
        """Drop what was kept for too long."""
        dropped = self._desk.keeping.expire(wall_ms())
        if dropped:
            self._desk.scribe.learn(tables.drop_kept(dropped))

    async def forget_words(self) -> None:
        """Drop statements that nobody has fetched for too long."""
        if self._desk.words_for:
            self._desk.scribe.learn([tables.drop_old_words(wall_ms())])
            await self._desk.scribe.flush()
            self._desk.words_for = tables.word_cells(self._desk.store)

    def _has(self, held: Held, envelope: Envelope) -> bool:
        """Return whether a message is kept as it is now: by and for the same keys."""
        if not self._desk.keeping.has(held.sender, held.receiver, held.number):
            return False
        known = tables.kept_envelope(self._desk.store, held)
        if known is None:
            return True  # it is on its way to the disk
        before, header = decode_envelope(known).message.header, envelope.message.header
        return (before.sender, before.receiver) == (header.sender, header.receiver)

    def _may_keep_floor(self, sender: CellId, receiver: CellId) -> bool:
        return self._is_known(receiver) and self._desk.may(sender, Kind.RELAY).allowed

    def _check_may_keep(self, held: Held, header: Header) -> None:
        """Raise MessageDenied or RelayFull for what is not kept."""
        if not self._desk.agrees(header):
            raise RelayFull("one of the two has a key that is not known here, or no more")
        decision = self._desk.may(held.sender, Kind.RELAY)
        if not decision.allowed:
            raise MessageDenied(decision.why)
        if held.receiver == self._desk.line or not self._is_known(held.receiver):
            raise RelayFull("the receiver is not known here")

    def _held(self, envelope: Envelope) -> Held:
        header, first = envelope.message.header, self._desk.owner.lines.first
        return Held(
            first(header.sender_id),
            first(header.receiver_id),
            header.number,
            len(envelope.encoded),
            wall_ms() + KEPT_MS_MAX,
        )

    def _wake(self, cell: CellId) -> None:
        link = self._link_to(cell)
        if link is not None:
            link.wake()
        self._desk.tell()


def relays_for(receiver: CellId, members: Iterable[CellId]) -> list[CellId]:
    """Return which of the connected members keep messages for a cell: the same ones each time.

    Those whose hash with the receiver is smallest (rendezvous hashing), so that the load spreads
    over the members and a sender that starts anew asks the same ones.
    """

    def rank(member: CellId) -> bytes:
        keys: tuple[PublicKey, PublicKey] = public_key_of(receiver), public_key_of(member)
        return hashlib.sha256(b"".join(keys)).digest()

    others = [member for member in members if member != receiver]
    return sorted(others, key=rank)[:MESSAGE_RELAYS_MAX]
