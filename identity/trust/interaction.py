"""Interactions: two cells sign together that they dealt with each other.

What is signed by both is the canonical body

    ["myceld/interaction/1", network id, key, key, time ns, digest]

with the smaller key first and a digest of what went between them, so it tells nobody what that was.
A proof is `[body, signature, signature]`, in the order of the keys. A cell that keeps the proof's
bytes as a block of a journal can show them with the block's inclusion proof (`journal.proof_file`):
then it is known too that the cell recorded it, and which of its blocks came before.

An interaction says that both ends say it took place, nothing else. Two cells of one person can make
as many as they like; see `identity.trust.limits` for what they are worth.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from core.codec import (
    NotCanonical,
    WrongShape,
    as_array,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.ids import Hash, NetworkId, PublicKey, Signature
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from identity.errors import BadInteraction
from identity.keys import verify
from identity.service_limits import CODE_LENGTH_MAX
from identity.trust.limits import INTERACTION_SIZE_BYTES_MAX, INTERACTION_SKEW_S

INTERACTIONS_JOURNAL: Final = "interactions"
"""Where a cell keeps its encoded proofs; made with the first one."""
_DOMAIN: Final = "myceld/interaction/1"
_EXCHANGE_DOMAIN: Final = "myceld/exchange/1"


@dataclass(frozen=True, slots=True)
class Interaction:
    """What both cells sign."""

    network_id: NetworkId
    one: PublicKey
    """The smaller key."""
    other: PublicKey
    time_ns: int
    digest: Hash
    """Of what went between them: see `exchange_digest`."""

    @property
    def body(self) -> bytes:
        """The bytes that are signed."""
        return encode([_DOMAIN, self.network_id, self.one, self.other, self.time_ns, self.digest])

    @property
    def identity(self) -> Hash:
        """SHA-256 of the body: the same for both ends, whoever signed first."""
        return Hash(hashlib.sha256(self.body).digest())

    def is_timely(self, now_ns: int) -> bool:
        """Return whether a cell whose clock says `now_ns` may sign it."""
        return abs(now_ns - self.time_ns) <= INTERACTION_SKEW_S * 10**9


@dataclass(frozen=True, slots=True)
class InteractionProof:
    """An interaction with the signatures of both, in the order of the keys."""

    interaction: Interaction
    signatures: tuple[Signature, Signature]

    def encode(self) -> bytes:
        """Return the canonical bytes, which are what a journal keeps."""
        return encode([self.interaction.body, *self.signatures])


def exchange_digest(request: bytes, answer: bytes) -> Hash:
    """Return the digest of a request and its answer, as an interaction names them."""
    parts = (hashlib.sha256(part).digest() for part in (request, answer))
    return Hash(hashlib.sha256(encode([_EXCHANGE_DOMAIN, *parts])).digest())


def interaction(
    network_id: NetworkId, here: PublicKey, there: PublicKey, *, time_ns: int, digest: Hash
) -> Interaction:
    """Return what two cells, in any order, are to sign; raises BadInteraction if they are one."""
    if here == there:
        raise BadInteraction("a cell does not interact with itself")
    one, other = sorted((here, there))
    return Interaction(network_id, one, other, time_ns, digest)


def proof_of(found: Interaction, signatures: dict[PublicKey, Signature]) -> InteractionProof:
    """Return the proof of an interaction that both signed; raises BadInteraction."""
    pair = []
    for key in (found.one, found.other):
        signature = signatures.get(key)
        if signature is None or not verify(key, found.body, signature):
            raise BadInteraction(f"cell {key.hex()[:16]}… did not sign it")
        pair.append(signature)
    return InteractionProof(found, (pair[0], pair[1]))


def encode_offer(found: Interaction, signature: Signature) -> bytes:
    """Return an interaction that one end has signed, for the other to sign it too."""
    return encode([found.body, signature])


def decode_offer(
    data: bytes, network_id: NetworkId, *, by: PublicKey, to: PublicKey
) -> tuple[Interaction, Signature]:
    """Return what `by` offers to sign together with `to`, with its signature checked.

    Whether it took place, and now, is for the caller to know. Raises BadInteraction.
    """
    try:
        body, item = as_array(decode(data, size_bytes_max=INTERACTION_SIZE_BYTES_MAX), length=2)
        found = _parse(as_bytes(body))
        signature = Signature(as_bytes(item, size=SIGNATURE_SIZE_BYTES))
    except (NotCanonical, WrongShape) as error:
        raise BadInteraction(error.detail) from error
    expected = interaction(network_id, by, to, time_ns=found.time_ns, digest=found.digest)
    if found != expected:
        raise BadInteraction("it is of another network, or of other cells")
    if not verify(by, found.body, signature):
        raise BadInteraction("the one who offers it did not sign it")
    return found, signature


def encode_signed(proof: bytes, code: str) -> bytes:
    """Return the answer to an offer: the proof, or the code that says why there is none."""
    return encode([proof, code])


def decode_signed(data: bytes) -> tuple[bytes, str]:
    """Return proof and code of an answer, one of them empty; raises BadInteraction."""
    try:
        proof, code = as_array(decode(data, size_bytes_max=INTERACTION_SIZE_BYTES_MAX), length=2)
        found = as_bytes(proof), as_text(code, length_max=CODE_LENGTH_MAX)
    except (NotCanonical, WrongShape) as error:
        raise BadInteraction(error.detail) from error
    if bool(found[0]) == bool(found[1]):
        raise BadInteraction("an answer has a proof, or a code")
    return found


def decode_interaction(data: bytes, network_id: NetworkId | None) -> InteractionProof:
    """Return the proof in `data`, with both signatures checked.

    Accepted only if (1) it is canonical and of this version, (2) of this network, or of any if that
    is None, (3) of two keys, the smaller one first, and (4) both signed it. Raises BadInteraction.
    """
    try:
        body, first, second = as_array(
            decode(data, size_bytes_max=INTERACTION_SIZE_BYTES_MAX), length=3
        )
        found = _parse(as_bytes(body))
        signatures = [
            Signature(as_bytes(item, size=SIGNATURE_SIZE_BYTES)) for item in (first, second)
        ]
    except (NotCanonical, WrongShape) as error:
        raise BadInteraction(error.detail) from error
    if network_id is not None and found.network_id != network_id:
        raise BadInteraction("it is of another network")
    if found.one >= found.other:
        raise BadInteraction("its keys are not two in ascending order")
    return proof_of(found, dict(zip((found.one, found.other), signatures, strict=True)))


def _parse(body: bytes) -> Interaction:
    domain, network, one, other, time_ns, digest = as_array(decode(body), length=6)
    if domain != _DOMAIN:
        raise WrongShape("not an interaction of this version")
    return Interaction(
        NetworkId(as_bytes(network, size=HASH_SIZE_BYTES)),
        PublicKey(as_bytes(one, size=PUBLIC_KEY_SIZE_BYTES)),
        PublicKey(as_bytes(other, size=PUBLIC_KEY_SIZE_BYTES)),
        as_int(time_ns),
        Hash(as_bytes(digest, size=HASH_SIZE_BYTES)),
    )
