"""The message service over real hosts on loopback: once, in order, sealed, through restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId
from gateway.errors import NoSuchMessage, NoSuchRoom
from gossip.host import PeerStream
from identity.messages.envelope import MessageType, encode_envelope, sent_block
from identity.messages.errors import BodyTooLong, MessageDenied
from identity.messages.limits import BODY_SIZE_BYTES_MAX
from identity.messages.proof import encode_proof
from identity.messages.wire import EnvelopeFrame, FrameReader, encode_frame
from node.errors import MessageNotStored, ToItself
from node.message_tables import Wanted
from node.services import message_desk
from node.services.message import message_protocol
from node.session import now_ms
from tests.fuzz.mutations import Form, Mutator
from tests.identity.messages.world import TEXT, enveloped, header, proof_in, signed
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS
from tests.node.services.world import MessageCell, texts_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("patient")

SECRET = "the treasure is below the old oak"  # noqa: S105 - a text that nobody shall see


def run(tmp: Path, talk: Callable[..., Awaitable[None]], count: int = 2) -> None:
    """Run some cells that know each other's addresses."""

    async def main() -> None:
        keys = [*KEYS, *NEWCOMERS]
        cells = [MessageCell(tmp, keys[at]) for at in range(count)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for cell in cells:
                    await cell.start()
                for cell in cells:
                    cell.meet(*(other for other in cells if other is not cell))
                await talk(*cells)
        finally:
            for cell in cells:
                await cell.stop()

    asyncio.run(main())


def test_a_message_arrives_and_its_sender_learns_how_far_it_came(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        (sent,) = await alice.chat(bob, SECRET)
        assert (sent.status, sent.id) == ("queued", 0)
        await alice.until_status(sent.id, "delivered")
        (row,) = await bob.received()
        assert texts_of([row]) == [SECRET]
        assert (row.cell, row.number, row.origin, row.status) == (
            alice.cell_id,
            1,
            sent.id,
            "delivered",
        )
        await bob.messages.mark_read(row.id)
        await alice.until_status(sent.id, "read")
        assert (await bob.messages.message(row.id)).status == "read"

    run(tmp_path, talk)


def test_both_ends_may_talk_at_once(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        there = [f"from alice {at}" for at in range(100)]
        back = [f"from bob {at}" for at in range(100)]
        await asyncio.gather(alice.chat(bob, *there), bob.chat(alice, *back))
        await alice.until(lambda: alice.messages.desk.inbox(bob.cell_id).taken == 100)
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken == 100)
        assert texts_of(await bob.received()) == there
        assert texts_of(await alice.received()) == back

    run(tmp_path, talk)


def test_a_receiver_that_is_away_and_a_sender_that_restarts_lose_nothing(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        texts = [f"message {at}" for at in range(1000)]
        await alice.chat(bob, *texts[:300])
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken > 0)
        await bob.stop()
        await alice.chat(bob, *texts[300:700])
        await alice.stop()
        await alice.start()
        await alice.chat(bob, *texts[700:])
        await bob.start()
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken == 1000)
        assert texts_of(await bob.received()) == texts
        (last,), _ = await alice.messages.messages(Wanted(way="sent"), offset=0, limit=1)
        await alice.until_status(last.id, "delivered")

    run(tmp_path, talk)


def test_a_relay_keeps_sealed_messages_for_a_cell_that_is_away_and_hands_them_over(
    tmp_path: Path,
) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, relay: MessageCell) -> None:
        await bob.stop()
        alice.linked.add(relay.cell_id)
        sent = await alice.chat(bob, *(f"{SECRET} {at}" for at in range(100)))
        await alice.until_status(sent[-1].id, "sent")
        await relay.until(lambda: len(relay.messages.desk.keeping) == 100)
        await alice.stop()
        await bob.start()
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken == 100)
        assert texts_of(await bob.received()) == [f"{SECRET} {at}" for at in range(100)]
        await relay.until(lambda: len(relay.messages.desk.keeping) == 0)
        assert SECRET.encode() not in everything_on_disk(relay)
        bob.known.clear()
        await bob.stop()
        await alice.start()  # only the relay can tell it now
        await alice.until_status(sent[-1].id, "delivered")

    run(tmp_path, talk, count=3)


def test_a_relay_that_restarts_still_has_what_it_said_it_keeps(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, relay: MessageCell) -> None:
        await bob.stop()
        alice.linked.add(relay.cell_id)
        (sent,) = await alice.chat(bob, SECRET)
        await alice.until_status(sent.id, "sent")
        await alice.stop()
        await relay.stop()
        await bob.start()
        await relay.start()
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken == 1)
        assert texts_of(await bob.received()) == [SECRET]

    run(tmp_path, talk, count=3)


