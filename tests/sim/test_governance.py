"""Networks that vote on their rules: an upgrade begins everywhere at once, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim import process
from sim.drawing import Wishes, draw
from sim.scenario import Action, Scenario

UPGRADE = Action(300, "govern", (0,), 0, 1, "upgrade")
KINDS = replace(UPGRADE, amount=2)
"""To the transaction version with more kinds."""
CALM = Scenario(
    seed=7,
    members=4,
    followers=1,
    epoch_rounds=16,
    load_per_s=8.0,
    troubled_ms=7_000,
    actions=(UPGRADE,),
)
"""All know both rule sets, and choose the other one."""


def test_an_upgrade_begins_with_the_chosen_epoch_and_the_order_goes_on_by_its_rules() -> None:
    verdict = process.run(CALM)
    assert verdict.is_clean, verdict.findings
    assert verdict.rule_sets[:2] == [2, 2]
    assert set(verdict.rule_sets[2:]) == {1}
    assert len(verdict.rule_sets) > 3
    assert verdict.new_builds == 0


def test_one_that_does_not_know_it_stops_before_that_and_goes_on_with_another_build() -> None:
    verdict = process.run(replace(CALM, actions=(KINDS,), old_builds=(2,)))
    assert verdict.is_clean, verdict.findings
    assert verdict.transaction_versions[:2] == [2, 2]
    assert verdict.transaction_versions[-1] == 3
    assert verdict.new_builds == 1


def test_a_full_copy_that_does_not_know_it_stops_too() -> None:
    verdict = process.run(replace(CALM, old_builds=(4,)))
    assert verdict.is_clean, verdict.findings
    assert (verdict.rule_sets[-1], verdict.new_builds) == (1, 1)


def test_nothing_begins_that_a_third_of_the_weight_does_not_know() -> None:
    verdict = process.run(replace(CALM, old_builds=(1, 2)))
    assert verdict.is_clean, verdict.findings
    assert set(verdict.rule_sets) == {2}
    assert verdict.new_builds == 0


def test_who_loses_its_power_around_the_upgrade_takes_part_by_the_new_rules() -> None:
    cuts = tuple(Action(at, "power cut", (at // 300 % 4,), 300) for at in range(1_500, 5_000, 400))
    verdict = process.run(replace(CALM, actions=(UPGRADE, *cuts), old_builds=(3,)))
    assert verdict.is_clean, verdict.findings
    assert verdict.rule_sets[-1] == 1


@pytest.mark.parametrize("seed", range(1, 5))
def test_seeds_of_votes_among_crashes_and_cuts_are_clean(seed: int) -> None:
    verdict = process.run(draw(seed, Wishes(profile="governance")))
    assert verdict.is_clean, (
        f"{verdict.findings}; again: myceld sim --faults governance --seed {seed}"
    )
