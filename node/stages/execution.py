"""The execution stage: ordered rounds become state, headers are signed, certificates collected.

A pure state machine around the ledger and the certifier. For each decided round the owner asks for
`candidates`, looks up which of them were ordered before, calls `apply`, and makes all of
`Executed.applied` durable in one transaction; only then it sends `Executed.signature` and shows
anything to anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.codec import Value
from core.ids import Epoch, Hash, Round, TransactionId
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
from ledger.kinds import since_of
from ledger.machine import Applied, Candidate, Ledger, Read
from ledger.patches import StoredMap
from ledger.roster import Roster
from ledger.succession import SignatureCheck
from ledger.transaction import SignedTransaction, Transaction, parse, transaction_id
from ledger.tree import ReadPages
from node.limits import HEADERS_CACHED_MAX
from node.metrics import Latency
from node.stages.active_epoch import Identity


@dataclass(frozen=True, slots=True)
class Executed:
    """Effects of one round: `applied` becomes durable first, then the rest is told."""

    applied: Applied
    signature: CheckpointSignature | None
    """Our signature of the header, to be sent to all peers, if it is to be certified."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A transaction of a round whose signature may still have to be checked."""

    id: TransactionId
    size_bytes: int
    parsed: Transaction | TransactionRefused
    checked: bool
    """Whether this cell checked the signature when it took the transaction from a client."""

    @property
    def signature_checks(self) -> tuple[SignatureCheck, ...]:
        """What `identity.keys.verify_all` is to check."""
        if isinstance(self.parsed, SignedTransaction) and not self.checked:
            return self.parsed.signature_checks
        return ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """The network certified another header for a round than this cell computed."""

    certificate: Certificate
    own_hash: Hash


