"""Fork evidence: two signed events that no one who keeps to the protocol makes both.

A fork is two events of one creator, neither a self-ancestor of the other. Without the graph, that
shows in two cases, and each of them is proof:

1. the same sequence number: along a chain it grows by one, so neither is below the other;
2. the same self-parent: both are its children, so one of the two branches off.

The encoding is the canonical array ["myceld/fork/1", event, event] of two encoded events, the one
with the smaller id first: every pair has one encoding. Anyone who knows the network and the
creator's public key can verify it. Whoever learns of a fork from the engine (`Effects.fork`) has
both events in its journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from core import codec
from core.ids import Epoch, MemberIndex, NetworkId, PublicKey, Sequence
from core.limits import PUBLIC_KEY_SIZE_BYTES
from hashgraph.errors import ForgedEvidence, MalformedEvidence, NoFork
from hashgraph.event import Event, decode_event, encode_event
from hashgraph.limits import EVENT_SIZE_BYTES_MAX, EVIDENCE_SIZE_BYTES_MAX

EVIDENCE_DOMAIN: Final = "myceld/fork/1"
"""First item of every encoded evidence."""


@dataclass(frozen=True, slots=True)
class ForkEvidence:
    """Two events of one creator that prove a fork, the one with the smaller id first.

    Made by `fork_evidence` or `decode_evidence`, which check everything but the signatures.
    """

    epoch: Epoch
    first: Event
    second: Event

    @property
    def creator(self) -> MemberIndex:
        """The member that forked, by its place in the epoch's roster."""
        return self.first.creator

    @property
    def sequence(self) -> Sequence:
        """The sequence number of the first event."""
        return self.first.sequence


def fork_evidence(one: Event, other: Event, *, network_id: NetworkId, epoch: Epoch) -> ForkEvidence:
    """Return the evidence that two events make, in either sequence.

    Raises NoFork if they prove none, and what `decode_event` raises if they are not of this
    network and epoch.
    """
    data = codec.encode([EVIDENCE_DOMAIN, *_sorted(one, other)])
    return decode_evidence(data, network_id=network_id, epoch=epoch)


def encode_evidence(evidence: ForkEvidence) -> bytes:
    """Return the canonical bytes of fork evidence."""
    return codec.encode([EVIDENCE_DOMAIN, *_sorted(evidence.first, evidence.second)])


def decode_evidence(data: bytes, *, network_id: NetworkId, epoch: Epoch) -> ForkEvidence:
    """Return the evidence that `data` encodes; signatures are not checked.

    Accepted is (1) the canonical encoding of the array of three with our domain, of at most
    EVIDENCE_SIZE_BYTES_MAX bytes, (2) of two events that `decode_event` accepts for this network
    and epoch, (3) in the sequence of their ids, which differ, (4) by one creator, (5) with one
    sequence number or one self-parent. Raises MalformedEvidence (1, 3), NoFork (4, 5), and what
    `decode_event` raises (2).
    """
    try:
        items = codec.as_array(codec.decode(data, size_bytes_max=EVIDENCE_SIZE_BYTES_MAX), length=3)
        encoded = [codec.as_bytes(item, size_max=EVENT_SIZE_BYTES_MAX) for item in items[1:]]
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvidence(error.detail) from error
    if items[0] != EVIDENCE_DOMAIN:
        raise MalformedEvidence("not fork evidence of this version")
    first, second = (decode_event(item, network_id=network_id, epoch=epoch) for item in encoded)
    if first.id == second.id:
        raise NoFork("both are the same event")
    if first.id > second.id:
        raise MalformedEvidence("the event with the larger id comes first")
    if first.creator != second.creator:
        raise NoFork(f"the events are by members {first.creator} and {second.creator}")
    same_parent = first.self_parent is not None and first.self_parent == second.self_parent
    if first.sequence != second.sequence and not same_parent:
        raise NoFork("neither the sequence numbers nor the self-parents are equal")
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
    for event in (evidence.first, evidence.second):
        if not _is_signed(event, public_key):
            raise ForgedEvidence(f"event {event.id.hex()[:16]} is not signed with the key")
    return evidence


def _sorted(one: Event, other: Event) -> list[bytes]:
    return [encode_event(event) for event in sorted((one, other), key=lambda event: event.id)]


def _is_signed(event: Event, public_key: PublicKey) -> bool:
    if len(public_key) != PUBLIC_KEY_SIZE_BYTES:
        return False
    try:
        crypto_sign_open(event.signature + event.body, public_key)
    except (CryptoError, ValueError):
        return False
    return True
