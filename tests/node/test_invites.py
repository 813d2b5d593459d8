"""The inviter's service, over real hosts on loopback: who gets in, who does not, what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from core.errors import MyceldError
from core.ids import CellId, NetworkId, Round, cell_id_of
from gateway.errors import NoSuchInvite, NotReachedInTime
from gateway.views import InviteWish, MemberChange, ReceiptView, Stage
from gossip.discovery import errors
from gossip.discovery.book import AddressBook
from gossip.discovery.invitation import (
    INVITE_PROTOCOL,
    LENGTH_SIZE_BYTES,
    Newcomer,
    body_size,
)
from gossip.discovery.ticket import Ticket, format_ticket, parse_ticket
from gossip.discovery.tries import FAILURES_MAX
from gossip.host import Host, HostConfig, PeerStream
from gossip.host.errors import NotAMultiaddr
from identity import keystore
from identity.keys import KeyPair
from journal import Store
from ledger.genesis import Genesis
from ledger.roster import Roster
from node import invites as module
from node.errors import (
    BadOption,
    DirectoryLocked,
    NothingToDial,
    NoVoteToPropose,
    OtherNetwork,
    TooManyInvites,
)
from node.founding import Wishes, found, read_genesis
from node.home import Home
from node.inbox import ConsensusInbox
from node.invite_tables import INVITE_SCHEMA, uses
from node.invite_views import Standing
from node.invites import Invites
from node.joining import Joined, join
from node.peers import Peers, PeersConfig, PeersLinks
from node.services.audit import AuditTrail
from node.tables import SCHEMA
from settings import Config, load
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS
from tests.node.silent import SilentIntroducer
from tests.waiting import PATIENCE_S, run, until

pytestmark = pytest.mark.usefixtures("patient")

WISH = InviteWish(votes=False, name="", weight=1, expires_s=3600, uses_max=1, addresses=())
VOTER = replace(WISH, votes=True, name="dora", weight=3)


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: all tries are within one minute."""
    monkeypatch.setattr(module, "_now_ms", lambda: 0)


@dataclass
class World:
    """An inviter, its clock, who it thinks is connected, and places for newcomers."""

    tmp: Path
    store: Store
    peers: Peers
    invites: Invites
    clock_ns: list[int]
    connected: set[CellId] = field(default_factory=set)

    async def ticket(self, wish: InviteWish = WISH) -> Ticket:
        return parse_ticket((await self.invites.create(wish)).ticket)

    async def join(self, place: str, ticket: Ticket, **wishes: object) -> Joined:
        home = Home(self.tmp / place)
        return await asyncio.to_thread(join, home, ticket, Wishes(**wishes))  # type: ignore[arg-type]  # the test's own

    async def refused(self, place: str, ticket: Ticket, error: type[MyceldError]) -> None:
        with pytest.raises(error):
            await self.join(place, ticket)


async def _nothing(*_: object) -> None:
    return None


def _peers(key: KeyPair, genesis: Genesis) -> Peers:
    config = PeersConfig(
        HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/myceld/test/1"),
        genesis.network_id,
        genesis.rule_set,
        genesis.roster,
    )
    links = PeersLinks(
        ConsensusInbox(), asyncio.Queue(8), list, _nothing, _nothing, SilentIntroducer()
    )
    return Peers(config, links, AddressBook(key.cell_id))


@asynccontextmanager
async def _world(
    tmp: Path, genesis: Genesis = GENESIS, key: KeyPair = KEYS[0], roster: Roster | None = None
) -> AsyncIterator[World]:
    store = await Store.open(
        tmp / "inviter.db", signer=key.sign, cell_id=key.cell_id, durability="process"
    )
    clock_ns = [1_700_000_000 * 10**9]
    peers = _peers(key, genesis)
    try:
        await store.create_tables(SCHEMA + INVITE_SCHEMA)
        standing = Standing(roster or genesis.roster, Round(0))
        audit = await AuditTrail.open(store, key.public_key)
        invites = Invites(
            store, genesis, peers, lambda: standing, audit=audit, now_ns=lambda: clock_ns[0]
        )
        peers.host.set_handler(INVITE_PROTOCOL, invites.serve)
        await peers.start()
        world = World(tmp, store, peers, invites, clock_ns)
        peers.arrived = lambda epoch: {cell for cell in world.connected if epoch == 0}  # type: ignore[method-assign]  # as below
        peers.connected = lambda: sorted(world.connected)  # type: ignore[method-assign]  # no gossip runs here
        yield world
    finally:
        await peers.stop()
        await store.close()


