"""Latencies count everything, remember the newest, and take bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.ids import Round
from hashgraph.event import Event
from hashgraph.outcome import DecidedRound, OrderedEvent
from node.limits import ARRIVALS_MAX, LATENCY_WINDOW
from node.metrics import BUCKETS_MS, ConsensusMetrics, Latency
from tests.ledger.world import START_NS
from tests.node.stages.world import made


@given(st.lists(st.floats(0, 100_000), max_size=60))
def test_buckets_count_what_is_not_above_their_bounds(durations: list[float]) -> None:
    latency = Latency()
    for duration in durations:
        latency.note(duration)
    for bound, count in latency.buckets():
        assert count == sum(duration <= bound for duration in durations)
    assert latency.buckets()[-1] == (float("inf"), len(durations)) == (float("inf"), latency.count)
    assert latency.sum_ms == sum(durations)
    assert list(BUCKETS_MS) == sorted(BUCKETS_MS)


def test_quantiles_are_those_of_the_newest_durations_only() -> None:
    latency = Latency()
    assert latency.quantile_ms(0.5) is None
    for _ in range(LATENCY_WINDOW):
        latency.note(1_000)
    assert latency.quantile_ms(0.99) == 1_000
    for duration in range(LATENCY_WINDOW):
        latency.note(duration)
    assert latency.quantile_ms(0) == 0
    assert latency.quantile_ms(0.5) == LATENCY_WINDOW // 2
    assert latency.quantile_ms(1) == LATENCY_WINDOW - 1
    assert latency.count == 2 * LATENCY_WINDOW


def _carrying(creator: int, time_ns: int = START_NS) -> Event:
    """An event with a transaction."""
    return made(creator, time_ns=time_ns, payload=[b"x"])


def _decided(*events: Event) -> DecidedRound:
    return DecidedRound(Round(1), (), tuple(OrderedEvent(event, START_NS) for event in events))


def test_own_events_are_timed_from_their_making_and_others_from_their_arrival() -> None:
    metrics = ConsensusMetrics(since_ns=START_NS)
    own, other, unseen = _carrying(0, START_NS + 10**6), _carrying(1), _carrying(2)
    before, empty = _carrying(3, START_NS - 1), [made(0), made(1)]
    metrics.arrived([other], 100)
    metrics.arrived([other, *empty], 150)
    metrics.decided(_decided(own, other, unseen, *empty), 0, 170, START_NS + 80 * 10**6)
    metrics.decided(_decided(before), 3, 200, START_NS)
    assert metrics.created_to_ordered.quantile_ms(0.5) == 79
    assert metrics.received_to_ordered.quantile_ms(0.5) == 70
    assert metrics.created_to_ordered.count == metrics.received_to_ordered.count == 1


def test_what_never_finds_a_place_does_not_fill_the_memory() -> None:
    metrics = ConsensusMetrics(since_ns=0)
    events = [_carrying(1), _carrying(2)]
    metrics.arrived(events[:1] * ARRIVALS_MAX, 0)
    metrics.epoch_began()
    metrics.decided(_decided(*events), 0, 5, START_NS)
    assert metrics.received_to_ordered.count == 0
