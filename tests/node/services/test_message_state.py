"""Questions about the state are answered from what is certified, or not at all, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.codec import as_array, as_bytes, decode
from core.errors import MyceldError
from core.ids import Round
from journal import Store
from ledger.errors import BadCertificate, BadStateProof, NoStateProof
from ledger.header import RoundHeader
from ledger.kinds import Put
from ledger.state_proof import (
    NoAnswer,
    StateAnswer,
    StateQuestion,
    decode_message,
    encode_message,
    is_answer_to,
)
from node.services import message_state
from node.services.message_state import States
from node.tables import SCHEMA, certificate_statement
from tests.ledger.world import GENESIS, KEYS, Cell, certified
from tests.waiting import PATIENCE_S

QUESTION = encode_message(StateQuestion(b"value/greeting"))
ABSENT = encode_message(StateQuestion(b"value/absent"))


class FakeHeaders:
    """Headers of a ledger in memory, by their rounds."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def has(self, number: int) -> bool:
        return 0 < number <= len(self._cell.headers)

    async def get(self, number: Round) -> RoundHeader:
        return self._cell.headers[number - 1]


class Prover:
    """A cell with a state, as far as answering takes one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cell = Cell()
        self.certified = Round(0)
        self.states = States(
            store,
            GENESIS,
            FakeHeaders(self.cell),  # type: ignore[arg-type]  # as much of it as is used
            self.cell.ledger,
            lambda: self.certified,
        )

    async def put(self, key: str, value: bytes, *, signers: tuple[int, ...] = (0, 1, 2)) -> None:
        self.cell.act((KEYS[0], Put(key, value)))
        header = self.cell.headers[-1]
        rows = list(self.cell.state.items())
        statements = [("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)]
        if signers:
            statements.append(certificate_statement(certified(header, signers)))  # type: ignore[arg-type]  # rows of another shape
            self.certified = header.round
        await self.store.transaction({}, statements)


def run(tmp: Path, talk: Callable[[Prover], Awaitable[None]]) -> None:
    async def main() -> None:
        key = KEYS[0]
        store = await Store.open(
            tmp / "cell.db", signer=key.sign, cell_id=key.cell_id, durability="process"
        )
        async with store, asyncio.timeout(PATIENCE_S):
            await store.create_tables(SCHEMA)
            await talk(Prover(store))

    asyncio.run(main())


def test_a_value_is_proven_and_so_is_that_there_is_none(tmp_path: Path) -> None:
    async def talk(prover: Prover) -> None:
        await prover.put("other", b"1")
        await prover.put("greeting", b"good morning")
        body = await prover.states.answer(QUESTION, 7)
        assert prover.states.judge(body) == 7
        answer = decode_message(body)
        assert isinstance(answer, StateAnswer)
        assert answer.value is not None
        assert as_bytes(as_array(decode(answer.value), length=3)[0]) == b"good morning"
        absent = decode_message(await prover.states.answer(ABSENT, 8))
        assert isinstance(absent, StateAnswer)
        assert absent.value is None
        assert prover.states.judge(encode_message(absent)) == 8
        assert prover.states.judge(QUESTION) is None

    run(tmp_path, talk)


def test_without_a_certified_state_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_state, "STATE_PROOF_TRIES_MAX", 2)

    async def talk(prover: Prover) -> None:
        nothing = NoAnswer(7, NoStateProof.code)
        assert decode_message(await prover.states.answer(QUESTION, 7)) == nothing
        await prover.put("greeting", b"certified")
        await prover.put("greeting", b"not certified", signers=())
        assert decode_message(await prover.states.answer(QUESTION, 7)) == nothing
        await prover.put("greeting", b"certified again")
        assert isinstance(decode_message(await prover.states.answer(QUESTION, 7)), StateAnswer)

    run(tmp_path, talk)


@pytest.mark.parametrize("signers", [(0,), (0, 1)])
def test_an_answer_that_too_few_have_signed_is_refused(
    tmp_path: Path, signers: tuple[int, ...]
) -> None:
    async def talk(prover: Prover) -> None:
        await prover.put("greeting", b"a lie", signers=signers)
        body = await prover.states.answer(QUESTION, 7)
        with pytest.raises(BadCertificate):
            prover.states.judge(body)

    run(tmp_path, talk)


def test_a_changed_answer_is_refused(tmp_path: Path) -> None:
    async def talk(prover: Prover) -> None:
        await prover.put("greeting", b"good morning")
        body = await prover.states.answer(QUESTION, 7)
        for at in range(len(body)):
            changed = bytearray(body)
            changed[at] ^= 1
            try:
                number = prover.states.judge(bytes(changed))
            except (BadStateProof, BadCertificate, NoStateProof):
                continue
            except MyceldError as error:
                raise AssertionError(f"byte {at}: {error}") from error
            # The number is the question's, whoever changes it; so is the key, of which another
            # one can be proven not to be there.
            assert number != 7 or not is_answer_to(bytes(changed), QUESTION), f"byte {at}"
        assert is_answer_to(body, QUESTION)
        assert not is_answer_to(body, ABSENT)

    run(tmp_path, talk)
