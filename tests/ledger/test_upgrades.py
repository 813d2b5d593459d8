"""An upgrade begins with the first epoch from the chosen one on that enough of its members know."""

from __future__ import annotations

import pytest

from core.ids import Epoch, TransactionId
from gossip.wire import WIRE_VERSION
from hashgraph.engine import RULE_SETS as ENGINE_RULE_SETS
from identity.keys import KeyPair
from ledger.epoch_rules import FIRST_RULES, Support, Versions, supported
from ledger.errors import (
    BadAction,
    NotAMember,
    NothingNew,
    UpgradeTooLate,
    UpgradeUnsupported,
)
from ledger.genesis import Genesis
from ledger.governance import GovPropose, GovVote, Vote
from ledger.header import APPLIED
from ledger.limits import EPOCH_ROUNDS_MIN, VERSIONS_SUPPORTED_MAX
from ledger.members import Action as Change
from ledger.members import MemberPropose
from ledger.roster import decode_roster
from ledger.transaction import parse
from ledger.upgrades import (
    SUPPORT_PREFIX,
    UPGRADE_KEY,
    Announce,
    Upgrade,
    decode_planned,
    decode_support,
    planned_upgrade,
    without_support,
)
from tests.ledger.world import (
    GENESIS,
    KEYS,
    NETWORK,
    NEWCOMERS,
    START_NS,
    Cell,
    candidates,
    rotation,
    signed,
)

A, B, C, D = KEYS
E, F, G, _ = NEWCOMERS
OLD, NEW = FIRST_RULES.versions, Versions(3, 2, 1)
NOW = Support((1, 2), (2,), (1,), "old build")
READY = Support((1, 2, 3), (2,), (1,), "new build")
SHORT = Genesis("golden", GENESIS.members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)


def cell_of(*ready: KeyPair) -> Cell:
    """Return a cell of a network with short epochs, in which some have announced the new build."""
    cell = Cell(SHORT)
    cell.act(*[(pair, Announce(READY)) for pair in ready])
    return cell


def upgrade(epoch: int = 2, versions: Versions = NEW) -> GovPropose:
    return GovPropose("upgrade", (Upgrade(Epoch(epoch), versions, "myceld 2"),), 1000)


def proposed(cell: Cell, pair: KeyPair, propose: GovPropose) -> TransactionId:
    nonce = cell.ledger.account(pair.public_key).highest + 1
    raw = signed(pair, nonce, propose, network_id=SHORT.network_id)
    applied = cell.apply(candidates([raw], network_id=SHORT.network_id))
    assert applied.entries[0].receipt.outcome == APPLIED
    return applied.entries[0].receipt.id


def until_epoch(cell: Cell, epoch: int) -> None:
    while cell.ledger.roster.epoch < epoch:
        cell.apply([])


def decided(cell: Cell, propose: GovPropose, *voters: KeyPair) -> list[str]:
    first, *others = voters
    identity = proposed(cell, first, propose)
    return cell.act(*[(pair, GovVote(identity, Vote.YES)) for pair in others])


def test_it_begins_with_the_chosen_epoch() -> None:
    cell = cell_of(A, B, C)
    assert decided(cell, upgrade(3), A, B, C) == [APPLIED, APPLIED]
    planned = planned_upgrade(cell.state.get)
    assert planned is not None
    assert planned.upgrade == Upgrade(Epoch(3), NEW, "myceld 2")
    until_epoch(cell, 2)
    assert cell.ledger.roster.rules.versions == OLD
    until_epoch(cell, 3)
    assert cell.ledger.roster.rules.versions == NEW
    assert decode_planned(cell.state[UPGRADE_KEY]).begun == 3
    assert planned_upgrade(cell.state.get) is None
    until_epoch(cell, 5)
    assert cell.ledger.roster.rules.versions == NEW


def test_the_roster_in_the_certified_header_says_it() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(1), A, B, C)
    until_epoch(cell, 1)
    roster = cell.ledger.roster
    assert cell.headers[-1].roster == roster.hash
    assert decode_roster(roster.encode()).rules.versions == NEW


def test_it_can_not_be_decided_before_more_than_two_thirds_announced_that_they_know_it() -> None:
    cell = cell_of(A, B)
    identity = proposed(cell, A, upgrade())
    yes = GovVote(identity, Vote.YES)
    assert cell.act((B, yes), (C, yes)) == [APPLIED, UpgradeUnsupported.code]
    assert cell.act((C, Announce(NOW)), (C, yes)) == [APPLIED, UpgradeUnsupported.code]
    assert cell.act((D, Announce(READY)), (C, yes)) == [APPLIED, APPLIED]
    assert planned_upgrade(cell.state.get) is not None


