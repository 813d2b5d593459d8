"""What a cell whose state differs asks others, to find where: questions and answers of few bytes.

    question  ["header", round]                  a proof file of the round's header
              ["receipts", round, first index]   those of the round, from this one on
              ["value", state key, round]        a proof file of its value after the round
    answer    ["proof", proof] | ["receipts", [receipt, …]] | ["none", code]

Four bytes of length before each. A proof is checked from the genesis on (`ledger.verify`), receipts
against the header that was proven: whoever answers can not mislead, only keep silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import Round
from ledger.errors import BadDiagnosis
from ledger.header import Receipt, decode_receipt
from ledger.limits import (
    DIAGNOSIS_RECEIPTS_MAX,
    PROOF_SIZE_BYTES_MAX,
    PROOF_VALUES_MAX,
    STATE_KEY_SIZE_BYTES_MAX,
)

QUESTION_SIZE_BYTES_MAX: Final = 1024
ANSWER_SIZE_BYTES_MAX: Final = PROOF_SIZE_BYTES_MAX + 16
LENGTH_BYTES: Final = 4
_CODE_LENGTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class AskHeader:
    """Which header has this round?"""

    round: Round


@dataclass(frozen=True, slots=True)
class AskReceipts:
    """What became of the transactions of this round, from an index on?"""

    round: Round
    first: int


@dataclass(frozen=True, slots=True)
class AskValue:
    """What was the value at this state key after a round?"""

    key: bytes
    round: Round


@dataclass(frozen=True, slots=True)
class ProofGiven:
    """The bytes of a proof file, not checked."""

    proof: bytes


@dataclass(frozen=True, slots=True)
class ReceiptsGiven:
    """Receipts in order, not checked."""

    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class NothingGiven:
    """There is no answer, for the reason with this code."""

    code: str


Question: TypeAlias = AskHeader | AskReceipts | AskValue
Answer: TypeAlias = ProofGiven | ReceiptsGiven | NothingGiven


def encode_question(question: Question) -> bytes:
    """Return the frame."""
    match question:
        case AskHeader():
            return _framed(["header", question.round])
        case AskReceipts():
            return _framed(["receipts", question.round, question.first])
        case AskValue():
            return _framed(["value", question.key, question.round])


def decode_question(body: bytes) -> Question:
    """Return the question in a frame's body; raises BadDiagnosis."""
    try:
        items = as_array(decode(body, size_bytes_max=QUESTION_SIZE_BYTES_MAX), length_max=3)
        match items:
            case ["header", number]:
                return AskHeader(Round(as_int(number, low=1)))
            case ["receipts", number, first]:
                return AskReceipts(Round(as_int(number, low=1)), as_int(first))
            case ["value", key, number]:
                return AskValue(
                    as_bytes(key, size_max=STATE_KEY_SIZE_BYTES_MAX), Round(as_int(number, low=1))
                )
    except MyceldError as error:
        raise BadDiagnosis(error.detail) from error
    raise BadDiagnosis("not a question that is known here")


def encode_answer(answer: Answer) -> bytes:
    """Return the frame."""
    match answer:
        case ProofGiven():
            return _framed(["proof", answer.proof])
        case ReceiptsGiven():
            return _framed(["receipts", [receipt.encode() for receipt in answer.receipts]])
        case NothingGiven():
            return _framed(["none", answer.code])


def decode_answer(body: bytes) -> Answer:
    """Return the answer in a frame's body, nothing of it checked; raises BadDiagnosis."""
    try:
        value = decode(body, size_bytes_max=ANSWER_SIZE_BYTES_MAX, values_max=PROOF_VALUES_MAX)
        match as_array(value, length=2):
            case ["proof", proof]:
                return ProofGiven(as_bytes(proof))
            case ["receipts", receipts]:
                items = as_array(receipts, length_max=DIAGNOSIS_RECEIPTS_MAX)
                return ReceiptsGiven(tuple(decode_receipt(as_bytes(item)) for item in items))
            case ["none", code]:
                return NothingGiven(as_text(code, length_max=_CODE_LENGTH_MAX))
    except MyceldError as error:
        raise BadDiagnosis(error.detail) from error
    raise BadDiagnosis("not an answer that is known here")


def _framed(value: Value) -> bytes:
    body = encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
