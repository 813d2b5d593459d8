"""Proofs that a key has a value in a certified state, or none: questions, answers, and the check.

    question  ["state", key]
    answer    ["value", number of the question, key, value or nil, [sibling, …], other or nil,
               header, certificate]
              ["none", number of the question, code]     there is no proof to be had, now

The siblings lead from the key's place to the state root in the header, the deepest one last. A key
without a value is proven by what is at its place: nothing, or the leaf of an `other` key, given as
[path, hash of its value]. The certificate makes the header's state that of the network; who checks
it has to know the roster of its epoch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import Hash, NetworkId
from core.limits import HASH_SIZE_BYTES
from ledger.certificate import Certificate, Verifier, parse_certificate, verify_certificate
from ledger.errors import BadStateProof
from ledger.header import RoundHeader, decode_header
from ledger.limits import (
    STATE_ANSWER_SIZE_BYTES_MAX,
    STATE_KEY_SIZE_BYTES_MAX,
)
from ledger.roster import Roster
from ledger.tree import EMPTY_ROOT, PATH_BITS, Path

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
    """A value, None for no value, and what proves it. Not true before `verify_answer` returned."""

    number: int
    """Of the message that asked."""
    key: bytes
    value: bytes | None
    path: Path
    header: RoundHeader
    certificate: Certificate


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
            other: Value = None if message.path.other is None else list(message.path.other)
            return encode(
                [
                    _ANSWER,
                    message.number,
                    message.key,
                    message.value,
                    list(message.path.siblings),
                    other,
                    message.header.encode(),
                    message.certificate.to_value(),
                ]
            )


def decode_message(body: bytes) -> StateMessage:
    """Return what the body of a QUERY says, nothing of it checked; raises BadStateProof."""
    try:
        value = decode(body, size_bytes_max=STATE_ANSWER_SIZE_BYTES_MAX)
        items = as_array(value, length_max=8)
        kind = as_text(items[0] if items else None, length_max=8)
        if kind == _QUESTION and len(items) == 2:
            return StateQuestion(as_bytes(items[1], size_max=STATE_KEY_SIZE_BYTES_MAX))
        if kind == _NONE and len(items) == 3:
            code = as_text(items[2], length_max=_CODE_LENGTH_MAX)
            return NoAnswer(as_int(items[1], low=1), code)
        if kind == _ANSWER and len(items) == 8:
            return _answer_of(items)
    except MyceldError as error:
        raise BadStateProof(f"not a question about the state: {error.detail}") from error
    raise BadStateProof("neither a question about the state nor an answer")


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
    if root_of_path(answer.key, answer.value, answer.path) != header.state_root:
        raise BadStateProof("the proof does not lead to the state root")


def root_of_path(key: bytes, value: bytes | None, path: Path) -> Hash:
    """Return the root to which a path leads; raises BadStateProof for one that can not be."""
    place = hashlib.sha256(key).digest()
    if len(path.siblings) > PATH_BITS:
        raise BadStateProof("the path is longer than any")
    if value is not None and path.other is not None:
        raise BadStateProof("a value and another key at one place")
    digest: bytes = EMPTY_ROOT
    if value is not None:
        digest = _leaf(place, hashlib.sha256(value).digest())
    elif path.other is not None:
        other, value_hash = path.other
        if other == place or _prefix(other, path) != _prefix(place, path):
            raise BadStateProof("the other key is not at the place of this one")
        digest = _leaf(other, value_hash)
    bits = int.from_bytes(place, "big")
    for depth in range(len(path.siblings) - 1, -1, -1):
        sibling = path.siblings[depth]
        is_right = bits >> (PATH_BITS - 1 - depth) & 1
        pair = sibling + digest if is_right else digest + sibling
        digest = hashlib.sha256(b"\x01" + pair).digest()
    return Hash(digest)


def _answer_of(items: list[Value]) -> StateAnswer:
    siblings = as_array(items[4], length_max=PATH_BITS)
    other = None
    if items[5] is not None:
        place, value_hash = as_array(items[5], length=2)
        other = (
            as_bytes(place, size=HASH_SIZE_BYTES),
            as_bytes(value_hash, size=HASH_SIZE_BYTES),
        )
    return StateAnswer(
        number=as_int(items[1], low=1),
        key=as_bytes(items[2], size_max=STATE_KEY_SIZE_BYTES_MAX),
        value=None if items[3] is None else as_bytes(items[3]),
        path=Path(tuple(as_bytes(item, size=HASH_SIZE_BYTES) for item in siblings), other),
        header=decode_header(as_bytes(items[6])),
        certificate=parse_certificate(items[7]),
    )


def _leaf(place: bytes, value_hash: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + place + value_hash).digest()


def _prefix(place: bytes, path: Path) -> int:
    return int.from_bytes(place, "big") >> (PATH_BITS - len(path.siblings))
