"""Proof files: something that a network has certified, with all that shows it from the genesis on.

    proof    ["myceld-proof/1", genesis, [step, …], [header, …], signers, subject]
    step     [header, signers, roster]
    signers  [[number, signature], …]
    subject  ["header"] | ["roster", roster]
             | ["receipt", receipt, transaction or nil, index, [hash, …]]
             | ["state", key, value or nil, proof of the map]
             | ["range", first key, end or nil, proof of the map]

Genesis, headers, rosters and receipts are the canonical bytes of each. A step leads to the next
roster: its header names it, and is signed by more than 2/3 of the roster trusted so far, in which
`number` counts; numbers rise. The headers lead by their hashes from the round that the subject is
in to the one that `signers` signed, of the last roster. There is nothing in a proof that is not
checked: changed anywhere, it proves nothing.

As a file it is text: base64 in lines of 64 characters between two marks. Nothing here checks what
a proof says (`ledger.verify`), makes one or touches a file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import MemberIndex, Signature
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from ledger.errors import ProofUnreadable
from ledger.genesis import Genesis, decode_genesis
from ledger.header import Receipt, RoundHeader, decode_header, decode_receipt
from ledger.limits import (
    MEMBERS_MAX,
    PROOF_HEADERS_MAX,
    PROOF_PATH_HASHES_MAX,
    PROOF_SIZE_BYTES_MAX,
    PROOF_VALUES_MAX,
    ROSTER_STEPS_MAX,
    STATE_KEY_SIZE_BYTES_MAX,
    TRANSACTION_SIZE_BYTES_MAX,
)
from ledger.map_proof import Opened, Scan
from ledger.roster import Roster, decode_roster
from ledger.roster_proof import RosterStep

Signers: TypeAlias = tuple[tuple[MemberIndex, Signature], ...]
"""Who signed, by their number in a roster, in rising order."""

_FORMAT: Final = "myceld-proof/1"
_BEGIN: Final = "-----BEGIN MYCELD PROOF-----"
_END: Final = "-----END MYCELD PROOF-----"
_COLUMNS: Final = 64
TEXT_SIZE_MAX: Final = PROOF_SIZE_BYTES_MAX // 45 * 64
"""Characters of a proof's text, its line breaks included; more is not read."""


@dataclass(frozen=True, slots=True)
class Step:
    """A header that names the next roster, signed by those trusted before."""

    header: RoundHeader
    signers: Signers
    roster: Roster


@dataclass(frozen=True, slots=True)
class HeaderClaim:
    """The header is what is proven."""


@dataclass(frozen=True, slots=True)
class RosterClaim:
    """These vote on the round after the header."""

    roster: Roster


@dataclass(frozen=True, slots=True)
class ReceiptClaim:
    """A transaction's place and outcome, the leaf `index` of its round's receipts."""

    receipt: Receipt
    transaction: bytes | None
    """None when who made the proof had no more than the receipt."""
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StateClaim:
    """The value of a state key after the round, None for no value."""

    key: bytes
    value: bytes | None
    proof: bytes
    """See `ledger.map_proof`."""


@dataclass(frozen=True, slots=True)
class RangeClaim:
    """The state from a key on up to another, None for the end: what the proof shows of it."""

    start: bytes
    end: bytes | None
    proof: bytes

    @property
    def shown(self) -> Scan:
        """The entries, and whether these are all in the range; raises BadMapProof."""
        return Opened(self.proof).scan(self.start, self.end)


Subject: TypeAlias = HeaderClaim | RosterClaim | ReceiptClaim | StateClaim | RangeClaim


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof file says. Nothing of it is true before `ledger.verify` said so."""

    genesis: Genesis
    steps: tuple[Step, ...]
    headers: tuple[RoundHeader, ...]
    """From the round of the subject to the one that was signed; often one."""
    signers: Signers
    subject: Subject


def encode_proof(proof: Proof) -> bytes:
    """Return the canonical bytes."""
    steps: list[Value] = [
        [step.header.encode(), _signers_value(step.signers), step.roster.encode()]
        for step in proof.steps
    ]
    return encode(
        [
            _FORMAT,
            proof.genesis.encode(),
            steps,
            [header.encode() for header in proof.headers],
            _signers_value(proof.signers),
            _subject_value(proof.subject),
        ]
    )


def decode_proof(data: bytes) -> Proof:
    """Return what the bytes say, nothing of it checked; raises ProofUnreadable."""
    try:
        value = decode(data, size_bytes_max=PROOF_SIZE_BYTES_MAX, values_max=PROOF_VALUES_MAX)
        return _proof_of(value)
    except ProofUnreadable:
        raise
    except MyceldError as error:
        raise ProofUnreadable(f"not a proof: {error.detail}") from error


def steps_of(trusted: Roster, steps: Sequence[RosterStep]) -> tuple[Step, ...]:
    """Return the steps as a proof file has them: signatures of those trusted before only."""
    found = []
    for step in steps:
        signed = [(step.signers[at], signature) for at, signature in step.certificate.signatures]
        numbered = [(trusted.index_of(key), signature) for key, signature in signed]
        known = [(number, signature) for number, signature in numbered if number is not None]
        signers: Signers = tuple(sorted(known))
        found.append(Step(step.header, signers, step.roster))
        trusted = step.roster
    return tuple(found)


def to_text(data: bytes) -> str:
    """Return the text of the file that holds a proof's bytes."""
    armour = base64.b64encode(data).decode("ascii")
    lines = [armour[at : at + _COLUMNS] for at in range(0, len(armour), _COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END]) + "\n"


