"""Does what messages ask for: orders transactions, proves state, runs what this cell declared.

What can not be done is refused when it arrives, so that its sender learns why. A transaction may
be handed on again after a crash, which changes nothing: it is applied once. A command is noted as
begun, durably, before it runs, so that it never runs twice; after a crash in between there is no
result.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import structlog

from core.errors import MyceldError, OperationalFault
from core.ids import CellId, short
from identity.keys import verify_all
from identity.messages.envelope import MessageType
from identity.messages.errors import BadMessage, NothingToRun
from identity.messages.limits import RUN_OUTPUT_SIZE_BYTES_MAX
from identity.messages.work import Posting, Result, Run, decode_work, encode_work
from ledger.content import parse_post
from ledger.errors import WrongSignature
from ledger.transaction import SignedTransaction, Transaction
from node import message_tables as tables
from node.limits import MESSAGE_RUN_TIMEOUT_S, MESSAGE_WORK_PAUSE_S
from node.message_tables import MessageRow
from node.services.message import Messages
from node.services.message_state import States

_LOG = structlog.get_logger("messages")
_TIMED_OUT: Final = -255
_NOT_STARTED: Final = -254

Note: TypeAlias = Callable[[CellId, str, str], None]
"""Told who asked, the kind of request, and what for: for the audit journal."""
Submit: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Hands a transaction to the cell's intake; raises what is wrong with it."""

PostIt: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Has this cell post content under a title."""


class MessageWork:
    """Judges what messages ask for when they arrive, and does it once they are journaled."""

    def __init__(
        self,
        messages: Messages,
        parse: Callable[[bytes], Transaction],
        states: States,
        commands: Mapping[str, Sequence[str]],
        note: Note,
    ) -> None:
        """`parse` is the intake's, `commands` what this cell runs for others, by name.

        `note` is told whatever is begun for another cell.
        """
        self._note = note
        self._messages = messages
        self._parse = parse
        self._states = states
        self._commands = commands
        messages.judge_work(self._judge)

    def declare(self, commands: Mapping[str, Sequence[str]]) -> None:
        """Run these commands for others from now on."""
        self._commands = commands

    async def run(self, submit: Submit, post: PostIt) -> None:
        """Do what was asked for, one after the other, each sender's in order; until cancelled."""
        desk = self._messages.desk
        while True:
            news = desk.news()
            rows = tables.undone(desk.store)
            held: set[CellId] = set()
            for row in rows:
                if row.cell not in held and not await self._do(row, submit, post):
                    held.add(row.cell)
            if held:
                await asyncio.sleep(MESSAGE_WORK_PAUSE_S)
            elif not rows:
                await news

    def _judge(self, sender: CellId, message_type: MessageType, body: bytes) -> bool:
        """Return whether there is something to do; raises why it is not taken."""
        match message_type:
            case MessageType.TX:
                transaction = self._parse(body)
                if isinstance(transaction, SignedTransaction) and not all(
                    verify_all(transaction.signature_checks)
                ):
                    raise WrongSignature("the signature is not the sender's of these bytes")
                return True
            case MessageType.EXEC:
                work = decode_work(body)
                if isinstance(work, Run) and work.name not in self._commands:
                    raise NothingToRun(f"nothing is declared as {work.name[:64]!r}")
                if isinstance(work, Result) and not self._was_asked(
                    sender, message_type, work.number
                ):
                    raise BadMessage("a result that nobody asked for")
                if isinstance(work, Posting):
                    raise BadMessage("a POST that says it is an EXEC")
                return isinstance(work, Run)
            case MessageType.QUERY:
                asked = self._states.judge(body)
                if asked is not None and not self._answers(sender, asked, body):
                    raise BadMessage("an answer that nobody asked for")
                return asked is None
            case MessageType.POST:
                self._posting(body)
                return True
            case _:
                return False

    def _posting(self, body: bytes) -> Posting:
        """Return what a POST gives; raises why the ledger would not take it."""
        work = decode_work(body)
        if not isinstance(work, Posting):
            raise BadMessage("a POST gives a title and content")
        parse_post([hashlib.sha256(work.content).digest(), len(work.content), work.title, 0])
        return work

    def _answers(self, cell: CellId, number: int, body: bytes) -> bool:
        """Return whether a checked answer about the state is one to our message's question."""
        row = tables.sent_row(self._messages.desk.store, cell, number)
        is_question = row is not None and row.type is MessageType.QUERY
        return row is not None and is_question and self._states.is_answer(body, row.body)

    def _was_asked(self, cell: CellId, kind: MessageType, number: int) -> bool:
        row = tables.sent_row(self._messages.desk.store, cell, number)
        return row is not None and row.type is kind

    async def _do(self, row: MessageRow, submit: Submit, post: PostIt) -> bool:
        """Do what one message asks for; return False if that has to be tried again."""
        scribe = self._messages.desk.scribe
        if row.type in (MessageType.TX, MessageType.POST):
            try:
                if row.type is MessageType.TX:
                    await submit(row.body)
                else:
                    work = self._posting(row.body)
                    await post(work.title, work.content)
            except OperationalFault as error:
                _LOG.info("to be ordered later", sender=short(row.cell), reason=str(error))
                return False
            except MyceldError as error:
                _LOG.info("not taken", sender=short(row.cell), reason=str(error))
            act = "tx-forward" if row.type is MessageType.TX else "post"
            self._note(self._present(row.cell), act, f"message {row.id}")
            await scribe.note([tables.note_done(row.id)])
            return True
        await scribe.note([tables.note_done(row.id)])  # before it runs: never twice
        if row.type is MessageType.QUERY:
            await self._answer(row, await self._states.answer(row.body, row.number))
            return True
        asked = decode_work(row.body)
        if isinstance(asked, Run) and asked.name in self._commands:
            self._note(self._present(row.cell), "exec", asked.name)
            status, output, is_cut = await _run(self._commands[asked.name], asked.input)
            await self._answer(row, encode_work(Result(row.number, status, output, is_cut)))
        return True

    def _present(self, cell: CellId) -> CellId:
        return self._messages.desk.owner.lines.present(cell)

    async def _answer(self, row: MessageRow, body: bytes) -> None:
        try:
            await self._messages.send(row.cell, row.type, body)
        except OperationalFault as error:
            _LOG.warning("answer not sent", receiver=short(row.cell), reason=str(error))


