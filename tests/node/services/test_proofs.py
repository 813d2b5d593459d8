"""A proof of a key: given without anybody's doing, for one connection, for an hour, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.ids import public_key_of
from gossip.host import Host, HostConfig, PeerStream
from identity.audit import AUDIT_JOURNAL
from identity.challenge import decode_challenge
from identity.errors import (
    ChallengeNotOurs,
    ChallengeRefused,
    ChallengeReplayed,
    ChallengeUnproven,
)
from identity.exchange import TAKEN, Ask, AskKind, decode_reply, encode_reply
from identity.messages.envelope import MessageType
from identity.messages.errors import ProofWanted
from identity.messages.statements import Refusal, decode_statement
from identity.messages.wire import EnvelopeFrame, FrameReader, StatementFrame, encode_frame
from identity.service_limits import IDENTITY_SESSION_MS
from node.errors import AccessDenied, ProofNeeded
from node.message_tables import MessageRow
from node.services import identity as module
from node.services.identity import identity_protocol
from node.services.message import message_protocol
from node.services.nucleus import wall_ms
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.bodies import GUARD, STRANGER, Body, started
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("patient")

PROTOCOL = identity_protocol(GENESIS.network_id)
Talk = Callable[[Body, Body], Awaitable[None]]


@pytest.fixture(autouse=True)
def _one_proof_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long one takes: who is asked for it again meanwhile begins no other one."""
    monkeypatch.setattr("node.services.message.PROOF_PAUSE_MS", int(PATIENCE_S * 1000))


def run(tmp: Path, talk: Talk, proofs: dict[str, str] | None = None) -> None:
    """Have a guard that trusts everybody, and a stranger."""

    async def story() -> None:
        guard, stranger = Body(tmp, GUARD, {}, proofs=proofs), Body(tmp, STRANGER, {})
        guard.given = stranger.given = 0.95
        async with started(guard, stranger):
            await talk(guard, stranger)

    asyncio.run(story())


async def sent(guard: Body, stranger: Body, kind: MessageType = MessageType.EXEC) -> MessageRow:
    """Send a message, and wait for what becomes of it."""
    row = await stranger.messages.send(guard.cell_id, kind, b"do it")
    while row.status not in ("delivered", "failed"):
        await asyncio.sleep(0.02)
        row = await stranger.messages.message(row.id)
    return row


async def exchange(stream: PeerStream, *parts: bytes) -> tuple[bytes, str]:
    """Send messages of the identity protocol; return the last reply."""
    for part in parts:
        await module._write(stream, part)
    return decode_reply(await module._read(stream, 1024))


