"""The ledger's state machine: `apply` one decided round after the other.

Deterministic: no clock, no randomness, no floats, no I/O. The same rounds give the same headers at
every cell. The machine keeps the hashes of the state and the nonces of the senders, not the
values: `Applied.changes` is what its owner must make durable, in one transaction with the receipts
and the header, before it shows any of it to anybody.

Within a round the transactions of one sender take effect in the order of their nonces: the voting
rules break ties of consensus time by a hash, which would otherwise let a client's second put
overtake its first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import check
from core.ids import (
    Epoch,
    EventId,
    MemberIndex,
    PublicKey,
    Round,
    TransactionId,
)
from ledger.accounts import (
    ACCOUNT_PREFIX,
    NonceWindow,
    account_key,
    decode_account,
    encode_account,
)
from ledger.context import Context
from ledger.errors import Expired, KeyRotated, NonceUsed, TransactionRefused
from ledger.forks import EvidenceChecks
from ledger.genesis import Genesis
from ledger.header import APPLIED, NO_HEADER, Receipt, RoundHeader, receipts_root
from ledger.kinds import changes_of
from ledger.network_score import EPOCH_RECORD_KEY, EpochRecord, decode_record, score_changes
from ledger.roster import (
    NEXT_MEMBERS_KEY,
    Roster,
    decode_members,
    roster_key,
)
from ledger.succession import ROTATED_PREFIX
from ledger.transaction import OpaqueTransaction, SignedTransaction, Transaction
from ledger.tree import Snapshot, StateTree
from ledger.upgrades import EPOCH_PARAMETER_KEYS, set_rules, upgraded

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction as an ordered event carries it, with the verdict that needs no state."""

    id: TransactionId
    size_bytes: int
    event: EventId
    creator: MemberIndex
    consensus_time_ns: int
    parsed: Transaction | TransactionRefused
    """The parsed transaction with a valid signature, or why it is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the agreed order."""

    receipt: Receipt
    candidate: Candidate
    refusal: TransactionRefused | None


@dataclass(frozen=True, slots=True)
class SealedState:
    """The state at the end of an epoch, as `Ledger.restore` takes it."""

    header: RoundHeader
    """Of the round that sealed the epoch."""
    entries: Iterable[tuple[bytes, bytes]]
    """(state key, state value) of all keys, or of those that the epoch changed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The effects of a round. All of them become durable together, before any is shown."""

    header: RoundHeader
    entries: tuple[Entry, ...]
    changes: tuple[tuple[bytes, bytes], ...]
    """(state key, state value), each key once."""
    fresh: tuple[bytes, ...]
    """Those of the keys that changed for the first time in this epoch."""
    sealed: Roster | None
    """The roster of the next epoch, if this round is the last of its own."""


