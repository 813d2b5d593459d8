"""What messages ask for is judged when they come, done once, and answered."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import CellId
from identity.messages.envelope import MessageType
from identity.messages.errors import NothingToRun
from identity.messages.limits import RUN_OUTPUT_SIZE_BYTES_MAX
from identity.messages.work import Posting, Result, Run, decode_work, encode_work
from ledger.errors import BadStateProof, NonceUsed, TransactionRefused, WrongSignature
from ledger.kinds import Put
from ledger.transaction import parse, sign_transaction
from node.errors import MempoolFull
from node.services import message_work
from node.services.message_work import MessageWork
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.world import MessageCell
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("patient")

NOTED: list[tuple[CellId, str, str]] = []
"""What was begun for other cells."""
COMMANDS = {
    "echo": (sys.executable, "-c", "import sys; print(sys.stdin.read().upper())"),
    "fail": (sys.executable, "-c", "raise SystemExit(3)"),
    "flood": (sys.executable, "-c", "while True: print('x' * 1000)"),
    "hang": (sys.executable, "-c", "import time; time.sleep(600)"),
    "gone": ("/nonexistent/program",),
}


def run(tmp: Path, talk: Callable[..., Awaitable[None]]) -> None:
    async def main() -> None:
        cells = [MessageCell(tmp, KEYS[at]) for at in range(2)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for cell in cells:
                    await cell.start()
                cells[0].meet(cells[1])
                cells[1].meet(cells[0])
                submitted: list[bytes] = []
                work = worker(cells[1], COMMANDS)
                worker(cells[0], {})

                async def submit(raw: bytes) -> None:
                    submitted.append(raw)
                    if len(submitted) == 1:
                        raise MempoolFull("for a moment")
                    if len(submitted) == 3:
                        raise NonceUsed("by an earlier one")

                async def post(title: str, body: bytes) -> None:
                    submitted.append(title.encode() + b": " + body)

                running = asyncio.create_task(work.run(submit, post))
                try:
                    await talk(*cells, submitted)
                finally:
                    running.cancel()
        finally:
            for cell in cells:
                await cell.stop()

    asyncio.run(main())


def worker(cell: MessageCell, commands: dict[str, tuple[str, ...]]) -> MessageWork:
    return MessageWork(
        cell.messages,
        lambda raw: parse(raw, GENESIS.network_id),
        FakeStates(),  # type: ignore[arg-type]  # as much of it as is used
        commands,
        lambda peer, request, subject: NOTED.append((peer, request, subject)),
    )


class FakeStates:
    """Takes `?` for a question, and `!` with a number for an answer."""

    def judge(self, body: bytes) -> int | None:
        if body == b"?":
            return None
        if not body.startswith(b"!"):
            raise BadStateProof("neither")
        return int(body[1:])

    def is_answer(self, body: bytes, question: bytes) -> bool:
        return (body[:1], question) == (b"!", b"?")

    async def answer(self, body: bytes, number: int) -> bytes:
        assert body == b"?"
        return b"!%d" % number


def transaction(nonce: int) -> bytes:
    return sign_transaction(
        network_id=GENESIS.network_id,
        sender=KEYS[0].public_key,
        nonce=nonce,
        arguments=Put("key", b"value"),
        sign=KEYS[0].sign,
    )


def test_a_transaction_is_handed_on_until_it_is_taken_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_work, "MESSAGE_WORK_PAUSE_S", 0.01)

    async def talk(alice: MessageCell, bob: MessageCell, submitted: list[bytes]) -> None:
        raws = [transaction(nonce) for nonce in (1, 2)]
        for raw in raws:
            await alice.messages.send(bob.cell_id, MessageType.TX, raw)
        await bob.until(lambda: len(submitted) == 3)
        assert submitted == [raws[0], raws[0], raws[1]]

    run(tmp_path, talk)


def test_what_is_no_transaction_is_refused_and_its_sender_told(tmp_path: Path) -> None:
    forged = bytearray(transaction(1))
    forged[-1] ^= 1

    async def talk(alice: MessageCell, bob: MessageCell, submitted: list[bytes]) -> None:
        for raw, error in ((b"\x01", TransactionRefused), (bytes(forged), WrongSignature)):
            sent = await alice.messages.send(bob.cell_id, MessageType.TX, raw)
            failed = await alice.until_status(sent.id, "failed")
            assert failed.why is not None
            assert error is TransactionRefused or failed.why == error.code
        assert (submitted, bob.messages.desk.journal.length) == ([], 0)

    run(tmp_path, talk)


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("echo", Result(1, 0, b"HELLO\n", is_cut=False)),
        ("fail", Result(1, 3, b"", is_cut=False)),
        ("hang", Result(1, -255, b"", is_cut=True)),
        ("gone", None),
        ("flood", None),
    ],
)
def test_a_command_runs_and_its_result_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, result: Result | None
) -> None:
    monkeypatch.setattr(
        message_work, "MESSAGE_RUN_TIMEOUT_S", 1.0 if name == "hang" else PATIENCE_S
    )

    async def talk(alice: MessageCell, bob: MessageCell, _: list[bytes]) -> None:
        await alice.messages.send(bob.cell_id, MessageType.EXEC, encode_work(Run(name, b"hello")))
        await alice.until(lambda: alice.messages.desk.inbox(bob.cell_id).taken == 1)
        (row,) = await alice.received()
        assert NOTED[-1] == (alice.cell_id, "exec", name)
        found = decode_work(row.body)
        assert isinstance(found, Result)
        if result is not None:
            assert found == result
        elif name == "gone":
            assert (found.status, b"No such file" in found.output) == (-254, True)
        else:
            assert (len(found.output), found.is_cut) == (RUN_OUTPUT_SIZE_BYTES_MAX, True)

    run(tmp_path, talk)


def test_a_question_about_the_state_is_answered_by_a_message(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, _: list[bytes]) -> None:
        sent = await alice.messages.send(bob.cell_id, MessageType.QUERY, b"?")
        await alice.until(lambda: alice.messages.desk.inbox(bob.cell_id).taken == 1)
        (row,) = await alice.received()
        assert (row.type, row.body) == (MessageType.QUERY, b"!%d" % sent.number)

    run(tmp_path, talk)


def test_what_a_cell_is_given_to_post_it_posts(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, submitted: list[bytes]) -> None:
        body = encode_work(Posting("minutes", b"of May"))
        await alice.messages.send(bob.cell_id, MessageType.POST, body)
        await bob.until(lambda: submitted)
        assert submitted == [b"minutes: of May"]

    run(tmp_path, talk)


def test_what_was_not_declared_or_not_asked_for_is_refused(tmp_path: Path) -> None:
    async def talk(alice: MessageCell, bob: MessageCell, _: list[bytes]) -> None:
        bodies = {
            encode_work(Run("rm", b"")): NothingToRun.code,
            encode_work(Result(1, 0, b"unasked", is_cut=False)): "MYC-IDENTITY-301",
            b"\x90": "MYC-IDENTITY-301",
        }
        for body, code in bodies.items():
            sent = await alice.messages.send(bob.cell_id, MessageType.EXEC, body)
            assert (await alice.until_status(sent.id, "failed")).why == code
        refusals = {
            (MessageType.POST, b""): "MYC-IDENTITY-301",
            (MessageType.POST, encode_work(Posting("", b"no title"))): "MYC-LEDGER-010",
            (MessageType.POST, encode_work(Posting("empty", b""))): "MYC-CORE-003",
            (MessageType.EXEC, encode_work(Posting("a", b"b"))): "MYC-IDENTITY-301",
            (MessageType.QUERY, b"lies"): BadStateProof.code,
            (MessageType.QUERY, b"!1"): "MYC-IDENTITY-301",
        }
        for (kind, body), code in refusals.items():
            sent = await alice.messages.send(bob.cell_id, kind, body)
            assert (await alice.until_status(sent.id, "failed")).why == code
        assert bob.messages.desk.journal.length == 0

    run(tmp_path, talk)


def test_a_body_is_a_request_or_a_result() -> None:
    for work in (Posting("a", b"b"), Run("a", b"b"), Result(1, -255, b"", is_cut=True)):
        assert decode_work(encode_work(work)) == work
    for body in (b"", b"\x90", b"\x91\xa3run", b"\x91\xa6result", b"\x93\xa3run\xa1a\xa1b"):
        with pytest.raises(MyceldError):
            decode_work(body)