async def _run(command: Sequence[str], given: bytes) -> tuple[int, bytes, bool]:
    """Run a command to its end or its deadline; return status, output, and whether it is cut."""
    reading, writing = os.pipe()
    output = _Output(reading)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=writing,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            cwd="/",
        )
    except (OSError, ValueError) as error:
        output.close()
        return _NOT_STARTED, str(error).encode()[:RUN_OUTPUT_SIZE_BYTES_MAX], False
    finally:
        os.close(writing)
    feeding = asyncio.create_task(_feed(process, given))
    try:
        async with asyncio.timeout(MESSAGE_RUN_TIMEOUT_S):
            said, is_cut = await output.read()
            if is_cut:
                _kill(process)
            status = await process.wait()
    except TimeoutError:
        status, said, is_cut = _TIMED_OUT, b"", True
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])
        output.close()
        if process.returncode is None:
            _kill(process)
            await process.wait()
    return max(-255, min(status, 255)), said, is_cut


def _kill(process: asyncio.subprocess.Process) -> None:
    """End a process that runs, with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _feed(process: asyncio.subprocess.Process, given: bytes) -> None:
    """Give a process its input, which it need not take."""
    assert process.stdin is not None  # noqa: S101 - for the type checker: it was asked for
    try:
        process.stdin.write(given)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
    except ConnectionError:
        pass  # it ended, or closed its input
    finally:
        process.stdin.transport.abort()


class _Output:
    """What a process says, by a pipe of our own.

    The end of a process that asyncio holds the pipe of is only told once that pipe has ended: never
    if more was said than is read, or if something that it started still holds it.
    """

    def __init__(self, reading: int) -> None:
        self._file = os.fdopen(reading, "rb", buffering=0)
        self._transport: asyncio.ReadTransport | None = None

    async def read(self) -> tuple[bytes, bool]:
        """Return what is said until its end, or up to the bound, and whether that cut it."""
        reader = asyncio.StreamReader()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._file
        )
        output = b""
        while part := await reader.read(RUN_OUTPUT_SIZE_BYTES_MAX + 1 - len(output)):
            output += part
            if len(output) > RUN_OUTPUT_SIZE_BYTES_MAX:
                return output[:RUN_OUTPUT_SIZE_BYTES_MAX], True
        return output, False

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.close()
        else:
            self._file.close()