def test_cells_without_a_vote_may_talk_but_have_nothing_kept_and_nothing_run(
    tmp_path: Path,
) -> None:
    async def talk(*cells: MessageCell) -> None:
        member, stranger = cells[0], cells[4]
        (sent,) = await stranger.chat(member, "hello")
        await stranger.until_status(sent.id, "delivered")
        asked = await stranger.messages.send(member.cell_id, MessageType.TX, b"pay")
        failed = await stranger.until_status(asked.id, "failed")
        assert failed.why == MessageDenied.code
        (after,) = await stranger.chat(member, "still there?")
        await stranger.until_status(after.id, "delivered")
        assert texts_of(await member.received()) == ["hello", "still there?"]

    run(tmp_path, talk, count=5)


def test_a_cell_without_a_vote_waits_until_somebody_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_desk, "MESSAGE_STRANGER_UNREAD_BYTES_MAX", 1500)

    async def talk(*cells: MessageCell) -> None:
        member, stranger = cells[0], cells[4]
        sent = await stranger.chat(member, "one", "two", "three")
        await stranger.until_status(sent[1].id, "delivered")
        assert (await stranger.messages.message(sent[2].id)).status == "sent"
        await member.messages.mark_read((await member.received())[1].id)
        await stranger.until_status(sent[2].id, "delivered")

    run(tmp_path, talk, count=5)


