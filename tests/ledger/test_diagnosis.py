"""What a cell asks others about its state, and what it is told, is read as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.ids import EventId, Round, TransactionId
from ledger.diagnosis import (
    LENGTH_BYTES,
    Answer,
    AskHeader,
    AskReceipts,
    AskValue,
    NothingGiven,
    ProofGiven,
    Question,
    ReceiptsGiven,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from ledger.errors import BadDiagnosis
from ledger.header import Receipt
from ledger.limits import DIAGNOSIS_RECEIPTS_MAX

RECEIPT = Receipt(TransactionId(b"t" * 32), 7, EventId(b"e" * 32), 9, "applied")
QUESTIONS: list[Question] = [
    AskHeader(Round(3)),
    AskReceipts(Round(3), 0),
    AskValue(b"value/x", Round(3)),
]
ANSWERS: list[Answer] = [
    ProofGiven(b"proof"),
    ReceiptsGiven((RECEIPT, RECEIPT)),
    ReceiptsGiven(()),
    NothingGiven("MYC-LEDGER-560"),
]


def test_questions_and_answers_come_through() -> None:
    for question in QUESTIONS:
        assert decode_question(encode_question(question)[LENGTH_BYTES:]) == question
    for answer in ANSWERS:
        frame = encode_answer(answer)
        assert int.from_bytes(frame[:LENGTH_BYTES], "big") == len(frame) - LENGTH_BYTES
        assert decode_answer(frame[LENGTH_BYTES:]) == answer


@pytest.mark.parametrize(
    "value",
    [["header", 0], ["header"], ["receipts", 1], ["value", b"k" * 513, 1], ["proof", b""], []],
)
def test_what_is_no_question_is_refused(value: list[object]) -> None:
    with pytest.raises(BadDiagnosis):
        decode_question(encode(value))  # type: ignore[arg-type]  # encodable, as they are


def test_an_answer_has_bounds() -> None:
    many = ReceiptsGiven((RECEIPT,) * (DIAGNOSIS_RECEIPTS_MAX + 1))
    for wrong in (encode_answer(many)[LENGTH_BYTES:], encode(["header", 3]), encode(["none", 1])):
        with pytest.raises(BadDiagnosis):
            decode_answer(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_give_the_declared_error(data: bytes) -> None:
    for decode in (decode_question, decode_answer):
        try:
            decode(data)
        except BadDiagnosis:
            continue
