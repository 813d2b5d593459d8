"""Proofs that a key has a value in a certified state, or none: questions, answers, and the check.

    question  ["state", key]
    answer    ["value", number of the question, key, proof, header, certificate]
              ["none", number of the question, code]     there is no proof to be had, now

The proof (`ledger.map_proof`) leads to the state root in the header and shows the key's value, or
that it has none. The certificate makes the header's state that of the network; who checks it has to
know the roster of its epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import NetworkId
from ledger.certificate import Certificate, Verifier, parse_certificate, verify_certificate
from ledger.errors import BadMapProof, BadStateProof
from ledger.header import RoundHeader, decode_header
from ledger.limits import (
    STATE_ANSWER_SIZE_BYTES_MAX,
    STATE_KEY_SIZE_BYTES_MAX,
)
from ledger.map_proof import Opened
from ledger.roster import Roster

_QUESTION: Final = "state"
_ANSWER: Final = "value"
_NONE: Final = "none"
_CODE_LENGTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class StateQuestion:
    """What is the value at this state key?"""

    key: bytes


@dataclass(frozen=True, slots=True)
class StateAnswer:
    """A value, or that there is none, and what proves it. True once `verify_answer` returned."""

    number: int
    """Of the message that asked."""
    key: bytes
    proof: bytes
    header: RoundHeader
    certificate: Certificate

    @property
    def value(self) -> bytes | None:
        """The value that the proof shows, None for none; raises BadMapProof if it tells nothing."""
        return Opened(self.proof).get(self.key)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is no proof to be had, for the reason with this code."""

    number: int
    code: str


StateMessage: TypeAlias = StateQuestion | StateAnswer | NoAnswer


def encode_message(message: StateMessage) -> bytes:
    """Return the body of a QUERY."""
    match message:
        case StateQuestion():
            return encode([_QUESTION, message.key])
        case NoAnswer():
            return encode([_NONE, message.number, message.code])
        case StateAnswer():
            return encode(
                [
                    _ANSWER,
                    message.number,
                    message.key,
                    message.proof,
                    message.header.encode(),
                    message.certificate.to_value(),
                ]
            )


def decode_message(body: bytes) -> StateMessage:
    """Return what the body of a QUERY says, nothing of it checked; raises BadStateProof."""
    try:
        value = decode(body, size_bytes_max=STATE_ANSWER_SIZE_BYTES_MAX)
        items = as_array(value, length_max=6)
        kind = as_text(items[0] if items else None, length_max=8)
        if kind == _QUESTION and len(items) == 2:
            return StateQuestion(as_bytes(items[1], size_max=STATE_KEY_SIZE_BYTES_MAX))
        if kind == _NONE and len(items) == 3:
            code = as_text(items[2], length_max=_CODE_LENGTH_MAX)
            return NoAnswer(as_int(items[1], low=1), code)
        if kind == _ANSWER and len(items) == 6:
            return _answer_of(items)
    except MyceldError as error:
        raise BadStateProof(f"not a question about the state: {error.detail}") from error
    raise BadStateProof("neither a question about the state nor an answer")


def is_answer_to(answer: bytes, question: bytes) -> bool:
    """Return whether the body of a QUERY is about the key of another one, or says there is none.

    Raises BadStateProof.
    """
    said, asked = decode_message(answer), decode_message(question)
    if isinstance(said, StateAnswer):
        return isinstance(asked, StateQuestion) and asked.key == said.key
    return isinstance(said, NoAnswer)


def verify_answer(
    answer: StateAnswer, network_id: NetworkId, roster: Roster, *, verify: Verifier
) -> None:
    """Return when the network, whose `roster` is that of the epoch, has certified the answer.

    Raises BadStateProof or BadCertificate.
    """
    header, certificate = answer.header, answer.certificate
    if header.network_id != network_id or header.epoch != certificate.epoch:
        raise BadStateProof("the header is of another network or epoch")
    if (certificate.round, certificate.header_hash) != (header.round, header.hash):
        raise BadStateProof("the certificate is of another header")
    verify_certificate(certificate, network_id, roster, verify=verify)
    try:
        opened = Opened(answer.proof)
        opened.get(answer.key)
    except BadMapProof as error:
        raise BadStateProof(error.detail) from error
    if opened.root != header.state_root:
        raise BadStateProof("the proof does not lead to the state root")


def _answer_of(items: list[Value]) -> StateAnswer:
    return StateAnswer(
        number=as_int(items[1], low=1),
        key=as_bytes(items[2], size_max=STATE_KEY_SIZE_BYTES_MAX),
        proof=as_bytes(items[3]),
        header=decode_header(as_bytes(items[4])),
        certificate=parse_certificate(items[5]),
    )
