"""A cell says what it knows when it matters, and stops before what it does not know."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.codec import encode
from core.ids import Epoch, PublicKey, Round, TransactionId
from journal import Store
from ledger.epoch_rules import EpochRules, Support, Versions, supported
from ledger.governance import Proposal, proposal_key, proposer_key
from ledger.roster import Roster
from ledger.upgrades import SUPPORT_PREFIX, UPGRADE_KEY, Planned, Upgrade
from node.errors import UpgradeNeeded
from node.faults import FAULTS_VARIABLE, RULE_SETS_VARIABLE, support_of
from node.tables import SCHEMA
from node.upgrades import Upgrades, check_epoch
from tests.ledger.world import GENESIS, KEYS

SUPPORT = supported("this build")
UPGRADE = Upgrade(Epoch(4), Versions(3, 2, 2), "myceld 9")
ROSTER = replace(GENESIS.roster, epoch=Epoch(4), rules=EpochRules(rule_set=3))


def test_an_epoch_by_rules_that_it_knows_is_begun() -> None:
    check_epoch(GENESIS.roster, SUPPORT, dict[bytes, bytes]().get)


def test_an_epoch_by_others_is_not_and_the_error_names_the_release() -> None:
    state = {UPGRADE_KEY: Planned(UPGRADE, TransactionId(bytes(32)), Epoch(4)).encode()}
    with pytest.raises(UpgradeNeeded, match=r"rule set 3, .*this build.*install myceld 9"):
        check_epoch(ROSTER, SUPPORT, state.get)
    with pytest.raises(UpgradeNeeded, match="install a newer release"):
        check_epoch(ROSTER, SUPPORT, dict[bytes, bytes]().get)


def test_a_test_can_make_it_another_build_and_nothing_else_can() -> None:
    wished = {RULE_SETS_VARIABLE: "3,1"}
    assert support_of(SUPPORT, wished) == SUPPORT
    assert support_of(SUPPORT, {**wished, FAULTS_VARIABLE: "1"}).rule_sets == (1, 3)
    assert support_of(SUPPORT, {FAULTS_VARIABLE: "1"}) == SUPPORT


def _due(
    path: Path, state: dict[bytes, bytes], own: PublicKey, *, roster: Roster = GENESIS.roster
) -> bool:
    async def ask() -> bool:
        store = await Store.open(path / "store.db", signer=KEYS[0].sign, cell_id=KEYS[0].cell_id)
        try:
            await store.create_tables(SCHEMA)
            rows = list(state.items())
            await store.transaction({}, [("INSERT INTO state VALUES (?, ?)", rows)])
            return Upgrades(store, SUPPORT, own, lambda: roster).is_due()
        finally:
            await store.close()

    return asyncio.run(ask())


def _planned(*, begun: int = 0) -> dict[bytes, bytes]:
    return {UPGRADE_KEY: Planned(UPGRADE, TransactionId(bytes(32)), Epoch(begun)).encode()}


def _proposed() -> dict[bytes, bytes]:
    identity, key = TransactionId(bytes(32)), KEYS[1].public_key
    proposal = Proposal("t", (UPGRADE,), key, Round(1), Round(99))
    return {
        proposal_key(identity): proposal.encode(),
        proposer_key(key): encode([[identity, 99]]),
    }


def _announced(support: Support) -> dict[bytes, bytes]:
    return {SUPPORT_PREFIX + KEYS[0].public_key: encode(support.to_value())}


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, False),
        (_planned(), True),
        (_proposed(), True),
        (_planned(begun=4), False),
        (_planned() | _announced(SUPPORT), False),
        (_planned() | _announced(replace(SUPPORT, release="another name")), False),
        (_planned() | _announced(replace(SUPPORT, rule_sets=(1, 2, 3))), True),
    ],
)
def test_a_member_announces_while_an_upgrade_is_to_come_and_others_know_something_else(
    tmp_path: Path,
    state: dict[bytes, bytes],
    due: bool,  # noqa: FBT001 - a case
) -> None:
    assert _due(tmp_path, state, KEYS[0].public_key) is due


def test_who_is_no_member_announces_nothing(tmp_path: Path) -> None:
    roster = replace(GENESIS.roster, members=GENESIS.members[1:])
    assert not _due(tmp_path, _planned(), KEYS[0].public_key, roster=roster)
