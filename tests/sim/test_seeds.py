"""Every seed is clean: whole networks under everything that can go wrong, with and without liars.

`scripts/soak` runs thousands. A seed that fails here is run again by the command that it prints.
"""

from __future__ import annotations

import pytest

from sim import process
from sim.drawing import Wishes, draw
from sim.scenario import Scenario

MIXED = 200
LIARS = 100
PART = 20
JOBS = 2

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("first", range(1, MIXED + 1, PART))
def test_seeds_with_everything_that_can_go_wrong_are_clean(first: int) -> None:
    _check_clean("mixed", first)


@pytest.mark.parametrize("first", range(1, LIARS + 1, PART))
def test_seeds_with_as_many_liars_as_there_may_be_are_clean(first: int) -> None:
    scenarios = _check_clean("liars", first)
    assert all(one.liars for one in scenarios)


def _check_clean(profile: str, first: int) -> list[Scenario]:
    scenarios = [draw(seed, Wishes(profile=profile)) for seed in range(first, first + PART)]
    verdicts = list(process.run_many(scenarios, jobs=JOBS))
    assert len(verdicts) == PART
    found = [
        f"{finding}; again: myceld sim --faults {profile} --seed {verdict.seed}"
        for verdict in verdicts
        for finding in verdict.findings
    ]
    assert not found, "\n".join(found)
    assert all(verdict.transactions and verdict.recovered_s is not None for verdict in verdicts)
    return scenarios
