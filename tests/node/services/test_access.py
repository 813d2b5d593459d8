"""A cell below a policy's level is denied on every route that it covers, and the audit says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from core.errors import MyceldError
from core.ids import Epoch, Hash, Round, Signature
from identity.audit import AUDIT_JOURNAL, Outcome
from identity.errors import ChallengeRefused
from identity.messages.chat import Chat, encode_chat, make_room
from identity.messages.envelope import MessageType
from identity.messages.errors import MessageDenied
from identity.trust import Level
from identity.trust.policy import NEEDS, SCORES
from identity.trust.shown import Asked
from journal import Store
from ledger.diagnosis import (
    AskHeader,
    AskReceipts,
    AskValue,
    ProofGiven,
    Question,
    ReceiptsGiven,
)
from ledger.errors import NoProof
from ledger.proof import encode_proof
from ledger.succession import Origin, Succession, origin_key, present_key, rotated_key
from ledger.transfer.wire import AskLinks, Denied, FrameBodies, decode_answer, encode_ask
from node.access import Access
from node.diagnosis import Inquiry
from node.errors import (
    AccessDenied,
    ContentRefused,
    DescriptionRefused,
    InteractionRefused,
    InteractionsNotShown,
    NetworkUnreachable,
    ProofNeeded,
)
from node.genesis_service import fetch_genesis
from node.invite_tables import INVITE_SCHEMA
from node.keyring import reader_of
from node.lines import Lines
from node.message_tables import MessageRow
from node.requests import REQUESTS
from node.services.audit import AuditTrail
from node.tables import SCHEMA
from node.transfer_serving import transfer_protocol
from node.trust_scopes import TrustScopes
from tests.ledger.proof_world import VALUE_KEY, sample_proofs
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS
from tests.node.services.bodies import (
    CONTENT,
    CONTENT_HASH,
    GUARD,
    STRANGER,
    Body,
    started,
)
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("patient")

TOLD = b"a transaction"


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
    assert session.cell == guard.key.public_key
    return None


async def _gossip(guard: Body, stranger: Body) -> str | None:
    info = stranger.peers.infos
    here = guard.cell_id
    await until(
        lambda: (
            stranger.cell_id in guard.peers.connected()
            or bool(here in info and info[here].last_error)
        )
    )
    error = info[here].last_error or ""
    return "MYC-NODE-401" if "MYC-NODE-401" in error else None


async def _genesis(guard: Body, _stranger: Body) -> str | None:
    try:
        assert await fetch_genesis(NEWCOMERS[1].seed, [guard.address]) == GENESIS
    except NetworkUnreachable as error:
        return "MYC-NODE-401" if "MYC-NODE-401" in error.detail else error.detail
    return None


async def _checkpoint(guard: Body, stranger: Body) -> str | None:
    protocol = transfer_protocol(GENESIS.network_id)
    stream = await stranger.peers.host.dial(guard.address, timeout_s=PATIENCE_S, protocol=protocol)
    async with stream:
        await stream.write(encode_ask(AskLinks(Epoch(0))), timeout_s=PATIENCE_S)
        bodies: list[bytes] = []
        frames = FrameBodies()
        while not bodies:
            data = await stream.read(timeout_s=PATIENCE_S)
            assert data, "the stream ended without an answer"
            bodies += frames.feed(data)
    answer = decode_answer(bodies[0])
    return answer.code if isinstance(answer, Denied) else None


def _diagnosis(question: Question) -> Callable[[Body, Body], Awaitable[str | None]]:
    async def ask(guard: Body, stranger: Body) -> str | None:
        await until(lambda: guard.cell_id in stranger.peers.connected())
        async with Inquiry(stranger.peers, guard.cell_id, GENESIS.network_id) as inquiry:
            try:
                answer = await inquiry._ask(question)
            except NoProof as error:
                return error.detail.rpartition(" ")[2]
        proofs = sample_proofs()
        match question:
            case AskHeader():
                assert answer == ProofGiven(encode_proof(proofs["header"]))
            case AskReceipts():
                assert answer == ReceiptsGiven(())
            case AskValue():
                assert answer == ProofGiven(encode_proof(proofs["value"]))
        return None

    return ask


async def _content(guard: Body, stranger: Body) -> str | None:
    try:
        body = await stranger.contents._fetch_from(guard.address, CONTENT_HASH, len(CONTENT))
    except ContentRefused as error:
        return error.detail
    assert body == CONTENT
    return None


async def _interaction(guard: Body, stranger: Body) -> str | None:
    digest = Hash(b"d" * 32)
    guard.interactions.took_part(stranger.cell_id, digest)
    try:
        await stranger.interactions.sign_with(guard.cell_id, digest)
    except InteractionRefused as error:
        return error.detail
    return None


async def _interactions(guard: Body, stranger: Body) -> str | None:
    try:
        await stranger.shown.ask(guard.cell_id, Asked(NEWCOMERS[1].public_key, 1))
    except InteractionsNotShown as error:
        return error.detail
    return None


async def _describe(guard: Body, stranger: Body) -> str | None:
    try:
        found = await stranger.identity.describe(guard.cell_id)
    except DescriptionRefused as error:
        return error.detail.rpartition(" ")[2]
    assert found.metadata == (("a", "b"),)
    return None


async def _prove(guard: Body, stranger: Body) -> str | None:
    try:
        await stranger.identity.prove(guard.cell_id)
    except ChallengeRefused as error:
        return error.detail
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
    "message: EnvelopeFrame: chat": ("chat", _chat, MessageDenied),
    "message: EnvelopeFrame: chat of a new room": ("room-join", _room, MessageDenied),
    "message: EnvelopeFrame: auth": ("auth", _auth, MessageDenied),
    "message: EnvelopeFrame: tx": ("tx-forward", _tx, MessageDenied),
    "message: EnvelopeFrame: post": ("post", _post, MessageDenied),
    "message: EnvelopeFrame: query": ("query", _query, MessageDenied),
    "message: EnvelopeFrame: exec": ("exec", _exec, MessageDenied),
    "message: Keep": ("message-relay", _keep, MessageDenied),
    "gossip: Hello": ("gossip", _gossip, AccessDenied),
    "gossip: Forward": ("tx-forward", _forward, AccessDenied),
    "journal: Follow": ("journal-read", _follow("state"), AccessDenied),
    "journal: Follow (what the cell itself did)": (
        "journal-read-private",
        _follow(AUDIT_JOURNAL),
        AccessDenied,
    ),
    "transfer: AskLinks": ("checkpoint-read", _checkpoint, AccessDenied),
    "diagnosis: AskHeader": ("checkpoint-read", _diagnosis(AskHeader(Round(1))), AccessDenied),
    "diagnosis: AskReceipts": (
        "checkpoint-read",
        _diagnosis(AskReceipts(Round(1), 0)),
        AccessDenied,
    ),
    "diagnosis: AskValue": (
        "checkpoint-read",
        _diagnosis(AskValue(VALUE_KEY, Round(1))),
        AccessDenied,
    ),
    "identity: challenge": ("identity-challenge", _challenge, AccessDenied),
    "identity: prove": ("identity-challenge", _prove, AccessDenied),
    "identity: describe": ("cell-info", _describe, AccessDenied),
    "content: content by its hash": ("blob-fetch", _content, AccessDenied),
    "interaction: an offer to sign": ("interaction", _interaction, AccessDenied),
    "interactions: interactions with a cell": ("interaction-read", _interactions, AccessDenied),
    "/myceld/genesis/1: the genesis": ("genesis-read", _genesis, AccessDenied),
}
SAME_DOOR: Final = frozenset(
    {"transfer: AskHeaders", "transfer: AskReceipts", "transfer: AskPiece"}
)
"""Asked on the streams that AskLinks is; it is the stream that is let in."""


def test_every_request_that_asks_the_policy_is_driven_here() -> None:
    asking = {f"{one.protocol}: {one.ask}": one.row for one in REQUESTS if one.row}
    assert asking.keys() == ROUTES.keys() | SAME_DOOR
    assert {ask: row for ask, (row, _, _) in ROUTES.items()}.items() <= asking.items()
    assert {row for row, _, _ in ROUTES.values()} == set(NEEDS)


@pytest.mark.parametrize("route", ROUTES)
def test_below_the_level_a_cell_is_denied_and_the_audit_says_so_and_at_it_it_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    monkeypatch.setattr("node.services.audit.now_ms", lambda: 0)  # all of it is one minute
    request, attempt, error = ROUTES[route]
    level = max(NEEDS[request], Level.READ_ONLY)
    needs = {**dict.fromkeys(NEEDS, "none"), request: level.word}

    async def run(folder: str, score: float) -> tuple[str | None, Body]:
        (tmp_path / folder).mkdir()
        guard = Body(tmp_path / folder, GUARD, needs)
        stranger = Body(tmp_path / folder, STRANGER, dict.fromkeys(NEEDS, "none"))
        guard.given = score
        async with started(guard, stranger):
            code = await attempt(guard, stranger)
            refused = await guard.refused()
            if score < SCORES[level]:
                (act,) = [act for act in refused if act.action == request]
                asking = NEWCOMERS[1] if attempt is _genesis else STRANGER
                assert (act.actor, act.key) == (f"cell:{asking.cell_id}", asking.public_key)
                assert (act.outcome, act.code) == (Outcome.REFUSED, AccessDenied.code)
                assert f"needs {level.word} access" in act.reason
                assert not guard.forwarded
            else:
                # Who has to prove its key first is told so, does, and is let in.
                assert {act.code for act in refused} <= {ProofNeeded.code}
            return code, guard

    code, _ = asyncio.run(run("denied", SCORES[level] - 0.0001))
    assert code == error.code
    code, _ = asyncio.run(run("allowed", SCORES[level]))
    assert code is None


def test_members_follow_and_catch_up_whatever_anybody_thinks_of_them(tmp_path: Path) -> None:
    async def story() -> None:
        needs = {"gossip": "full", "checkpoint-read": "full"}
        guard, member = Body(tmp_path, GUARD, needs), Body(tmp_path, KEYS[1], {})
        guard.given = 1e-9
        async with started(guard, member):
            assert await _gossip(guard, member) is None
            assert await _checkpoint(guard, member) is None
            assert await guard.refused() == []

    asyncio.run(story())


def test_a_session_ends_when_its_cell_may_no_longer_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.peers.ACCESS_CHECK_S", 0.05)

    async def story() -> None:
        guard, stranger = (
            Body(tmp_path, GUARD, {"gossip": "read-only"}),
            Body(tmp_path, STRANGER, {}),
        )
        guard.given = 0.3
        async with started(guard, stranger):
            await until(lambda: stranger.cell_id in guard.peers.connected())
            guard.given = 0.2
            await until(lambda: stranger.cell_id not in guard.peers.connected())
            assert AccessDenied.code in (guard.peers.infos[stranger.cell_id].last_error or "")

    asyncio.run(story())


def test_a_journal_is_shown_no_longer_than_its_reader_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.follows.ACCESS_CHECK_S", 0.05)

    async def story() -> None:
        guard, stranger = Body(tmp_path, GUARD, {}), Body(tmp_path, STRANGER, {})
        guard.given = 0.9
        async with started(guard, stranger):
            assert await _follow(AUDIT_JOURNAL)(guard, stranger) is None
            guard.given = 0.8
            await until(lambda: AccessDenied.code in (stranger.follows.views()[0].last_error or ""))

    asyncio.run(story())


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
            trust = TrustScopes(store, key.public_key, lambda: Round(0), lines=lines)
            access = Access(store, trust, lambda: GENESIS.roster, audit, lambda *_: False)
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
