"""Cosignatures on heads: another cell says when it saw a head that continues all it saw before.

C2SP tlog-cosignature, `cosignature/v1`. The line's name is the witness's cell id; what is signed is

    cosignature/v1
    time <seconds of the Unix epoch>
    <the three lines of the head>

and the line holds 4 bytes of key id (type 0x04), 8 bytes of time, big-endian, and 64 of Ed25519.
A cell id holds its own key, so a line by a cell is checked without further keys. Lines of other
names are kept and not judged. This module holds no key and knows no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import RemoteViolation, check
from core.ids import CellId, NotACellId, PublicKey, Signature, public_key_of
from core.limits import INT_MAX, SIGNATURE_SIZE_BYTES
from journal.checkpoint import (
    NoteSignature,
    Sign,
    body_of,
    key_id_of,
    parse_checkpoint,
    signature_line,
    verify_signature,
)
from journal.errors import HeadRefused
from journal.limits import HEAD_SIGNATURES_MAX, HEAD_TEXT_SIZE_BYTES_MAX

KIND_COSIGNATURE: Final = b"\x04"
"""Signature type of `cosignature/v1`: Ed25519 with a time."""

_TIME_SIZE_BYTES: Final = 8


class CosignatureRefused(RemoteViolation):
    """A line in a cell's name that is not that cell's cosignature of the head."""

    code = "MYC-JOURNAL-060"
    remedy = "Do not use the head; get it again from the journal's own cell."


@dataclass(frozen=True, slots=True)
class Witness:
    """A cell whose cosignature was checked, and when it says that it saw the head."""

    cell_id: CellId
    time_s: int


def cosign(text: str, cell_id: CellId, sign: Sign, time_s: int) -> str:
    """Return the head with the cosignature of `cell_id`, which replaces an earlier one of it.

    The caller vouches that it verified the head and that it continues every head of this journal
    that it cosigned before. Raises HeadRefused for text that is no head, or has no room left.
    """
    check(0 <= time_s <= INT_MAX, "a time is in seconds of the Unix epoch")
    head = parse_checkpoint(text)
    key_id = key_id_of(cell_id, public_key_of(cell_id), KIND_COSIGNATURE)
    signature = sign(_message(text, time_s))
    check(len(signature) == SIGNATURE_SIZE_BYTES, "an Ed25519 signature is 64 bytes")
    kept = [line for line in head.signatures if (line.name, line.key_id) != (cell_id, key_id)]
    if len(kept) >= HEAD_SIGNATURES_MAX:
        raise HeadRefused(f"the head has {HEAD_SIGNATURES_MAX} signatures already")
    lines = [signature_line(line.name, line.key_id, line.signature) for line in kept]
    payload = time_s.to_bytes(_TIME_SIZE_BYTES, "big") + signature
    cosigned = f"{body_of(text)}\n{''.join(lines)}{signature_line(cell_id, key_id, payload)}"
    if len(cosigned) > HEAD_TEXT_SIZE_BYTES_MAX:
        raise HeadRefused("no room for one more signature")
    return cosigned


def verified_witnesses(text: str) -> tuple[Witness, ...]:
    """Return the cells whose cosignatures are on the head, checked, in the order of the lines.

    Raises HeadRefused for text that is no head and CosignatureRefused for a line that names a
    cell, has the key id of its cosignatures, and fails or comes twice.
    """
    witnesses: dict[CellId, Witness] = {}
    for line in parse_checkpoint(text).signatures:
        public_key = _key_of(line.name)
        if public_key is None:
            continue
        if line.key_id != key_id_of(line.name, public_key, KIND_COSIGNATURE):
            continue
        witness = _verified(text, line, public_key)
        if witness.cell_id in witnesses:
            raise CosignatureRefused(f"two cosignatures of {line.name}")
        witnesses[witness.cell_id] = witness
    return tuple(witnesses.values())


def _verified(text: str, line: NoteSignature, public_key: PublicKey) -> Witness:
    time_s = int.from_bytes(line.signature[:_TIME_SIZE_BYTES], "big")
    if time_s > INT_MAX:
        raise CosignatureRefused(f"the cosignature of {line.name} is of an impossible time")
    try:
        signature = Signature(line.signature[_TIME_SIZE_BYTES:])
        verify_signature(public_key, _message(text, time_s), signature)
    except HeadRefused as error:
        raise CosignatureRefused(f"the cosignature of {line.name} fails") from error
    return Witness(CellId(line.name), time_s)


def _message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{body_of(text)}".encode()


def _key_of(name: str) -> PublicKey | None:
    try:
        return public_key_of(name)
    except NotACellId:
        return None
