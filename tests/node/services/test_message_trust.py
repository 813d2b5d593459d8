"""What a cell believes of messages: only keys it knows, and only what is on its own disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import RemoteViolation
from core.ids import CellId, NetworkId
from identity.messages.envelope import MessageType
from identity.messages.errors import (
    MessageNotForUs,
    MessageNotProven,
    WrongMessageSignature,
)
from identity.messages.statements import Pair, Receipt, Refusal, Statement, sign_statement
from identity.messages.wire import EnvelopeFrame, Frame, Keep, Kept, StatementFrame
from identity.messages.work import Result, Run, decode_work, encode_work
from node import message_tables as tables
from node.services import message_work
from tests.identity.messages.world import enveloped, header, signed
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.test_message_work import run as run_with_work
from tests.node.services.world import MessageCell
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("patient")

ALICE, BOB, EVE = KEYS[0], KEYS[1], KEYS[2]
HEAD = replace(
    header(sender=ALICE, receiver=BOB, kind=MessageType.AUTH), network_id=GENESIS.network_id
)


class HeardLink:
    """As much of a stream as those who take messages use; keeps what they say."""

    def __init__(self, cell_id: CellId) -> None:
        self.cell_id = cell_id
        self.peer_key = b""
        self.has_room = True
        self.said: list[Frame] = []
        self.when_said: Callable[[Frame], None] = lambda _: None

    def send(self, frame: Frame) -> None:
        self.when_said(frame)
        self.said.append(frame)

    def wake(self) -> None:
        """Nothing sleeps."""


async def take(cell: MessageCell, link: HeardLink, *frames: Frame) -> None:
    await cell.messages._arrivals.take(link, frames)  # type: ignore[arg-type]  # as much of a link as is used


def run(tmp: Path, talk: Callable[..., Awaitable[None]], keys: Sequence[int] = (1,)) -> None:
    async def main() -> None:
        cells = [MessageCell(tmp, KEYS[at]) for at in keys]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for cell in cells:
                    await cell.start()
                await talk(*cells)
        finally:
            for cell in cells:
                await cell.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (enveloped(signed(HEAD, by=EVE)), WrongMessageSignature),
        (enveloped(signed(HEAD), key=EVE), MessageNotProven),
        (enveloped(signed(replace(HEAD, network_id=NetworkId(b"m" * 32)))), MessageNotForUs),
        (enveloped(signed(replace(HEAD, receiver=EVE.public_key))), MessageNotForUs),
    ],
    ids=["signed by another", "in the journal of another", "of another network", "to another"],
)
def test_a_message_that_only_looks_like_one_of_its_sender_is_not_taken(
    tmp_path: Path, data: bytes, error: type[RemoteViolation]
) -> None:
    """Each is right in all but one thing, so that no other check stands in for that one."""

    async def talk(bob: MessageCell) -> None:
        with pytest.raises(error):
            await take(bob, HeardLink(ALICE.cell_id), EnvelopeFrame(data))
        assert bob.messages.desk.journal.length == 0
        await take(bob, HeardLink(ALICE.cell_id), EnvelopeFrame(enveloped(signed(HEAD))))
        assert bob.messages.desk.journal.length == 1

    run(tmp_path, talk)


@pytest.mark.parametrize("what", ["delivered", "failed"])
def test_only_the_receiver_says_what_became_of_a_message(tmp_path: Path, what: str) -> None:
    async def talk(alice: MessageCell) -> None:
        sent = await alice.messages.send(BOB.cell_id, MessageType.AUTH, b"hello")
        pair = Pair(GENESIS.network_id, ALICE.public_key, BOB.public_key)
        said: Statement = Receipt(pair, 1, sent.replay_id, 0)
        if what == "failed":
            said = Refusal(pair, 1, sent.replay_id, "MYC-IDENTITY-307")
        link = HeardLink(EVE.cell_id)
        with pytest.raises(WrongMessageSignature):
            await take(alice, link, StatementFrame(sign_statement(said, EVE)))
        await alice.messages.desk.scribe.note([])
        assert (await alice.messages.message(sent.id)).status == "queued"
        await take(alice, link, StatementFrame(sign_statement(said, BOB)))
        await alice.until_status(sent.id, what)

    run(tmp_path, talk, [0])


def test_a_relay_says_that_it_keeps_a_message_when_that_is_on_its_disk(tmp_path: Path) -> None:
    async def talk(relay: MessageCell) -> None:
        store = relay.messages.desk.store
        kept: list[list[int]] = []
        link = HeardLink(ALICE.cell_id)
        link.when_said = lambda _: kept.append([one.number for one in tables.kept(store)])
        await take(relay, link, Keep(enveloped(signed(HEAD))))
        assert link.said == [Kept(BOB.public_key, 1)]
        assert kept == [[1]]

    run(tmp_path, talk, [2])


def test_what_is_to_run_is_noted_as_done_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a crash can not make it run twice."""
    undone: list[int] = []
    cells: list[MessageCell] = []

    async def run_it(_: Sequence[str], __: bytes) -> tuple[int, bytes, bool]:
        undone.append(len(tables.undone(cells[0].messages.desk.store)))
        return 0, b"done", False

    monkeypatch.setattr(message_work, "_run", run_it)

    async def talk(alice: MessageCell, bob: MessageCell, _: list[bytes]) -> None:
        cells.append(bob)
        await alice.messages.send(bob.cell_id, MessageType.EXEC, encode_work(Run("echo", b"")))
        await alice.until(lambda: alice.messages.desk.inbox(bob.cell_id).taken == 1)
        (row,) = await alice.received()
        assert decode_work(row.body) == Result(1, 0, b"done", is_cut=False)
        assert undone == [0]

    run_with_work(tmp_path, talk)
