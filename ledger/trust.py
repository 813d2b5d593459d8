"""Attestations: who says of whom, in what respect, how far it is to be trusted.

Anybody with a key may attest anybody else. There is one attestation for an issuer, a subject and a
scope; a new one takes the place of the old. It can end with a round, and be revoked: then a mark
stays in the state, which says that it is no more. What the attestations come to is not said here:
each cell has its own view of them (`identity.trust`).

Issuer and subject are cells, whichever keys they have by now: the state names both by the first
key of their line (`ledger.succession`). So what is said of a cell, what it says, and its bound stay
through rotations, and a new key can take back what the old one said. What was said of a key before
it followed another one counts no more, but can be revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bool, as_bytes, as_int, as_text, decode, encode
from core.ids import PublicKey, Round
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.errors import (
    BadAttestation,
    NoSuchAttestation,
    SelfAttestation,
    TooManyAttestations,
)
from ledger.limits import ATTESTATIONS_OF_ISSUER_MAX, SCORE_MILLIONTHS_MAX
from ledger.names import is_name
from ledger.succession import first_key

ATTESTATION_PREFIX: Final = b"attestation/"
"""State keys of attestations: this prefix, issuer's and subject's first keys, the scope."""

ISSUER_PREFIX: Final = b"issuer/"
"""State keys of how many attestations a cell has issued: this prefix, then its first key."""

_SUBJECT_AT: Final = len(ATTESTATION_PREFIX) + PUBLIC_KEY_SIZE_BYTES
_SCOPE_AT: Final = _SUBJECT_AT + PUBLIC_KEY_SIZE_BYTES

Changes: TypeAlias = list[tuple[bytes, bytes]]
"""(state key, state value) pairs."""


@dataclass(frozen=True, slots=True)
class TrustAttest:
    """Say how far `subject` is to be trusted, in place of what the sender said before."""

    subject: PublicKey
    scope: str
    score_millionths: int
    expires_round: Round = Round(0)
    """The last round in which it counts, 0 for no end."""


@dataclass(frozen=True, slots=True)
class TrustRevoke:
    """Take back what the sender said of `subject`."""

    subject: PublicKey
    scope: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """What the state keeps of an attestation."""

    score_millionths: int
    round: Round
    """In which it was made, or revoked."""
    time_ns: int
    """Consensus time of the same."""
    expires_round: Round = Round(0)
    is_revoked: bool = False

    def counts(self, round_number: Round) -> bool:
        """Return whether it says something in a round."""
        if self.is_revoked:
            return False
        return self.expires_round == 0 or round_number <= self.expires_round

    def encode(self) -> bytes:
        """Return the state value: [score, round, time, expires round, whether it is revoked]."""
        return encode(
            [
                self.score_millionths,
                self.round,
                self.time_ns,
                self.expires_round,
                self.is_revoked,
            ]
        )


def attestation_key(issuer: PublicKey, subject: PublicKey, scope: str) -> bytes:
    """Return the state key of an attestation."""
    return ATTESTATION_PREFIX + issuer + subject + scope.encode("utf-8")


def attestation_of_key(key: bytes) -> tuple[PublicKey, PublicKey, str]:
    """Return issuer, subject and scope of a state key that `attestation_key` made."""
    issuer = PublicKey(key[len(ATTESTATION_PREFIX) : _SUBJECT_AT])
    return issuer, PublicKey(key[_SUBJECT_AT:_SCOPE_AT]), key[_SCOPE_AT:].decode("utf-8")


def issuer_key(issuer: PublicKey) -> bytes:
    """Return the state key of the number of an issuer's attestations that are not revoked."""
    return ISSUER_PREFIX + issuer


def decode_attestation(value: bytes) -> Attestation:
    """Return the attestation in a state value; raises NotCanonical or WrongShape."""
    score, round_number, time_ns, expires, is_revoked = as_array(decode(value), length=5)
    return Attestation(
        as_int(score, high=SCORE_MILLIONTHS_MAX),
        Round(as_int(round_number)),
        as_int(time_ns),
        Round(as_int(expires)),
        as_bool(is_revoked),
    )


