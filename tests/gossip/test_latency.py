"""How long it takes from an event to its place in the order, in one-way delays, and what it costs.

The bars are for the rules and the network alone; `scripts/bench-latency` prints more of them.
"""

from __future__ import annotations

import pytest

from tests.gossip.latency_world import Loss, Setting, measure

SIZES = [4, 7, 10]
LARGE = pytest.param(16, marks=pytest.mark.slow)
LARGE_AT_LENGTH = pytest.param(16, marks=(pytest.mark.slow, pytest.mark.long))
LARGEST = pytest.param(31, marks=(pytest.mark.slow, pytest.mark.long))


@pytest.mark.parametrize("members", [*SIZES, LARGE, LARGEST])
def test_an_event_is_ordered_within_seven_delays(members: int) -> None:
    result = measure(Setting(members, duration=80))
    assert result.mean <= 6.2
    assert result.events_per_member_delay <= 1, "one event a step, though five would be allowed"
    assert result.ordered_shares == [1] * members


@pytest.mark.parametrize("members", [*SIZES, LARGE, LARGEST])
def test_with_as_many_down_as_can_be_it_takes_no_longer(members: int) -> None:
    result = measure(Setting(members, down=(members - 1) // 3, duration=80))
    assert result.mean <= 6.2


@pytest.mark.parametrize("members", [*SIZES, LARGE_AT_LENGTH])
@pytest.mark.parametrize("loss", ["stream", "event"])
def test_one_percent_of_loss_is_no_cliff(members: int, loss: Loss) -> None:
    result = measure(Setting(members, loss=loss))
    assert result.mean <= (8.5 if loss == "stream" else 14)
    assert min(result.ordered_shares) == 1


@pytest.mark.parametrize("members", [4, 7, 10])
def test_a_member_ten_times_as_far_has_its_transactions_ordered(members: int) -> None:
    result = measure(Setting(members, far=10, rate=2.0, duration=260))
    assert result.ordered_shares[0] >= 0.95
    assert min(result.ordered_shares[1:]) == 1
    assert result.transactions_made > 100


@pytest.mark.parametrize(("delay_ms", "events_per_s_max"), [(20, 50), (100, 10)])
def test_a_slow_link_makes_few_events_not_the_shortest_interval(
    delay_ms: int, events_per_s_max: int
) -> None:
    setting = Setting(4, delay_ms=delay_ms, jitter=0.3, rate=delay_ms / 10, duration=200)
    result = measure(setting)
    assert result.transaction_mean <= 7.5
    assert result.events_per_member_delay * 1000 / delay_ms <= events_per_s_max


def test_a_lone_transaction_costs_every_member_some_six_events() -> None:
    setting = Setting(4, delay_ms=100, rate=0.02, duration=3000)
    result = measure(setting)
    assert result.transactions_made > 30
    assert result.events_made <= 7 * 4 * result.transactions_made
