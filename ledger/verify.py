"""Checks a proof file: what a network has certified, shown to whoever knows the network only.

    verified = verify_text(text, network_id)      # or verify_proof(decode_proof(data), …)
    print(verified.header.round, verified.claim)

Made to be imported alone by other people's programs: it needs no cell, no network, no disk and no
clock, and loads nothing but pure modules, msgpack, base58 and PyNaCl. What is trusted is the
network id, that is the hash of the genesis, and that at no time more than 2/3 of the weight of
those who voted then signed what is not so. It can not tell whether there is something newer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

from core.errors import MyceldError
from core.ids import MemberIndex, NetworkId
from identity.keys import verify as signature_is_right
from journal.errors import NotAHash
from journal.errors import ProofRefused as PathRefused
from journal.merkle import leaf_hash, verify_inclusion
from ledger.certificate import Verifier, checkpoint_message
from ledger.errors import (
    ProofHeadersBroken,
    ProofOfOtherEpoch,
    ProofOfOtherNetwork,
    ProofRosterBroken,
    ProofSignatureWrong,
    ProofSignersWrong,
    ProofSubjectWrong,
    ProofTooLight,
)
from ledger.header import RoundHeader
from ledger.map_proof import Opened
from ledger.proof import (
    HeaderClaim,
    Proof,
    RangeClaim,
    ReceiptClaim,
    RosterClaim,
    Signers,
    StateClaim,
    Step,
    Subject,
    decode_proof,
    from_text,
)
from ledger.roster import Member, Roster


@dataclass(frozen=True, slots=True)
class Verified:
    """What a proof proves."""

    network_id: NetworkId
    network_name: str
    header: RoundHeader
    """Of the round that the claim is about."""
    certified: RoundHeader
    """The header that was signed: the same, or a later one that leads back to it."""
    roster: Roster
    """Those who voted on the certified round."""
    signers: tuple[Member, ...]
    claim: Subject
    """True at `header`."""

    @property
    def weight(self) -> int:
        """The weight of those who signed."""
        return sum(member.weight for member in self.signers)

    @property
    def weight_total(self) -> int:
        """The weight of all who could."""
        return sum(self.roster.weights)


def verify_text(text: str, network_id: bytes) -> Verified:
    """Return what a proof file's text proves; see `verify_proof`. Raises ProofUnreadable too."""
    return verify_proof(decode_proof(from_text(text)), network_id)


def verify_proof(
    proof: Proof, network_id: bytes, *, verify: Verifier = signature_is_right
) -> Verified:
    """Return what a proof proves to whoever trusts the network of this id.

    Accepted only if: (1) the genesis in it hashes to the id; (2) each step's header is of this
    network and later than the step before, more than 2/3 of the weight of the roster so far
    signed it, and it names the step's roster by its hash; (3) the headers are of this network and
    each names the one before by its hash; (4) the last of them is of the epoch of the last
    roster, and more than 2/3 of its weight signed it; (5) signers are numbers of members, each
    higher than the one before, and every signature is right; (6) the claim leads to a root in the
    first header. Raises NotProven, by the class of which it is known what is wrong. Who checks many
    proofs of one network may give a `verify` that remembers which signatures were right.
    """
    genesis = proof.genesis
    if genesis.network_id != network_id:
        raise ProofOfOtherNetwork(f"the proof is of network {genesis.network_id.hex()}")
    roster, last_round = genesis.roster, 0
    for step in proof.steps:
        _check_step(genesis.network_id, roster, step, last_round, verify)
        roster, last_round = step.roster, step.header.round
    header, certified = _check_headers(genesis.network_id, proof.headers)
    if certified.epoch != roster.epoch:
        raise ProofOfOtherEpoch(
            f"round {certified.round} is of epoch {certified.epoch}, "
            f"the last roster of epoch {roster.epoch}"
        )
    _check_signers(certified, roster, proof.signers, verify)
    _check_claim(header, proof.subject)
    signers = tuple(roster.members[number] for number, _ in proof.signers)
    return Verified(
        genesis.network_id, genesis.name, header, certified, roster, signers, proof.subject
    )


