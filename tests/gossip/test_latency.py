"""How long it takes from an event to its place in the order, in one-way delays, and what it costs.

The bars are for the rules and the network alone; `scripts/bench-latency` prints more of them.
"""

from __future__ import annotations

import pytest

from tests.gossip.latency_world import Loss, Setting, measure

SIZES = [
    4,
    7,
    10,
    pytest.param(16, marks=pytest.mark.slow),
    pytest.param(31, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("members", SIZES)
def test_an_event_is_ordered_within_seven_delays(members: int) -> None:
    result = measure(Setting(members))
    assert result.mean <= 6.2
    assert result.events_per_member_delay <= 1, "one event a step, though five would be allowed"
    assert result.ordered_shares == [1] * members


@pytest.mark.parametrize("members", SIZES)
def test_with_as_many_down_as_can_be_it_takes_no_longer(members: int) -> None:
    result = measure(Setting(members, down=(members - 1) // 3))
    assert result.mean <= 6.2


@pytest.mark.parametrize("members", SIZES)
@pytest.mark.parametrize("loss", ["stream", "event"])
def test_one_percent_of_loss_is_no_cliff(members: int, loss: Loss) -> None:
    result = measure(Setting(members, loss=loss))
    assert result.mean <= (8 if loss == "stream" else 13)
    assert min(result.ordered_shares) == 1


@pytest.mark.parametrize("members", [4, 7, pytest.param(16, marks=pytest.mark.slow)])
def test_a_member_ten_times_as_far_has_its_transactions_ordered(members: int) -> None:
    result = measure(Setting(members, far=10, rate=2.0, duration=260))
    assert result.ordered_shares[0] >= 0.95
    assert min(result.ordered_shares[1:]) == 1
    assert result.transactions_made > 100
