"""How many members may fail, in numbers and words."""

from __future__ import annotations

import pytest

from node.fault_budget import fault_budget


@pytest.mark.parametrize(
    ("present", "missing", "more", "needed", "words"),
    [
        ([1] * 4, [], 1, 0, "one of four members may fail or lie; two must not"),
        ([1] * 3, [1], 0, 0, "one of four members is missing; no more may fail"),
        (
            [1] * 2,
            [1] * 2,
            0,
            1,
            "two of four members are missing: nothing is ordered until one has come back",
        ),
        ([1] * 7, [], 2, 0, "two of seven members may fail or lie; three must not"),
        (
            [1] * 6,
            [1],
            1,
            0,
            "one of seven members is missing; one more may fail or lie; two must not",
        ),
        ([1], [], 0, 0, "the only member: if it fails, nothing goes on until it is back"),
        ([1] * 3, [], 0, 0, "none may fail"),
        # The heaviest alone is more than a third.
        ([5, 1, 1, 1], [], 0, 0, "none may fail"),
        ([], [], 0, 0, "there are no members"),
    ],
)
def test_the_budget_is_less_than_a_third_of_the_weight(
    present: list[int], missing: list[int], more: int, needed: int, words: str
) -> None:
    budget = fault_budget(present, missing)
    assert (budget.more, budget.needed, budget.words) == (more, needed, words)


def test_whichever_members_fail_within_the_budget_a_quorum_stays() -> None:
    for weights in ([3, 2, 2, 1, 1], [4, 4, 4, 1], [1] * 13, [9, 8, 7, 6, 5, 4]):
        budget = fault_budget(weights, [])
        ordered = sorted(weights, reverse=True)
        assert 3 * sum(ordered[budget.more :]) > 2 * sum(weights)
        assert 3 * sum(ordered[budget.more + 1 :]) <= 2 * sum(weights)
