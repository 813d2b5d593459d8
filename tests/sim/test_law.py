"""The rules read a second time come to the same headers as the ledger, whatever is asked of it."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import AccountId, Amount, Epoch, Hash, MemberIndex, PublicKey, Round, TransactionId
from identity.keys import KeyPair
from ledger.accounts import TREASURY
from ledger.actions import Action, Burn, Issue, PayOut, Resolution, SetParameter
from ledger.content import Post, PostWithdraw
from ledger.epoch_rules import Support, Versions
from ledger.governance import GovPropose, GovVote, Vote
from ledger.kinds import Arguments, Put
from ledger.machine import Applied
from ledger.members import Action as Change
from ledger.members import MemberApprove, MemberLeave, MemberPropose
from ledger.namespaces import Access, NamespaceClaim, NamespaceSet, Rules
from ledger.transaction import SignedTransaction, transaction_id
from ledger.trust import TrustAttest, TrustRevoke
from ledger.upgrades import Announce, Upgrade
from ledger.values import Condition, Delete, IfAbsent, IfHash, IfRound, PutIf
from node.tables import OrderedRow
from sim.law import Law
from tests.ledger.test_forks import proof
from tests.ledger.world import ALL_KEYS, GENESIS, START_NS, Cell, candidates, rotation, signed

EVERYBODY = ALL_KEYS + tuple(KeyPair(bytes([number]) * 32) for number in range(9, 13))
PAIRS = st.sampled_from(EVERYBODY)
_WAYS = [
    *("put", "rotate", "rotate", "propose", "approve", "leave", "fork"),
    *("motion", "motion", "vote", "vote", "announce"),
    *("put-if", "delete", "claim", "set", "write"),
    *("post", "post", "withdraw", "attest", "revoke"),
]


def rows_of(applied: Applied) -> list[OrderedRow]:
    """Return a round's lines of the order, as a cell's tables have them."""
    rows = []
    for entry in applied.entries:
        parsed = entry.candidate.parsed
        signed_one = parsed if isinstance(parsed, SignedTransaction) else None
        rows.append(
            OrderedRow(
                position=entry.receipt.position,
                id=entry.receipt.id,
                round=applied.header.round,
                time_ns=entry.receipt.consensus_time_ns,
                event=entry.receipt.event,
                creator=None,
                kind="" if signed_one is None else signed_one.kind,
                sender=None if signed_one is None else signed_one.sender,
                nonce=None if signed_one is None else signed_one.nonce,
                size_bytes=entry.candidate.size_bytes,
                outcome=entry.receipt.outcome,
                refusal=None,
            )
        )
    return rows


@st.composite
def _acts(draw: st.DrawFn) -> tuple[KeyPair, str, KeyPair, int]:
    way = draw(st.sampled_from(_WAYS))
    return draw(PAIRS), way, draw(PAIRS), draw(st.integers(0, 5))


def _arguments(
    pair: KeyPair, way: str, other: KeyPair, number: int, proposals: list[TransactionId]
) -> Arguments:
    if way in ("put-if", "delete", "write", "claim", "set"):
        return _write(pair, way, other, number)
    if way in ("post", "withdraw", "attest", "revoke"):
        return _word(way, other, number)
    match way:
        case "put":
            return Put("k", bytes([number]))
        case "rotate":
            return rotation(pair, other)
        case "propose":
            action = list(Change)[number % 3]
            weight = 0 if action is Change.REMOVE else 1 + number
            name = "n" if action is Change.ADD else ""
            return MemberPropose(action, other.public_key, weight, name)
        case "approve":
            return MemberApprove(proposals[-1 - number % len(proposals)])
        case "leave":
            return MemberLeave()
        case "motion":
            return GovPropose("motion", _actions(other, number), 1 + number)
        case "vote":
            return GovVote(proposals[-1 - number // 3 % len(proposals)], list(Vote)[number % 3])
        case "announce":
            return Announce(Support((1, 2, 3)[: 1 + number % 3], (2,), (1, 2), "a build"))
    return proof(EVERYBODY[number % 4], number % 4, epoch=number // 4)


def _word(way: str, other: KeyPair, number: int) -> Arguments:
    if way == "post":
        return Post(Hash(bytes([number % 3]) * 32), 1 + number, "minutes", Round(2 * number))
    if way == "withdraw":
        return PostWithdraw(Hash(bytes([number % 3]) * 32))
    if way == "attest":
        return TrustAttest(other.public_key, "general", number, Round(2 * number))
    return TrustRevoke(other.public_key, "general")


def _write(pair: KeyPair, way: str, other: KeyPair, number: int) -> Arguments:
    match way:
        case "put-if":
            return PutIf(_KEYS[number], b"v", _CONDITIONS[number % 4])
        case "delete":
            return Delete(_KEYS[number], _CONDITIONS[number % 3])
        case "write":
            return Put(_KEYS[number], b"v")
    access = list(Access)[number % 4]
    writers = (other.public_key,) if access is Access.WRITERS else ()
    kind = NamespaceClaim if way == "claim" else NamespaceSet
    return kind(("a", "a/b", "c")[number % 3], Rules((pair.public_key,), access, writers))


_KEYS = ("k", "a/k", "a/b/k", "c/k", "a/b", "a")
_CONDITIONS: tuple[Condition, ...] = (
    None,
    IfRound(Round(2)),
    IfHash(Hash(hashlib.sha256(b"v").digest())),
    IfAbsent(),
)


def _actions(other: KeyPair, number: int) -> tuple[Action, ...]:
    several: list[tuple[Action, ...]] = [
        (SetParameter("epoch_rounds", 16 + number), Resolution()),
        (SetParameter("coin_period", 3), MemberPropose(Change.REMOVE, other.public_key)),
        (
            Issue(AccountId(other.public_key), Amount(1 + number)),
            SetParameter("account_minimum", 3 * number),
            PayOut(AccountId(other.public_key), Amount(1)),
        ),
        (Burn(AccountId(other.public_key), Amount(1 + number)), Issue(TREASURY, Amount(7))),
        (Upgrade(Epoch(1 + number), Versions(number % 4 + 1, 2, 1), "another build"),),
        (
            MemberPropose(Change.WEIGHT, other.public_key, 1 + number),
            SetParameter("coin_period", 9),
        ),
    ]
    return several[number % len(several)]


@given(rounds=st.lists(st.lists(_acts(), max_size=5), min_size=1, max_size=12))
@settings(deadline=None, max_examples=80)
def test_the_law_finds_nothing_wrong_with_what_the_ledger_does(
    rounds: list[list[tuple[KeyPair, str, KeyPair, int]]],
) -> None:
    cell, raws = Cell(), dict[bytes, bytes]()
    law = Law(GENESIS, raws.get)
    nonces: dict[PublicKey, int] = {}
    proposals = [TransactionId(bytes(32))]
    for acts in rounds:
        made = []
        for pair, way, other, number in acts:
            nonce = nonces[pair.public_key] = nonces.get(pair.public_key, -1) + 1
            raw = signed(pair, nonce, _arguments(pair, way, other, number, proposals))
            raws[transaction_id(raw)] = raw
            if way in ("propose", "motion"):
                proposals.append(transaction_id(raw))
            made.append(raw)
        members = len(cell.ledger.roster.members)
        present = {MemberIndex(number % members) for _, _, _, number in acts}
        applied = cell.apply(candidates(made, time_ns=START_NS + 100 * len(cell.headers)), present)
        law.apply(applied.header, rows_of(applied), present)
        law.check_root(applied.header)
        assert law.problems == []
    assert law.roster == cell.ledger.roster