def parse_attest(items: list[Value]) -> TrustAttest:
    """Return the checked arguments of `trust-attest`; raises BadAttestation or WrongShape."""
    subject, scope, score, expires = as_array(items, length=4)
    attest = TrustAttest(
        _subject(subject), _scope(scope), as_int(score, low=-INT_MAX - 1), Round(as_int(expires))
    )
    if not 0 <= attest.score_millionths <= SCORE_MILLIONTHS_MAX:
        raise BadAttestation(f"score {attest.score_millionths} is not in 0..{SCORE_MILLIONTHS_MAX}")
    return attest


def build_attest(attest: TrustAttest) -> Sequence[Value]:
    """Return the encodable arguments of `trust-attest`."""
    return attest.subject, attest.scope, attest.score_millionths, attest.expires_round


def attest_changes(attest: TrustAttest, context: Context) -> Changes:
    """Return what an attestation writes.

    Raises SelfAttestation, BadAttestation when it has ended already, or TooManyAttestations.
    """
    issuer = first_key(context.read, context.sender)
    subject = first_key(context.read, attest.subject)
    if subject == issuer:
        raise SelfAttestation("the subject is the sender")
    if 0 < attest.expires_round < context.round:
        raise BadAttestation(
            f"it ended with round {attest.expires_round}, and was ordered in {context.round}"
        )
    key = attestation_key(issuer, subject, attest.scope)
    made = Attestation(
        attest.score_millionths, context.round, context.time_ns, attest.expires_round
    )
    changes = [(key, made.encode())]
    if _standing(key, context) is None:
        count = _count(issuer, context)
        if count >= ATTESTATIONS_OF_ISSUER_MAX:
            raise TooManyAttestations(f"the sender has {count} attestations")
        changes.append((issuer_key(issuer), encode([count + 1])))
    return changes


def parse_revoke(items: list[Value]) -> TrustRevoke:
    """Return the checked arguments of `trust-revoke`; raises BadAttestation or WrongShape."""
    subject, scope = as_array(items, length=2)
    return TrustRevoke(_subject(subject), _scope(scope))


def build_revoke(revoke: TrustRevoke) -> Sequence[Value]:
    """Return the encodable arguments of `trust-revoke`."""
    return revoke.subject, revoke.scope


def revoke_changes(revoke: TrustRevoke, context: Context) -> Changes:
    """Return what revoking writes; raises NoSuchAttestation.

    One that has ended can be revoked too: it counts for its issuer's bound until then.
    """
    issuer = first_key(context.read, context.sender)
    subject = first_key(context.read, revoke.subject)
    key = attestation_key(issuer, subject, revoke.scope)
    if _standing(key, context) is None:  # it may have been said before the key followed another
        key = attestation_key(issuer, revoke.subject, revoke.scope)
    if _standing(key, context) is None:
        raise NoSuchAttestation("the sender has no attestation of this subject in this scope")
    gone = Attestation(0, context.round, context.time_ns, is_revoked=True)
    left = _count(issuer, context) - 1
    return [(key, gone.encode()), (issuer_key(issuer), encode([left]))]


def _standing(key: bytes, context: Context) -> Attestation | None:
    """Return the attestation that is there and not revoked."""
    value = context.read(key)
    known = None if value is None else decode_attestation(value)
    return None if known is None or known.is_revoked else known


def _count(issuer: PublicKey, context: Context) -> int:
    value = context.read(issuer_key(issuer))
    if value is None:
        return 0
    (count,) = as_array(decode(value), length=1)
    return as_int(count, high=ATTESTATIONS_OF_ISSUER_MAX)


def _subject(value: Value) -> PublicKey:
    subject = as_bytes(value)
    if len(subject) != PUBLIC_KEY_SIZE_BYTES:
        raise BadAttestation(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    return PublicKey(subject)


def _scope(value: Value) -> str:
    scope = as_text(value, length_max=INT_MAX)
    if not is_name(scope):
        raise BadAttestation("a scope has 1 to 64 characters, and none that control the display")
    return scope