def test_what_expires_is_reported_and_holds_up_nothing(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await bob.stop()
        lost = await alice.messages.chat(bob.cell_id, "too late", expires_ms=50)
        kept = await alice.messages.chat(bob.cell_id, "in time")
        assert (await alice.until_status(lost.id, "failed")).why == "MYC-IDENTITY-308"
        await bob.start()
        await alice.until_status(kept.id, "delivered")
        assert texts_of(await bob.received()) == ["in time"]

    run(tmp_path, talk)


def test_an_older_copy_of_a_directory_is_told_and_goes_on(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await alice.stop()
        copy = alice.path.read_bytes()
        await alice.start()
        await alice.chat(bob, "one", "two")
        await bob.until(lambda: bob.messages.desk.inbox(alice.cell_id).taken == 2)
        await alice.stop()
        for path in alice.path.parent.glob(f"{alice.path.name}*"):
            path.unlink()
        alice.path.write_bytes(copy)
        await alice.start()
        (lost,) = await alice.chat(bob, "another one")
        assert (await alice.until_status(lost.id, "failed")).why == "MYC-IDENTITY-306"
        (sent,) = await alice.chat(bob, "another one")
        await alice.until_status(sent.id, "delivered")
        assert texts_of(await bob.received()) == ["one", "two", "another one"]

    run(tmp_path, talk)


def test_a_room_is_heard_by_its_members_and_changed_by_them(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, carol: MessageCell) -> None:
        room = await alice.messages.create_room("garden", [bob.cell_id])
        await bob.until(lambda: bool(bob.messages.desk.rooms))
        await bob.messages.change_room(room.id, add=[carol.cell_id])
        await carol.until(lambda: bool(carol.messages.desk.rooms))
        await carol.messages.say(room.id, "what a nice place")
        for cell in (alice, bob):
            desk = cell.messages.desk
            await cell.until(lambda desk=desk: desk.inbox(carol.cell_id).taken == 1)  # type: ignore[misc]  # a bound default
            (row,) = [row for row in await cell.received() if row.cell == carol.cell_id]
            assert (texts_of([row]), row.room) == (["what a nice place"], room.id)
        await carol.messages.change_room(room.id, leave=True)
        await alice.until(lambda: alice.messages.desk.inbox(carol.cell_id).taken == 2)
        assert set(alice.messages.room(room.id).member_ids) == {alice.cell_id, bob.cell_id}
        with pytest.raises(NoSuchRoom):
            await carol.messages.say(room.id, "one more thing")

    run(tmp_path, talk, count=3)


def test_what_can_not_be_sent_is_refused_at_once(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        for to, body, error in (
            (alice.cell_id, b"", ToItself),
            (bob.cell_id, bytes(BODY_SIZE_BYTES_MAX + 1), BodyTooLong),
            (CellId("nobody"), b"", MyceldError),
        ):
            with pytest.raises(error):
                await alice.messages.send(to, MessageType.AUTH, body)
        with pytest.raises(NoSuchMessage):
            await alice.messages.message(0)
        (sent,) = await alice.chat(bob, "fine")
        assert (sent.id, sent.number) == (0, 1)

    run(tmp_path, talk)


def message_of_eve() -> bytes:
    head = header(sender=KEYS[3], receiver=KEYS[0], kind=MessageType.AUTH)
    head = replace(head, network_id=GENESIS.network_id)
    return enveloped(signed(head, by=KEYS[3]), key=KEYS[3])


def each_bit_flipped(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def test_no_changed_message_on_a_stream_comes_into_the_journal(tmp_path: Path) -> None:
    """Each flipped bit, and ten thousand inputs of the fuzzer: taken apart, spliced, cut."""
    good = message_of_eve()
    other = enveloped(signed(header(2, replay_id=b"q" * 16)), before=2)
    mutator = Mutator("arrivals", (good, good, other), Form.MSGPACK, size_bytes_max=1 << 16)
    changed = (mutator.draw() for _ in range(10_000))

    async def talk(bob: MessageCell, eve: MessageCell) -> None:
        arrivals, desk = bob.messages._arrivals, bob.messages.desk
        link = FakeLink(eve.cell_id)
        wrong = refused = 0
        for data in chain(each_bit_flipped(good), changed):
            if data == good:
                continue
            wrong += 1
            try:
                await arrivals.take(link, [EnvelopeFrame(data)])  # type: ignore[arg-type]  # as much of a link as is used
            except RemoteViolation:
                refused += 1
            assert desk.journal.length == 0, data.hex()
        assert wrong > 10_000 + 8 * 700
        assert refused <= desk.refused == wrong
        assert await bob.received() == []

    run(tmp_path, talk)


def test_a_message_that_comes_again_is_not_taken_again_not_even_after_a_restart(
    tmp_path: Path,
) -> None:
    async def talk(bob: MessageCell, eve: MessageCell) -> None:
        for _ in range(3):
            for _ in range(3):
                await bob.messages._arrivals.take(
                    FakeLink(eve.cell_id),  # type: ignore[arg-type]  # as much of a link as is used
                    [EnvelopeFrame(message_of_eve())],
                )
            assert bob.messages.desk.journal.length == 1
            (row,) = await bob.received()
            assert row.body == TEXT
            await bob.stop()
            await bob.start()

    run(tmp_path, talk)


def test_a_peer_that_forges_loses_its_stream_and_counts_as_hostile(tmp_path: Path) -> None:
    async def talk(bob: MessageCell, eve: MessageCell) -> None:
        head = replace(header(sender=KEYS[1], receiver=KEYS[0]), network_id=GENESIS.network_id)
        message = signed(head, by=KEYS[1])
        forged = proof_in([sent_block(message)], 0, KEYS[2])
        stream = await eve.peers.host.dial(
            bob.address, timeout_s=PATIENCE_S, protocol=message_protocol(GENESIS.network_id)
        )
        frame = EnvelopeFrame(encode_envelope(message, encode_proof(forged)))
        await stream.write(encode_frame(frame), timeout_s=PATIENCE_S)
        with suppress(MyceldError):
            assert await stream.read(timeout_s=PATIENCE_S) == b""
        await until(lambda: bob.peers.conduct.standings.points(eve.cell_id, now_ms()) > 0)
        assert bob.messages.desk.journal.length == 0

    run(tmp_path, talk)


def test_the_wire_shows_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written to streams, below which Noise encrypts it once more."""
    written: list[bytes] = []
    original = PeerStream.write

    async def write(stream: PeerStream, data: bytes, *, timeout_s: float) -> None:
        written.append(bytes(data))
        await original(stream, data, timeout_s=timeout_s)

    monkeypatch.setattr(PeerStream, "write", write)

    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        room = await alice.messages.create_room("conspirators", [bob.cell_id])
        (sent,) = await alice.messages.say(room.id, SECRET)
        await alice.until_status(sent.id, "delivered")
        capture = b"".join(written)
        assert len(capture) > 500
        assert SECRET.encode() not in capture
        assert b"conspirators" not in capture
        blocks = [block async for block in bob.messages.desk.journal.read()]
        assert not any(SECRET.encode() in block for block in blocks)
        sizes = {len(frame.envelope) for frame in frames_in(capture)}
        assert len(sizes) <= 4  # the bucket, the proof's hashes and the head's numbers show

    run(tmp_path, talk)


class FakeLink:
    """As much of a stream as those who take messages use."""

    def __init__(self, cell_id: CellId) -> None:
        self.cell_id = cell_id

    def send(self, frame: object) -> None:
        """Lose it."""

    def wake(self) -> None:
        """Nothing sleeps."""


def frames_in(capture: bytes) -> list[EnvelopeFrame]:
    """The envelopes among what both ends wrote; each write holds whole frames."""
    return [frame for frame in FrameReader().feed(capture) if isinstance(frame, EnvelopeFrame)]


def everything_on_disk(cell: MessageCell) -> bytes:
    return b"".join(path.read_bytes() for path in cell.path.parent.glob(f"{cell.path.name}*"))


def test_who_waits_for_a_message_to_be_journaled_is_told_when_the_cell_stops(
    tmp_path: Path,
) -> None:
    """A client had no answer, and the log a traceback."""

    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        store, begun = alice.store, asyncio.Event()

        async def never(*_: object, **__: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        store.commit = never  # type: ignore[method-assign, assignment]  # its disk is slow
        sending = [asyncio.create_task(alice.messages.chat(bob.cell_id, "hello"))]
        await begun.wait()
        sending.append(asyncio.create_task(alice.messages.chat(bob.cell_id, "hello again")))
        await asyncio.sleep(0)
        await alice.stop()
        for one in sending:
            with pytest.raises(MessageNotStored):
                await one
        with pytest.raises(MessageNotStored):
            await alice.messages.chat(bob.cell_id, "too late")

    run(tmp_path, talk)