def _run(tmp: Path, talk: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _world(tmp) as world:
            await talk(world)

    run(main())


def test_a_newcomer_gets_the_genesis_addresses_and_the_inviters_words(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        other = f"/ip4/127.0.0.1/tcp/4711/p2p/{KEYS[1].cell_id}"
        world.peers.book.hint(KEYS[1].cell_id, [other], "a peer")
        wildcard = f"/ip4/0.0.0.0/tcp/4711/p2p/{KEYS[2].cell_id}"
        world.peers.book.hint(KEYS[2].cell_id, [wildcard], "a peer")
        ticket = await world.ticket()
        joined = await world.join("b", ticket, name="bob")
        assert joined.founded.created
        home = Home(tmp_path / "b")
        assert read_genesis(home.genesis) == GENESIS
        config = load(home.config, {}, Config)
        assert config.cell.bootstrap == (*ticket.dial_addresses, other)
        assert config.cell.name == "bob"
        (view,) = world.invites.shown()
        assert (view.state, view.role) == ("used", "rhizomorph")
        assert view.uses[0].words == list(joined.words)
        assert view.uses[0].cell_id == joined.founded.key.cell_id
        assert (view.uses[0].name, view.uses[0].state) == ("bob", "joined")

    _run(tmp_path, talk)


def test_one_use_is_one_cell_which_may_ask_again(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket(VOTER)
        first = await world.join("b", ticket)
        await world.refused("c", ticket, errors.TicketUsed)
        again = await world.join("b", ticket)
        world.clock_ns[0] += 2 * 3600 * 10**9
        late = await world.join("b", ticket)
        assert not again.founded.created
        assert again.founded.key.cell_id == first.founded.key.cell_id
        (use,) = world.invites.shown()[0].uses
        assert use.words == list(late.words)
        assert use.name == "dora"
        assert load(Home(tmp_path / "b").config, {}, Config).cell.name == "dora"

    _run(tmp_path, talk)


def test_a_lost_answer_leaves_the_use_to_the_cell_that_did_not_get_it(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()

        async def lose(stream: PeerStream) -> None:
            await world.invites._exchange(stream, "test")
            await stream.abort()

        world.peers.host._handlers[INVITE_PROTOCOL] = lose
        await world.refused("b", ticket, errors.InviterUnreachable)
        world.peers.host._handlers[INVITE_PROTOCOL] = world.invites.serve
        await world.refused("c", ticket, errors.TicketUsed)
        joined = await world.join("b", ticket)
        assert world.invites.shown()[0].uses[0].words == list(joined.words)

    _run(tmp_path, talk)


def test_a_ticket_of_two_uses_lets_two_in_even_at_the_same_time(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket(replace(WISH, uses_max=2))
        results = await asyncio.gather(
            *(world.join(name, ticket) for name in "bcd"), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert [type(error) for error in refused] == [errors.TicketUsed]
        assert len(world.invites.shown()[0].uses) == 2

    _run(tmp_path, talk)


def test_expired_revoked_and_unknown_tickets_have_errors_of_their_own(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        expired, revoked = await world.ticket(), await world.ticket()
        unknown = replace(expired, secret=b"\x01" * 16, expires_s=2**40)
        await world.invites.revoke(revoked.id)
        await world.refused("b", revoked, errors.TicketRevoked)
        await world.refused("b", unknown, errors.TicketUnknown)
        world.clock_ns[0] += 3600 * 10**9
        await world.refused("b", expired, errors.TicketExpired)
        assert {view.state for view in world.invites.shown()} == {"expired", "revoked"}
        assert not (tmp_path / "b" / "genesis.json").exists(), "nothing but a key was made"
        with pytest.raises(NoSuchInvite):
            await world.invites.revoke(unknown.id)

    _run(tmp_path, talk)


def test_a_ticket_of_another_network_gets_the_reason_only(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()
        other = replace(ticket, network_id=NetworkId(b"\x07" * 32))
        await world.refused("b", other, errors.TicketOfOtherNetwork)
        assert world.invites.shown()[0].state == "open"

    _run(tmp_path, talk)


def test_a_cell_of_another_network_does_not_use_up_the_ticket(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        home = Home(tmp_path / "b")
        await asyncio.to_thread(found, home, Wishes(network="forest"))
        home.database.touch()
        ticket = await world.ticket()
        await world.refused("b", ticket, OtherNetwork)
        with home.locked():
            await world.refused("b", ticket, DirectoryLocked)
        assert world.invites.shown()[0].state == "open"
        home.database.unlink()
        await world.join("b", ticket)
        assert read_genesis(home.genesis) == GENESIS

    _run(tmp_path, talk)


def test_a_stranger_at_the_inviters_address_is_noticed(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()
        theirs = replace(ticket, inviter=KEYS[1].public_key)
        await world.refused("b", theirs, errors.InviterNotProven)

    _run(tmp_path, talk)


def test_an_inviter_that_is_away_is_told_apart_from_a_ticket_that_is_over(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = replace(await world.ticket(), addresses=("/ip4/127.0.0.1/tcp/1",))
        await world.refused("b", replace(ticket, expires_s=2**40), errors.InviterUnreachable)
        await world.refused("b", replace(ticket, expires_s=1), errors.TicketExpired)

    _run(tmp_path, talk)


def test_a_host_that_takes_no_tickets_is_said_to_be_one(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        key = KEYS[1]
        plain = Host(HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/other/1"), _nothing)
        (address,) = await plain.start()
        try:
            at = address.partition("/p2p/")[0]
            ticket = replace(
                await world.ticket(), inviter=key.public_key, addresses=(at,), expires_s=2**40
            )
            await world.refused("b", ticket, errors.InviteBroken)
        finally:
            await plain.stop()

    _run(tmp_path, talk)


def test_tickets_and_their_uses_survive_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with _world(tmp_path) as world:
            used, unused = await world.ticket(), await world.ticket()
            await world.join("b", used)
        async with _world(tmp_path) as world:
            (at,) = world.peers.host.addresses
            moved = (at.partition("/p2p/")[0],)
            used, unused = replace(used, addresses=moved), replace(unused, addresses=moved)
            await world.refused("c", used, errors.TicketUsed)
            await world.join("c", unused)
            assert {view.state for view in world.invites.shown()} == {"used"}

    run(main())


def test_guessers_are_slowed_down_and_others_are_not_asked_to_wait_for_ever(
    tmp_path: Path,
) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()
        stranger = _Stranger(ticket)
        async with stranger:
            for _ in range(FAILURES_MAX):
                assert await stranger.say(b"\x00\x00\x00\x01\x00") == "InviteBroken"
            assert await stranger.say(b"\x00\x00\x00\x01\x00") == "InviterBusy"
        await world.refused("b", ticket, errors.InviterBusy)
        world.invites._tries = type(world.invites._tries)()
        await world.join("b", ticket)

    _run(tmp_path, talk)


def test_a_cell_that_repeats_its_use_is_slowed_down_too(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()
        await world.join("b", ticket)
        for _ in range(FAILURES_MAX - 2):
            world.invites._tries.failed("/ip4/127.0.0.1", module._now_ms())
        for _ in range(2):
            await world.join("b", ticket)
        await world.refused("b", ticket, errors.InviterBusy)

    _run(tmp_path, talk)


def test_an_inviter_that_stalls_or_breaks_off_leaves_the_ticket_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.joining.INVITE_TIMEOUT_S", 0.3)

    async def talk(world: World) -> None:
        ticket = await world.ticket()
        for way in (_listen, lambda stream: stream.abort()):
            world.peers.host._handlers[INVITE_PROTOCOL] = way
            await world.refused("b", ticket, errors.InviterUnreachable)
        world.peers.host._handlers[INVITE_PROTOCOL] = world.invites.serve
        monkeypatch.undo()
        await world.join("b", ticket)

    _run(tmp_path, talk)


def test_silent_and_babbling_strangers_neither_hang_nor_grow_the_service(
    tmp_path: Path,
) -> None:
    async def talk(world: World) -> None:
        ticket = await world.ticket()
        async with _Stranger(ticket) as stranger:
            assert await stranger.say(b"\xff" * 65_536) == "InviteBroken"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("node.invite_stream.HANDSHAKE_TIMEOUT_MS", 300)
                assert await stranger.say(b"") == "lost"
                assert await stranger.say(b"\x00\x00\x00\x40") == "lost"
        await until(lambda: world.invites._exchanges.total() == 0)
        await world.join("b", ticket)

    _run(tmp_path, talk)


def test_who_shall_vote_is_proposed_once_connected_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROPOSE_CHECK_S", 0.01)
    monkeypatch.setattr(module, "PROPOSE_RETRY_S", 0.01)

    async def talk(world: World) -> None:
        calls: list[MemberChange] = []

        async def propose(change: MemberChange, *, wait: Stage, timeout_s: float) -> ReceiptView:
            assert (wait, timeout_s) == (Stage.STORED, 600)
            calls.append(change)
            if len(calls) == 1:
                raise NotReachedInTime("no quorum")
            return _receipt()

        service = asyncio.create_task(world.invites.run(propose))
        try:
            joined = await world.join("b", await world.ticket(VOTER))
            full_copy = await world.join("c", await world.ticket())
            world.connected.add(full_copy.founded.key.cell_id)
            await asyncio.sleep(0.1)
            assert calls == []
            assert _state(world, joined) == "waiting"
            world.connected.add(joined.founded.key.cell_id)
            await until(lambda: _state(world, joined) == "proposed")
            await asyncio.sleep(0.1)
            assert calls == [MemberChange("add", joined.founded.key.cell_id, 3, "dora")] * 2
        finally:
            service.cancel()

    _run(tmp_path, talk)


def test_a_revoked_ticket_proposes_nobody_and_a_member_is_not_proposed(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        revoked = await world.ticket(VOTER)
        joined = await world.join("b", revoked)
        await world.invites.revoke(revoked.id)
        world.connected.add(joined.founded.key.cell_id)
        member = await world.ticket(VOTER)
        Home(tmp_path / "m").make()
        keystore.create(Home(tmp_path / "m").key, KEYS[2].seed)
        again = await world.join("m", member)
        world.connected.add(KEYS[2].cell_id)

        async def propose(*_: object, **__: object) -> ReceiptView:
            raise AssertionError("proposed")

        service = asyncio.create_task(world.invites.run(propose))
        await until(lambda: uses(world.store, member.id)[0].problem is not None)
        assert _state(world, again) == "voting"
        assert _state(world, joined) == "waiting"
        service.cancel()

    _run(tmp_path, talk)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "x" * 65}, BadOption),
        ({"name": "\x1b"}, BadOption),
        ({"name": "x", "uses_max": 2}, BadOption),
        ({"weight": 0}, BadOption),
        ({"expires_s": 0}, BadOption),
        ({"expires_s": 31 * 86_400}, BadOption),
        ({"uses_max": 101}, BadOption),
        ({"addresses": ("nonsense",)}, NotAMultiaddr),
        ({"addresses": tuple(f"/ip4/1.2.3.4/tcp/{port}" for port in range(1, 8))}, NothingToDial),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    tmp_path: Path, change: dict[str, object], error: type[MyceldError]
) -> None:
    async def talk(world: World) -> None:
        with pytest.raises(error):
            await world.invites.create(replace(WISH, **change))  # type: ignore[arg-type]  # a table
        assert world.invites.shown() == []

    _run(tmp_path, talk)


def test_addresses_that_were_given_come_first(tmp_path: Path) -> None:
    async def talk(world: World) -> None:
        (own,) = world.peers.host.addresses
        given = ("/ip4/203.0.113.7/tcp/4710", f"/dns/a.example/tcp/1/p2p/{KEYS[0].cell_id}")
        ticket = await world.ticket(replace(WISH, addresses=given))
        assert ticket.addresses == (
            "/ip4/203.0.113.7/tcp/4710",
            "/dns/a.example/tcp/1",
            own.partition("/p2p/")[0],
        )

    _run(tmp_path, talk)


def test_a_ticket_tells_addresses_from_afar_first_and_loopback_only_if_there_is_no_other() -> None:
    p2p = f"/p2p/{KEYS[0].cell_id}"
    loopback, site, world = "/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip6/2001:4860::7/tcp/1"
    told = module.told_addresses([loopback + p2p, site + p2p, world + p2p, site + p2p])
    assert told == [world, site]
    assert module.told_addresses([loopback + p2p]) == [loopback]
    assert module.told_addresses([f"/dns/{'a.' * 70}example/tcp/1{p2p}", site + p2p]) == [site]


def test_a_cell_without_a_vote_invites_full_copies_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with _world(tmp_path, key=NEWCOMERS[0]) as world:
            with pytest.raises(NoVoteToPropose):
                await world.ticket(VOTER)
            assert (await world.join("b", await world.ticket())).votes is False

    run(main())


def test_tickets_are_bounded_and_the_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INVITES_MAX", 3)

    async def talk(world: World) -> None:
        for _ in range(3):
            await world.ticket()
        with pytest.raises(TooManyInvites):
            await world.ticket()
        world.clock_ns[0] += 31 * 86_400 * 10**9
        await world.ticket()
        assert len(world.invites.shown()) == 1

    _run(tmp_path, talk)


def test_the_secret_is_nowhere_in_the_store(tmp_path: Path) -> None:
    secrets: list[bytes] = []

    async def talk(world: World) -> None:
        ticket = await world.ticket()
        secrets.extend([ticket.secret, format_ticket(ticket).encode()])
        await world.join("b", ticket)

    _run(tmp_path, talk)
    for path in tmp_path.glob("inviter.db*"):
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets)


async def _listen(stream: PeerStream) -> None:
    """Hear everything, and say nothing."""
    while await stream.read(timeout_s=PATIENCE_S):
        pass


class _Stranger:
    """Sends whatever it likes to the inviter of a ticket."""

    def __init__(self, ticket: Ticket) -> None:
        self._address = ticket.dial_addresses[0]
        seed = NEWCOMERS[1].seed
        self._host = Host(HostConfig(seed, ("/ip4/127.0.0.1/tcp/0",), INVITE_PROTOCOL), _nothing)

    async def __aenter__(self) -> Self:
        await self._host.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._host.stop()

    async def say(self, data: bytes) -> str:
        """Return the name of the refusal, or `lost`."""
        stream: PeerStream = await self._host.dial(self._address, timeout_s=PATIENCE_S)
        async with stream:
            if data:
                await stream.write(data, timeout_s=PATIENCE_S)
            newcomer = Newcomer(
                Ticket(NetworkId(bytes(32)), KEYS[0].public_key, bytes(16), 0, ("/",)),
                cell_id_of(NEWCOMERS[1].public_key),
                "",
                bytes(16),
            )
            try:
                newcomer.answer_commit(await _message(stream))
            except MyceldError as error:
                ended = "ended" in str(error) or not isinstance(error, _REFUSALS)
                return "lost" if ended else type(error).__name__
        raise AssertionError("a stranger got an answer")


async def _message(stream: PeerStream) -> bytes:
    """Return the body of the next message, whatever patience the inviter has."""
    data = b""
    while len(data) < LENGTH_SIZE_BYTES or len(data) < LENGTH_SIZE_BYTES + body_size(
        data[:LENGTH_SIZE_BYTES]
    ):
        part = await stream.read(timeout_s=PATIENCE_S)
        if not part:
            raise errors.InviteBroken("the inviter ended the exchange")
        data += part
    return data[LENGTH_SIZE_BYTES:]


_REFUSALS = (errors.InviteBroken, errors.InviterBusy)


def _receipt() -> ReceiptView:
    return ReceiptView(
        id="ab" * 32,
        stage="stored",
        stages_ns={},
        outcome=None,
        refusal=None,
        kind=None,
        sender=None,
        nonce=None,
        round=None,
        position=None,
        consensus_time_ns=None,
        event=None,
    )


def _state(world: World, joined: Joined) -> str:
    return next(
        use.state
        for view in world.invites.shown()
        for use in view.uses
        if use.cell_id == joined.founded.key.cell_id
    )
