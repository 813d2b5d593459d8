"""What a cell answers about journals: its own, its copies of others', proofs and audits."""

from __future__ import annotations

import hashlib

from core.errors import MyceldError
from core.ids import CellId, MemberIndex, cell_id_of, public_key_of, short
from gateway.errors import NoSuchCell, NoSuchJournal
from gateway.views import AuditView, BlockView, FollowView, JournalView, ProofView
from hashgraph.event import decode_any_event
from identity.audit import AUDIT_JOURNAL, decode_act
from identity.keys import KeyPair
from identity.messages.envelope import decode_block, decode_message
from identity.messages.proof import MESSAGE_JOURNAL
from identity.record import IDENTITY_JOURNAL, NUCLEUS_JOURNAL, decode_record
from identity.trust import INTERACTIONS_JOURNAL, decode_interaction
from journal import Journal
from journal.checkpoint import parse_checkpoint
from journal.cosignature import cosign
from journal.errors import NoSuchBlock
from journal.merkle import leaf_hash
from journal.proof_file import format_proof
from ledger.header import decode_header
from ledger.roster import Roster
from node.clock import wall_ns
from node.errors import JournalNeeded
from node.keyring import KeyRing
from node.limits import BLOCKS_SHOWN_MAX
from node.parts import Parts
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL, roster_of_epoch


class JournalAnswers:
    """The part of `gateway.cell.Cell` that is about journals."""

    def __init__(self, parts: Parts, key: KeyPair, ring: KeyRing | None = None) -> None:
        self._parts = parts
        self._key = key
        self._ring = ring

    async def journals(self) -> list[JournalView]:
        """See `gateway.cell.Cell.journals`."""
        views = []
        for name in self._parts.store.journals():
            journal = await self._parts.store.journal(name)
            views.append(
                JournalView(name, journal.length, journal.root().hex(), await journal.publish())
            )
        return views

    async def journal_blocks(self, name: str, *, start: int, limit: int) -> list[BlockView]:
        """See `gateway.cell.Cell.journal_blocks`."""
        journal = await self._journal(name)
        indexes = range(start, min(journal.length, start + min(limit, BLOCKS_SHOWN_MAX)))
        return [
            BlockView(
                index=index,
                size_bytes=len(block),
                leaf_hash=leaf_hash(block).hex(),
                summary=self._summary(name, block),
                data_hex=block.hex(),
            )
            for index, block in zip(indexes, await journal.get_many(indexes), strict=True)
        ]

    async def journal_proof(self, name: str, index: int) -> ProofView:
        """See `gateway.cell.Cell.journal_proof`."""
        journal = await self._journal(name)
        copy = self._parts.follows.copy_named(name)
        if copy is None:
            text = await journal.publish()
        elif copy.whole is None:
            raise NoSuchBlock(f"the copy {name} is not whole yet")
        else:
            text = cosign(copy.whole.text, self._key.cell_id, self._key.sign, wall_ns() // 10**9)
        head = parse_checkpoint(text)
        if not 0 <= index < head.size:
            raise NoSuchBlock(f"journal {name} has {head.size} blocks, not block {index}")
        hashes = await journal.prove_inclusion(index, head.size)
        file = format_proof(index, await journal.get(index), hashes, text)
        return ProofView(name, index, head.origin, head.size, file)

    async def audit_journal(self, name: str) -> AuditView:
        """See `gateway.cell.Cell.audit_journal`."""
        await self._journal(name)
        return self._parts.audits.start(name)

    async def audit_of_journal(self, name: str) -> AuditView:
        """See `gateway.cell.Cell.audit_of_journal`."""
        await self._journal(name)
        view = self._parts.audits.view(name)
        if view is None:
            raise NoSuchJournal(f"journal {name!r} was not audited since the cell started")
        return view

    async def prune_journal(self, name: str, min_index: int) -> JournalView:
        """See `gateway.cell.Cell.prune_journal`."""
        journal = await self._journal(name)
        if name in (EVENTS_JOURNAL, HEADERS_JOURNAL):
            raise JournalNeeded(f"the cell reads its journal {name} at each start")
        await journal.prune(min_index)
        return JournalView(name, journal.length, journal.root().hex(), await journal.publish())

    async def follows(self) -> list[FollowView]:
        """See `gateway.cell.Cell.follows`."""
        return self._parts.follows.views()

    async def follow(self, cell: str, journal: str) -> FollowView:
        """See `gateway.cell.Cell.follow`."""
        return await self._parts.follows.follow(self._cell_id(cell), journal)

    async def stop_following(self, cell: str, journal: str) -> FollowView:
        """See `gateway.cell.Cell.stop_following`."""
        return await self._parts.follows.stop_following(self._cell_id(cell), journal)

    async def _journal(self, name: str) -> Journal:
        if name not in self._parts.store.journals():
            raise NoSuchJournal(f"this cell has no journal {name!r}")
        return await self._parts.store.journal(name)

    def _cell_id(self, cell: str) -> CellId:
        """Return the id of a cell given by its id or, for a member, by its name."""
        named = [m.cell_id for m in self._parts.consensus.roster.members if m.name == cell]
        if len(named) == 1:
            return named[0]
        try:
            public_key_of(cell)
        except MyceldError as error:
            raise NoSuchCell(f"no member is called {cell[:64]!r}, and it is no cell id") from error
        return CellId(cell)

    def _summary(self, journal: str, block: bytes) -> str:
        """Say in a few words what a block holds."""
        copy = self._parts.follows.copy_named(journal)
        name = journal if copy is None else copy.journal
        try:
            return self._decoded(name, block)
        except MyceldError:  # a copy of a journal that holds something else under this name
            return hashlib.sha256(block).hexdigest()[:16]

    def _decoded(self, journal: str, block: bytes) -> str:
        if journal == EVENTS_JOURNAL:
            event, epoch = decode_any_event(block, self._parts.genesis.network_id)
            roster = roster_of_epoch(self._parts.store, self._parts.genesis, epoch)
            name = name_of(roster, event.creator)
            return (
                f"event {event.sequence} of {name} in epoch {epoch}, "
                f"{len(event.other_places)} other parents, {len(event.payload)} transactions"
            )
        if journal == HEADERS_JOURNAL:
            header = decode_header(block)
            root = header.state_root.hex()[:16]
            return f"round {header.round}, {header.transactions} transactions, state {root}…"
        if journal == INTERACTIONS_JOURNAL:
            found = decode_interaction(block, None).interaction
            ends = " and ".join(short(cell_id_of(key)) for key in (found.one, found.other))
            return f"interaction of {ends}, digest {found.digest.hex()[:16]}…"
        if journal == MESSAGE_JOURNAL:
            is_sent, signed = decode_block(block)
            said = decode_message(signed).header
            way = f"to {said.receiver_id}" if is_sent else f"from {said.sender_id}"
            return f"{said.type.name} {said.number} {way}, {len(signed)} bytes"
        if journal == AUDIT_JOURNAL:
            act = decode_act(block)
            return f"{act.actor} {act.action} {act.outcome.value} × {act.count}"
        if journal in (NUCLEUS_JOURNAL, IDENTITY_JOURNAL):
            record = decode_record(block)
            return f"{record.event} {record.subject} {record.detail}"
        return hashlib.sha256(block).hexdigest()[:16]


def name_of(roster: Roster | None, creator: MemberIndex) -> str:
    """Return what a member is called; a copy of another cell's journal may name any number."""
    if roster is None or creator >= len(roster.members):
        return "?"
    return roster.members[creator].name
