"""The newcomer's side of a ticket: makes the cell, proves the ticket, takes what it is told.

The key is made first, as the proof is bound to it. Nothing else is written before the inviter has
answered and proven itself; so a refused ticket leaves a directory with a key, ready for the next.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from dataclasses import dataclass, replace

from core.errors import LocalMisuse, MyceldError, RemoteViolation
from gossip.discovery.errors import (
    InviteBroken,
    InviterNotProven,
    InviterUnreachable,
    TicketExpired,
    TicketUnknown,
)
from gossip.discovery.invitation import INVITE_PROTOCOL, Newcomer, Welcome
from gossip.discovery.limits import NAME_LENGTH_MAX, NONCE_SIZE_BYTES
from gossip.discovery.ticket import Ticket
from gossip.discovery.words import words_of
from gossip.host import (
    Host,
    HostConfig,
    HostDown,
    PeerStream,
    ProtocolRefused,
    ReadTimedOut,
    StreamLost,
    WriteTimedOut,
    WrongPeer,
)
from gossip.host.addresses import parse_dial_address
from identity.keys import KeyPair
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, from_json
from ledger.names import is_name
from myceld.version import AGENT
from node.errors import BadOption, OtherNetwork
from node.founding import Founded, Wishes, check_wishes, found, key_of, read_genesis
from node.home import Home
from node.invite_stream import read_message
from node.limits import DIAL_TIMEOUT_MS, INVITE_TIMEOUT_S, WRITE_TIMEOUT_MS
from settings import CellConfig, Config, load_file


@dataclass(frozen=True, slots=True)
class Joined:
    """A cell that was let in."""

    founded: Founded
    votes: bool
    """Whether the inviter will propose it as a member."""
    words: tuple[str, ...]
    """The inviter sees the same ones."""


@dataclass(frozen=True, slots=True)
class _Let:
    genesis: Genesis
    welcome: Welcome
    words: tuple[str, ...]


def join(home: Home, ticket: Ticket, wishes: Wishes) -> Joined:
    """Make the cell in `home` and let it into the ticket's network; safe to repeat.

    Raises OtherNetwork before the ticket is used, what the inviter refuses with, InviterNotProven,
    InviterUnreachable, InviteBroken, or what `found` raises. Not to be called from inside an event
    loop.
    """
    if wishes.network is not None or wishes.genesis is not None or wishes.bootstrap:
        raise BadOption("a ticket tells the network; no other way to it can be given")
    if wishes.name is not None and not is_name(wishes.name):
        raise BadOption("the name has more than 64 characters, or characters that no name has")
    check_wishes(wishes)
    home.make()
    with home.locked():
        key, created = key_of(home, wishes)
        _check_network(home, ticket)
        name = wishes.name or _own_name(home)
    let = asyncio.run(_use(ticket, key, name))
    told = replace(
        wishes,
        told=let.genesis,
        name=wishes.name or name or let.welcome.name or None,
        bootstrap=_bootstrap(ticket, let.welcome),
    )
    founded = replace(found(home, told, key), created=created)
    return Joined(founded, let.welcome.votes, let.words)


def _check_network(home: Home, ticket: Ticket) -> None:
    """Raise OtherNetwork if the cell has lived in another network already."""
    if home.genesis.exists() and home.database.exists():
        old = read_genesis(home.genesis)
        if old.network_id != ticket.network_id:
            raise OtherNetwork(f"the cell in {home.path} belongs to network {old.name} already")


def _own_name(home: Home) -> str:
    """Return the name that the directory's configuration gives, if it is not the usual one."""
    if not home.config.exists():
        return ""
    name = load_file(home.config, os.environ, Config).cell.name
    return "" if name == CellConfig().name else name[:NAME_LENGTH_MAX]


async def _use(ticket: Ticket, key: KeyPair, name: str) -> _Let:
    """Dial the ticket's addresses, one after the other, until one lets us in or refuses."""
    here = "/ip4/127.0.0.1/tcp/0"
    host = Host(HostConfig(key.seed, (here,), INVITE_PROTOCOL, agent_version=AGENT), _refuse)
    await host.start()
    failures: list[MyceldError] = []
    try:
        for address in ticket.dial_addresses:
            try:
                stream = await host.dial(
                    address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=INVITE_PROTOCOL
                )
            except MyceldError as error:
                failures.append(error)
                continue
            async with stream:
                return await _within_time(stream, ticket, key, name)
    finally:
        await host.stop()
    raise _unreachable(ticket, failures)


async def _within_time(stream: PeerStream, ticket: Ticket, key: KeyPair, name: str) -> _Let:
    """Run the exchange; a connection that breaks or stalls means that the inviter is away."""
    try:
        async with asyncio.timeout(INVITE_TIMEOUT_S):
            return await _exchange(stream, ticket, key, name)
    except TimeoutError as error:
        raise InviterUnreachable(f"no whole answer in {INVITE_TIMEOUT_S:g} s") from error
    except (HostDown, ReadTimedOut, StreamLost, WriteTimedOut) as error:
        raise InviterUnreachable(f"the inviter went away: {error.detail}") from error


async def _exchange(stream: PeerStream, ticket: Ticket, key: KeyPair, name: str) -> _Let:
    newcomer = Newcomer(ticket, key.cell_id, name, secrets.token_bytes(NONCE_SIZE_BYTES))
    timeout_s = WRITE_TIMEOUT_MS / 1000
    try:
        await stream.write(newcomer.ask(), timeout_s=timeout_s)
        proof = newcomer.answer_commit(await read_message(stream))
        await stream.write(proof, timeout_s=timeout_s)
        welcome, numbers = newcomer.enter(await read_message(stream))
    except TicketUnknown:
        if time.time() >= ticket.expires_s:
            raise TicketExpired("the ticket's time is over; the inviter has none such") from None
        raise
    return _Let(_genesis_of(ticket, welcome), welcome, words_of(numbers))


def _genesis_of(ticket: Ticket, welcome: Welcome) -> Genesis:
    """Return the genesis that the inviter told, if it is the ticket's; raises InviteBroken."""
    try:
        genesis = from_json(welcome.genesis)
    except BadGenesis as error:
        raise InviteBroken(f"the inviter told no genesis: {error.detail}") from error
    if genesis.network_id != ticket.network_id:
        raise InviteBroken("the inviter told the genesis of another network than the ticket's")
    return genesis


def _bootstrap(ticket: Ticket, welcome: Welcome) -> tuple[str, ...]:
    """Return addresses to find the network by: the inviter's, then valid ones of other cells."""
    found_addresses = list(ticket.dial_addresses)
    for cell_id, addresses in welcome.cells:
        for address in addresses:
            try:
                if parse_dial_address(address).cell_id == cell_id:
                    found_addresses.append(address)
            except LocalMisuse:
                continue
    return tuple(dict.fromkeys(found_addresses))


def _unreachable(ticket: Ticket, failures: list[MyceldError]) -> MyceldError:
    """Return what to tell when no address let us talk to the inviter."""
    for failure in failures:
        if isinstance(failure, WrongPeer):
            return InviterNotProven(f"another cell than the inviter answers: {failure.detail}")
    if time.time() >= ticket.expires_s:
        return TicketExpired("the ticket's time is over, and the inviter does not answer")
    for failure in failures:
        if isinstance(failure, ProtocolRefused | RemoteViolation):
            return InviteBroken(f"the inviter takes no tickets: {failure.detail}")
    return InviterUnreachable("; ".join(failure.detail for failure in failures))


async def _refuse(stream: PeerStream) -> None:
    await stream.abort()
