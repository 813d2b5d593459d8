"""The inviter's side of tickets: makes them, lets newcomers in, proposes those who shall vote.

A use is durable before the newcomer is told, and counts once a cell, so a newcomer that lost the
answer asks again. A newcomer that shall vote is proposed when it is connected and has come to the
present epoch: a member that isn't there, or is behind, only adds weight that is missing.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from core.errors import LocalMisuse, MyceldError, OperationalFault, RemoteViolation
from core.failpoint import hit
from core.ids import CellId, PublicKey, TransactionId, public_key_of, short
from gateway.errors import NoSuchInvite
from gateway.views import (
    InviteUseView,
    InviteView,
    InviteWish,
    IssuedView,
    MemberChange,
    ReceiptView,
    Stage,
)
from gossip.discovery.address import Reach, reach_of
from gossip.discovery.errors import (
    InviterBusy,
    ProofWrong,
    TicketExpired,
    TicketOfOtherNetwork,
    TicketRevoked,
    TicketUnknown,
    TicketUsed,
)
from gossip.discovery.invitation import (
    Ask,
    Proof,
    Welcome,
    commit_message,
    parse_ask,
    parse_proof,
    refused_message,
    welcome_message,
)
from gossip.discovery.limits import (
    NONCE_SIZE_BYTES,
    SECRET_SIZE_BYTES,
    TICKET_ADDRESS_LENGTH_MAX,
    TICKET_ADDRESSES_MAX,
    WELCOME_CELL_ADDRESSES_MAX,
    WELCOME_CELLS_MAX,
)
from gossip.discovery.ticket import (
    Ticket,
    TicketId,
    Transcript,
    check_numbers,
    commitment_of,
    format_ticket,
    is_proof,
    verifier_of,
)
from gossip.discovery.tries import Tries
from gossip.discovery.words import words_of
from gossip.host import PeerStream
from gossip.host.addresses import parse_dial_address
from identity.audit import TOKEN
from journal import Store
from ledger.genesis import Genesis, to_json
from ledger.limits import WEIGHT_MAX
from ledger.names import is_name
from node import invite_tables as tables
from node.clock import wall_ns
from node.discovery.interfaces import dialable, machine_hosts
from node.errors import BadOption, NothingToDial, NoVoteToPropose, TooManyInvites
from node.invite_stream import read_message
from node.invite_tables import Invite, Terms, Use
from node.invite_views import Standing, invite_view
from node.limits import (
    INVITE_EXCHANGES_MAX,
    INVITE_EXCHANGES_PER_SOURCE_MAX,
    INVITE_EXPIRES_S_MAX,
    INVITE_TIMEOUT_S,
    INVITE_USES_MAX,
    INVITES_KEPT_DAYS,
    INVITES_MAX,
    INVITES_SHOWN_MAX,
    PROPOSE_CHECK_S,
    PROPOSE_RETRY_S,
    WAIT_S_MAX,
    WRITE_TIMEOUT_MS,
)
from node.peers import Peers
from node.services.audit import AuditTrail

_DAY_NS: Final = 86_400 * 10**9
_LOG = structlog.get_logger("invites")

Propose: TypeAlias = Callable[..., Awaitable[ReceiptView]]
"""`RunningCell.change_members`."""


class Invites:
    """Tickets of one cell. `serve` answers newcomers, `run` proposes them."""

    def __init__(
        self,
        store: Store,
        genesis: Genesis,
        peers: Peers,
        standing: Callable[[], Standing],
        *,
        audit: AuditTrail,
        now_ns: Callable[[], int] = wall_ns,
    ) -> None:
        """`standing` tells where the ledger stands."""
        self._audit = audit
        self._store = store
        self._genesis = genesis
        self._peers = peers
        self._standing = standing
        # Looked up now, not when the module was read: a simulation has a clock of its own.
        self._now_ns = now_ns
        self._tries = Tries()
        self._exchanges: Counter[str] = Counter()
        self._recording = asyncio.Lock()
        self._used = asyncio.Event()

    async def create(self, wish: InviteWish) -> IssuedView:
        """Make a ticket, durably.

        Raises BadOption, NoVoteToPropose, NothingToDial, NotAMultiaddr, TooManyInvites.
        """
        _check(wish)
        me = public_key_of(self._peers.host.cell_id)
        if wish.votes and self._standing().roster.index_of(me) is None:
            raise NoVoteToPropose("this cell is not a member itself")
        addresses = self._addresses(wish.addresses)
        now_ns = self._now_ns()
        expires_ns = now_ns + wish.expires_s * 10**9
        ticket = Ticket(
            self._genesis.network_id,
            PublicKey(me),
            secrets.token_bytes(SECRET_SIZE_BYTES),
            expires_ns // 10**9,
            addresses,
        )
        terms = Terms(wish.votes, wish.name, wish.weight, wish.uses_max)
        invite = Invite(ticket.id, verifier_of(ticket.secret), terms, now_ns, expires_ns)
        text = format_ticket(ticket)
        await self._store.transaction(
            {}, tables.forget_invites(now_ns - INVITES_KEPT_DAYS * _DAY_NS), durable=False
        )
        if tables.invite_count(self._store) >= INVITES_MAX:
            raise TooManyInvites(f"{INVITES_MAX} tickets are kept already")
        hit("invites.create.before")
        row = self._audit.block("invite.create", ticket.id.hex(), actor=TOKEN)
        await self._audit.commit([row], [tables.add_invite(invite)])
        hit("invites.create.after")
        return IssuedView(text, self._view(invite))

    def shown(self) -> list[InviteView]:
        """Return the newest tickets."""
        return [self._view(invite) for invite in tables.invites(self._store, INVITES_SHOWN_MAX)]

    def used(self) -> list[InviteUseView]:
        """Return who came by the newest tickets."""
        return [use for invite in self.shown() for use in invite.uses]

    async def revoke(self, ticket: bytes) -> InviteView:
        """Take a ticket back, durably: nobody new gets in by it, nobody is proposed any more.

        Raises NoSuchInvite.
        """
        async with self._recording:
            self._known(TicketId(ticket))
            row = self._audit.block("invite.revoke", ticket.hex(), actor=TOKEN)
            await self._audit.commit([row], [tables.revoke_invite(TicketId(ticket))])
        return self._view(self._known(TicketId(ticket)))

    async def serve(self, stream: PeerStream) -> None:
        """Let a newcomer use its ticket, or refuse it with a reason."""
        source = _source(stream)
        try:
            async with asyncio.timeout(INVITE_TIMEOUT_S):
                await self._answer(stream, source)
        except TimeoutError:
            _LOG.info("newcomer gave no answer in time", cell=short(stream.cell_id))

    async def run(self, propose: Propose) -> None:
        """Propose who shall vote, once it is in the present epoch; until cancelled."""
        while True:
            waiting = tables.unproposed(self._store, INVITES_MAX)
            if not waiting:
                await self._used.wait()
                self._used.clear()
                continue
            arrived = self._peers.arrived(self._standing().roster.epoch)
            pause_s = PROPOSE_CHECK_S
            for use, terms in waiting:
                if use.cell_id in arrived and not await self._propose(use, terms, propose):
                    pause_s = PROPOSE_RETRY_S
            await asyncio.sleep(pause_s)

    async def _answer(self, stream: PeerStream, source: str) -> None:
        try:
            self._check_load(source)
            self._exchanges[source] += 1
            try:
                message = await self._exchange(stream, source)
            finally:
                self._exchanges -= Counter((source,))
        except (TicketExpired, TicketRevoked, TicketUsed, InviterBusy) as error:
            message = self._refused(stream, error)
        except (RemoteViolation, TicketUnknown, TicketOfOtherNetwork) as error:
            self._tries.failed(source, _now_ms())
            message = self._refused(stream, error)
        except OperationalFault:
            self._tries.failed(source, _now_ms())  # the stream is gone, or nothing comes
            raise
        hit("invites.welcome.before")
        await stream.write(message, timeout_s=WRITE_TIMEOUT_MS / 1000)
        hit("invites.welcome.after")

    async def _exchange(self, stream: PeerStream, source: str) -> bytes:
        """Return WELCOME once the use is durable; raises why the newcomer is refused."""
        ask = parse_ask(await read_message(stream))
        if ask.network_id != self._genesis.network_id:
            raise TicketOfOtherNetwork("a ticket of another network")
        invite = tables.invite(self._store, ask.ticket)
        if invite is None:
            raise TicketUnknown("no such ticket")
        nonce = secrets.token_bytes(NONCE_SIZE_BYTES)
        await stream.write(commit_message(nonce), timeout_s=WRITE_TIMEOUT_MS / 1000)
        proof = parse_proof(await read_message(stream))
        transcript = self._transcript(stream.cell_id, ask, proof, nonce)
        if not is_proof(invite.verifier, transcript, proof.proof):
            raise ProofWrong("the proof does not fit the ticket")
        words = " ".join(words_of(check_numbers(invite.verifier, transcript, nonce)))
        use, is_new = await self._record(stream.cell_id, ask, words)
        if not is_new:
            self._tries.failed(source, _now_ms())  # it costs an fsync each time, too
        welcome = self._welcome(stream.cell_id, invite.terms, use.name)
        _LOG.info("newcomer joined", cell=short(stream.cell_id), invite=invite.id.hex())
        return welcome_message(invite.verifier, transcript, nonce, welcome)

    async def _record(self, cell_id: CellId, ask: Ask, words: str) -> tuple[Use, bool]:
        """Make a use durable; return it, and whether it is the cell's first.

        Raises TicketRevoked, TicketExpired or TicketUsed.
        """
        async with self._recording:
            invite = tables.invite(self._store, ask.ticket)
            if invite is None or invite.revoked:
                raise TicketRevoked("the ticket was taken back")
            known = tables.uses(self._store, invite.id)
            present = self._standing().present
            use = next((use for use in known if present(use.cell_id) == cell_id), None)
            is_new = use is None
            if use is None:
                if self._now_ns() >= invite.expires_ns:
                    raise TicketExpired("the ticket's time is over")
                if len(known) >= invite.terms.uses_max:
                    raise TicketUsed(f"the ticket was used {len(known)} times")
                said = ask.name if is_name(ask.name) else f"cell-{short(cell_id)}"
                name = invite.terms.name or said
                use = Use(invite.id, cell_id, name, self._now_ns(), words)
            use = replace(use, words=words)
            hit("invites.use.before")
            actor, key = f"cell:{cell_id}", public_key_of(cell_id)
            row = self._audit.block("invite.use", invite.id.hex(), actor=actor, key=key)
            # One that comes again with its ticket is no new act.
            await self._audit.commit([row] if is_new else [], [tables.record_use(use)])
            hit("invites.use.after")
        self._used.set()
        return use, is_new

    async def _propose(self, use: Use, terms: Terms, propose: Propose) -> bool:
        """Propose a newcomer; returns False if that has to be tried again."""
        proposal: TransactionId | None = None
        problem: str | None = None
        if self._standing().is_member(use.cell_id):
            problem = "it is a member already"
        else:
            change = MemberChange("add", use.cell_id, terms.weight, use.name)
            try:
                receipt = await propose(change, wait=Stage.STORED, timeout_s=float(WAIT_S_MAX))
                proposal = TransactionId(bytes.fromhex(receipt.id))
            except OperationalFault as error:
                _LOG.warning("newcomer not proposed", cell=short(use.cell_id), reason=str(error))
                return False
            except LocalMisuse as error:
                problem = str(error)
        statement = tables.record_proposal(use, proposal, problem)
        hit("invites.proposal.before")
        await self._store.transaction({}, [statement], durable=True)
        hit("invites.proposal.after")
        return True

    def _check_load(self, source: str) -> None:
        if (
            self._exchanges.total() >= INVITE_EXCHANGES_MAX
            or self._exchanges[source] >= INVITE_EXCHANGES_PER_SOURCE_MAX
            or not self._tries.may_try(source, _now_ms())
        ):
            raise InviterBusy("too many tries")

    def _refused(self, stream: PeerStream, error: MyceldError) -> bytes:
        _LOG.info("newcomer refused", cell=short(stream.cell_id), reason=str(error))
        self._audit.refused(
            stream.cell_id, "invite.use", "", code=error.code, reason=type(error).__name__
        )
        return refused_message(error)

    def _transcript(self, newcomer: CellId, ask: Ask, proof: Proof, nonce: bytes) -> Transcript:
        return Transcript(
            self._genesis.network_id,
            self._peers.host.cell_id,
            newcomer,
            ask.ticket,
            commitment_of(nonce),
            proof.nonce,
        )

    def _welcome(self, newcomer: CellId, terms: Terms, name: str) -> Welcome:
        """Return what a newcomer has to know; members are told before others."""
        members = {member.cell_id for member in self._standing().roster.members}
        book = self._peers.book.all()
        book.sort(key=lambda item: (item[0] not in members, item[0]))
        cells = [
            (cell_id, addresses[:WELCOME_CELL_ADDRESSES_MAX])
            for cell_id, addresses in book
            if cell_id not in {newcomer, self._peers.host.cell_id} and addresses
        ]
        genesis = to_json(self._genesis).encode()
        return Welcome(genesis, terms.votes, name, tuple(cells[:WELCOME_CELLS_MAX]))

    def _addresses(self, wished: Sequence[str]) -> tuple[str, ...]:
        """Return where a newcomer shall dial, what was asked for first."""
        cell_id = self._peers.host.cell_id
        own = [address.partition(f"/p2p/{cell_id}")[0] for address in wished]
        for address in own:
            parse_dial_address(f"{address}/p2p/{cell_id}")
        known = told_addresses(dialable(self._peers.host.addresses, machine_hosts))
        if len(own) > TICKET_ADDRESSES_MAX or not (own or known):
            raise NothingToDial(f"{len(own)} addresses were given, {len(known)} are known")
        return tuple(dict.fromkeys([*own, *known]))[:TICKET_ADDRESSES_MAX]

    def _known(self, ticket: TicketId) -> Invite:
        invite = tables.invite(self._store, ticket)
        if invite is None:
            raise NoSuchInvite(f"no ticket {ticket.hex()[:32]} was made here")
        return invite

    def _view(self, invite: Invite) -> InviteView:
        return invite_view(
            self._store,
            invite,
            connected=set(self._peers.connected()),
            standing=self._standing(),
            now_ns=self._now_ns(),
        )


def told_addresses(addresses: Iterable[str]) -> list[str]:
    """Return addresses as a ticket has them, without /p2p/…, those reachable from afar first.

    Loopback ones are left out if there are others: elsewhere they lead to the wrong machine.
    """
    bare = [address.partition("/p2p/")[0] for address in addresses]
    short_enough = [address for address in bare if len(address) <= TICKET_ADDRESS_LENGTH_MAX]
    far = [address for address in short_enough if reach_of(address) is not Reach.LOOPBACK]
    return sorted(dict.fromkeys(far or short_enough), key=reach_of, reverse=True)


def _check(wish: InviteWish) -> None:
    """Raise BadOption for terms that make no sense."""
    if wish.name and not is_name(wish.name):
        raise BadOption("the name has more than 64 characters, or characters that no name has")
    if wish.name and wish.uses_max > 1:
        raise BadOption("several newcomers can not have one name; leave it out")
    if not 1 <= wish.weight <= WEIGHT_MAX:
        raise BadOption(f"a weight is 1 to {WEIGHT_MAX}")
    if not 1 <= wish.expires_s <= INVITE_EXPIRES_S_MAX:
        raise BadOption(f"a ticket lives 1 to {INVITE_EXPIRES_S_MAX} seconds")
    if not 1 <= wish.uses_max <= INVITE_USES_MAX:
        raise BadOption(f"a ticket has 1 to {INVITE_USES_MAX} uses")


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _source(stream: PeerStream) -> str:
    """Return whose tries are counted together: those from one IP address."""
    address = stream.remote_address or stream.cell_id
    return "/".join(address.split("/")[:3])
