"""The fair queue: order within a lane, bounds, and nobody pays for another's flood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.fair_queue import FairQueue, LaneBounds

BOUNDS = LaneBounds(count_max=4, size_bytes_max=1000)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500), st.booleans())))
def test_lanes_keep_their_order_and_nothing_is_lost(steps: list[tuple[str, int, bool]]) -> None:
    queue: FairQueue[int] = FairQueue(2000)
    put: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    got: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    sizes: dict[int, int] = {}
    for number, (lane, size_bytes, take) in enumerate(steps):
        if take and len(queue):
            name, item = queue.pop()
            got[name].append(item)
            del sizes[item]
        elif queue.fits(lane, size_bytes, BOUNDS):
            queue.push(lane, number, cost=1 + size_bytes, size_bytes=size_bytes)
            put[lane].append(number)
            sizes[number] = size_bytes
        assert queue.size_bytes == sum(sizes.values()) <= 2000 + 3 * 500
        assert len(queue) == len(sizes)
        assert all(queue.count(name) <= 4 for name in put)
    while len(queue):
        name, item = queue.pop()
        got[name].append(item)
    assert got == put


def test_an_empty_queue_says_so() -> None:
    with pytest.raises(IndexError):
        FairQueue[int](10).pop()


def test_a_lane_is_bounded_in_items_and_in_bytes_but_takes_one_of_any_size() -> None:
    queue: FairQueue[int] = FairQueue(5000)
    assert queue.fits("a", 10_000, BOUNDS)
    queue.push("a", 1, cost=1, size_bytes=10_000)
    assert not queue.fits("a", 0, BOUNDS)
    assert queue.fits("b", 10_000, BOUNDS), "another lane is not hindered"
    for number in range(4):
        assert queue.fits("c", 0, BOUNDS) == (number == 0), "all together are full"
        queue.push("c", number, cost=1, size_bytes=0)


def test_who_floods_does_not_delay_who_sends_little() -> None:
    queue: FairQueue[str] = FairQueue(10**6)
    for number in range(50):
        queue.push("flood", f"flood {number}", cost=1000, size_bytes=1)
    for _ in range(10):
        queue.pop()
    queue.push("quiet", "quiet", cost=100, size_bytes=1)
    assert "quiet" in [queue.pop()[1] for _ in range(2)]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(50, 400), st.integers(50, 400))
def test_shares_divide_the_work(one: int, other: int, cost: int, dear: int) -> None:
    queue: FairQueue[int] = FairQueue(10**6)
    costs = {"one": cost, "other": dear}
    shares = {"one": one, "other": other}
    for number in range(600):
        for lane, each in costs.items():
            queue.push(lane, number, cost=each, size_bytes=0, shares=shares[lane])
    done = {"one": 0.0, "other": 0.0}
    for _ in range(300):
        lane, _item = queue.pop()
        done[lane] += costs[lane]
    longest = max(cost / one, dear / other)
    assert abs(done["one"] / one - done["other"] / other) <= 2 * longest


def test_silence_saves_nothing_up() -> None:
    queue: FairQueue[int] = FairQueue(10**6)
    for number in range(100):
        queue.push("busy", number, cost=100, size_bytes=0)
        queue.pop()
    for number in range(40):
        queue.push("late", number, cost=100, size_bytes=0)
        queue.push("busy", number, cost=100, size_bytes=0)
    lanes = [queue.pop()[0] for _ in range(20)]
    assert 8 <= lanes.count("late") <= 12


def test_a_forgotten_lane_begins_anew_but_is_not_forgotten_while_it_holds_something() -> None:
    queue: FairQueue[int] = FairQueue(10**6)
    queue.push("a", 1, cost=1, size_bytes=0)
    queue.forget("a")
    assert queue.pop() == ("a", 1)
    queue.forget("a")
    assert queue.count("a") == 0