def from_text(text: str) -> bytes:
    """Return the bytes in a proof file's text; raises ProofUnreadable."""
    if len(text) > TEXT_SIZE_MAX:
        raise ProofUnreadable(f"{len(text)} characters are too many for a proof")
    # Files that went through mail or another system may have come by other line breaks.
    whole = text.strip().replace("\r\n", "\n")
    if whole.count("\n") > len(whole) // _COLUMNS + 3:  # counted before they are listed
        raise ProofUnreadable("the lines are not those that were written")
    lines = whole.split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ProofUnreadable(f"the text does not begin and end as {_BEGIN[5:-5]} does")
    try:
        data = base64.b64decode("".join(lines[1:-1]).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ProofUnreadable("not base64 between the marks") from error
    if to_text(data) != "\n".join(lines) + "\n":
        raise ProofUnreadable("the lines are not those that were written")
    return data


def _proof_of(value: Value) -> Proof:
    items = as_array(value)
    if not items or items[0] != _FORMAT:
        raise ProofUnreadable("not a proof of a version known here")
    _, genesis, steps, headers, signers, subject = as_array(value, length=6)
    return Proof(
        decode_genesis(as_bytes(genesis)),
        tuple(_step_of(item) for item in as_array(steps, length_max=ROSTER_STEPS_MAX)),
        tuple(
            decode_header(as_bytes(item))
            for item in as_array(headers, length_max=PROOF_HEADERS_MAX)
        ),
        _signers_of(signers),
        _subject_of(as_array(subject)),
    )


def _signers_value(signers: Signers) -> Value:
    return [[number, signature] for number, signature in signers]


def _signers_of(value: Value) -> Signers:
    pairs = [as_array(pair, length=2) for pair in as_array(value, length_max=MEMBERS_MAX)]
    return tuple(
        (
            MemberIndex(as_int(number, high=MEMBERS_MAX)),
            Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
        )
        for number, signature in pairs
    )


def _step_of(value: Value) -> Step:
    header, signers, roster = as_array(value, length=3)
    return Step(
        decode_header(as_bytes(header)), _signers_of(signers), decode_roster(as_bytes(roster))
    )


def _subject_value(subject: Subject) -> Value:
    match subject:
        case HeaderClaim():
            return ["header"]
        case RosterClaim():
            return ["roster", subject.roster.encode()]
        case ReceiptClaim():
            receipt, path = subject.receipt.encode(), list(subject.path)
            return ["receipt", receipt, subject.transaction, subject.index, path]
        case StateClaim():
            return ["state", subject.key, subject.value, subject.proof]
        case RangeClaim():
            return ["range", subject.start, subject.end, subject.proof]


def _subject_of(items: Sequence[Value]) -> Subject:
    kind = as_text(items[0] if items else None, length_max=16)
    match kind, items[1:]:
        case "header", []:
            return HeaderClaim()
        case "roster", [roster]:
            return RosterClaim(decode_roster(as_bytes(roster)))
        case "receipt", [receipt, transaction, index, path]:
            return ReceiptClaim(
                decode_receipt(as_bytes(receipt)),
                None
                if transaction is None
                else as_bytes(transaction, size_max=TRANSACTION_SIZE_BYTES_MAX),
                as_int(index),
                tuple(
                    as_bytes(item, size=HASH_SIZE_BYTES)
                    for item in as_array(path, length_max=PROOF_PATH_HASHES_MAX)
                ),
            )
        case "state", [key, found, proof]:
            return StateClaim(
                as_bytes(key, size_max=STATE_KEY_SIZE_BYTES_MAX),
                None if found is None else as_bytes(found),
                as_bytes(proof),
            )
        case "range", [start, end, proof]:
            return RangeClaim(
                as_bytes(start, size_max=STATE_KEY_SIZE_BYTES_MAX),
                None if end is None else as_bytes(end, size_max=STATE_KEY_SIZE_BYTES_MAX),
                as_bytes(proof),
            )
    raise ProofUnreadable("it is about something that is not known here")
