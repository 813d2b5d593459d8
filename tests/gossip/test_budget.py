"""Budgets hold a flood up and leave honest traffic alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossip.budget import Bucket, Buckets, PeerBudget
from gossip.limits import (
    EVENT_INTERVAL_MS_MIN,
    EVENTS_FRAME_SIZE_BYTES,
    HAVE_INTERVAL_MS,
    WANTS_BURST,
)


@given(
    st.floats(1, 1000),
    st.floats(1, 1000),
    st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 2_000)), max_size=60),
)
def test_never_more_is_free_than_the_burst_and_what_came_back(
    rate: float, burst: float, uses: list[tuple[int, float]]
) -> None:
    bucket, now_ms, free = Bucket(rate, burst, 0), 0, 0.0
    for passed_ms, amount in uses:
        now_ms += passed_ms
        short = bucket.spend(amount, now_ms)
        assert 0 <= short <= amount
        free += amount - short
        assert free <= burst + rate * now_ms / 1000 + 1e-6 * (1 + free)
        assert 0 <= bucket.wait_ms(now_ms) <= 1000 * burst / rate + 1.001


def test_a_peer_in_debt_waits_until_it_is_paid() -> None:
    bucket = Bucket(10, 5, 0)
    assert bucket.spend(5, 0) == 0
    assert not bucket.has(0)
    assert bucket.spend(2, 0) == 2
    wait_ms = bucket.wait_ms(0)
    assert 200 <= wait_ms <= 201
    assert bucket.wait_ms(wait_ms) == 0


@given(st.lists(st.text(max_size=3), max_size=200))
def test_keys_are_bounded_and_do_not_take_from_each_other(keys: list[str]) -> None:
    buckets = Buckets(1, 3, keys_max=8)
    for key in keys:
        buckets.take(key, 0)
        assert len(buckets) <= 8
    fresh = Buckets(1, 3, keys_max=8)
    assert [fresh.take("one", 0) for _ in range(4)] == [True, True, True, False]
    assert fresh.take("other", 0)
    assert fresh.take("one", 1_000)


def test_a_member_that_makes_events_as_fast_as_it_can_stays_within_its_budget() -> None:
    budget = PeerBudget(member=True, now_ms=0)
    for now_ms in range(0, 60_000, EVENT_INTERVAL_MS_MIN):
        frames = 1 + (now_ms % HAVE_INTERVAL_MS == 0) + (now_ms % 2_000 == 0)
        assert budget.frames.spend(frames, now_ms) == 0
        assert budget.spend_bytes(EVENTS_FRAME_SIZE_BYTES, now_ms, asked=False) == 0
        if now_ms % 50 == 0:
            assert budget.checkpoints.spend(1, now_ms) == 0


def test_who_catches_up_with_one_want_after_the_other_stays_within_its_budget() -> None:
    for member in (True, False):
        budget = PeerBudget(member=member, now_ms=0)
        for now_ms in range(0, 60_000, 300):  # LACK_GRACE_MS after each answer
            assert budget.wants.spend(1, now_ms) == 0


def test_an_answer_that_we_asked_a_stranger_for_is_not_held_up() -> None:
    budget = PeerBudget(member=False, now_ms=0)
    assert all(budget.spend_bytes(1 << 20, 0, asked=True) == 0 for _ in range(100))
    assert any(budget.spend_bytes(1 << 20, 0, asked=False) > 0 for _ in range(8))


def test_a_flood_of_wants_is_over_budget_at_once() -> None:
    budget = PeerBudget(member=True, now_ms=0)
    over = sum(budget.wants.spend(1, 0) for _ in range(WANTS_BURST + 100))
    assert over == 100
