"""The ledger's rules read once more: what each listed transaction comes to, and who votes next.

A plain model over dicts that shares no code with `ledger.machine`, `ledger.members` and
`ledger.tree`, only their values and encodings. Given the agreed order round by round it says where
a header or an outcome is not what the rules say, though all cells may agree on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence

from core.codec import Value, encode
from core.errors import MyceldError
from core.ids import Epoch, MemberIndex, PublicKey, Round, TransactionId
from hashgraph.evidence import decode_evidence, verify_fork
from identity.keys import verify_all
from ledger.batch import Batch
from ledger.content import Post, PostWithdraw
from ledger.forks import ForkProof, ProvenFork, fork_key
from ledger.genesis import Genesis
from ledger.governance import GovPropose, GovVote
from ledger.header import APPLIED, RoundHeader
from ledger.kinds import Arguments
from ledger.limits import (
    ATTESTATIONS_OF_ISSUER_MAX,
    ROTATION_ROUNDS_MIN,
)
from ledger.members import MemberApprove, MemberLeave, MemberPropose
from ledger.network_score import EPOCH_RECORD_KEY, score_key
from ledger.roster import Roster, roster_key
from ledger.rotation import KeyRotate
from ledger.succession import Origin, Succession, origin_key, present_key, rotated_key
from ledger.transaction import OpaqueTransaction, SignedTransaction, Transaction, parse
from ledger.trust import TrustAttest, TrustRevoke, attestation_key, issuer_key
from ledger.upgrades import Announce
from node.tables import OrderedRow
from sim.council import Council
from sim.law_errors import Refused
from sim.law_money import MONEY_KINDS, Money, cost
from sim.law_values import VALUE_KINDS, Values

Raw = Callable[[bytes], bytes | None]
"""The bytes of a transaction, by its id."""


class Law:
    """The state that the rules lead to. `problems` are where history says something else."""

    def __init__(self, genesis: Genesis, raw: Raw) -> None:
        self.problems: list[str] = []
        self._genesis = genesis
        self._rosters = {Epoch(0): genesis.roster}
        self._raw = raw
        self._state: dict[bytes, bytes] = {}
        self._followed: dict[PublicKey, PublicKey] = {}
        """Old key -> the one it was given up for."""
        self._came: dict[PublicKey, tuple[PublicKey, Round]] = {}
        """New key -> the one before it, and when."""
        self._money = Money(genesis, self._state, self._today, self._first)
        self._values = Values(self._state, self._today, self._is_member)
        self._council = Council(genesis, self._state, self._today, self._money)
        self._proven: set[tuple[Epoch, PublicKey]] = set()
        self._posted: dict[bytes, tuple[Post, Round, PublicKey]] = {}
        """Contents that were not withdrawn: when, and by whom."""
        self._attested: dict[PublicKey, set[tuple[PublicKey, str]]] = {}
        self._scores: dict[PublicKey, int] = {}
        self._present: set[MemberIndex] = set()
        self._wrong: set[PublicKey] = set()
        self._listed: dict[bytes, Round] = {}
        self._total = 0
        self._time_ns = 0
        self._is_whole = True
        """Whether every transaction and all creators were known, so that the state is."""

    @property
    def roster(self) -> Roster:
        """Who votes on the next round."""
        return self._council.roster

    def apply(
        self,
        header: RoundHeader,
        rows: Sequence[OrderedRow],
        creators: Collection[MemberIndex] | None,
    ) -> None:
        """Take the next round, its lines of the order, and who made the events that it received.

        `creators` are None where nobody knows them any more.
        """
        self._check_lines(header, rows)
        for row in rows:
            self._take(row)
        self._money.end_round()
        self._time_ns = max([self._time_ns, *(row.time_ns for row in rows)])
        if header.consensus_time_ns < self._time_ns:
            self._note(header, "its time is before that of what it lists")
        self._time_ns = header.consensus_time_ns
        if creators is None:
            self._is_whole = False
        self._present.update(creators or ())
        is_last = self._end_epoch(header)
        if header.roster != self.roster.hash:
            self._note(header, "another roster votes next than the rules say")
        if is_last and self._is_whole:
            self.check_root(header)

    def check_root(self, header: RoundHeader) -> None:
        """Check the state root after the last round that was taken."""
        if self._is_whole and _root(self._state) != header.state_root:
            self._note(header, "its state root is not that of the state that the rules lead to")

    def _check_lines(self, header: RoundHeader, rows: Sequence[OrderedRow]) -> None:
        window = self._rosters.get(Epoch(self.roster.epoch - 1), self.roster).first_round
        newest: dict[bytes, int] = {}
        for row in rows:
            if row.position != self._total:
                self._note(header, f"position {row.position} follows {self._total - 1}")
            self._total = row.position + 1
            before = self._listed.get(row.id)
            if before is not None and before >= window:
                self._note(header, f"it lists again what round {before} listed")
            self._listed[row.id] = header.round
            if row.sender is not None and row.nonce is not None:
                if row.nonce < newest.get(row.sender, -1):
                    self._note(header, "a sender's transactions are not in the order of nonces")
                newest[row.sender] = row.nonce
        if header.transactions_total != self._total:
            self._note(header, f"{header.transactions_total} transactions, not {self._total}")

    def _take(self, row: OrderedRow) -> None:
        raw = self._raw(row.id)
        if raw is None:
            self._is_whole = False
            return
        try:
            version = self.roster.rules.transaction_version
            self._carry_out(_checked(raw, self._genesis, version), row)
        except Refused as why:
            if row.outcome == APPLIED:
                self._problem(row, f"was applied, though {why}")
            elif why.code and row.outcome != why.code:
                self._problem(row, f"was refused with {row.outcome}, though {why} ({why.code})")
            return
        if row.outcome != APPLIED:
            self._problem(row, f"was refused without reason: {row.outcome}")

    def _carry_out(self, transaction: Transaction, row: OrderedRow) -> None:
        if isinstance(transaction, OpaqueTransaction):
            return
        sender, what, money = transaction.sender, transaction.arguments, self._money
        if sender in self._followed:
            raise Refused("its sender had given up the key", "MYC-LEDGER-201")
        money.use_nonce(sender, transaction.nonce)
        price = 0 if self._is_free(what, sender) else money.price
        copied, attested = money.copied(), dict(self._attested)
        posted = dict(self._posted)
        values = self._values.copied()
        try:
            self._pay_and_do(transaction, price, row)
        except Refused:
            money.go_back(copied)
            self._values.go_back(values)
            self._attested, self._posted = attested, posted
            money.pay_fee(sender, min(100 * price, transaction.fee, money.balance(sender)))
            raise

    def _pay_and_do(self, transaction: SignedTransaction, price: int, row: OrderedRow) -> None:
        sender, what = transaction.sender, transaction.arguments
        if 0 < transaction.expires_round < row.round:
            raise Refused("it had expired", "MYC-LEDGER-016")
        fee = price * cost(what)
        if transaction.fee < fee:
            raise Refused("it offers too small a fee", "MYC-LEDGER-211")
        if self._money.balance(sender) < fee:
            raise Refused("its sender can not pay the fee", "MYC-LEDGER-212")
        self._money.pay_fee(sender, fee)
        self._do(transaction.id, what, sender, row)

    def _is_free(self, what: Arguments, sender: PublicKey) -> bool:
        if not isinstance(
            what,
            GovPropose
            | MemberPropose
            | GovVote
            | MemberApprove
            | Announce
            | MemberLeave
            | ForkProof
            | KeyRotate,
        ):
            return False
        return self.roster.index_of(sender) is not None

    def _do(
        self, identity: TransactionId, what: Arguments, sender: PublicKey, row: OrderedRow
    ) -> None:
        if not isinstance(what, Batch):
            self._change(identity, what, sender, row)
            return
        for number, item in enumerate(what.items):
            one = TransactionId(hashlib.sha256(encode([identity, number])).digest())
            try:
                self._change(one, item, sender, row)
            except Refused as why:
                code = why.code or row.outcome.split("#")[0]
                raise Refused(f"item {number} {why}", f"{code}#{number}") from None

    def _change(
        self, identity: TransactionId, what: Arguments, sender: PublicKey, row: OrderedRow
    ) -> None:
        now = row.round
        if isinstance(what, MONEY_KINDS):
            self._money.change(what, sender, identity, now)
        if isinstance(what, VALUE_KINDS):
            self._values.change(what, sender, now)
        match what:
            case Post():
                self._post(what, sender, now)
            case PostWithdraw():
                self._withdraw(what, sender, now)
            case GovPropose() | MemberPropose() | GovVote() | MemberApprove():
                self._council.take(identity, what, sender, now)
            case Announce() | MemberLeave():
                self._council.take(identity, what, sender, now)
            case ForkProof():
                self._prove(what, sender, now)
            case TrustAttest():
                self._attest(what, sender, row)
            case TrustRevoke():
                self._revoke(what, sender, row)
            case KeyRotate():
                self._rotate(what, sender, now)

    # -- content -------------------------------------------------------------------------------

    def _post(self, what: Post, sender: PublicKey, now: Round) -> None:
        self._council.check_member(sender)
        if 0 < what.expires_round < now:
            raise Refused("the post had ended")
        if self._standing(what.hash, now) is not None:
            raise Refused("that content was posted before")
        self._posted[what.hash] = what, now, sender
        self._write_post(what.hash)

    def _withdraw(self, what: PostWithdraw, sender: PublicKey, now: Round) -> None:
        poster = self._standing(what.hash, now)
        if poster is None:
            raise Refused("there is nothing to withdraw")
        if self._today(poster) != sender:
            raise Refused("another one posted it")
        self._write_post(what.hash, now)
        del self._posted[what.hash]

    def _standing(self, content: bytes, now: Round) -> PublicKey | None:
        """Return who posted a content, while that counts."""
        post, _, poster = self._posted.get(content, (None, 0, None))
        return None if post is None or 0 < post.expires_round < now else poster

    def _write_post(self, content: bytes, withdrawn: int = 0) -> None:
        post, made, poster = self._posted[content]
        value: list[Value] = [post.size_bytes, post.title, made, poster]
        self._state[b"content/" + content] = encode([*value, post.expires_round, withdrawn])

    def _prove(self, proof: ForkProof, sender: PublicKey, now: Round) -> None:
        if not 0 <= self.roster.epoch - proof.epoch <= 1:
            raise Refused("it is evidence of another epoch")
        network, roster = self._genesis.network_id, self._rosters[proof.epoch]
        try:
            found = decode_evidence(proof.evidence, network_id=network, epoch=proof.epoch)
            accused = roster.members[found.creator].public_key
            verify_fork(proof.evidence, network_id=network, epoch=proof.epoch, public_key=accused)
        except (MyceldError, IndexError):
            raise Refused("it proves nothing") from None
        if (proof.epoch, accused) in self._proven:
            raise Refused("that was proven before")
        today = self._today(accused)
        if any(member.public_key == today for member in self._council.planned):
            self._council.remove(today)
        self._proven.add((proof.epoch, accused))
        self._wrong.add(accused)
        digest = hashlib.sha256(proof.evidence).digest()
        proven = ProvenFork(digest, now, sender)  # type: ignore[arg-type]  # a digest is a Hash
        self._state[fork_key(proof.epoch, accused)] = proven.encode()

    # -- trust ---------------------------------------------------------------------------------

    def _attest(self, what: TrustAttest, sender: PublicKey, row: OrderedRow) -> None:
        sender, subject = self._first(sender), self._first(what.subject)
        if subject == sender:
            raise Refused("it attests its sender")
        if what.expires_round and what.expires_round < row.round:
            raise Refused("the attestation has ended")
        known = self._attested.setdefault(sender, set())
        if (subject, what.scope) not in known and len(known) == ATTESTATIONS_OF_ISSUER_MAX:
            raise Refused("its sender has too many")
        self._keep_attested(sender, known | {(subject, what.scope)})
        said: list[Value] = [what.score_millionths, row.round, row.time_ns, what.expires_round]
        self._state[attestation_key(sender, subject, what.scope)] = encode([*said, False])

    def _revoke(self, what: TrustRevoke, sender: PublicKey, row: OrderedRow) -> None:
        sender = self._first(sender)
        known = self._attested.get(sender, set())
        named = [
            one for one in (self._first(what.subject), what.subject) if (one, what.scope) in known
        ]
        if not named:
            raise Refused("there is nothing to revoke")
        self._keep_attested(sender, known - {(named[0], what.scope)})
        key = attestation_key(sender, named[0], what.scope)
        self._state[key] = encode([0, row.round, row.time_ns, 0, True])

    def _keep_attested(self, sender: PublicKey, known: set[tuple[PublicKey, str]]) -> None:
        if len(known) != len(self._attested[sender]):
            self._state[issuer_key(sender)] = encode([len(known)])
        self._attested[sender] = known

    def _judge(self, rounds: int, *, is_last: bool) -> None:
        """Keep what the epoch says of the members; at its end, move their scores."""
        if is_last:
            members = [self._today(member.public_key) for member in self.roster.members]
            wrong = {self._today(key) for key in self._wrong}
            for at, key in enumerate(members):
                right = 10_000 if at in self._present else -20_000 if rounds >= 16 else 0
                self._move(key, -50_000 if key in wrong else right)
            for key in wrong - set(members):
                self._move(key, -50_000)
            self._present, self._wrong = set(), set()
        record: list[Value] = [sorted(self._present), sorted(self._wrong)]
        if record != [[], []] or EPOCH_RECORD_KEY in self._state:
            self._state[EPOCH_RECORD_KEY] = encode(record)

    def _move(self, key: PublicKey, amount: int) -> None:
        score = self._scores.get(key, 500_000) + amount
        self._scores[key] = min(max(score, 0), 1_000_000)
        self._state[score_key(key)] = encode([self._scores[key]])

    # -- keys ----------------------------------------------------------------------------------

    def _today(self, key: PublicKey) -> PublicKey:
        """Return what became of a key, one step after the other."""
        while key in self._followed:
            key = self._followed[key]
        return key

    def _is_member(self, key: PublicKey) -> bool:
        return self.roster.index_of(key) is not None

    def _first(self, key: PublicKey) -> PublicKey:
        """Return the first key of a line, one step after the other."""
        while key in self._came:
            key = self._came[key][0]
        return key

    def _rotate(self, what: KeyRotate, old: PublicKey, now: Round) -> None:
        new = what.successor
        seats = [*self.roster.members, *self._council.planned]
        if new == old or self._money.has_signed(new) or new in self._came:
            raise Refused("the new key was used before")
        if any(member.public_key == new for member in seats):
            raise Refused("the new key is a member's")
        if old in self._came and now < self._came[old][1] + ROTATION_ROUNDS_MIN:
            raise Refused("the old key had come just before")
        self._followed[old], self._came[new] = new, (old, now)
        first = self._first(old)
        step = Succession(new, now, what.consent, what.possession)
        self._state[rotated_key(old)] = step.encode()
        self._state[origin_key(new)] = Origin(first, old, now).encode()
        self._state[present_key(first)] = new
        self._money.rotate(old, new)
        if old in self._scores:
            self._scores[new] = self._scores[old]
            self._state[score_key(new)] = self._state[score_key(old)]
        self._council.rotated(old, new)

    def _end_epoch(self, header: RoundHeader) -> bool:
        """Begin the next epoch if this round is the last of its own; return whether it is."""
        rounds = header.round - self.roster.first_round + 1
        is_last = self._council.ends_epoch(header.round)
        self._judge(rounds, is_last=is_last)
        if not is_last:
            return False
        self._council.begin_epoch(header.round, header.consensus_time_ns)
        epoch = self.roster.epoch
        self._rosters[epoch] = self.roster
        self._state[roster_key(epoch)] = self.roster.encode()
        return True

    def _note(self, header: RoundHeader, what: str) -> None:
        self.problems.append(f"round {header.round}: {what}")

    def _problem(self, row: OrderedRow, what: str) -> None:
        self.problems.append(f"position {row.position} ({row.kind}) {what}")


def _checked(raw: bytes, genesis: Genesis, version: int) -> Transaction:
    """Return a well-formed, rightly signed transaction."""
    try:
        transaction = parse(raw, genesis.network_id, version)
    except MyceldError:
        raise Refused("it is no transaction") from None
    if isinstance(transaction, SignedTransaction) and not all(
        verify_all(transaction.signature_checks)
    ):
        raise Refused("its signature is wrong")
    return transaction


def _root(state: Mapping[bytes, bytes]) -> bytes:
    """Return the root of a Patricia trie over the keys: a 1 before each byte, a 0 behind the last.

    A branching is hashed with the number of its bit. Written for reading, one bit after the other.
    """
    leaves: list[tuple[str, bytes]] = []
    for key, value in state.items():
        bits = "".join(f"1{byte:08b}" for byte in key) + "0"
        content = b"\x00" + len(key).to_bytes(2, "big") + key + hashlib.sha256(value).digest()
        leaves.append((bits, hashlib.sha256(content).digest()))
    return _root_of(sorted(leaves), 0) if leaves else bytes(32)


def _root_of(leaves: Sequence[tuple[str, bytes]], depth: int) -> bytes:
    """Return the root of sorted leaves that agree in so many bits."""
    if len(leaves) == 1:
        return leaves[0][1]
    first, last = leaves[0][0], leaves[-1][0]
    while first[depth] == last[depth]:
        depth += 1
    middle = next(at for at, (bits, _) in enumerate(leaves) if bits[depth] == "1")
    halves = _root_of(leaves[:middle], depth + 1) + _root_of(leaves[middle:], depth + 1)
    return hashlib.sha256(b"\x01" + depth.to_bytes(2, "big") + halves).digest()