class Ledger:
    """The replicated state between rounds."""

    def __init__(self, genesis: Genesis, read: Read) -> None:
        """Start empty, before the first round.

        `read` returns the durable value of a state key; it is asked about the state after the
        round before the one that is applied.
        """
        self._network_id = genesis.network_id
        self._roster = self._first_roster = genesis.roster
        self._checks = EvidenceChecks()
        self._record = EpochRecord()
        self._read = read
        self._tree = StateTree()
        self._accounts: dict[PublicKey, NonceWindow] = {}
        self._rotated: set[PublicKey] = set()
        self._header: RoundHeader | None = None
        self._window_first = genesis.roster.first_round
        self._snapshots: dict[Epoch, Snapshot] = {}

    @property
    def window_first_round(self) -> Round:
        """The first round of the epoch before this one: see `apply`."""
        return self._window_first

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        """Return the state's tree at the end of an epoch: one of the newest two that ended."""
        return self._snapshots.get(epoch)

    def path(self, key: bytes) -> tuple[list[bytes], bytes | None]:
        """Return what leads from a state key to the present root; see `StateTree.path`."""
        return self._tree.path(key)

    @property
    def header(self) -> RoundHeader | None:
        """The header of the last applied round, None before the first."""
        return self._header

    @property
    def roster(self) -> Roster:
        """The roster that votes on the next round."""
        return self._roster

    @property
    def applied_round(self) -> Round:
        """The last applied round, 0 before the first."""
        return Round(0) if self._header is None else self._header.round

    def account(self, sender: PublicKey) -> NonceWindow:
        """Return the used nonces of a sender after the last applied round."""
        return self._accounts.get(sender, NonceWindow())

    def is_rotated(self, key: PublicKey) -> bool:
        """Return whether a key was given up for another one."""
        return key in self._rotated

    def check_sender(self, sender: PublicKey) -> None:
        """Raise KeyRotated if the key was given up for another one."""
        if sender in self._rotated:
            raise KeyRotated("the sender gave this key up for another one")

    def restore(
        self,
        header: RoundHeader,
        roster: Roster,
        state: Iterable[tuple[bytes, bytes]],
        *,
        before: Roster | None = None,
        sealed: Sequence[SealedState] = (),
    ) -> None:
        """Load what was made durable: the last header, its roster, that of the epoch before.

        `state` are all (key, value) pairs, or with `sealed`, the states at the ends of the newest
        epochs, oldest first, those that changed since the last of these.
        Raises InvariantBroken when the roster or the root of a state is not its header's.
        """
        check(roster.hash == header.roster, "the roster on disk is not the one of the last header")
        for one in sealed:
            self._load(one.header, one.entries)
            self._keep_snapshot(one.header.epoch)
        self._load(header, state)
        self._header = header
        self._roster = roster
        check(before is None or before.epoch == roster.epoch - 1, "epochs follow each other")
        self._window_first = (before or roster).first_round

    def _load(self, header: RoundHeader, entries: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in entries:
            self._tree.put(key, value)
            self._note(key, value)
        check(
            self._tree.root() == header.state_root,
            f"the state on disk is not the one of round {header.round}: its root differs",
        )

    def _keep_snapshot(self, epoch: Epoch) -> None:
        self._snapshots[epoch] = self._tree.seal()
        self._snapshots.pop(Epoch(epoch - 2), None)

    def apply(
        self,
        round_number: Round,
        candidates: Sequence[Candidate],
        *,
        creators: Collection[MemberIndex],
        ordered_before: Collection[bytes],
        consensus_time_ns: int | None,
    ) -> Applied:
        """Apply a decided round and return its effects.

        `candidates` are the round's transactions in consensus order, `creators` those of all events
        that it received, with transactions or without. `ordered_before` holds exactly
        those of their ids that a round from `window_first_round` on listed: a second copy in this
        epoch or the next is skipped. (A later one is listed again. A signed one is refused then,
        for its nonce is used; and no cell needs to remember all ids for ever.)
        `consensus_time_ns` is that of the round's last event, None when it received none.
        """
        before = self._header
        check(
            before is None or round_number == before.round + 1,
            f"round {round_number} does not follow round {self.applied_round}",
        )
        total = 0 if before is None else before.transactions_total
        last_time_ns = 0 if before is None else before.consensus_time_ns
        entries: list[Entry] = []
        changes: dict[bytes, bytes] = {}
        listed: set[bytes] = set()
        self._checks = EvidenceChecks()
        for candidate in _in_nonce_order(candidates):
            if candidate.id in ordered_before or candidate.id in listed:
                continue
            listed.add(candidate.id)
            refusal = self._take(candidate, round_number, changes)
            outcome = APPLIED if refusal is None else refusal.code
            position = total + len(entries)
            receipt = Receipt(
                candidate.id, position, candidate.event, candidate.consensus_time_ns, outcome
            )
            entries.append(Entry(receipt, candidate, refusal))
        time_ns = last_time_ns if consensus_time_ns is None else consensus_time_ns
        epoch = self._roster.epoch
        sealed = self._sealed(round_number, time_ns, changes)
        self._note_conduct(round_number, creators, changes, seals=sealed is not None)
        if sealed is not None:
            changes[roster_key(sealed.epoch)] = sealed.encode()
            self._window_first = self._roster.first_round
            self._roster = sealed
        fresh = tuple([key for key, value in changes.items() if self._tree.put(key, value)])
        self._header = RoundHeader(
            network_id=self._network_id,
            epoch=epoch,
            round=round_number,
            previous=NO_HEADER if before is None else before.hash,
            state_root=self._tree.root(),
            receipts_root=receipts_root([entry.receipt for entry in entries]),
            roster=self._roster.hash,
            transactions=len(entries),
            transactions_total=total + len(entries),
            consensus_time_ns=time_ns,
        )
        if sealed is not None:
            self._keep_snapshot(epoch)
        return Applied(self._header, tuple(entries), tuple(changes.items()), fresh, sealed)

    def _sealed(
        self, round_number: Round, time_ns: int, changes: dict[bytes, bytes]
    ) -> Roster | None:
        """Return the next epoch's roster if the round is the last of this one.

        An epoch ends after its full number of rounds, and at once when its members or a parameter
        of its rules change. What begins with the next one goes into `changes`.
        """
        roster, members = self._roster, self._roster.members
        if NEXT_MEMBERS_KEY in changes:
            members = decode_members(changes[NEXT_MEMBERS_KEY])

        def read(key: bytes) -> bytes | None:
            return changes[key] if key in changes else self._read(key)

        rules = roster.rules
        if any(key in changes for key in EPOCH_PARAMETER_KEYS):
            rules = set_rules(rules, read)
        rounds = round_number - roster.first_round + 1
        same = (members, rules) == (roster.members, roster.rules)
        if same and rounds < roster.rules.epoch_rounds:
            return None
        following = roster.next(Round(round_number + 1), time_ns, members, rules)
        following, begun = upgraded(following, read)
        changes.update(begun)
        return following

    def _note_conduct(
        self,
        round_number: Round,
        creators: Collection[MemberIndex],
        changes: dict[bytes, bytes],
        *,
        seals: bool,
    ) -> None:
        """Add to `changes` what the round says of the members."""
        record = self._record.after(creators, changes)
        if seals:
            rounds = round_number - self._roster.first_round + 1

            def read(key: bytes) -> bytes | None:
                return changes[key] if key in changes else self._read(key)

            changes.update(score_changes(record, self._roster, rounds, read))
            record = EpochRecord()
        if record != self._record:
            changes[EPOCH_RECORD_KEY] = record.encode()
            self._record = record

    def _take(
        self, candidate: Candidate, round_number: Round, changes: dict[bytes, bytes]
    ) -> TransactionRefused | None:
        """Add what the transaction changes to `changes`, or return why it has no effect."""
        parsed = candidate.parsed
        if isinstance(parsed, TransactionRefused):
            return parsed
        if isinstance(parsed, OpaqueTransaction):
            return None
        if parsed.sender in self._rotated:
            return KeyRotated("the sender gave this key up for another one")
        window = self.account(parsed.sender)
        if not window.is_free(parsed.nonce):
            return NonceUsed(f"nonce {parsed.nonce} was used; the highest is {window.highest}")
        used = window.with_used(parsed.nonce)
        self._accounts[parsed.sender] = used
        changes[account_key(parsed.sender)] = encode_account(used)
        if 0 < parsed.expires_round < round_number:
            return Expired(f"valid up to round {parsed.expires_round}, ordered in {round_number}")
        context = Context(
            id=candidate.id,
            sender=parsed.sender,
            round=round_number,
            time_ns=candidate.consensus_time_ns,
            network_id=self._network_id,
            roster=self._roster,
            first_roster=self._first_roster,
            evidence_checks=self._checks,
            read=lambda key: changes[key] if key in changes else self._read(key),
        )
        try:
            written = changes_of(parsed.arguments, context)
        except TransactionRefused as refusal:
            return refusal
        changes.update(written)
        for key, value in written:
            self._note(key, value)
        return None

    def _note(self, key: bytes, value: bytes) -> None:
        """Keep what the machine has of the state beside its hashes."""
        if key.startswith(ACCOUNT_PREFIX):
            self._accounts[PublicKey(key[len(ACCOUNT_PREFIX) :])] = decode_account(value)
        elif key == EPOCH_RECORD_KEY:
            self._record = decode_record(value)
        elif key.startswith(ROTATED_PREFIX):
            self._rotated.add(PublicKey(key[len(ROTATED_PREFIX) :]))


def _in_nonce_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with each sender's own ones permuted into nonce order.

    The places that a sender's transactions take among all others stay the same.
    """
    by_sender: dict[PublicKey, list[int]] = {}
    nonces: dict[int, int] = {}
    for place, candidate in enumerate(candidates):
        if isinstance(candidate.parsed, SignedTransaction):
            by_sender.setdefault(candidate.parsed.sender, []).append(place)
            nonces[place] = candidate.parsed.nonce
    result = list(candidates)
    for taken in by_sender.values():
        for place, source in zip(taken, sorted(taken, key=nonces.__getitem__), strict=True):
            result[place] = candidates[source]
    return result
