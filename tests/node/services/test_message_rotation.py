"""Cells that take new keys while messages wait and travel: each arrives once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.ids import CellId
from identity.keys import KeyPair
from identity.messages.envelope import MessageType, decode_block, decode_message
from identity.messages.policy import AllowMembers, Decision, Kind
from identity.messages.wire import EnvelopeFrame, encode_frame
from node.errors import ToItself
from node.message_tables import MessageRow
from node.services.message import message_protocol
from tests.identity.messages.world import enveloped, header, signed
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.world import MessageCell, texts_of
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("patient")

NEXT = tuple(KeyPair(bytes([number]) * 32) for number in range(101, 106))
Talk = Callable[..., Awaitable[None]]


def run(tmp: Path, talk: Talk, count: int = 2) -> None:
    """Run some cells that know each other's addresses."""

    async def main() -> None:
        cells = [MessageCell(tmp, KEYS[at]) for at in range(count)]
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


async def rotated(cell: MessageCell, new: KeyPair, at: int, *others: MessageCell) -> None:
    """Have a cell take its next key, and others learn of it."""
    old = cell.key
    await cell.rotate(new, at)
    for other in others:
        other.learn(old, new, at)
        other.meet(cell)


async def took(cell: MessageCell, count: int) -> list[MessageRow]:
    """Wait until so many messages were taken from a first cell, and return them."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            news = cell.messages.news()
            rows = await cell.received()
            if len(rows) >= count:
                return rows
            await news


def test_what_waits_for_a_cell_that_rotates_is_sealed_anew_and_arrives_once_in_order(
    tmp_path: Path,
) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        old = bob.cell_id
        texts = [f"message {at}" for at in range(600)]
        await alice.chat(bob, *texts[:200])
        await bob.stop()
        sent = await alice.chat(bob, *texts[200:400])
        await rotated(bob, NEXT[0], 7, alice)
        await bob.start()
        for text in texts[400:]:  # to the id that it had
            await alice.messages.chat(old, text)
        rows = await took(bob, 600)
        assert texts_of(rows) == texts
        assert [row.number for row in rows] == list(range(1, 601))
        last = await alice.until_status(sent[-1].id, "delivered")
        block = await alice.messages.desk.journal.get(last.origin)
        anew = decode_message(decode_block(block)[1]).header
        assert (anew.receiver, anew.receiver_since) == (NEXT[0].public_key, 7)
        assert anew.replay_id == last.replay_id
        assert last.origin > last.id

    run(tmp_path, talk)


def test_what_a_cell_wrote_before_it_rotated_is_signed_anew(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        texts = [f"message {at}" for at in range(300)]
        await alice.chat(bob, *texts[:100])
        await bob.stop()
        await alice.chat(bob, *texts[100:200])
        await rotated(alice, NEXT[0], 7, bob)
        await bob.start()
        await alice.chat(bob, *texts[200:])
        rows = await took(bob, 300)
        assert texts_of(rows) == texts
        assert {row.cell for row in rows} == {KEYS[0].cell_id}
        # And back, to the id under which the first of them came.
        sent = await bob.messages.chat(KEYS[0].cell_id, "welcome")
        assert texts_of(await took(alice, 1)) == ["welcome"]
        await bob.until_status(sent.id, "delivered")

    run(tmp_path, talk)


def test_both_ends_may_rotate_again_and_again_while_they_talk(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        there: list[str] = []
        back: list[str] = []
        for turn, new in enumerate(NEXT[:4]):
            there += (said := [f"{turn}: from alice {at}" for at in range(50)])
            await alice.chat(bob, *said)
            back += (said := [f"{turn}: from bob {at}" for at in range(50)])
            await bob.chat(alice, *said)
            one, other = (alice, bob) if turn % 2 else (bob, alice)
            await rotated(one, new, 100 * turn + 7, other)
        assert texts_of(await took(bob, 200)) == there
        assert texts_of(await took(alice, 200)) == back

    run(tmp_path, talk)


def test_what_a_relay_keeps_for_the_former_key_is_opened_for_a_while_and_then_sealed_anew(
    tmp_path: Path,
) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, relay: MessageCell) -> None:
        alice.linked.add(relay.cell_id)
        for number, opens_ms in enumerate((1 << 50, 0)):
            texts = [f"{number}: message {at}" for at in range(20)]
            await bob.stop()
            sent = await alice.chat(bob, *texts)
            await alice.until_status(sent[-1].id, "sent")
            await relay.until(lambda: len(relay.messages.desk.keeping) == 20)
            await alice.stop()
            old = bob.key
            await bob.rotate(NEXT[number], 7 + number, opens_ms=opens_ms)
            for cell in (alice, relay):
                cell.learn(old, NEXT[number], 7 + number)
            await bob.start()
            relay.meet(bob)
            if opens_ms:
                await took(bob, 20)
            else:
                await relay.until(lambda: bob.messages.link_to(relay.cell_id) is not None)
                await asyncio.sleep(0.5)
                assert len(await bob.received()) == 20
            alice.meet(bob)
            await alice.start()
            rows = await took(bob, 20 * (number + 1))
            assert texts_of(rows)[-20:] == texts
            await alice.until_status(sent[-1].id, "delivered")
            if opens_ms:  # else it hands them over once more, when its stream is opened anew
                await relay.until(lambda: not len(relay.messages.desk.keeping))

    run(tmp_path, talk, count=3)


def test_a_receiver_that_does_not_know_of_the_rotation_yet_takes_nothing_and_refuses_nothing(
    tmp_path: Path,
) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        old = alice.key
        await rotated(alice, NEXT[0], 7)
        bob.meet(alice)
        (first, second) = await alice.chat(bob, "one", "two")
        for one in (first, second):
            await alice.until_status(one.id, "sent")
        await bob.until(lambda: bool(bob.messages._links))
        await asyncio.sleep(0.5)
        assert await bob.received() == []
        assert [(await alice.messages.message(one.id)).status for one in (first, second)] == [
            "sent",
            "sent",
        ]
        bob.learn(old, NEXT[0], 7)
        assert texts_of(await took(bob, 2)) == ["one", "two"]
        await alice.until_status(second.id, "delivered")
        assert bob.messages.desk.refused == 0

    run(tmp_path, talk)


def test_while_a_rotation_is_on_its_way_to_the_disk_the_old_key_is_not_refused_what_was_its(
    tmp_path: Path,
) -> None:
    """Its seat had the next key already: a message of the old one was denied, and so failed."""

    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        bob.ahead.add(alice.key.public_key)
        denied = Denied()
        bob.messages.desk.owner = replace(bob.messages.desk.owner, policy=denied)
        (sent,) = await alice.chat(bob, "one")
        await alice.until_status(sent.id, "sent")
        await bob.until(lambda: bool(bob.messages._links))
        await asyncio.sleep(0.5)
        assert (await alice.messages.message(sent.id)).status == "sent"
        assert denied.asked == 0
        bob.messages.desk.owner = replace(bob.messages.desk.owner, policy=AllowMembers(bool))
        await rotated(alice, NEXT[0], 7, bob)
        assert texts_of(await took(bob, 1)) == ["one"]

    run(tmp_path, talk)


class Denied:
    """A policy that lets nobody do anything."""

    def __init__(self) -> None:
        self.asked = 0

    def unproven(self, peer: CellId, kind: Kind) -> None:
        """Nothing is asked for."""

    def may(self, peer: CellId, kind: Kind, channel: bytes) -> Decision:  # noqa: ARG002 - the protocol's
        self.asked += 1
        return Decision(allowed=False, why=f"{kind} of {peer}")


def test_what_was_written_to_the_new_id_by_who_did_not_know_it_goes_after_what_waited(
    tmp_path: Path,
) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await alice.chat(bob, "one")
        await took(bob, 1)
        await bob.stop()
        await alice.chat(bob, "two")
        old = bob.key
        await bob.rotate(NEXT[0], 7)
        await bob.start()
        alice.meet(bob)
        late = await alice.messages.chat(bob.cell_id, "three")
        await asyncio.sleep(0.5)
        assert len(await bob.received()) == 1
        alice.learn(old, NEXT[0], 7)
        rows = await took(bob, 3)
        assert texts_of(rows) == ["one", "two", "three"]
        assert [row.number for row in rows] == [1, 2, 3]
        row = await alice.until_status(late.id, "delivered")
        assert (row.cell, row.number) == (old.cell_id, 3)
        await alice.stop()
        await alice.start()
        assert list(alice.messages.desk.outboxes) == [old.cell_id, NEXT[0].cell_id]
        await alice.messages.chat(bob.cell_id, "four")
        assert texts_of(await took(bob, 4))[-1] == "four"

    run(tmp_path, talk)


def test_nothing_is_taken_from_a_key_that_was_given_up(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await alice.chat(bob, "one")
        await took(bob, 1)
        await alice.stop()
        bob.learn(alice.key, NEXT[0], 7)
        await alice.start()  # as an old copy, or a thief of the key
        sent = await alice.messages.chat(bob.cell_id, "two")
        stream = await alice.peers.host.dial(
            bob.address, timeout_s=PATIENCE_S, protocol=message_protocol(GENESIS.network_id)
        )
        forged = enveloped(signed(header(2, replay_id=b"f" * 16)))
        await stream.write(encode_frame(EnvelopeFrame(forged)), timeout_s=PATIENCE_S)
        await asyncio.sleep(0.5)
        await stream.close()
        assert texts_of(await bob.received()) == ["one"]
        assert (await alice.messages.message(sent.id)).status != "delivered"

    run(tmp_path, talk)


def test_a_cell_writes_to_none_of_its_own_ids(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await rotated(alice, NEXT[0], 7, bob)
        for own in (KEYS[0], NEXT[0]):
            with pytest.raises(ToItself):
                await alice.messages.chat(own.cell_id, "me")

    run(tmp_path, talk)


def test_a_room_goes_on_when_its_members_rotate(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, carol: MessageCell) -> None:
        room = await alice.messages.create_room("garden", [bob.cell_id, carol.cell_id])
        for cell in (bob, carol):
            await cell.until(lambda cell=cell: room.id in cell.messages.desk.rooms)  # type: ignore[misc]  # a bound default
        await rotated(bob, NEXT[0], 7, alice, carol)
        await alice.messages.say(room.id, "for the new key")
        rows = await took(bob, 2)
        assert texts_of(rows[-1:]) == ["for the new key"]
        await bob.messages.say(room.id, "by the new key")
        assert texts_of((await took(carol, 3))[-1:]) != []
        left = await bob.messages.change_room(room.id, leave=True)
        assert bob.cell_id not in left.member_ids
        for cell in (alice, carol):
            await cell.until(
                lambda cell=cell: cell.messages.desk.rooms[room.id][0].version == 2  # type: ignore[misc]  # a bound default
            )
            (known, is_left) = cell.messages.desk.rooms[room.id]
            assert (len(known.members), is_left) == (2, False)

    run(tmp_path, talk, count=3)


def test_an_answer_finds_who_asked_though_both_have_other_keys_by_then(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell) -> None:
        await alice.messages.send(bob.cell_id, MessageType.EXEC, b"asked")
        (asked,) = await took(bob, 1)
        await rotated(bob, NEXT[0], 7, alice)
        await rotated(alice, NEXT[1], 9, bob)
        await bob.messages.send(asked.cell, MessageType.EXEC, b"answered")
        (answer,) = await took(alice, 1)
        assert answer.body == b"answered"
        assert alice.messages.desk.outbox(answer.cell).receiver == KEYS[1].cell_id

    run(tmp_path, talk)