class Execution:
    """The replicated state at one cell, and which of its rounds the network certified."""

    def __init__(
        self,
        genesis: Genesis,
        identity: Identity,
        read: Read,
        read_pages: ReadPages | None = None,
    ) -> None:
        """`read` and `read_pages` as in `Ledger`."""
        self._genesis = genesis
        self._identity = identity
        self._hashes: OrderedDict[Round, Hash] = OrderedDict()
        self._roots: OrderedDict[Round, Hash] = OrderedDict()
        self.ledger = Ledger(genesis, read, read_pages)
        self.took = Latency()
        """Of applying rounds, up to where each is durable: noted by the owner."""
        self.miscounts: Callable[[], bool] = lambda: False
        """For tests: whether to apply rounds as if nobody had taken part, and so to diverge."""
        self.divergence: Divergence | None = None
        """Set once, when it is found; then nothing here is the network's any more."""
        self._agreed = Round(0)
        self._certifiers = {Epoch(0): Certifier(genesis.roster)}

    @property
    def gave_up_key(self) -> bool:
        """Whether this cell's key was given up for another one."""
        return self.ledger.is_rotated(self._identity.public_key)

    def restore(
        self,
        rosters: Sequence[Roster],
        pages: StoredMap,
        recent: Sequence[RoundHeader],
        certificates: Sequence[Certificate],
        sealed: Sequence[RoundHeader] = (),
    ) -> None:
        """Load what was durable at the last stop.

        `rosters` are those of this epoch and the one before, `recent` the newest headers, both
        oldest first; `certificates` the newest of each of these epochs; `pages` and `sealed` as in
        `Ledger.restore`.
        """
        before = rosters[-2] if len(rosters) > 1 else None
        self.ledger.restore(recent[-1], rosters[-1], pages, before=before, sealed=sealed)
        for known in recent:
            self._note(known)
        self._certifiers = {roster.epoch: Certifier(roster) for roster in rosters}
        for certificate in certificates:
            if certificate.epoch in self._certifiers:
                self._certifiers[certificate.epoch].adopt(certificate)
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
        """Apply a round. `valid` tells the verdict on a candidate's signature.

        Once it is durable, `check_agreed` tells whether the network has certified another.
        """
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
        creators = {ordered.event.creator for ordered in decided.ordered}
        applied = self.ledger.apply(
            decided.round,
            candidates,
            creators=set() if self.miscounts() else creators,
            ordered_before=ordered_before,
            consensus_time_ns=times[-1] if times else None,
        )
        self._note(applied.header)
        newest = self._certifiers[applied.header.epoch].newest
        if newest is not None and newest.round == applied.header.round:
            self._judge(newest, applied.header.hash)
        signature = None if self.divergence is not None else self.sign(applied.header)
        if applied.sealed is not None:
            self._certifiers[applied.sealed.epoch] = Certifier(applied.sealed)
            self._certifiers.pop(Epoch(applied.sealed.epoch - 2), None)
        return Executed(applied, signature)

    def sign(self, header: RoundHeader) -> CheckpointSignature | None:
        """Return our signature of a header, if we have a vote and it is one to be certified.

        Those are the ones that added transactions, sealed their epoch, or changed the state in
        another way: who took part is noted when the first event of a member comes. Else the state
        of a network that is quiet from then on could be proven to nobody.
        """
        certifier = self._certifiers.get(header.epoch)
        if certifier is None:
            return None
        roster = certifier.roster
        seat = self._identity.in_roster(roster)
        changed = self._roots.get(Round(header.round - 1), header.state_root) != header.state_root
        if seat is None or not (header.transactions or header.roster != roster.hash or changed):
            return None
        message = self._message(header.epoch, header.round, header.hash)
        me, sign = seat
        return CheckpointSignature(header.epoch, header.round, header.hash, me, sign(message))

    def add_signature(self, signature: CheckpointSignature) -> Certificate | None:
        """Take a checked signature; return the certificate that it completes, if any."""
        certificate = self._certifiers[signature.epoch].add(signature)
        if certificate is not None:
            self._compare(certificate)
        return certificate

    def signature_from(self, value: Value) -> CheckpointSignature | None:
        """Return a peer's checkpoint signature, checked; None if it is of another epoch.

        Raises WrongShape or BadCertificate.
        """
        parsed = parse_checkpoint_signature(value)
        certifier = self._certifiers.get(parsed.epoch)
        if certifier is None or parsed.round <= certifier.certified_round:
            return None
        members = certifier.roster.members
        if parsed.member >= len(members):
            raise BadCertificate(f"signer {parsed.member} is not a member")
        message = self._message(parsed.epoch, parsed.round, parsed.header_hash)
        if not verify(members[parsed.member].public_key, message, parsed.signature):
            raise BadCertificate(f"the signature of member {parsed.member} is wrong")
        return parsed

    def certificate_from(self, value: Value) -> Certificate | None:
        """Adopt a peer's certificate if it is newer than ours, and return it.

        None if it is not, or of another epoch. Raises WrongShape, BadCertificate, or Diverged.
        """
        parsed = parse_certificate(value)
        certifier = self._certifiers.get(parsed.epoch)
        if certifier is None or parsed.round <= certifier.certified_round:
            return None
        verify_certificate(parsed, self._genesis.network_id, certifier.roster, verify=verify)
        certifier.adopt(parsed)
        self._compare(parsed)
        return parsed

    def certificates(self) -> list[Certificate]:
        """Return the newest certificate of the epoch before and of this one, where there is one."""
        newest = [certifier.newest for certifier in self._certifiers.values()]
        return [certificate for certificate in newest if certificate is not None]

    @property
    def certified_hash(self) -> Hash | None:
        """The hash of that round's header; None before any was certified."""
        return self._hashes.get(self.certified_round)

    def has_header(self, header_hash: Hash) -> bool:
        """Return whether a header is one of the newest that this cell applied."""
        return header_hash in self._hashes.values()

    @property
    def certified_round(self) -> Round:
        """The highest round that this cell applied and the network certified."""
        if self.divergence is not None:
            return self._agreed
        newest = [Round(0), *(certificate.round for certificate in self.certificates())]
        return min(max(newest), self.ledger.applied_round)

    def _candidate(
        self, raw: bytes, checked: Callable[[TransactionId], Transaction | None]
    ) -> Unverified:
        identity = transaction_id(raw)
        known = checked(identity)
        if isinstance(known, SignedTransaction):
            # It may have been taken in an epoch of a later version, which was called off.
            is_current = since_of(known.arguments) <= self.ledger.transaction_version
            known = known if is_current else None
        parsed = self._parse(raw) if known is None else known
        return Unverified(identity, len(raw), parsed, checked=known is not None)

    def _parse(self, raw: bytes) -> Transaction | TransactionRefused:
        try:
            return parse(raw, self._genesis.network_id, self.ledger.transaction_version)
        except TransactionRefused as refusal:
            return refusal

    def _message(self, epoch: Epoch, round_number: Round, header_hash: Hash) -> bytes:
        return checkpoint_message(self._genesis.network_id, epoch, round_number, header_hash)

    def _note(self, header: RoundHeader) -> None:
        self._hashes[header.round] = header.hash
        self._roots[header.round] = header.state_root
        if len(self._hashes) > HEADERS_CACHED_MAX:
            self._hashes.popitem(last=False)
            self._roots.popitem(last=False)

    def check_agreed(self) -> None:
        """Raise Diverged if the network certified another header for a round than we computed."""
        if self.divergence is not None:
            check_own(self.divergence.certificate, self.divergence.own_hash)

    def _compare(self, certificate: Certificate) -> None:
        """Raise Diverged when the certificate contradicts a header of ours."""
        own = self._hashes.get(certificate.round)
        if own is not None:
            self._judge(certificate, own)
            self.check_agreed()

    def _judge(self, certificate: Certificate, own: Hash) -> None:
        if own == certificate.header_hash:
            self._agreed = max(self._agreed, certificate.round)
        elif self.divergence is None:
            self.divergence = Divergence(certificate, own)
