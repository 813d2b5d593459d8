"""Certificates: more than 2/3 of the weight signed the header of a round.

`Certifier` collects members' checkpoint signatures and turns them into certificates. Signatures
are checked before they come in (`signature_check`), so that this stays free of CPU-heavy work.
A certificate for a round vouches for all earlier ones: headers are chained by hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, encode
from core.ids import Epoch, Hash, MemberIndex, NetworkId, PublicKey, Round, Signature
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from ledger.errors import BadCertificate, Diverged
from ledger.limits import CERTIFICATE_ROUNDS_PENDING_MAX, MEMBERS_MAX
from ledger.roster import Roster

_DOMAIN: Final = "myceld/checkpoint/1"


@dataclass(frozen=True, slots=True)
class CheckpointSignature:
    """One member's signature of the header of one round; `member` counts in the epoch's roster."""

    epoch: Epoch
    round: Round
    header_hash: Hash
    member: MemberIndex
    signature: Signature

    def to_value(self) -> Value:
        """Return the encodable array."""
        return [self.epoch, self.round, self.header_hash, self.member, self.signature]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Signatures of more than 2/3 of the weight of an epoch's roster over one header."""

    epoch: Epoch
    round: Round
    header_hash: Hash
    signatures: tuple[tuple[MemberIndex, Signature], ...]

    def to_value(self) -> Value:
        """Return the encodable array."""
        pairs: list[Value] = [[member, signature] for member, signature in self.signatures]
        return [self.epoch, self.round, self.header_hash, pairs]


def checkpoint_message(
    network_id: NetworkId, epoch: Epoch, round_number: Round, header_hash: Hash
) -> bytes:
    """Return the bytes that a member signs for the header of a round."""
    return encode([_DOMAIN, network_id, epoch, round_number, header_hash])


def parse_checkpoint_signature(value: Value) -> CheckpointSignature:
    """Return the signature in a decoded array; raises WrongShape. Checks no cryptography."""
    epoch, round_number, header_hash, member, signature = as_array(value, length=5)
    return CheckpointSignature(
        Epoch(as_int(epoch)),
        Round(as_int(round_number)),
        Hash(as_bytes(header_hash, size=HASH_SIZE_BYTES)),
        MemberIndex(as_int(member, high=MEMBERS_MAX)),
        Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
    )


def epoch_of(value: Value) -> Epoch:
    """Return the epoch that an encoded signature or certificate is of; raises WrongShape."""
    items = as_array(value, length_max=5)
    return Epoch(as_int(items[0] if items else None))


def parse_certificate(value: Value) -> Certificate:
    """Return the certificate in a decoded array; raises WrongShape. See `verify_certificate`."""
    epoch, round_number, header_hash, pairs = as_array(value, length=4)
    signatures: list[tuple[MemberIndex, Signature]] = []
    for pair in as_array(pairs, length_max=MEMBERS_MAX):
        member, signature = as_array(pair, length=2)
        signatures.append(
            (
                MemberIndex(as_int(member, high=MEMBERS_MAX)),
                Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
            )
        )
    return Certificate(
        Epoch(as_int(epoch)),
        Round(as_int(round_number)),
        Hash(as_bytes(header_hash, size=HASH_SIZE_BYTES)),
        tuple(signatures),
    )


Verifier = Callable[[PublicKey, bytes, bytes], bool]


def verify_certificate(
    certificate: Certificate, network_id: NetworkId, roster: Roster, *, verify: Verifier
) -> None:
    """Return when the certificate proves its header for this network; else raise BadCertificate.

    Accepted only if: it is of the roster's epoch; signers are members, none twice; each signature
    is valid for this network, epoch, round and header; the signers' weight is a supermajority.
    """
    if certificate.epoch != roster.epoch:
        raise BadCertificate(f"it is of epoch {certificate.epoch}, the roster of {roster.epoch}")
    message = checkpoint_message(
        network_id, roster.epoch, certificate.round, certificate.header_hash
    )
    seen: set[MemberIndex] = set()
    for member, signature in certificate.signatures:
        if member >= len(roster.members) or member in seen:
            raise BadCertificate(f"signer {member} is not a member, or is listed twice")
        seen.add(member)
        if not verify(roster.members[member].public_key, message, signature):
            raise BadCertificate(f"the signature of member {member} is wrong")
    weight = sum(roster.weights[member] for member in seen)
    if not roster.is_supermajority(weight):
        raise BadCertificate(f"weight {weight} of {sum(roster.weights)} is not more than 2/3")


@dataclass(slots=True)
class _Pending:
    by_header: dict[Hash, dict[MemberIndex, Signature]] = field(default_factory=dict)
    voted: set[MemberIndex] = field(default_factory=set)


class Certifier:
    """Collects checkpoint signatures of one epoch; knows the newest certificate in it.

    Holds at most CERTIFICATE_ROUNDS_PENDING_MAX rounds above the newest certified one, and one
    signature for each member and round; what is outside is ignored.
    """

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._pending: dict[Round, _Pending] = {}
        self._newest: Certificate | None = None

    @property
    def newest(self) -> Certificate | None:
        """The certificate of the highest round known to be certified."""
        return self._newest

    @property
    def certified_round(self) -> Round:
        """The round of `newest`; without one, the round before the epoch."""
        before = Round(self.roster.first_round - 1)
        return before if self._newest is None else self._newest.round

    def add(self, signature: CheckpointSignature) -> Certificate | None:
        """Take a verified signature; return the certificate when it completes a newer one."""
        low, high = self.certified_round, self.certified_round + CERTIFICATE_ROUNDS_PENDING_MAX
        if not low < signature.round <= high or signature.member >= len(self.roster.members):
            return None
        pending = self._pending.setdefault(signature.round, _Pending())
        if signature.member in pending.voted:
            return None
        pending.voted.add(signature.member)
        signers = pending.by_header.setdefault(signature.header_hash, {})
        signers[signature.member] = signature.signature
        weight = sum(self.roster.weights[member] for member in signers)
        if not self.roster.is_supermajority(weight):
            return None
        certificate = Certificate(
            self.roster.epoch,
            signature.round,
            signature.header_hash,
            tuple(sorted(signers.items())),
        )
        self.adopt(certificate)
        return certificate

    def adopt(self, certificate: Certificate) -> bool:
        """Take a verified certificate; return whether it is newer than the one known."""
        if certificate.round <= self.certified_round:
            return False
        self._newest = certificate
        for known in [known for known in self._pending if known <= certificate.round]:
            del self._pending[known]
        return True


def check_own(certificate: Certificate, own_header_hash: Hash) -> None:
    """Raise Diverged when the network certified another header for a round than our own."""
    if certificate.header_hash != own_header_hash:
        raise Diverged(
            f"round {certificate.round}: the network certified header "
            f"{certificate.header_hash.hex()[:16]}…, "
            f"this cell computed {own_header_hash.hex()[:16]}…"
        )
