"""The execution stage: ordered rounds become state, headers are signed, certificates collected.

A pure state machine around the ledger and the certifier. For each decided round the owner asks for
`candidates`, looks up which of them were ordered before, calls `apply`, and makes all of
`Executed.applied` durable in one transaction; only then it sends `Executed.signature` and shows
anything to anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from core.codec import Value
from core.ids import Epoch, Hash, PublicKey, Round, TransactionId
from hashgraph.outcome import DecidedRound
from identity.keys import verify
from ledger.certificate import (
    Certificate,
    Certifier,
    CheckpointSignature,
    check_own,
    checkpoint_message,
    parse_certificate,
    parse_checkpoint_signature,
    verify_certificate,
)
from ledger.errors import BadCertificate, TransactionRefused, WrongSignature
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.machine import Applied, Candidate, Ledger
from ledger.transaction import SignedTransaction, Transaction, parse, transaction_id
from node.limits import HEADERS_CACHED_MAX
from node.stages.consensus import Identity


@dataclass(frozen=True, slots=True)
class Executed:
    """Effects of one round: `applied` becomes durable first, then the rest is told."""

    applied: Applied
    signature: CheckpointSignature | None
    """Our signature of the header, to be sent to all peers; None without a vote or transactions."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A transaction of a round whose signature may still have to be checked."""

    id: TransactionId
    size_bytes: int
    parsed: Transaction | TransactionRefused
    checked: bool
    """Whether this cell checked the signature when it took the transaction from a client."""

    @property
    def signature_check(self) -> tuple[PublicKey, bytes, bytes] | None:
        """What `identity.keys.verify_all` is to check, None when there is nothing."""
        if isinstance(self.parsed, SignedTransaction) and not self.checked:
            return self.parsed.signature_check
        return None


class Execution:
    """The replicated state at one cell, and which of its rounds the network certified."""

    def __init__(self, genesis: Genesis, epoch: Epoch, identity: Identity) -> None:
        self._genesis = genesis
        self._epoch = epoch
        self._identity = identity
        self._hashes: OrderedDict[Round, Hash] = OrderedDict()
        self.ledger = Ledger(genesis.network_id, epoch)
        self.certifier = Certifier(genesis.weights)

    def restore(
        self,
        header: RoundHeader,
        state: Iterable[tuple[bytes, bytes]],
        recent: Sequence[RoundHeader],
        certificate: Certificate | None,
    ) -> None:
        """Load what was durable at the last stop; `recent` are the newest headers, oldest first."""
        self.ledger.restore(header, state)
        for known in recent:
            self._note(known)
        if certificate is not None:
            self.certifier.adopt(certificate)
            self._compare(certificate)

    def candidates(
        self,
        decided: DecidedRound,
        checked: Callable[[TransactionId], Transaction | None] = lambda _: None,
    ) -> list[Unverified]:
        """Return the transactions of a decided round, in order, parsed.

        `checked` returns those that this cell parsed and verified before.
        """
        return [
            self._candidate(raw, checked)
            for ordered in decided.ordered
            for raw in ordered.event.payload
        ]

    def apply(
        self,
        decided: DecidedRound,
        unverified: Sequence[Unverified],
        valid: Callable[[Unverified], bool],
        ordered_before: Collection[bytes],
    ) -> Executed:
        """Apply a round. `valid` tells the verdict on a candidate's signature."""
        items = iter(unverified)
        candidates = [
            Candidate(
                item.id,
                item.size_bytes,
                ordered.event.id,
                ordered.event.creator,
                ordered.consensus_time_ns,
                item.parsed if valid(item) else WrongSignature("the signature is not the sender's"),
            )
            for ordered in decided.ordered
            for item in (next(items) for _ in ordered.event.payload)
        ]
        times = [ordered.consensus_time_ns for ordered in decided.ordered]
        applied = self.ledger.apply(
            decided.round,
            candidates,
            ordered_before=ordered_before,
            consensus_time_ns=times[-1] if times else None,
        )
        self._note(applied.header)
        newest = self.certifier.newest
        if newest is not None and newest.round == applied.header.round:
            check_own(newest, applied.header.hash)
        return Executed(applied, self.sign(applied.header))

    def sign(self, header: RoundHeader) -> CheckpointSignature | None:
        """Return our signature of a header that added transactions, if we have a vote."""
        me = self._identity.me
        if me is None or header.transactions == 0:
            return None
        message = self._message(header.round, header.hash)
        return CheckpointSignature(header.round, header.hash, me, self._identity.sign(message))

    def add_signature(self, signature: CheckpointSignature) -> Certificate | None:
        """Take a checked signature; return the certificate that it completes, if any."""
        certificate = self.certifier.add(signature)
        if certificate is not None:
            self._compare(certificate)
        return certificate

    def signature_from(self, value: Value) -> CheckpointSignature:
        """Return a peer's checkpoint signature, checked.

        Raises WrongShape or BadCertificate.
        """
        parsed = parse_checkpoint_signature(value)
        if parsed.member >= len(self._genesis.members):
            raise BadCertificate(f"signer {parsed.member} is not a member")
        key = self._genesis.members[parsed.member].public_key
        message = self._message(parsed.round, parsed.header_hash)
        if not verify(key, message, parsed.signature):
            raise BadCertificate(f"the signature of member {parsed.member} is wrong")
        return parsed

    def certificate_from(self, value: Value) -> Certificate | None:
        """Adopt a peer's certificate if it is newer than ours, and return it.

        Raises WrongShape, BadCertificate, or Diverged.
        """
        parsed = parse_certificate(value)
        if parsed.round <= self.certifier.certified_round:
            return None
        verify_certificate(parsed, self._genesis, verify=verify, epoch=self._epoch)
        self.certifier.adopt(parsed)
        self._compare(parsed)
        return parsed

    @property
    def certified_round(self) -> Round:
        """The highest round that this cell applied and the network certified."""
        return min(self.certifier.certified_round, self.ledger.applied_round)

    def _candidate(
        self, raw: bytes, checked: Callable[[TransactionId], Transaction | None]
    ) -> Unverified:
        identity = transaction_id(raw)
        known = checked(identity)
        parsed = self._parse(raw) if known is None else known
        return Unverified(identity, len(raw), parsed, checked=known is not None)

    def _parse(self, raw: bytes) -> Transaction | TransactionRefused:
        try:
            return parse(raw, self._genesis.network_id)
        except TransactionRefused as refusal:
            return refusal

    def _message(self, round_number: Round, header_hash: Hash) -> bytes:
        return checkpoint_message(self._genesis.network_id, self._epoch, round_number, header_hash)

    def _note(self, header: RoundHeader) -> None:
        self._hashes[header.round] = header.hash
        if len(self._hashes) > HEADERS_CACHED_MAX:
            self._hashes.popitem(last=False)

    def _compare(self, certificate: Certificate) -> None:
        """Raise Diverged when the certificate contradicts a header of ours."""
        own = self._hashes.get(certificate.round)
        if own is not None:
            check_own(certificate, own)
