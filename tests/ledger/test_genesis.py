"""A genesis is its content: the id follows from it, and a changed file is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import Epoch, PublicKey, Round
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, from_json, to_json
from ledger.limits import (
    EPOCH_ROUNDS_MAX,
    EPOCH_ROUNDS_MIN,
    MEMBERS_MAX,
    NAME_LENGTH_MAX,
    WEIGHT_MAX,
)
from ledger.roster import Member, Roster
from tests.ledger.world import GENESIS, KEYS, START_NS

_NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S")),
    min_size=1,
    max_size=NAME_LENGTH_MAX,
)
_MEMBERS = st.lists(
    st.builds(
        Member,
        st.binary(min_size=32, max_size=32).map(PublicKey),
        st.integers(1, WEIGHT_MAX),
        _NAMES,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda member: member.public_key,
)
GENESES = st.builds(
    Genesis,
    name=_NAMES,
    members=_MEMBERS.map(tuple),
    time_ns=st.integers(0, 2**63 - 1),
    coin_period=st.integers(3, 1000),
    epoch_rounds=st.integers(EPOCH_ROUNDS_MIN, EPOCH_ROUNDS_MAX),
)


def _members(count: int) -> tuple[Member, ...]:
    return tuple(
        Member(PublicKey(number.to_bytes(32, "big")), 1, f"m{number}") for number in range(count)
    )


@given(GENESES)
@settings(deadline=None)
def test_a_file_reads_back_as_the_same_genesis(genesis: Genesis) -> None:
    again = from_json(to_json(genesis))
    assert again == genesis
    assert again.network_id == genesis.network_id


@given(GENESES, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_id_does_not_depend_on_the_formatting_of_the_file(
    genesis: Genesis, random: Random
) -> None:
    content = list(json.loads(to_json(genesis)).items())
    random.shuffle(content)
    for text in (
        json.dumps(dict(content)),
        json.dumps(dict(content), ensure_ascii=False, indent=7).encode(),
    ):
        assert from_json(text).network_id == genesis.network_id


@given(GENESES, GENESES)
@settings(deadline=None, max_examples=30)
def test_other_content_is_another_network(one: Genesis, other: Genesis) -> None:
    assert (one.network_id == other.network_id) == (one == other)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda c: c.update(name="other"),
        lambda c: c.update(time_ns=START_NS + 1),
        lambda c: c.update(coin_period=11),
        lambda c: c.update(epoch_rounds=2047),
        lambda c: c["members"][0].update(weight=2),
        lambda c: c["members"][0].update(name="mallory"),
        lambda c: c["members"].reverse(),
        lambda c: c["members"].pop(),
        lambda c: c.update(network_id="00" * 32),
        lambda c: c.update(network_id=c["network_id"].upper()),
        lambda c: c.pop("network_id"),
    ],
)
def test_a_changed_file_is_noticed(tamper: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(to_json(GENESIS))
    tamper(content)
    with pytest.raises(BadGenesis, match="does not match"):
        from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "myceld-genesis/2"}, "not a genesis file"),
        ({"rule_set": 3}, "rule set 3"),
        ({"members": None}, "wrong type"),
        ({"members": []}, "0 members"),
        ({"members": [7]}, "wrong type"),
        ({"members": [{}]}, "missing"),
        ({"members": [{"cell_id": "x", "name": "a", "weight": 1}]}, "not the peer id"),
        ({"members": [{"cell_id": KEYS[0].cell_id, "name": "a", "weight": True}]}, "wrong type"),
        ({"members": [{"cell_id": KEYS[0].cell_id, "name": "a", "weight": 1.0}]}, "wrong type"),
        ({"members": [{"cell_id": KEYS[0].cell_id + " ", "name": "a", "weight": 1}]}, "not the"),
        ({"name": 7}, "wrong type"),
        ({"name": "\ud800"}, "name must have"),
        ({"time_ns": "now"}, "wrong type"),
        ({"time_ns": 2**63}, "the time"),
        ({"coin_period": 2}, "coin period 2"),
        ({"coin_period": None}, "wrong type"),
        ({"epoch_rounds": 15}, "15 rounds an epoch"),
        ({"epoch_rounds": 16.0}, "wrong type"),
    ],
)
def test_a_file_with_impossible_content_says_what_is_wrong(
    change: dict[str, object], words: str
) -> None:
    with pytest.raises(BadGenesis, match=words):
        from_json(json.dumps(json.loads(to_json(GENESIS)) | change))


@pytest.mark.parametrize("text", ["", "{", "7", "[]", "null", b"\xff", "[" * 60_000, "1" * 5000])
def test_what_is_no_genesis_file_is_told(text: str | bytes) -> None:
    with pytest.raises(BadGenesis):
        from_json(text)


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_bytes_give_a_genesis_or_the_declared_error(data: bytes) -> None:
    with pytest.raises(BadGenesis):
        from_json(data)


@pytest.mark.parametrize("coin_period", [3, 1000])
@pytest.mark.parametrize("count", [1, MEMBERS_MAX])
def test_the_ends_of_what_is_possible_are_taken(coin_period: int, count: int) -> None:
    assert len(Genesis("n", _members(count), 0, coin_period).roster.weights) == count


@pytest.mark.parametrize("coin_period", [-1, 0, 1, 2, 1001])
def test_a_coin_period_that_the_voting_is_not_safe_with_is_refused(coin_period: int) -> None:
    with pytest.raises(BadGenesis, match="coin period"):
        Genesis("n", _members(4), 0, coin_period)


@pytest.mark.parametrize("epoch_rounds", [EPOCH_ROUNDS_MIN, EPOCH_ROUNDS_MAX])
def test_an_epoch_has_a_bounded_number_of_rounds(epoch_rounds: int) -> None:
    assert Genesis("n", _members(1), 0, epoch_rounds=epoch_rounds).epoch_rounds == epoch_rounds
    outside = EPOCH_ROUNDS_MIN - 1 if epoch_rounds == EPOCH_ROUNDS_MIN else EPOCH_ROUNDS_MAX + 1
    with pytest.raises(BadGenesis, match=f"{outside} rounds an epoch"):
        Genesis("n", _members(1), 0, epoch_rounds=outside)


@pytest.mark.parametrize("count", [0, MEMBERS_MAX + 1])
def test_a_roster_of_impossible_size_is_refused(count: int) -> None:
    with pytest.raises(BadGenesis, match=f"{count} members"):
        Genesis("n", _members(count), 0)


def test_one_key_is_one_member() -> None:
    with pytest.raises(BadGenesis, match="twice"):
        Genesis("n", (*_members(2), Member(_members(1)[0].public_key, 5, "again")), 0)


@pytest.mark.parametrize("weight", [-1, 0, WEIGHT_MAX + 1])
def test_an_impossible_weight_is_refused(weight: int) -> None:
    with pytest.raises(BadGenesis, match="weight"):
        Genesis("n", (Member(KEYS[0].public_key, weight, "m"),), 0)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\x00", "\u202e"])
def test_an_unshowable_name_is_refused(name: str) -> None:
    with pytest.raises(BadGenesis, match="name"):
        Genesis(name, _members(1), 0)
    with pytest.raises(BadGenesis, match="name"):
        Genesis("n", (Member(KEYS[0].public_key, 1, name),), 0)


@pytest.mark.parametrize("time_ns", [-1, 2**63])
def test_an_impossible_time_is_refused(time_ns: int) -> None:
    with pytest.raises(BadGenesis, match="time"):
        Genesis("n", _members(1), time_ns)


def test_the_first_roster_is_that_of_the_genesis() -> None:
    assert GENESIS.roster == Roster(Epoch(0), Round(1), 0, GENESIS.members)
