"""What a hypha believes: the newest certified header, and the rosters that lead to it.

    taken = heads.consider(proof)      # raises NotProven; changes nothing
    store(taken.news)                  # durable before it is believed, and before it is shown
    heads.adopt(taken.news)

Never goes back: a head is replaced by one of a later round only. What contradicts a head that was
believed is handed out as evidence and never adopted, whoever signed it. Pure.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from core.ids import Epoch, Hash, MemberIndex, PublicKey, Round
from hypha.errors import AnswerBesides, ChainTooLong
from hypha.limits import HEADS_KEPT_MAX, SIGNATURES_KEPT_MAX
from identity.keys import verify
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.limits import ROSTER_STEPS_MAX
from ledger.proof import HeaderClaim, Proof, Signers, Step
from ledger.roster import Roster
from ledger.verify import Verified, verify_proof

_SEPARATOR: Final = b"\0"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is known when a gateway is asked: its proof may begin there."""

    steps: tuple[Step, ...]
    """From the genesis to the roster."""
    roster: Roster

    @property
    def epoch(self) -> Epoch:
        """Whose roster it is."""
        return self.roster.epoch


@dataclass(frozen=True, slots=True)
class Head:
    """A certified header and all that shows it."""

    header: RoundHeader
    signers: Signers
    anchor: Anchor

    def proof(self, genesis: Genesis) -> Proof:
        """Return the whole proof of the header."""
        return Proof(genesis, self.anchor.steps, (self.header,), self.signers, HeaderClaim())


@dataclass(frozen=True, slots=True)
class Taken:
    """What a proof comes to."""

    verified: Verified
    proof: Proof
    """The whole of it, from the genesis on."""
    news: Head | None
    """To be made durable, then to be adopted."""
    contradicts: Head | None
    """One that was believed, and that can not be true together with the proof."""


class Heads:
    """The heads of one network."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self._newest: Head | None = None
        self._recent: OrderedDict[Round, Head] = OrderedDict()
        self._signatures = _RightSignatures()

    @property
    def newest(self) -> Head | None:
        """The newest head, None before the first."""
        return self._newest

    @property
    def round(self) -> Round:
        """The round of the newest head; 0 before the first."""
        return Round(0) if self._newest is None else self._newest.header.round

    @property
    def anchor(self) -> Anchor:
        """What the next proof may begin with."""
        return Anchor((), self.genesis.roster) if self._newest is None else self._newest.anchor

    def whole(self, proof: Proof, begins_at: int, anchor: Anchor) -> Proof:
        """Return a gateway's proof from the genesis on; `anchor` is what it was asked with.

        Raises AnswerBesides if it begins elsewhere.
        """
        if begins_at not in (0, anchor.epoch):
            raise AnswerBesides(f"the proof begins with epoch {begins_at}")
        return replace(proof, steps=anchor.steps + proof.steps) if begins_at else proof

    def consider(self, proof: Proof) -> Taken:
        """Return what a whole proof comes to; raises NotProven, ChainTooLong. Changes nothing."""
        verified = verify_proof(proof, self.genesis.network_id, verify=self._signatures.verify)
        contradicts = self._contradicted_by(verified, proof)
        news = None
        if contradicts is None and verified.certified.round > self.round:
            steps = compact(self.genesis.roster, proof.steps)
            if len(steps) > ROSTER_STEPS_MAX:
                raise ChainTooLong(f"{len(steps)} steps lead to round {verified.certified.round}")
            anchor = Anchor(steps, verified.roster)
            news = Head(verified.certified, proof.signers, anchor)
        return Taken(verified, proof, news, contradicts)

    def adopt(self, head: Head) -> bool:
        """Believe a head of `consider`, which is durable now; return whether it is the newest."""
        if head.header.round <= self.round:
            return False
        self._newest = head
        self._recent[head.header.round] = head
        if len(self._recent) > HEADS_KEPT_MAX:
            self._recent.popitem(last=False)
        return True

    def _contradicted_by(self, verified: Verified, proof: Proof) -> Head | None:
        """Return the believed head that can not be true together with a verified proof."""
        newest, certified = self._newest, verified.certified
        if newest is None:
            return None
        shown = {header.round: header for header in proof.headers}
        shown.update({step.header.round: step.header for step in proof.steps})
        for head in reversed(self._recent.values()):
            if _excludes(head.header, shown):
                return head
        rosters = {step.roster.epoch: step.roster.hash for step in newest.anchor.steps}
        for step in proof.steps:
            if rosters.get(step.roster.epoch, step.roster.hash) != step.roster.hash:
                return newest
        # Epochs follow each other as rounds do.
        ahead = certified.round > newest.header.round
        if certified.epoch != newest.header.epoch and ahead != (
            certified.epoch > newest.header.epoch
        ):
            return newest
        return None


def compact(trusted: Roster, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return steps to the same roster, without those that the signatures of later ones spare.

    As `ledger.roster_proof.shortest`, from what a proof holds: members that are in a roster before
    already are numbered anew in it.
    """
    way: list[Step] = []
    rosters = [trusted]
    for step in steps:
        before = rosters[-1]
        for at, roster in enumerate(rosters):
            signers = _numbered_in(roster, before, step.signers)
            weights = roster.weights
            if roster.is_supermajority(sum(weights[number] for number, _ in signers)):
                way = [*way[:at], replace(step, signers=signers)]
                rosters = [*rosters[: at + 1], step.roster]
                break
    return tuple(way)


def _numbered_in(roster: Roster, before: Roster, signers: Signers) -> Signers:
    """Return those signers that are in `roster`, by their numbers in it."""
    if roster.members == before.members:
        return signers
    numbers = {member.public_key: at for at, member in enumerate(roster.members)}
    keys = [(before.members[number].public_key, signature) for number, signature in signers]
    return tuple(
        sorted((MemberIndex(numbers[key]), signature) for key, signature in keys if key in numbers)
    )


def _excludes(ours: RoundHeader, shown: dict[Round, RoundHeader]) -> bool:
    """Tell whether one of the shown headers can not be in one chain with ours."""
    same = shown.get(ours.round)
    following = shown.get(Round(ours.round + 1))
    before = shown.get(Round(ours.round - 1))
    return (
        (same is not None and same.hash != ours.hash)
        or (following is not None and following.previous != ours.hash)
        or (before is not None and ours.previous != before.hash)
    )


class _RightSignatures:
    """Remembers signatures that were right: most proofs bring the same ones."""

    def __init__(self) -> None:
        self._right: OrderedDict[Hash, None] = OrderedDict()

    def verify(self, public_key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Return whether a signature is right."""
        # The key and the signature have a fixed length each, or are wrong.
        name = Hash(hashlib.sha256(public_key + signature + _SEPARATOR + message).digest())
        if name in self._right:
            return True
        if not verify(public_key, message, signature):
            return False
        self._right[name] = None
        if len(self._right) > SIGNATURES_KEPT_MAX:
            self._right.popitem(last=False)
        return True
