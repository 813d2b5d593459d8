"""Fork evidence as a transaction: a member that signed two histories leaves, by everybody's rules.

Whoever holds evidence of a fork (`hashgraph.evidence`) in this epoch or the one before can bring it
into the order. Every cell checks it when it applies the transaction; the checks are pure, so all
come to one verdict in one round. Proven evidence is noted in the state, once for a member and an
epoch, and takes the member out of the next epoch's roster. That seals the epoch with this round:
the next one begins without the forker, at the same round everywhere.

The last member stays, or nobody could decide anything any more. A proof closes no door for ever:
members can vote the key in again, by a proposal like any other; only another fork removes it then.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, decode, encode
from core.errors import MyceldError, check
from core.ids import Epoch, Hash, MemberIndex, PublicKey, Round
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES
from hashgraph.evidence import decode_evidence, verify_fork
from hashgraph.limits import EVIDENCE_SIZE_BYTES_MAX
from ledger.context import Context
from ledger.errors import BadEvidence, EvidenceLimit, EvidenceOutOfTime, ForkProven
from ledger.limits import EVIDENCE_OF_MEMBER_MAX, EVIDENCE_OF_OTHERS_MAX
from ledger.members import Changes, planned_members, removal_changes
from ledger.roster import Member, Roster, decode_roster, roster_key
from ledger.succession import current_key

FORK_PREFIX: Final = b"fork/"
"""State keys of proven forks: this prefix, eight bytes of epoch, then the member's public key."""


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Prove that a member forked in an epoch."""

    epoch: Epoch
    evidence: bytes
    """As `hashgraph.evidence` encodes it."""


@dataclass(frozen=True, slots=True)
class ProvenFork:
    """What the state keeps of a proven fork."""

    evidence_hash: Hash
    round: Round
    """In which the proof was applied."""
    accuser: PublicKey

    def encode(self) -> bytes:
        """Return the state value: [SHA-256 of the evidence, round, accuser]."""
        return encode([self.evidence_hash, self.round, self.accuser])


class EvidenceChecks:
    """How many signatures of evidence one round may still have checked; the ledger makes one each.

    Members have their own share, so that nobody else can keep their evidence out.
    """

    def __init__(self) -> None:
        self._used: Counter[PublicKey | None] = Counter()

    def take(self, sender: PublicKey, roster: Roster) -> bool:
        """Return whether the sender may have one more evidence checked, and count it."""
        member = roster.index_of(sender) is not None
        account, bound = sender if member else None, EVIDENCE_OF_OTHERS_MAX
        if member:
            bound = EVIDENCE_OF_MEMBER_MAX
        self._used[account] += 1
        return self._used[account] <= bound


def fork_key(epoch: Epoch, member: PublicKey) -> bytes:
    """Return the state key of a proven fork."""
    return FORK_PREFIX + epoch.to_bytes(8, "big") + member


def fork_of_key(key: bytes) -> tuple[Epoch, PublicKey]:
    """Return epoch and member of a state key that `fork_key` made."""
    at = len(FORK_PREFIX)
    return Epoch(int.from_bytes(key[at : at + 8], "big")), PublicKey(key[at + 8 :])


def decode_proven(value: bytes) -> ProvenFork:
    """Return the proven fork in a state value; raises NotCanonical or WrongShape."""
    evidence_hash, round_number, accuser = as_array(decode(value), length=3)
    return ProvenFork(
        Hash(as_bytes(evidence_hash, size=HASH_SIZE_BYTES)),
        Round(as_int(round_number)),
        PublicKey(as_bytes(accuser, size=PUBLIC_KEY_SIZE_BYTES)),
    )


def parse_proof(items: list[Value]) -> ForkProof:
    """Return the checked arguments of `fork-evidence`; raises BadEvidence or WrongShape."""
    epoch, evidence = as_array(items, length=2)
    proof = ForkProof(Epoch(as_int(epoch)), as_bytes(evidence))
    if len(proof.evidence) > EVIDENCE_SIZE_BYTES_MAX:
        raise BadEvidence(f"{len(proof.evidence)} bytes are no evidence of a fork")
    return proof


def build_proof(proof: ForkProof) -> Sequence[Value]:
    """Return the encodable arguments of `fork-evidence`."""
    return proof.epoch, proof.evidence


def proof_changes(proof: ForkProof, context: Context) -> Changes:
    """Return what proven evidence writes.

    Accepted is evidence (1) of this epoch or the one before, (2) well formed, for this network and
    that epoch, (3) against a member of that epoch, (4) of whom no fork in that epoch is proven,
    (5) within the checks of the round, (6) with both signatures right, (7) that leaves a member.
    Raises EvidenceOutOfTime (1), BadEvidence (2, 3, 6), ForkProven (4), EvidenceLimit (5),
    LastMember (7).
    """
    accused = _accused(proof, _roster_of(proof.epoch, context), context)
    key = fork_key(proof.epoch, accused.public_key)
    if context.read(key) is not None:
        raise ForkProven(f"a fork of {accused.name} in epoch {proof.epoch} was proven before")
    if not context.evidence_checks.take(context.sender, context.roster):
        raise EvidenceLimit("too much evidence in one round")
    try:
        verify_fork(
            proof.evidence,
            network_id=context.network_id,
            epoch=proof.epoch,
            public_key=accused.public_key,
        )
    except MyceldError as error:
        raise BadEvidence(error.detail) from error
    evidence_hash = Hash(hashlib.sha256(proof.evidence).digest())
    changes = [(key, ProvenFork(evidence_hash, context.round, context.sender).encode())]
    # A new key is no way out: the member is removed under the one that it has by now.
    present = current_key(context.read, accused.public_key)
    if any(member.public_key == present for member in planned_members(context)):
        changes += removal_changes(present, context)
    return changes


def _roster_of(epoch: Epoch, context: Context) -> Roster:
    """Return the roster of this epoch or the one before; raises EvidenceOutOfTime."""
    present = context.roster.epoch
    if epoch == present:
        return context.roster
    if epoch != present - 1:
        raise EvidenceOutOfTime(f"evidence of epoch {epoch} came in epoch {present}")
    if epoch == context.first_roster.epoch:
        return context.first_roster
    value = context.read(roster_key(epoch))
    check(value is not None, f"the state lacks the roster of epoch {epoch}")
    return decode_roster(value or b"")


def _accused(proof: ForkProof, roster: Roster, context: Context) -> Member:
    """Return the member whom well-formed evidence accuses; raises BadEvidence."""
    try:
        evidence = decode_evidence(proof.evidence, network_id=context.network_id, epoch=proof.epoch)
    except MyceldError as error:
        raise BadEvidence(error.detail) from error
    creator: MemberIndex = evidence.creator
    if creator >= len(roster.members):
        raise BadEvidence(f"creator {creator} is no member of epoch {roster.epoch}")
    return roster.members[creator]
