"""What event creation promises, on random networks of real cells: it goes on, it ends, it wakes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip.creator import Refusal
from gossip.limits import EVENT_INTERVAL_MS_MIN
from tests.gossip.latency_world import LatencyWorld, Setting


@st.composite
def networks(draw: st.DrawFn, *, quorum: bool) -> Setting:
    """Random members, weights, links and losses; those that are up hold a quorum, or not."""
    weights = draw(st.lists(st.integers(1, 5), min_size=1 if quorum else 2, max_size=7))
    counts = [
        down
        for down in range(len(weights))
        if (3 * sum(weights[: len(weights) - down]) > 2 * sum(weights)) is quorum
    ]
    if not counts:
        weights, counts = [1] * 4, [2]
    return Setting(
        len(weights),
        weights=tuple(weights),
        down=draw(st.sampled_from(counts)),
        delay_ms=draw(st.sampled_from([1, 5, 25, 120])),
        jitter=draw(st.sampled_from([0.0, 0.3, 1.0])),
        loss=draw(st.sampled_from(["none", "stream", "event", "break"])),
        far=draw(st.sampled_from([1.0, 10.0])),
        busy=draw(st.sampled_from([0.0, 1.0])),
        rate=0.0,
        seed=draw(st.integers(0, 10**6)),
    )


@given(networks(quorum=True), st.lists(st.integers(0, 400), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_a_connected_quorum_orders_everything_and_falls_silent(
    setting: Setting, times: list[int]
) -> None:
    world = LatencyWorld(setting)
    for number, at_ms in enumerate(times):
        cell = world.cells[number % len(world.cells)]
        world.at(at_ms, lambda cell=cell: world.submit(cell))  # type: ignore[misc]  # the default is its type
    world.run_ms(60_000)
    assert world.transactions_ordered == len(times)
    made = len(world.made)
    world.run_ms(60_000)
    assert len(world.made) == made, "no event in a quiet minute"
    assert all(not cell.has_work for cell in world.cells)


@given(networks(quorum=False), st.lists(st.integers(0, 5000), min_size=1, max_size=40))
@settings(deadline=None, max_examples=40)
def test_without_a_quorum_a_handful_of_events_is_all(setting: Setting, times: list[int]) -> None:
    world = LatencyWorld(setting)
    for number, at_ms in enumerate(times):
        cell = world.cells[number % len(world.cells)]
        world.at(at_ms, lambda cell=cell: world.submit(cell))  # type: ignore[misc]  # the default is its type
    world.run_ms(60_000)
    here = len(world.cells)
    assert len(world.made) <= here * (here + 2), "as many as can grow somebody's advancement"
    assert all(cell.creator.last_refusal is Refusal.NO_QUORUM for cell in world.cells)


@given(networks(quorum=True), st.integers(0, 300))
@settings(deadline=None, max_examples=30)
def test_a_network_that_lost_its_quorum_goes_on_when_it_is_back(
    setting: Setting, cut_ms: int
) -> None:
    world = LatencyWorld(setting)
    for cell in world.cells:
        world.submit(cell)
    world.run_ms(cut_ms)
    world.cut_all()
    for cell in world.cells:
        world.submit(cell)
    world.run_ms(20_000)
    made = len(world.made)
    world.run_ms(20_000)
    if 3 * max(world.weights) <= 2 * sum(world.weights):
        assert len(world.made) == made, "alone nobody goes on for ever"
    world.connect_all()
    world.run_ms(60_000)
    assert world.transactions_ordered == 2 * len(world.cells)


@pytest.mark.parametrize("members", [4, 10])
@pytest.mark.parametrize("delay_ms", [1, 20, 100])
def test_the_first_transaction_after_quiet_takes_at_most_two_round_trips_more(
    members: int, delay_ms: int
) -> None:
    world = LatencyWorld(Setting(members, delay_ms=delay_ms, rate=0.0))
    for number in range(10):
        world.submit(world.cells[number * 7 % members])
        world.run_ms(100 * delay_ms + 1000)
    spans = world.transaction_spans_ms
    assert len(spans) == 10
    # Some six and a half delays in a running network, or as many shortest intervals.
    assert max(spans) <= (6.5 + 4) * max(delay_ms, EVENT_INTERVAL_MS_MIN)
