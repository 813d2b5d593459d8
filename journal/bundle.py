"""One signature for the heads of several journals that grew in one transaction.

Signing each head would cost more than all else in such a commit. So the texts of the heads are
leaves of a small Merkle tree, whose root is signed; each head gets a signature line of a type of
its own, as signed notes allow (type 0xff and a name), which holds what leads from it to the root:

    index of the leaf, leaves (2 bytes each, big endian) || root || signature || inclusion proof

The number of leaves is a power of two: the last head is repeated. What is signed is the text

    myceld heads/v1
    <root, base64>

Such a line is only for the cell's own file. A head that is shown to others gets a plain signature.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

from core.errors import check
from core.ids import Hash, PublicKey, Signature
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from journal.checkpoint import (
    Checkpoint,
    Sign,
    body_of,
    format_body,
    key_id_of,
    parse_checkpoint,
    signature_line,
    verify_checkpoint,
    verify_signature,
)
from journal.errors import HeadRefused, ProofRefused
from journal.limits import JOURNALS_MAX
from journal.merkle import leaf_hash, levels_of, verify_inclusion

NewHead: TypeAlias = tuple[str, int, Hash]
"""Origin, size and root of a head that is to be signed."""

_KIND: Final = b"\xffmyceld heads/v1"
_FIXED: Final = struct.Struct(f">HH{HASH_SIZE_BYTES}s{SIGNATURE_SIZE_BYTES}s")


def sign_together(heads: Sequence[NewHead], public_key: PublicKey, sign: Sign) -> list[str]:
    """Return the texts of 2 to JOURNALS_MAX heads, signed by one call of `sign`."""
    check(2 <= len(heads) <= JOURNALS_MAX, "a bundle has several heads")
    bodies = [format_body(origin, size, root) for origin, size, root in heads]
    leaves: list[bytes] = [leaf_hash(body.encode("ascii")) for body in bodies]
    leaves += [leaves[-1]] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))
    levels = levels_of(leaves)
    root = levels[-1][0]
    signature = sign(_signed_text(root))
    check(len(signature) == SIGNATURE_SIZE_BYTES, "an Ed25519 signature is 64 bytes")
    texts = []
    for index, (body, (origin, _, _)) in enumerate(zip(bodies, heads, strict=True)):
        fixed = _FIXED.pack(index, len(leaves), root, signature)
        proof = [level[index >> height ^ 1] for height, level in enumerate(levels[:-1])]
        line = signature_line(origin, key_id_of(origin, public_key, _KIND), fixed + b"".join(proof))
        texts.append(f"{body}\n{line}")
    return texts


def is_bundled(text: str, public_key: PublicKey) -> bool:
    """Return whether a head of our own file is signed together with others."""
    origin = text.partition("\n")[0]
    if not origin.isascii():
        return False
    prefix = base64.b64encode(key_id_of(origin, public_key, _KIND)).decode("ascii")[:5]
    return text.rpartition(" ")[2].startswith(prefix)


def verify_own_head(text: str, origin: str, public_key: PublicKey) -> Checkpoint:
    """Return the head of the cell's own file if its key signed it, alone or together with others.

    Raises HeadRefused.
    """
    head = parse_checkpoint(text)
    key_id = key_id_of(origin, public_key, _KIND)
    if head.origin != origin or [line.key_id for line in head.signatures] != [key_id]:
        return verify_checkpoint(text, origin, public_key)
    raw = head.signatures[0].signature
    hashes, odd = divmod(len(raw) - _FIXED.size, HASH_SIZE_BYTES)
    if hashes < 0 or odd:
        raise HeadRefused("a signature line of a head signed with others has another length")
    index, count, root, signature = _FIXED.unpack_from(raw)
    proof = [raw[at : at + HASH_SIZE_BYTES] for at in range(_FIXED.size, len(raw), HASH_SIZE_BYTES)]
    try:
        verify_inclusion(leaf_hash(body_of(text).encode("ascii")), index, count, proof, root)
    except ProofRefused as error:
        raise HeadRefused("the head is not among those that were signed together") from error
    verify_signature(public_key, _signed_text(root), Signature(signature))
    return head


def _signed_text(root: bytes) -> bytes:
    return b"myceld heads/v1\n" + base64.b64encode(root) + b"\n"