def test_a_command_is_taken_after_a_proof_of_which_nobody_hears(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        assert [(await sent(guard, stranger)).status for _ in range(3)] == ["delivered"] * 3
        assert await guard.proofs_taken() == 1, "one proof is good for an hour"
        assert await guard.refused() == [], "a message that waits for its proof is not refused"

    run(tmp_path, talk)


def test_a_proof_is_over_after_an_hour(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        await sent(guard, stranger)
        guard.later_ms = IDENTITY_SESSION_MS - 2 * int(PATIENCE_S * 1000)
        await sent(guard, stranger)
        assert await guard.proofs_taken() == 1
        guard.later_ms = IDENTITY_SESSION_MS
        session = guard.proven._sessions[STRANGER.public_key]
        assert not guard._is_proven(stranger.cell_id, session.channel)
        guard.later_ms = 0
        guard.proven._sessions.clear()  # as time would have it
        stranger.messages._proofs.clear()
        assert (await sent(guard, stranger)).status == "delivered"
        assert await guard.proofs_taken() == 2

    run(tmp_path, talk)


@pytest.mark.parametrize("restarted", ["guard", "stranger"])
def test_a_proof_ends_with_either_process(tmp_path: Path, restarted: str) -> None:
    async def story() -> None:
        guard, stranger = Body(tmp_path, GUARD, {}), Body(tmp_path, STRANGER, {})
        guard.given = stranger.given = 0.95
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for body in (guard, stranger):
                await body.start(group)
            stranger.meet(guard)
            await sent(guard, stranger)
            taken = await guard.proofs_taken()
            body = {"guard": guard, "stranger": stranger}[restarted]
            await body.stop()
            await body.start(group)
            stranger.meet(guard)
            stranger.messages._proofs.clear()  # that was long ago
            assert (await sent(guard, stranger)).status == "delivered"
            assert await guard.proofs_taken() == taken + 1
            for body in (stranger, guard):
                await body.stop()

    asyncio.run(story())


def test_another_process_with_the_same_key_does_not_use_a_proof(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        await stranger.identity.prove(guard.cell_id)
        (tmp_path / "copy").mkdir()
        copy = Body(tmp_path / "copy", STRANGER, {})
        async with asyncio.TaskGroup() as group:
            await copy.start(group)
            copy.meet(guard)
            copy.follows._prove = None  # it can not, or does not want to
            await copy.follows.follow(guard.cell_id, AUDIT_JOURNAL)
            await until(lambda: copy.follows.views()[0].last_error is not None)
            assert ProofNeeded.code in (copy.follows.views()[0].last_error or "")
            await stranger.follows.follow(guard.cell_id, AUDIT_JOURNAL)
            await until(lambda: stranger.follows.views()[0].whole > 0)
            await copy.stop()
        assert await guard.proofs_taken() == 1

    run(tmp_path, talk)


def test_a_journal_is_shown_after_a_proof_of_which_nobody_hears(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        await stranger.follows.follow(guard.cell_id, AUDIT_JOURNAL)
        await until(lambda: stranger.follows.views()[0].whole > 0)
        assert stranger.follows.views()[0].last_error is None
        assert await guard.proofs_taken() == 1

    run(tmp_path, talk)


def test_who_never_proves_its_key_is_refused_in_the_end_and_the_audit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.services.message_unproven.PROOF_PATIENCE_MS", 100)

    async def talk(guard: Body, stranger: Body) -> None:
        stranger.messages._prove = None
        row = await sent(guard, stranger)
        assert (row.status, row.why) == ("failed", ProofWanted.code)
        (act,) = await guard.refused()
        assert (act.action, act.code) == ("exec", ProofNeeded.code)
        assert (await sent(guard, stranger, MessageType.QUERY)).status == "delivered"

    run(tmp_path, talk)


def test_a_policy_can_ask_for_a_proof_of_who_chats_and_for_none_of_who_commands(
    tmp_path: Path,
) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        assert (await sent(guard, stranger)).status == "delivered"
        assert await guard.proofs_taken() == 0
        assert (await sent(guard, stranger, MessageType.QUERY)).status == "delivered"
        assert await guard.proofs_taken() == 1

    run(tmp_path, talk, {"exec": "none", "query": "fresh"})


def test_what_comes_through_another_cell_counts_as_unproven(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        await stranger.identity.prove(guard.cell_id)
        stranger.peers.book._entries.clear()  # it does not reach the guard itself
        stranger.peers.seek([])
        await stranger.messages.send(guard.cell_id, MessageType.EXEC, b"do it")
        desk = stranger.messages.desk
        outbox = desk.outbox(guard.cell_id)
        (envelope,) = await desk.envelopes(outbox, list(outbox))
        (tmp_path / "relay").mkdir()
        relay = Body(tmp_path / "relay", KEYS[1], {})
        async with asyncio.TaskGroup() as group:
            await relay.start(group)
            stream = await relay.peers.host.dial(
                guard.address, timeout_s=PATIENCE_S, protocol=message_protocol(GENESIS.network_id)
            )
            async with stream:
                await stream.write(encode_frame(EnvelopeFrame(envelope)), timeout_s=PATIENCE_S)
                words: list[object] = []
                reader = FrameReader()
                while not any(isinstance(word, Refusal) for word in words):
                    frames = reader.feed(await _some(stream))
                    words += [
                        decode_statement(frame.statement)[0]
                        for frame in frames
                        if isinstance(frame, StatementFrame)
                    ]
            await relay.stop()
        (refusal,) = [word for word in words if isinstance(word, Refusal)]
        assert refusal.code == ProofWanted.code

    run(tmp_path, talk)


def test_an_answer_given_again_proves_nothing(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        host, prover = stranger.peers.host, stranger.identity._prover
        stream = await host.dial(guard.address, timeout_s=PATIENCE_S, protocol=PROTOCOL)
        async with stream:
            challenge, _ = await exchange(stream, Ask(AskKind.PROVE).encode())
            answer = prover.answer(challenge, GUARD.public_key, stream.binding, wall_ms())
            assert await exchange(stream, encode_reply(answer, "")) == (TAKEN, "")
        guard.proven._sessions.clear()
        stream = await host.dial(guard.address, timeout_s=PATIENCE_S, protocol=PROTOCOL)
        async with stream:
            other, _ = await exchange(stream, Ask(AskKind.PROVE).encode())
            assert decode_challenge(other).nonce != decode_challenge(challenge).nonce
            replayed = await exchange(stream, encode_reply(answer, ""))
            assert replayed == (b"", ChallengeUnproven.code)
        with pytest.raises(ChallengeReplayed):
            prover.answer(
                challenge, GUARD.public_key, decode_challenge(challenge).binding, wall_ms()
            )
        assert not guard.proven._sessions

    run(tmp_path, talk)


async def _some(stream: PeerStream) -> bytes:
    data = await stream.read(timeout_s=PATIENCE_S)
    assert data, "the stream ended without an answer"
    return data


def test_who_could_do_no_more_with_a_proof_is_not_challenged(tmp_path: Path) -> None:
    async def talk(guard: Body, stranger: Body) -> None:
        guard.given = 0.2
        with pytest.raises(ChallengeRefused, match=AccessDenied.code):
            await stranger.identity.prove(guard.cell_id)
        assert not guard.proven._open
        (act,) = await guard.refused()
        assert (act.action, act.code) == ("identity-challenge", AccessDenied.code)

    run(tmp_path, talk)


class Middle:
    """Somebody with the keys of both, between their connections: passes on every byte."""

    def __init__(self, verifier: Body, prover: Body) -> None:
        listen, nothing = ("/ip4/127.0.0.1/tcp/0",), "/myceld/test/nothing"
        self._as_verifier = Host(HostConfig(verifier.key.seed, listen, nothing), _nothing)
        self.as_prover = Host(HostConfig(prover.key.seed, listen, nothing), _nothing)
        self.as_prover.set_handler(PROTOCOL, self._relay)
        self._prover = prover
        self.passed = 0

    async def start(self) -> str:
        await self._as_verifier.start()
        (address, *_) = await self.as_prover.start()
        return address

    async def stop(self) -> None:
        await self.as_prover.stop()
        await self._as_verifier.stop()

    async def _relay(self, there: PeerStream) -> None:
        here = await self._as_verifier.dial(
            self._prover.address, timeout_s=PATIENCE_S, protocol=PROTOCOL
        )
        async with here, asyncio.TaskGroup() as group:
            group.create_task(self._pump(there, here))
            group.create_task(self._pump(here, there))

    async def _pump(self, one: PeerStream, other: PeerStream) -> None:
        while data := await one.read(timeout_s=PATIENCE_S):
            self.passed += len(data)
            await other.write(data, timeout_s=PATIENCE_S)
        await other.close()


async def _nothing(_: PeerStream) -> None:
    return None


@pytest.mark.parametrize("names_connections", [True, False])
def test_who_passes_bytes_on_between_two_connections_proves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names_connections: bool,  # noqa: FBT001 - a case
) -> None:
    async def talk(prover: Body, verifier: Body) -> None:
        middle = Middle(verifier, prover)
        address = await middle.start()
        verifier.peers.seek([])
        monkeypatch.setattr(verifier.peers.book, "addresses", lambda _: [address])
        if not names_connections:  # shows that only the name of the connection keeps it out
            monkeypatch.setattr(
                PeerStream,
                "binding",
                property(lambda _: b"b" * 32, lambda _, __: None),
                raising=False,
            )
            session = await verifier.identity.verify(prover.cell_id)
            assert session.cell == public_key_of(prover.cell_id)
        else:
            with pytest.raises(ChallengeRefused, match=ChallengeNotOurs.code):
                await verifier.identity.verify(prover.cell_id)
            assert not verifier.proven._sessions
            (act,) = await prover.refused()
            assert (act.action, act.code) == ("identity-challenge", ChallengeNotOurs.code)
        assert middle.passed > 200, "it was passed on"
        await middle.stop()

    run(tmp_path, talk)
