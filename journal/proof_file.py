"""A proof in a file: one block, the hashes that lead from it to a root, and the signed head.

C2SP tlog-proof text (the extension `.tlog-proof`), with the block as its `extra` data, so that the
file needs nothing beside it but knowledge of whose cell id it has to be:

    c2sp.org/tlog-proof@v1
    extra <the block, base64>
    index <index of the block>
    <a hash of the inclusion proof, base64>       once per hash

    <the head: checkpoint text with its signature and any cosignatures>

Reading is strict, and nothing in a file is true before `verify_proof` returned.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, Hash, public_key_of
from core.limits import HASH_SIZE_BYTES, INT_MAX
from journal.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from journal.cosignature import Witness, verified_witnesses
from journal.limits import BLOCK_SIZE_BYTES_MAX, HEAD_TEXT_SIZE_BYTES_MAX, PROOF_HASHES_MAX
from journal.merkle import leaf_hash, verify_inclusion

PROOF_FILE_SIZE_BYTES_MAX: Final = (
    4 * (BLOCK_SIZE_BYTES_MAX // 3 + 2) + 64 * PROOF_HASHES_MAX + HEAD_TEXT_SIZE_BYTES_MAX
)
"""The largest block in base64, the longest proof and the longest head: 5.6 MiB."""

_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ProofFileRefused(RemoteViolation):
    """Text that is not a proof file."""

    code = "MYC-JOURNAL-061"
    remedy = "Export the proof again with `myceld journal export`, and copy the file whole."


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof file says, not checked."""

    index: int
    block: bytes
    hashes: tuple[bytes, ...]
    head: str


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """What a checked proof file proves: `block` is block `index` of the journal under `head`."""

    index: int
    block: bytes
    head: Checkpoint
    witnesses: tuple[Witness, ...]


def format_proof(index: int, block: bytes, hashes: Sequence[bytes], head: str) -> str:
    """Return the text of a proof file."""
    lines = [_FIRST_LINE, _EXTRA + _encode(block), f"index {index}", *map(_encode, hashes)]
    return "\n".join(lines) + "\n\n" + head


def parse_proof(text: str) -> Proof:
    """Return what a proof file says, not checked; raises ProofFileRefused."""
    if len(text) > PROOF_FILE_SIZE_BYTES_MAX:
        raise ProofFileRefused(f"{len(text)} characters are too many for a proof file")
    top, separator, head = text.partition("\n\n")
    lines = top.split("\n", 3 + PROOF_HASHES_MAX)
    if not separator or lines[0] != _FIRST_LINE or len(lines) < 3:
        raise ProofFileRefused("a proof file begins with c2sp.org/tlog-proof@v1, extra and index")
    if not lines[1].startswith(_EXTRA):
        raise ProofFileRefused("the second line does not hold the block")
    index = _INDEX.fullmatch(lines[2])
    if index is None or int(index[1]) > INT_MAX:
        raise ProofFileRefused("the third line is not an index")
    block = _decode(lines[1].removeprefix(_EXTRA))
    if len(block) > BLOCK_SIZE_BYTES_MAX:
        raise ProofFileRefused("the block is larger than a block can be")
    if len(lines) - 3 > PROOF_HASHES_MAX:
        raise ProofFileRefused("the proof is longer than any tree needs")
    hashes = tuple(Hash(_decode(line)) for line in lines[3:])
    if any(len(value) != HASH_SIZE_BYTES for value in hashes):
        raise ProofFileRefused("a hash of the proof is not 32 bytes")
    return Proof(int(index[1]), block, hashes, head)


def verify_proof(text: str, cell_id: CellId | None = None) -> VerifiedProof:
    """Check a proof file, without any network.

    `cell_id` is whose journal it must be of. Without one the file proves only that the cell named
    in its own head signed it: compare that cell id with one you trust.
    Raises ProofFileRefused, HeadRefused, CosignatureRefused or ProofRefused.
    """
    proof = parse_proof(text)
    head = parse_checkpoint(proof.head)
    if cell_id is not None and head.cell_id != cell_id:
        raise ProofFileRefused(f"the head is of cell {head.cell_id}, not of {cell_id}")
    try:
        public_key = public_key_of(head.cell_id)
    except MyceldError as error:
        raise ProofFileRefused(f"its head names no cell: {error.detail}") from error
    verify_checkpoint(proof.head, head.origin, public_key)
    witnesses = verified_witnesses(proof.head)
    verify_inclusion(leaf_hash(proof.block), proof.index, head.size, proof.hashes, head.root)
    return VerifiedProof(proof.index, proof.block, head, witnesses)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ProofFileRefused("not base64") from error
    if _encode(data) != text:
        raise ProofFileRefused("not canonical base64")
    return data
