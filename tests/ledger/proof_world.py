"""Proof files of a small network whose members changed: what the tests of proofs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from identity.keys import KeyPair
from ledger.header import RoundHeader, receipt_path
from ledger.kinds import VALUE_PREFIX, Put
from ledger.machine import Entry
from ledger.members import Action
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
    steps_of,
)
from ledger.prover import prove_keys, prove_range
from ledger.roster import Roster
from ledger.roster_proof import shortest
from ledger.transaction import parse, transaction_id
from tests.ledger.test_roster_proof import SHORT, History, key_of
from tests.ledger.world import KEYS, NEWCOMERS, candidates, certified, signed

NETWORK_ID = SHORT.network_id
VALUE_KEY = VALUE_PREFIX + b"hello"


class Network(History):
    """A network that proves what it did."""

    def __init__(self) -> None:
        super().__init__()
        self.raws: list[bytes] = []
        self.entries: tuple[Entry, ...] = ()
        """Of the round of `put`."""

    def proof(self, subject: Subject, headers: tuple[RoundHeader, ...]) -> Proof:
        """Return the proof of something at the first of the headers, signed at the last."""
        roster = self.roster_of(headers[-1])
        steps = steps_of(SHORT.roster, shortest(SHORT.roster, self.steps)) if roster.epoch else ()
        return Proof(SHORT, steps, headers, self.signers(headers[-1]), subject)

    def signers(self, header: RoundHeader, count: int | None = None) -> Signers:
        """Return the signatures of the first members of the header's epoch, of all unless told."""
        keys = self.keys_of(self.roster_of(header))
        return certified(header, range(count or len(keys)), keys=keys).signatures

    def roster_of(self, header: RoundHeader) -> Roster:
        return self.rosters[header.epoch]

    def keys_of(self, roster: Roster) -> list[KeyPair]:
        return [key_of(member.public_key) for member in roster.members]

    def put(self, *pairs: tuple[str, bytes]) -> None:
        """Apply a round of puts by the first member, and one that is refused."""
        nonce = self.ledger.account(KEYS[0].public_key).highest
        raws = [
            signed(KEYS[0], nonce + at, Put(key, value), network_id=NETWORK_ID)
            for at, (key, value) in enumerate(pairs, 1)
        ]
        raws.append(signed(KEYS[0], nonce, Put("again", b""), network_id=NETWORK_ID))
        items = [
            replace(item, parsed=parse(raw, NETWORK_ID))
            for item, raw in zip(candidates(raws), raws, strict=True)
        ]
        self.raws, self.entries = raws, self.apply(items).entries

    def value_claim(self, key: bytes) -> StateClaim:
        """Return what the present state says of a key."""
        proof = prove_keys(self.ledger.state, [key], self._fetch)
        return StateClaim(key, self.state.get(key), proof)

    def prefix_claim(self, prefix: bytes) -> RangeClaim:
        """Return what the present state has from a prefix on."""
        return self.range_claim(prefix, prefix[:-1] + bytes([prefix[-1] + 1]), 100)

    def range_claim(self, start: bytes, end: bytes, limit: int) -> RangeClaim:
        """Return what the present state has from one key on up to another one."""
        proof = prove_range(
            self.ledger.state, start, end, self._fetch, count_max=limit, size_bytes_max=60_000
        )
        return RangeClaim(start, end, proof)

    def _fetch(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self.state[key] for key in keys if key in self.state}


@cache
def network() -> Network:
    """Return a network of which most of the first members are gone, so two steps lead to it.

    The round before the last has a refusal and five puts; the last is empty.
    """
    made = Network()
    made.seal()
    made.steps.append(made.step())
    made.change(Action.ADD, NEWCOMERS[0])
    made.change(Action.ADD, NEWCOMERS[1])
    for key in KEYS[1:4]:
        made.change(Action.REMOVE, key)
    made.put(*((f"key-{at}", bytes([at]) * at) for at in range(4)), ("hello", b"world"))
    made.apply([])
    return made


def sample_proofs() -> dict[str, Proof]:
    """Return one proof of each sort by its name, always the same."""
    made = network()
    first, last = made.headers[-2], made.headers[-1]
    receipts = [entry.receipt for entry in made.entries]
    proofs = {"header": made.proof(HeaderClaim(), (last,))}
    proofs["roster"] = made.proof(RosterClaim(made.rosters[-1]), (last,))
    proofs["value"] = made.proof(made.value_claim(VALUE_KEY), (last,))
    proofs["absence"] = made.proof(made.value_claim(VALUE_PREFIX + b"nothing"), (last,))
    proofs["range"] = made.proof(made.prefix_claim(VALUE_PREFIX), (last,))
    raws = {transaction_id(raw): raw for raw in made.raws}
    for name, index in (("refused", 0), ("receipt", 5)):
        receipt, path = receipts[index], tuple(receipt_path(receipts, index))
        proofs[name] = made.proof(
            ReceiptClaim(receipt, raws[receipt.id], index, path), (first, last)
        )
    claim = proofs["receipt"].subject
    assert isinstance(claim, ReceiptClaim)
    proofs["receipt-only"] = made.proof(replace(claim, transaction=None), (first,))
    proofs["first-epoch"] = made.proof(HeaderClaim(), (made.headers[0],))
    return proofs


def resigned(proof: Proof, **changes: object) -> Proof:
    """Return a proof with another last header that its members did sign."""
    made = network()
    header = replace(proof.headers[-1], **changes)  # type: ignore[arg-type]  # fields of a header
    keys = made.keys_of(made.rosters[proof.headers[-1].epoch])
    signers = certified(header, range(len(keys)), keys=keys).signatures
    return replace(proof, headers=(*proof.headers[:-1], header), signers=signers)


def lighter(step: Step, count: int) -> Step:
    """Return a step with the first signatures only."""
    return replace(step, signers=step.signers[:count])