def _check_step(
    network_id: NetworkId, trusted: Roster, step: Step, last_round: int, verify: Verifier
) -> None:
    header = step.header
    if header.network_id != network_id:
        raise ProofRosterBroken(f"the header of round {header.round} is of another network")
    if header.round <= last_round:
        raise ProofRosterBroken(f"round {header.round} does not come after round {last_round}")
    _check_signers(header, trusted, step.signers, verify)
    if header.roster != step.roster.hash:
        raise ProofRosterBroken(f"round {header.round} names another roster")


def _check_headers(
    network_id: NetworkId, headers: tuple[RoundHeader, ...]
) -> tuple[RoundHeader, RoundHeader]:
    """Return the first and the last."""
    if not headers:
        raise ProofHeadersBroken("there is no header")
    for header in headers:
        if header.network_id != network_id:
            raise ProofHeadersBroken(f"the header of round {header.round} is of another network")
    for one, following in pairwise(headers):
        if following.round != one.round + 1 or following.previous != one.hash:
            raise ProofHeadersBroken(f"round {following.round} does not follow round {one.round}")
    return headers[0], headers[-1]


def _check_signers(header: RoundHeader, roster: Roster, signers: Signers, verify: Verifier) -> None:
    """Return when more than 2/3 of the weight of the roster signed the header."""
    numbers = [number for number, _ in signers]
    if not _rise(numbers) or any(number >= len(roster.members) for number in numbers):
        raise ProofSignersWrong(
            f"the signers of round {header.round} are not members of epoch {roster.epoch}, "
            "each once, in their order"
        )
    # First what costs nothing.
    weight, total = sum(roster.weights[number] for number in numbers), sum(roster.weights)
    if not roster.is_supermajority(weight):
        raise ProofTooLight(
            f"weight {weight} of {total} signed round {header.round}, not more than 2/3"
        )
    message = checkpoint_message(header.network_id, header.epoch, header.round, header.hash)
    for number, signature in signers:
        if not verify(roster.members[number].public_key, message, signature):
            raise ProofSignatureWrong(
                f"the signature of member {number} of epoch {roster.epoch} on round "
                f"{header.round} is wrong"
            )


def _rise(numbers: list[MemberIndex]) -> bool:
    return all(one < following for one, following in pairwise(numbers))


def _check_claim(header: RoundHeader, claim: Subject) -> None:
    try:
        match claim:
            case HeaderClaim():
                return
            case RosterClaim():
                _require(claim.roster.hash == header.roster, "the header names another roster")
            case ReceiptClaim():
                _check_receipt(header, claim)
            case StateClaim():
                opened = _opened(header, claim.proof)
                _require(opened.get(claim.key) == claim.value, "the proof shows another value")
            case RangeClaim():
                _opened(header, claim.proof).scan(claim.start, claim.end)
    except ProofSubjectWrong:
        raise
    except MyceldError as error:
        raise ProofSubjectWrong(error.detail) from error


def _opened(header: RoundHeader, proof: bytes) -> Opened:
    opened = Opened(proof)
    _require(opened.root == header.state_root, "the proof does not lead to the state root")
    return opened


def _check_receipt(header: RoundHeader, claim: ReceiptClaim) -> None:
    receipt, raw = claim.receipt, claim.transaction
    first = header.transactions_total - header.transactions
    _require(receipt.position == first + claim.index, "the receipt is of another position")
    _require(
        raw is None or hashlib.sha256(raw).digest() == receipt.id,
        "the transaction is not that of the receipt",
    )
    try:
        leaf = leaf_hash(receipt.encode())
        verify_inclusion(leaf, claim.index, header.transactions, claim.path, header.receipts_root)
    except (PathRefused, NotAHash) as error:
        raise ProofSubjectWrong(f"the receipt is not in its round: {error.detail}") from error


def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like an assert
    if not condition:
        raise ProofSubjectWrong(otherwise)
