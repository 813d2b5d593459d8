"""Kinds of a later transaction version are unknown before it, as at a build that lacks them."""

from __future__ import annotations

import pytest

from core.codec import Value, encode
from core.errors import InvariantBroken
from core.ids import Epoch
from ledger import kinds
from ledger.epoch_rules import FIRST_RULES, TRANSACTION_VERSIONS, Versions, supported
from ledger.errors import TransactionRefused, UnknownKind
from ledger.governance import GovPropose, GovVote, Vote
from ledger.header import APPLIED
from ledger.namespaces import NamespaceClaim, NamespaceRelease, Rules
from ledger.transaction import parse
from ledger.upgrades import Announce, Upgrade
from tests.ledger.test_upgrades import SHORT, until_epoch
from tests.ledger.world import KEYS, NETWORK, Cell, candidates, signed

A, B, C, D = KEYS
RELEASE = NamespaceRelease("club")
FIRST, NEWEST = TRANSACTION_VERSIONS[0], TRANSACTION_VERSIONS[-1]

_GOOD: Value = ["namespace-release", ["club"]]
_BAD: Value = ["namespace-release", ["/", 7]]
_PUT: Value = ["put", ["k", b"v"]]
_BAD_PUT: Value = ["put", ["", b"v"]]
_INSIDE: Value = ["member-leave", []]


def _raw(kind: str, items: list[Value]) -> bytes:
    """Whatever is said, rightly signed."""
    key: bytes = A.public_key
    body = encode(["myceld/transaction/2", NETWORK, key, 1, 0, 0, kind, items])
    return encode([body, A.sign(body)])


def _verdict(raw: bytes, version: int) -> str:
    try:
        parse(raw, NETWORK, version)
    except TransactionRefused as refusal:
        return refusal.outcome
    return APPLIED


RAWS = {
    "alone": _raw("namespace-release", ["club"]),
    "with nonsense": _raw("namespace-release", ["/", 7]),
    "in a batch": _raw("batch", [_PUT, _GOOD]),
    "before what is wrong": _raw("batch", [_GOOD, _BAD_PUT]),
    "behind what is wrong": _raw("batch", [_BAD_PUT, _GOOD]),
    "nonsense in a batch": _raw("batch", [_PUT, _BAD]),
    "beside what is no item": _raw("batch", [_INSIDE, _GOOD]),
    "not there": _raw("batch", [_PUT, _PUT]),
}


@pytest.mark.parametrize("name", RAWS)
def test_builds_that_know_a_kind_and_those_that_do_not_give_the_same_verdict(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = _verdict(RAWS[name], FIRST)
    without = {kind: row for kind, row in kinds._KINDS.items() if row.since <= FIRST}
    assert len(without) < len(kinds._KINDS)
    monkeypatch.setattr(kinds, "_KINDS", without)
    assert ours == _verdict(RAWS[name], NEWEST)


def test_a_kind_that_is_applied_in_an_earlier_epoch_stops_the_cell() -> None:
    cell = Cell()
    late = candidates([signed(A, 0, RELEASE)], version=NEWEST)
    with pytest.raises(InvariantBroken):
        cell.apply(late)


def test_namespaces_can_be_released_from_the_epoch_that_the_members_chose() -> None:
    cell = Cell(SHORT)
    build = supported("new build")
    cell.act(*[(pair, Announce(build)) for pair in (A, B, C)])
    versions = Versions(FIRST_RULES.rule_set, FIRST_RULES.wire_version, NEWEST)
    upgrade = GovPropose("release", (Upgrade(Epoch(2), versions, "new build"),), 1000)
    nonce = cell.ledger.account(A.public_key).highest + 1
    proposed = cell.apply(candidates([signed(A, nonce, upgrade)])).entries[0].receipt
    votes = [(pair, GovVote(proposed.id, Vote.YES)) for pair in (B, C)]
    assert cell.act(*votes) == [APPLIED, APPLIED]
    claim = NamespaceClaim("club", Rules((D.public_key,)))
    assert cell.act((D, claim), (D, RELEASE)) == [APPLIED, UnknownKind.code]
    until_epoch(cell, 2)
    assert cell.ledger.transaction_version == NEWEST
    assert cell.act((D, RELEASE), (A, claim)) == [APPLIED, APPLIED]
    assert cell.restarted().ledger.transaction_version == NEWEST