def test_it_waits_for_members_who_came_after_the_vote() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(2), A, B, C)
    add = GovPropose("two more", tuple(_add(pair) for pair in (E, F)), 1000)
    assert decided(cell, add, A, B, C)[-1] == APPLIED
    assert len(cell.ledger.roster.members) == 6
    until_epoch(cell, 3)
    assert cell.ledger.roster.rules.versions == OLD
    assert [m.name for m in without_support(cell.ledger.roster.members, NEW, cell.state.get)] == [
        "cell-4",
        "new",
        "new",
    ]
    assert cell.act((E, Announce(READY)), (F, Announce(READY))) == [APPLIED, APPLIED]
    until_epoch(cell, 4)
    assert cell.ledger.roster.rules.versions == NEW
    assert decode_planned(cell.state[UPGRADE_KEY]).begun == 4


def _add(pair: KeyPair) -> MemberPropose:
    return MemberPropose(Change.ADD, pair.public_key, 1, "new")


def test_it_waits_for_who_went_back_to_an_older_build() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(1), A, B, C)
    cell.act((C, Announce(NOW)))
    until_epoch(cell, 2)
    assert cell.ledger.roster.rules.versions == OLD
    cell.act((D, Announce(READY)))
    until_epoch(cell, 3)
    assert cell.ledger.roster.rules.versions == NEW


def test_members_leave_and_come_back_by_weight_of_who_is_there_then() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(1), A, B, C)
    removed = GovPropose("out", (MemberPropose(Change.REMOVE, A.public_key),), 10)
    decided(cell, removed, B, C, D)
    assert (cell.ledger.roster.epoch, cell.ledger.roster.rules.versions) == (1, OLD)
    until_epoch(cell, 2)
    assert cell.ledger.roster.rules.versions == OLD  # two of three are not more than 2/3
    cell.act((D, Announce(READY)))
    until_epoch(cell, 3)
    assert cell.ledger.roster.rules.versions == NEW


def test_what_a_member_announced_goes_along_with_its_key() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(2), A, B, C)
    assert cell.act((A, rotation(A, E, SHORT.network_id))) == [APPLIED]
    assert decode_support(cell.state[SUPPORT_PREFIX + E.public_key]) == READY
    until_epoch(cell, 2)
    assert cell.ledger.roster.rules.versions == NEW


def test_a_later_decision_takes_the_place_of_an_earlier_one_or_calls_it_off() -> None:
    cell = cell_of(A, B, C)
    decided(cell, upgrade(2), A, B, C)
    decided(cell, upgrade(4), A, B, C)
    until_epoch(cell, 3)
    assert cell.ledger.roster.rules.versions == OLD
    decided(cell, upgrade(9, OLD), A, B, C)
    assert planned_upgrade(cell.state.get) is None
    until_epoch(cell, 10)
    assert cell.ledger.roster.rules.versions == OLD


def test_an_epoch_that_has_begun_is_too_late_when_it_is_proposed_and_when_it_is_decided() -> None:
    cell = cell_of(A, B, C)
    identity = proposed(cell, A, upgrade(1))
    cell.act((B, GovVote(identity, Vote.YES)))
    until_epoch(cell, 1)
    assert cell.act((C, GovVote(identity, Vote.YES)), (C, upgrade(1))) == [
        UpgradeTooLate.code,
        UpgradeTooLate.code,
    ]
    assert UPGRADE_KEY not in cell.state


def test_an_announcement_is_a_members_and_says_something_new() -> None:
    cell = cell_of()
    assert cell.act((E, Announce(READY)), (A, Announce(READY)), (A, Announce(READY))) == [
        NotAMember.code,
        APPLIED,
        NothingNew.code,
    ]
    assert cell.act((A, Announce(NOW))) == [APPLIED]
    assert decode_support(cell.state[SUPPORT_PREFIX + A.public_key]) == NOW


@pytest.mark.parametrize(
    "support",
    [
        Support((), (2,), (1,), "b"),
        Support((2, 1), (2,), (1,), "b"),
        Support((1, 1), (2,), (1,), "b"),
        Support((1,), (2,), (1,), ""),
        Support((1,), (2,), (1,), "two\nlines"),
    ],
)
def test_announcements_out_of_bounds_can_not_be_signed(support: Support) -> None:
    with pytest.raises(BadAction):
        signed(A, 0, Announce(support))


def test_an_announcement_of_every_version_there_is_room_for_is_taken() -> None:
    numbers = tuple(range(1, VERSIONS_SUPPORTED_MAX + 1))
    raw = signed(A, 0, Announce(Support(numbers, numbers, numbers, "b" * 64)))
    assert parse(raw, NETWORK)


def test_this_build_knows_what_it_runs_and_what_a_network_begins_with() -> None:
    support = supported("this build")
    assert support.knows(FIRST_RULES.versions)
    assert support.rule_sets == ENGINE_RULE_SETS
    assert WIRE_VERSION in support.wires
    assert not support.knows(Versions(max(ENGINE_RULE_SETS) + 1, WIRE_VERSION, 1))
