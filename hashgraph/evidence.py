"""Fork evidence: two signed headers that no one who keeps to the protocol makes both.

A fork is two events of one creator, neither a self-ancestor of the other. It always shows as two
different events at one place: along a chain the sequence number grows by one, so of two events at
one place neither is below the other; and if the places differ, the self-ancestor of the later one
at the earlier one's place is such an event, which whoever has the later one has too. So two headers
with one creator and one sequence number are the whole proof, and nothing else is one.

The encoding is the canonical array ["myceld/fork/2", header, signature, header, signature], the
event with the smaller id first: every pair has one encoding. Payloads are no part of it, so it
is small: 2 KB if both events name 128 others. Anyone who knows the network and the creator's public
key can verify it. Whoever learns of a fork from the engine (`Effects.fork`) has both events in its
journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from core import codec
from core.ids import Epoch, MemberIndex, NetworkId, PublicKey, Sequence
from core.limits import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from hashgraph.errors import ForgedEvidence, MalformedEvidence, NoFork
from hashgraph.event import Event, UnresolvedEvent
from hashgraph.header import SignedHeader, decode_header
from hashgraph.limits import EVIDENCE_SIZE_BYTES_MAX, HEADER_SIZE_BYTES_MAX

EVIDENCE_DOMAIN: Final = "myceld/fork/2"
"""First item of every encoded evidence."""


@dataclass(frozen=True, slots=True)
class ForkEvidence:
    """Two events of one creator at one place, the one with the smaller id first.

    Made by `fork_evidence` or `decode_evidence`, which check everything but the signatures.
    """

    epoch: Epoch
    first: SignedHeader
    second: SignedHeader

    @property
    def creator(self) -> MemberIndex:
        """The member that forked, by its place in the epoch's roster."""
        return self.first.creator

    @property
    def sequence(self) -> Sequence:
        """The sequence number of both events."""
        return self.first.sequence


def fork_evidence(
    one: Event | UnresolvedEvent,
    other: Event | UnresolvedEvent,
    *,
    network_id: NetworkId,
    epoch: Epoch,
) -> ForkEvidence:
    """Return the evidence that two events make, in either sequence.

    Raises NoFork if they prove none, and what `decode_header` raises if they are not of this
    network and epoch.
    """
    first, second = sorted((one, other), key=lambda event: event.id)
    data = _encode((first.body, first.signature), (second.body, second.signature))
    return decode_evidence(data, network_id=network_id, epoch=epoch)


def encode_evidence(evidence: ForkEvidence) -> bytes:
    """Return the canonical bytes of fork evidence."""
    first, second = evidence.first, evidence.second
    return _encode((first.body, first.signature), (second.body, second.signature))


def decode_evidence(data: bytes, *, network_id: NetworkId, epoch: Epoch) -> ForkEvidence:
    """Return the evidence that `data` encodes; signatures are not checked.

    Accepted is (1) the canonical encoding of the array of five with our domain, of at most
    EVIDENCE_SIZE_BYTES_MAX bytes, (2) of two headers that `decode_header` accepts for this network
    and epoch, (3) in the sequence of their events' ids, which differ, (4) by one creator, (5) with
    one sequence number. Raises MalformedEvidence (1, 3), NoFork (4, 5), and what `decode_header`
    raises (2).
    """
    try:
        items = codec.as_array(codec.decode(data, size_bytes_max=EVIDENCE_SIZE_BYTES_MAX), length=5)
        bodies = [codec.as_bytes(item, size_max=HEADER_SIZE_BYTES_MAX) for item in items[1::2]]
        signatures = [codec.as_bytes(item, size=SIGNATURE_SIZE_BYTES) for item in items[2::2]]
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvidence(error.detail) from error
    if items[0] != EVIDENCE_DOMAIN:
        raise MalformedEvidence("not fork evidence of this version")
    first, second = (
        decode_header(body, signature, network_id=network_id, epoch=epoch)
        for body, signature in zip(bodies, signatures, strict=True)
    )
    if first.id == second.id:
        raise NoFork("both are the same event")
    if first.id > second.id:
        raise MalformedEvidence("the event with the larger id comes first")
    if first.creator != second.creator:
        raise NoFork(f"the events are by members {first.creator} and {second.creator}")
    if first.sequence != second.sequence:
        raise NoFork(f"the sequence numbers are {first.sequence} and {second.sequence}")
    return ForkEvidence(epoch, first, second)


def verify_fork(
    data: bytes, *, network_id: NetworkId, epoch: Epoch, public_key: PublicKey
) -> ForkEvidence:
    """Return the evidence in `data` if the owner of `public_key` signed both events.

    The caller takes the key from the roster of the epoch, at the place `ForkEvidence.creator`; a
    key that is not there makes no accusation. Raises ForgedEvidence, and what `decode_evidence`
    raises.
    """
    evidence = decode_evidence(data, network_id=network_id, epoch=epoch)
    for header in (evidence.first, evidence.second):
        if not _is_signed(header, public_key):
            raise ForgedEvidence(f"event {header.id.hex()[:16]} is not signed with the key")
    return evidence


def _encode(first: tuple[bytes, bytes], second: tuple[bytes, bytes]) -> bytes:
    return codec.encode([EVIDENCE_DOMAIN, *first, *second])


def _is_signed(header: SignedHeader, public_key: PublicKey) -> bool:
    if len(public_key) != PUBLIC_KEY_SIZE_BYTES:
        return False
    try:
        crypto_sign_open(header.signature + header.body, public_key)
    except (CryptoError, ValueError):
        return False
    return True
