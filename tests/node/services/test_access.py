"""A cell below a policy's level is denied on every route that it covers, and the audit says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from core.errors import MyceldError
from core.ids import CellId, Round, Signature
from gossip.discovery.book import AddressBook
from gossip.host import HostConfig
from gossip.wire import Forward
from identity.audit import AUDIT_JOURNAL, Act, Outcome
from identity.errors import ChallengeRefused
from identity.keys import KeyPair
from identity.messages.chat import Chat, encode_chat, make_room
from identity.messages.envelope import MessageType
from identity.messages.errors import MessageDenied
from identity.trust import Level, policy_of
from identity.trust.policy import NEEDS
from journal import Store
from journal.replication import Copies
from ledger.roster import Roster
from ledger.succession import Origin, Succession, origin_key, present_key, rotated_key
from node.access import Access, MessageAccess
from node.errors import AccessDenied
from node.follows import Follows
from node.inbox import ConsensusInbox
from node.invite_tables import INVITE_SCHEMA
from node.keyring import reader_of
from node.lines import Lines
from node.message_tables import MESSAGE_SCHEMA, MessageRow
from node.peers import Peers, PeersConfig, PeersLinks
from node.services.audit import AuditTrail, Wanted
from node.services.identity import IdentityService
from node.services.message import Messages
from node.services.message_desk import Owner
from node.services.nucleus import Nucleus
from node.tables import SCHEMA
from node.trust_view import TrustView
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS
from tests.node.silent import SilentIntroducer

GUARD, STRANGER = KEYS[0], NEWCOMERS[0]
TOLD = b"a transaction"


class Body:
    """A cell of which only what other cells may ask runs, over a real host on loopback."""

    def __init__(self, tmp: Path, key: KeyPair, needs: dict[str, str]) -> None:
        self.key, self.cell_id = key, key.cell_id
        self.path = tmp / f"{key.cell_id}.db"
        self.policy = policy_of(needs=needs)
        self.forwarded: list[bytes] = []
        self.port = 0

    async def start(self, group: asyncio.TaskGroup) -> None:
        key = self.key
        self.store = await Store.open(self.path, signer=key.sign, cell_id=key.cell_id)
        store = self.store
        await store.create_tables(SCHEMA + INVITE_SCHEMA + MESSAGE_SCHEMA)
        await (await store.journal("state")).append(b"a header")
        self.audit = await AuditTrail.open(store, key.public_key)
        self.audit.local("start")
        await self.audit.flush()
        nucleus = Nucleus(store, self.audit)
        lines = Lines(reader_of(store))
        trust = TrustView(store, key.public_key, lambda: Round(0), self.policy, lines=lines)
        self.access = access = Access(store, trust, lambda: GENESIS.roster, self.audit)
        host = HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/myceld/test/1")
        roster: Roster = GENESIS.roster
        config = PeersConfig(host, GENESIS.network_id, GENESIS.rule_set, roster)
        links = PeersLinks(
            ConsensusInbox(), asyncio.Queue(8), list, self._save, self._take, SilentIntroducer()
        )
        self.peers = peers = Peers(config, links, AddressBook(self.cell_id))
        self.follows = Follows(store, await Copies.open(store), self.cell_id, peers, access)
        self.follows.listen(GENESIS.network_id)
        owner = Owner(key, GENESIS.network_id, MessageAccess(access), lines, lambda _: True)
        self.messages = await Messages.open(store, owner, peers)
        self.messages.judge_work(lambda _cell, _kind, _body: True)  # all ask for something
        self.identity = IdentityService(key, GENESIS.network_id, peers, access, nucleus=nucleus)
        (self.address, *_) = await peers.start()
        self.tasks = [
            group.create_task(work)
            for work in (peers.run(), self.messages.run(), self.follows.run())
        ]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.peers.stop()
        await self.store.close()

    def meet(self, other: Body) -> None:
        book = AddressBook(self.cell_id, [other.address])
        self.peers.book._entries.update(book._entries)
        self.peers.seek([other.cell_id])

    async def refused(self) -> list[Act]:
        rows, _ = await self.audit.page(Wanted(100, refused=True))
        return [act for _, act in rows]

    async def _take(self, peer: CellId, forward: Forward) -> None:
        self.access.check("tx-forward", peer)
        self.forwarded += forward.transactions

    async def _save(self, _changes: object) -> None:
        return None


@asynccontextmanager
async def two(tmp: Path, needs: dict[str, str]) -> AsyncIterator[tuple[Body, Body]]:
    """Yield a member that asks for so much, and a stranger that knows its address."""
    guard, stranger = Body(tmp, GUARD, needs), Body(tmp, STRANGER, {})
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        await guard.start(group)
        await stranger.start(group)
        stranger.meet(guard)
        try:
            yield guard, stranger
        finally:
            await stranger.stop()
            await guard.stop()


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.02)


async def _sent(guard: Body, stranger: Body, kind: MessageType, body: bytes) -> str | None:
    """Send a message; return the code for which it failed, None if it was taken."""
    row: MessageRow = await stranger.messages.send(guard.cell_id, kind, body)
    while row.status not in ("delivered", "failed"):
        await asyncio.sleep(0.02)
        row = await stranger.messages.message(row.id)
    return row.why


async def _chat(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.CHAT, encode_chat(Chat("hello")))


async def _room(guard: Body, stranger: Body) -> str | None:
    keys = {guard.key.public_key, stranger.key.public_key}
    chat = Chat("", make_room(b"r" * 16, "den", 1, keys))
    code = await _sent(guard, stranger, MessageType.CHAT, encode_chat(chat))
    assert bool(guard.messages.rooms()) is (code is None)
    return code


async def _keep(guard: Body, stranger: Body) -> str | None:
    """Have the guard keep a message for another member, which is away."""
    answers: list[str | None] = []
    answered = stranger.messages._relay.answered

    def hear(link: object, answer: object) -> None:
        answers.append(getattr(answer, "code", None))
        answered(link, answer)  # type: ignore[arg-type]  # passed on as it came

    stranger.messages._relay.answered = hear  # type: ignore[method-assign]  # to see it
    await until(lambda: guard.cell_id in stranger.peers.connected())
    away = KEYS[1].cell_id
    await stranger.messages.chat(away, "are you there?")
    await until(lambda: bool(answers))
    return answers[0]


async def _forward(guard: Body, stranger: Body) -> str | None:
    await until(lambda: guard.cell_id in stranger.peers.connected())
    assert stranger.peers.forward([TOLD])
    info = stranger.peers.infos[guard.cell_id]
    await until(lambda: bool(guard.forwarded or info.last_error))
    assert guard.cell_id in stranger.peers.connected(), "the session goes on"
    return None if info.last_error is None else info.last_error.partition(":")[0]


def _follow(journal: str) -> Callable[[Body, Body], Awaitable[str | None]]:
    async def follow(guard: Body, stranger: Body) -> str | None:
        await stranger.follows.follow(guard.cell_id, journal)

        def view() -> tuple[int, str | None]:
            (found,) = stranger.follows.views()
            return found.whole, found.last_error

        await until(lambda: view() != (0, None))
        whole, error = view()
        if whole:
            return None
        assert error is not None
        return "MYC-NODE-401" if "MYC-NODE-401" in error else error

    return follow


async def _challenge(guard: Body, stranger: Body) -> str | None:
    try:
        session = await stranger.identity.verify(guard.cell_id)
    except ChallengeRefused as error:
        return error.detail
    assert stranger.identity.session(guard.cell_id) == session
    return None


async def _auth(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.AUTH, b"who are you?")


async def _tx(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.TX, TOLD)


async def _post(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.POST, b"a picture")


async def _query(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.QUERY, b"what is there?")


async def _exec(guard: Body, stranger: Body) -> str | None:
    return await _sent(guard, stranger, MessageType.EXEC, b"do it")


Try = Callable[[Body, Body], Awaitable[str | None]]
ROUTES: Final[dict[str, tuple[str, Try, type[MyceldError]]]] = {
    "chat": ("chat", _chat, MessageDenied),
    "chat of a new room": ("room-join", _room, MessageDenied),
    "auth": ("auth", _auth, MessageDenied),
    "tx in a message": ("tx-forward", _tx, MessageDenied),
    "post": ("post", _post, MessageDenied),
    "query": ("query", _query, MessageDenied),
    "exec": ("exec", _exec, MessageDenied),
    "message to be kept": ("message-relay", _keep, MessageDenied),
    "forwarded transaction": ("tx-forward", _forward, AccessDenied),
    "journal of the network": ("journal-read", _follow("state"), AccessDenied),
    "journal of the cell": ("journal-read-private", _follow(AUDIT_JOURNAL), AccessDenied),
    "challenge": ("identity-challenge", _challenge, AccessDenied),
}
NOT_THERE_YET: Final = frozenset({"ping", "blob-fetch", "journal-write"})
"""Kinds of requests that no route asks yet."""


def test_every_kind_of_request_has_a_route_here() -> None:
    assert {request for request, _, _ in ROUTES.values()} | NOT_THERE_YET == set(NEEDS)


@pytest.mark.parametrize("route", ROUTES)
def test_below_the_level_a_cell_is_denied_and_the_audit_journal_says_so(
    tmp_path: Path, route: str
) -> None:
    request, attempt, error = ROUTES[route]
    everything = dict.fromkeys(NEEDS, "none")

    async def denied() -> None:
        async with two(tmp_path / "denied", {**everything, request: "read-only"}) as cells:
            guard, stranger = cells
            assert await attempt(guard, stranger) == error.code
            (act,) = [act for act in await guard.refused() if act.action == request]
            assert (act.actor, act.key) == (f"cell:{STRANGER.cell_id}", STRANGER.public_key)
            assert (act.outcome, act.code) == (Outcome.REFUSED, AccessDenied.code)
            assert "needs read-only access" in act.reason
            assert not guard.forwarded

    async def allowed() -> None:
        async with two(tmp_path / "allowed", everything) as (guard, stranger):
            assert await attempt(guard, stranger) is None
            assert await guard.refused() == []

    for part in ("denied", "allowed"):
        (tmp_path / part).mkdir()
    asyncio.run(denied())
    asyncio.run(allowed())


def test_members_of_a_new_network_are_limited_and_guests_too_and_strangers_nothing(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        key = GUARD
        async with await Store.open(
            tmp_path / "c.db", signer=key.sign, cell_id=key.cell_id
        ) as store:
            await store.create_tables(SCHEMA + INVITE_SCHEMA)
            audit = await AuditTrail.open(store, key.public_key)
            lines = Lines(reader_of(store))
            trust = TrustView(store, key.public_key, lambda: Round(0), lines=lines)
            access = Access(store, trust, lambda: GENESIS.roster, audit)
            member, guest, nobody = (KEYS[1], NEWCOMERS[0], NEWCOMERS[1])
            sql = "INSERT INTO invite_use VALUES (x'00', ?, 'g', 0, '', NULL, NULL)"
            invite = "INSERT INTO invite VALUES (x'00', x'', x'', 0, '', 1, 1, 0, 0, 0)"
            await store.transaction({}, [(invite, [()]), (sql, [(guest.cell_id,)])])
            level = trust.policy.level
            levels = [level(access.score(one.cell_id)) for one in (member, guest, nobody)]
            assert levels == [Level.LIMITED, Level.LIMITED, Level.NONE]
            assert trust.policy.level(access.score(key.cell_id)) is Level.FULL
            new = NEWCOMERS[2]
            step = Succession(new.public_key, Round(7), Signature(b""), Signature(b""))
            origin = Origin(guest.public_key, guest.public_key, Round(7))
            changes = [
                (rotated_key(guest.public_key), step.encode()),
                (origin_key(new.public_key), origin.encode()),
                (present_key(guest.public_key), bytes(new.public_key)),
            ]
            await store.transaction({}, [("INSERT INTO state VALUES (?, ?)", changes)])
            lines.forget()
            assert level(access.score(new.cell_id)) is Level.LIMITED
            await store.transaction({}, [("UPDATE invite SET revoked = 1", [()])])
            assert access.score(guest.cell_id) == 0

    asyncio.run(story())
