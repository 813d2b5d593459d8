"""Attestations and scores over many rounds, restarts and epochs, beside a model of the rules.

Three cells apply what the model does: one that never stops, one that restarts from its disk, and
one that replays everything at the end.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.ids import PublicKey, Round
from identity.keys import KeyPair
from ledger import errors
from ledger.genesis import Genesis
from ledger.header import APPLIED
from ledger.kinds import Arguments
from ledger.limits import EPOCH_ROUNDS_MIN
from ledger.network_score import decode_score, score_key
from ledger.roster import Member
from ledger.trust import TrustAttest, TrustRevoke, attestation_key, decode_attestation
from tests.ledger.world import ALL_KEYS, KEYS, START_NS, Cell, candidates, signed

OF_ISSUER_MAX = 3
PAIRS = st.sampled_from(ALL_KEYS[:5])
SCOPES = st.sampled_from(("general", "chat"))
PRESENT = st.frozensets(st.integers(0, len(KEYS) - 1))
Said = dict[tuple[PublicKey, PublicKey, str], tuple[int, int]]
"""(issuer, subject, scope) -> (score, last round)."""


class Model:
    """What the rules say, by plain dictionaries."""

    def __init__(self, members: list[PublicKey]) -> None:
        self.said: Said = {}
        self.scores = dict.fromkeys(members, 50)
        self.present: set[PublicKey] = set()
        self.round = 1

    def apply(self, sender: PublicKey, act: Arguments) -> str:
        """Apply one transaction; return its outcome."""
        match act:
            case TrustAttest(subject, scope, score, expires):
                place = (sender, subject, scope)
                if subject == sender:
                    return errors.SelfAttestation.code
                if expires and expires < self.round:
                    return errors.BadAttestation.code
                own = [key for key in self.said if key[0] == sender]
                if place not in own and len(own) == OF_ISSUER_MAX:
                    return errors.TooManyAttestations.code
                self.said[place] = (score, expires)
            case TrustRevoke(subject, scope):
                if self.said.pop((sender, subject, scope), None) is None:
                    return errors.NoSuchAttestation.code
        return APPLIED

    def end_round(self, present: set[PublicKey]) -> None:
        """Note who was there, and move the scores (in hundredths) when the epoch ends."""
        self.present |= present
        self.round += 1
        if (self.round - 1) % EPOCH_ROUNDS_MIN == 0:
            for key, score in self.scores.items():
                moved = score + (1 if key in self.present else -2)
                self.scores[key] = min(max(moved, 0), 100)
            self.present = set()


class Trust(RuleBasedStateMachine):
    """Rounds of random attestations and revocations, with some members away."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("ledger.trust.ATTESTATIONS_OF_ISSUER_MAX", OF_ISSUER_MAX)
        members = tuple(Member(pair.public_key, 1, "m") for pair in KEYS)
        self.genesis = Genesis("trust", members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)
        self.model = Model([member.public_key for member in members])
        self.steady, self.restarting = Cell(self.genesis), Cell(self.genesis)
        self.nonces = {pair.public_key: 0 for pair in ALL_KEYS}
        self.acts: list[tuple[KeyPair, Arguments]] = []
        self.history: list[tuple[list[bytes], frozenset[int]]] = []

    @rule(
        sender=PAIRS,
        subject=PAIRS,
        scope=SCOPES,
        score=st.integers(0, 1_000_000),
        ahead=st.integers(-3, 20),
    )
    def attest(self, sender: KeyPair, subject: KeyPair, scope: str, score: int, ahead: int) -> None:
        """Anybody may try to attest anybody."""
        expires = Round(max(0, self.model.round + ahead))
        self.acts.append((sender, TrustAttest(subject.public_key, scope, score, expires)))

    @rule(sender=PAIRS, subject=PAIRS, scope=SCOPES)
    def revoke(self, sender: KeyPair, subject: KeyPair, scope: str) -> None:
        """Anybody may try to take anything back."""
        self.acts.append((sender, TrustRevoke(subject.public_key, scope)))

    @rule(present=PRESENT)
    def end_round(self, present: frozenset[int]) -> None:
        """Apply what was queued as one round, to the model and to the cells."""
        acts, self.acts = self.acts, []
        expected = [self.model.apply(pair.public_key, act) for pair, act in acts]
        raws: list[bytes] = []
        for pair, act in acts:
            raws.append(
                signed(pair, self.nonces[pair.public_key], act, network_id=self.genesis.network_id)
            )
            self.nonces[pair.public_key] += 1
        self.model.end_round({KEYS[at].public_key for at in present})
        self.history.append((raws, present))
        items = candidates(raws, network_id=self.genesis.network_id)
        one, other = (cell.apply(items, present) for cell in (self.steady, self.restarting))
        assert (one.header, one.changes) == (other.header, other.changes)
        assert [entry.receipt.outcome for entry in one.entries] == expected

    @rule(rounds=st.integers(1, EPOCH_ROUNDS_MIN), present=PRESENT)
    def pass_time(self, rounds: int, present: frozenset[int]) -> None:
        """Attestations end, epochs too."""
        for _ in range(rounds):
            self.end_round(present)

    @rule()
    def restart(self) -> None:
        """Start one of the cells again, from its disk."""
        self.restarting = self.restarting.restarted()

    @invariant()
    def attestations_are_those_of_the_model(self) -> None:
        """What counts, what ended, and what is no more."""
        for issuer in ALL_KEYS[:5]:
            for subject in ALL_KEYS[:5]:
                for scope in ("general", "chat"):
                    place = (issuer.public_key, subject.public_key, scope)
                    value = self.steady.state.get(attestation_key(*place))
                    found = None if value is None else decode_attestation(value)
                    said = self.model.said.get(place)
                    assert (found is None or found.is_revoked) == (said is None)
                    if found is not None and said is not None:
                        assert (found.score_millionths, found.expires_round) == said
                        live = said[1] == 0 or self.model.round <= said[1]
                        assert found.counts(Round(self.model.round)) == live

    @invariant()
    def scores_are_those_of_the_model(self) -> None:
        """Of every member, in the state of each cell."""
        for cell in (self.steady, self.restarting):
            for key, score in self.model.scores.items():
                assert decode_score(cell.state.get(score_key(key))) == score * 10_000

    def teardown(self) -> None:
        """Replay everything in a new cell."""
        try:
            replayed = Cell(self.genesis)
            for raws, present in self.history:
                replayed.apply(candidates(raws, network_id=self.genesis.network_id), present)
            assert replayed.headers == self.steady.headers
            assert replayed.state == self.steady.state
        finally:
            self.patch.undo()


TestTrust = Trust.TestCase
TestTrust.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
