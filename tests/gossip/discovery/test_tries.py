"""Failures are counted by source, for a minute, in bounded memory."""

from __future__ import annotations

from gossip.discovery.tries import FAILURES_MAX, SOURCES_MAX, WINDOW_MS, Tries


def test_a_source_is_stopped_after_its_failures_and_free_again_a_minute_later() -> None:
    tries = Tries()
    for at in range(FAILURES_MAX):
        assert tries.may_try("a", at)
        tries.failed("a", at)
    assert not tries.may_try("a", FAILURES_MAX)
    assert tries.may_try("b", FAILURES_MAX)
    assert not tries.may_try("a", WINDOW_MS - 1)
    assert tries.may_try("a", WINDOW_MS)


def test_memory_is_bounded_and_the_newest_sources_are_kept() -> None:
    tries = Tries()
    for number in range(2 * SOURCES_MAX):
        for _ in range(FAILURES_MAX + 3):
            tries.failed(str(number), number)
    assert len(tries._failures) == SOURCES_MAX
    assert all(len(times) <= FAILURES_MAX for times in tries._failures.values())
    assert tries.may_try("0", 2 * SOURCES_MAX)
    assert not tries.may_try(str(2 * SOURCES_MAX - 1), 2 * SOURCES_MAX)
