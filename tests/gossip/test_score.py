"""Scores are bounded and forgotten; honest traffic never leads to a ban, hostile traffic does."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.limits import (
    BAN_FORGIVEN_MS,
    BAN_MS_MAX_ADDRESS,
    BAN_MS_MAX_MEMBER,
    BAN_MS_MIN_MEMBER,
    BAN_MS_MIN_STRANGER,
    SCORE_BAN,
    SCORE_HALF_LIFE_MS,
    SCORE_MAX,
    SCORE_THROTTLE,
    SCORES_MAX,
)
from gossip.score import COSTS, Misbehaviour, Scores, Standing, Subject

PEER = "peer"
MEMBER, STRANGER, ADDRESS = Subject.MEMBER, Subject.STRANGER, Subject.ADDRESS
ACTS = st.tuples(
    st.sampled_from(Misbehaviour), st.integers(0, 60_000), st.floats(0, 1e6, allow_nan=False)
)


@given(st.sampled_from(Subject), st.lists(ACTS, max_size=60))
def test_a_score_and_a_ban_are_bounded_whatever_a_peer_does(
    subject: Subject, acts: list[tuple[Misbehaviour, int, float]]
) -> None:
    scores, now_ms = Scores(), 0
    longest_ms = {MEMBER: BAN_MS_MAX_MEMBER, ADDRESS: BAN_MS_MAX_ADDRESS, STRANGER: 3_600_000}
    for what, passed_ms, times in acts:
        now_ms += passed_ms
        scores.note(PEER, subject, what, now_ms, times=times)
        assert 0 <= scores.points(PEER, now_ms) <= SCORE_MAX
        assert 0 <= scores.banned_ms(PEER, subject, now_ms) <= longest_ms[subject]


@given(st.lists(ACTS, max_size=20), st.integers(0, 10**6), st.integers(0, 10**6))
def test_points_never_grow_by_themselves(
    acts: list[tuple[Misbehaviour, int, float]], early_ms: int, later_ms: int
) -> None:
    scores, now_ms = Scores(), 0
    for what, passed_ms, times in acts:
        now_ms += passed_ms
        scores.note(PEER, MEMBER, what, now_ms, times=times)
    first = scores.points(PEER, now_ms + early_ms)
    assert scores.points(PEER, now_ms + early_ms + later_ms) <= first


def test_points_halve_in_a_half_life() -> None:
    scores = Scores()
    scores.note(PEER, MEMBER, Misbehaviour.SLOW_READING, 0)
    assert scores.points(PEER, SCORE_HALF_LIFE_MS) == COSTS[Misbehaviour.SLOW_READING] / 2


def test_between_the_thresholds_a_peer_is_only_throttled() -> None:
    scores = Scores()
    assert scores.note(PEER, MEMBER, Misbehaviour.SLOW_READING, 0) is Standing.GOOD
    assert scores.note(PEER, MEMBER, Misbehaviour.SLOW_READING, 0) is Standing.THROTTLED
    assert SCORE_THROTTLE < scores.points(PEER, 0) < SCORE_BAN
    assert scores.note(PEER, MEMBER, Misbehaviour.SLOW_READING, 0) is Standing.BANNED


def test_each_ban_is_twice_as_long_as_the_one_before_up_to_the_bound_and_is_forgiven() -> None:
    scores, now_ms, lengths_ms = Scores(), 0, []
    for _ in range(6):
        scores.note(PEER, MEMBER, Misbehaviour.FORGED, now_ms)
        lengths_ms.append(scores.banned_ms(PEER, MEMBER, now_ms))
        now_ms += lengths_ms[-1]
        assert scores.banned_ms(PEER, MEMBER, now_ms) == 0
    assert lengths_ms == [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    now_ms += 10 * BAN_FORGIVEN_MS
    scores.note(PEER, MEMBER, Misbehaviour.FORGED, now_ms)
    assert scores.banned_ms(PEER, MEMBER, now_ms) == BAN_MS_MIN_MEMBER


def test_half_of_the_misbehaviour_is_enough_for_the_next_ban() -> None:
    scores = Scores()
    scores.note(PEER, STRANGER, Misbehaviour.FORGED, 0)
    after_ms = BAN_MS_MIN_STRANGER
    assert scores.note(PEER, STRANGER, Misbehaviour.BREACH, after_ms) is Standing.BANNED


def test_a_banned_stranger_that_became_a_member_is_not_away_for_longer_than_a_member() -> None:
    scores = Scores()
    for now_ms in (0, 40_000, 200_000):
        scores.note(PEER, STRANGER, Misbehaviour.FORGED, now_ms, times=2)
    assert scores.banned_ms(PEER, STRANGER, 200_000) > BAN_MS_MAX_MEMBER
    assert scores.banned_ms(PEER, MEMBER, 200_000) == BAN_MS_MAX_MEMBER


def test_the_scores_of_many_new_ids_push_out_no_ban_while_there_are_others() -> None:
    scores = Scores()
    scores.note(PEER, STRANGER, Misbehaviour.FORGED, 0)
    for number in range(2 * SCORES_MAX):
        scores.note(f"other {number}", STRANGER, Misbehaviour.HANDSHAKE, 1)
        assert len(scores) <= SCORES_MAX
    assert scores.banned_ms(PEER, STRANGER, 1) > 0
    assert [key for key, _ in scores.banned(1)] == [PEER]


HONEST = {
    "a member on a machine that swaps: too slow once a minute": [
        (Misbehaviour.SLOW_READING, 60_000)
    ],
    "a member that is killed and restarted every ten seconds while it is asked": [
        (Misbehaviour.UNANSWERED, 10_000)
    ],
    "a cell of another version, which dials every three seconds": [(Misbehaviour.HANDSHAKE, 3_000)],
    "a flapping link: a session a second beyond the burst, and a lost answer": [
        (Misbehaviour.CHURN, 2_000),
        (Misbehaviour.UNANSWERED, 60_000),
    ],
    "a link that heals after a partition, with what both sides asked in vain": [
        (Misbehaviour.UNANSWERED, 5_000),
        (Misbehaviour.SLOW_READING, 120_000),
    ],
}


@pytest.mark.parametrize("acts", HONEST.values(), ids=HONEST.keys())
@given(jitter=st.lists(st.floats(0.8, 1.5), min_size=1, max_size=10))
def test_what_bad_links_and_old_versions_make_an_honest_peer_do_never_gets_it_banned(
    acts: list[tuple[Misbehaviour, int]], jitter: list[float]
) -> None:
    times = []
    for what, every_ms in acts:
        pauses = (round(every_ms * jitter[at % len(jitter)]) for at in range(100))
        times += [(now_ms, what.value, what) for now_ms in accumulate(pauses)]
    scores = Scores()
    for now_ms, _, what in sorted(times):
        assert scores.note(PEER, MEMBER, what, now_ms) is not Standing.BANNED
