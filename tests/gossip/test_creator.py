"""Events are made when there is work and they move consensus on, and never otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.ids import EventId, MemberIndex
from gossip.creator import Creator, Plan, Refusal
from gossip.limits import (
    EVENT_GRACE_SHARE,
    EVENT_INTERVAL_MS_BUSY,
    EVENT_INTERVAL_MS_MIN,
    EVENT_PATIENCE_MS,
    PARENTS_MAX,
)

ME = 0


def _id(creator: int, sequence: int) -> EventId:
    return EventId(bytes([creator, sequence]) * 16)


class Table:
    """A creator under test, with events told by hand: (creator, sequence, what it sees)."""

    def __init__(self, weights: Sequence[int] = (1, 1, 1, 1)) -> None:
        self.members = len(weights)
        self.creator = Creator(MemberIndex(ME), weights)
        self.now_ms = 1000
        self.own = -1
        self.seen = [-1] * self.members

    def hear(self, creator: int, sequence: int, seen: dict[int, int] | None = None) -> None:
        """Another member's event arrives; `seen` is what it sees of others."""
        vector = [-1] * self.members
        vector[creator] = sequence
        for member, highest in (seen or {}).items():
            vector[member] = highest
        self.creator.observe(
            _id(creator, sequence), MemberIndex(creator), sequence, vector, self.now_ms
        )

    def plan(self, *, payload: bool = True, work: bool = True) -> Plan | None:
        """Ask for a plan now."""
        return self.creator.plan(self.now_ms, has_payload=payload, has_work=work)

    def make(self, plan: Plan | None) -> None:
        """Make the event of a plan, which must be one."""
        assert plan is not None
        self.own += 1
        for parent in plan.other_parents:
            creator, sequence = parent[0], parent[1]
            self.seen[creator] = max(self.seen[creator], sequence)
        self.seen[ME] = self.own
        self.creator.observe(_id(ME, self.own), MemberIndex(ME), self.own, self.seen, self.now_ms)

    def hear_next(self, creator: int, sequence: int) -> None:
        """Another member's event arrives, on top of everybody's one before and of all ours."""
        seen = {member: sequence - 1 for member in range(1, self.members) if member != creator}
        self.hear(creator, sequence, seen | {ME: self.own})

    def hear_all(self, sequence: int) -> None:
        """One event of every other member arrives, on top of all those before."""
        for member in range(1, self.members):
            self.hear_next(member, sequence)


def _started() -> Table:
    """A table after a first event on top of everybody's first."""
    table = Table()
    table.hear_all(0)
    table.make(table.plan())
    table.now_ms += 1000
    return table


def test_without_work_no_event_is_made() -> None:
    table = _started()
    table.hear_all(1)
    assert table.plan(payload=False, work=False) is None
    assert table.creator.last_refusal is Refusal.NO_WORK
    assert table.plan(payload=False, work=True) is not None


def test_two_events_are_an_interval_apart() -> None:
    table = _started()
    table.hear_all(1)
    table.make(table.plan())
    table.hear_all(2)
    table.now_ms += EVENT_INTERVAL_MS_MIN - 1
    assert table.plan() is None
    assert table.creator.last_refusal is Refusal.TOO_SOON
    assert table.creator.wait_ms(table.now_ms) == 1
    table.now_ms += 1
    assert table.plan() is not None
    assert table.creator.last_refusal is None


def test_a_busy_cell_makes_fewer_events_and_fewer_still_among_many() -> None:
    for members, interval_ms in ((4, EVENT_INTERVAL_MS_BUSY), (31, 155)):
        table = Table([1] * members)
        table.creator.pace(1.0)
        table.hear_all(0)
        table.make(table.plan())
        table.hear_all(1)
        table.now_ms += interval_ms - 1
        assert table.plan() is None
        table.now_ms += 1
        assert table.plan() is not None


def test_an_event_is_made_at_once_when_all_made_one_in_the_same_step() -> None:
    table = _started()
    table.hear_all(1)
    table.make(table.plan())
    table.now_ms += EVENT_INTERVAL_MS_MIN
    table.hear_next(1, 2)
    table.hear_next(2, 2)
    table.hear_next(3, 2)
    assert table.plan() is not None


def test_a_complete_step_waits_a_share_of_it_for_the_rest_and_once_only() -> None:
    table = _started()
    for sequence in range(1, 40):
        table.hear_all(sequence)
        table.make(table.plan())
        table.now_ms += 20
    assert table.creator.step_ms == pytest.approx(20, abs=1)
    table.hear_next(1, 40)
    assert table.plan() is None
    assert table.creator.last_refusal is Refusal.WAITING_FOR_TIPS
    table.hear_next(2, 40)
    assert table.plan() is None, "a supermajority with us, but the third may be on its way"
    grace_ms = round(20 * EVENT_GRACE_SHARE)
    assert table.creator.wait_ms(table.now_ms) == grace_ms
    table.now_ms += grace_ms
    table.make(table.plan())
    table.hear(3, 40, {1: 39, 2: 39, ME: table.own - 1})
    table.now_ms += 20
    table.hear_next(1, 41)
    table.hear_next(2, 41)
    table.make(table.plan())  # nobody waits for it again while it is late
    table.hear(3, 41, {1: 40, 2: 40, ME: table.own - 1})
    table.now_ms += 20
    table.hear_all(42)
    table.make(table.plan())  # it came in time
    table.now_ms += 20
    table.hear_next(1, 43)
    table.hear_next(2, 43)
    assert table.plan() is None, "so it is waited for"


def test_who_is_behind_jumps_to_where_the_others_are() -> None:
    table = _started()
    for sequence in range(1, 10):
        for member in range(1, 4):
            table.hear(member, sequence, {m: sequence - 1 for m in range(1, 4) if m != member})
    table.make(table.plan())
    table.now_ms += EVENT_PATIENCE_MS - 1
    assert table.plan(payload=False) is None


def test_fewer_tips_make_an_event_after_a_patience() -> None:
    table = _started()
    table.hear_all(1)
    table.make(table.plan())
    table.hear(1, 2)
    table.now_ms += EVENT_PATIENCE_MS - 1
    assert table.plan() is None
    table.now_ms += 1
    assert table.plan(payload=False) == Plan(_id(ME, 1), (_id(1, 2),))
    assert table.creator.wait_ms(table.now_ms) is None


def test_without_a_quorum_creation_stops_by_itself() -> None:
    table = _started()
    made = 0
    for sequence in range(1, 30):
        table.hear(1, sequence)
        table.now_ms += EVENT_PATIENCE_MS
        plan = table.plan()
        if plan is not None:
            table.make(plan)
            made += 1
    assert made <= 2, "one for the new tip, one alone"
    assert table.creator.last_refusal is Refusal.NO_QUORUM
    table.hear(2, 1)
    assert table.plan() is not None


def test_one_lone_event_a_snapshot_carries_transactions() -> None:
    table = _started()
    assert table.plan(payload=False) is None
    plan = table.plan()
    assert plan == Plan(_id(ME, 0), ())
    table.make(plan)
    table.now_ms += 60_000
    assert table.plan() is None
    table.hear_all(1)
    table.make(table.plan())
    table.now_ms += 60_000
    table.make(table.plan())
    table.now_ms += 60_000
    assert table.plan() is None


def test_the_first_event_of_all_is_made_alone() -> None:
    table = Table()
    assert table.plan() == Plan(None, ())
    assert table.creator.wait_ms(table.now_ms) is None


def test_a_member_with_a_supermajority_of_its_own_needs_nobody() -> None:
    for weights in ((1,), (3, 1), (7, 1, 1, 1)):
        table = Table(weights)
        for _ in range(5):
            table.make(table.plan(payload=False))
            assert table.plan() is None
            table.now_ms += EVENT_INTERVAL_MS_MIN


def test_a_forked_member_is_no_parent_any_more() -> None:
    table = _started()
    table.hear_all(1)
    table.creator.exclude(MemberIndex(2))
    plan = table.plan()
    assert plan == Plan(_id(ME, 0), (_id(1, 1), _id(3, 1)))


def test_a_tip_that_another_tip_sees_is_no_parent() -> None:
    table = _started()
    table.hear(1, 1)
    table.hear(2, 1, {1: 1})
    table.hear(3, 1, {2: 1, 1: 1})
    assert table.plan() == Plan(_id(ME, 0), (_id(3, 1),))
    table.hear(1, 2)
    assert table.plan() == Plan(_id(ME, 0), (_id(1, 2), _id(3, 1)))


def test_time_that_passed_while_an_event_became_durable_is_not_waited_for_again() -> None:
    table = Table([1])
    table.make(table.plan())
    table.now_ms += EVENT_PATIENCE_MS + 20  # a slow disk
    assert table.creator.wait_ms(table.now_ms) == 0
    table.make(table.plan())
    assert table.creator.wait_ms(table.now_ms) == EVENT_INTERVAL_MS_MIN


def test_what_own_events_see_already_is_no_parent() -> None:
    table = _started()
    table.hear(1, 0)
    table.hear(2, 1)
    table.hear(3, 1)
    assert table.plan() == Plan(_id(ME, 0), (_id(2, 1), _id(3, 1)))


def test_weights_count_not_members() -> None:
    table = Table((1, 5, 1, 1))
    table.hear_all(0)
    table.make(table.plan())
    table.now_ms += EVENT_INTERVAL_MS_MIN
    table.hear_next(2, 1)
    table.hear_next(3, 1)
    assert table.plan() is None
    table.hear_next(1, 1)
    assert table.plan() is not None


def test_a_replay_sets_no_clock() -> None:
    table = Table()
    table.creator.observe(_id(ME, 0), MemberIndex(ME), 0, [0, -1, -1, -1], None)
    table.hear_all(0)
    plan = table.plan()
    assert plan is not None
    assert plan.self_parent == _id(ME, 0)


def test_a_clock_that_goes_back_is_noticed() -> None:
    table = _started()
    table.hear_all(1)
    plan = table.plan()
    table.now_ms -= 1001
    with pytest.raises(InvariantBroken):
        table.make(plan)


def test_beyond_the_cap_of_parents_nobody_starves() -> None:
    members = 2 * PARENTS_MAX
    table = Table([1] * members)
    table.hear_all(0)
    met: set[EventId] = set()
    for _ in range(2):
        plan = table.plan()
        assert plan is not None
        assert len(plan.other_parents) <= PARENTS_MAX
        assert not met & set(plan.other_parents), "who waits longest comes first"
        met |= set(plan.other_parents)
        table.make(plan)
        for busy in range(1, PARENTS_MAX + 1):  # these are always ahead
            table.hear(busy, table.own + 1)
        table.now_ms += EVENT_PATIENCE_MS
    assert {parent[0] for parent in met} >= set(range(1, members))


def test_refusals_are_counted_by_reason() -> None:
    table = _started()
    for _ in range(3):
        table.plan(payload=False, work=False)
    table.make(table.plan())
    table.plan()
    assert table.creator.refusals == {
        Refusal.NO_WORK: 3,
        Refusal.TOO_SOON: 1,
        Refusal.WAITING_FOR_TIPS: 0,
        Refusal.NO_QUORUM: 0,
        Refusal.OBSERVING: 0,
    }


@given(
    st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 5)
)
@settings(deadline=None, max_examples=60)
def test_a_connected_quorum_never_stalls_and_less_than_one_always_stops(
    seed: int, weights: list[int], away: int
) -> None:
    """Members that all hear each other: they go on exactly when they hold a supermajority."""
    random = Random(seed)  # noqa: S311 - chance of a test
    members = len(weights)
    here = sorted(random.sample(range(members), max(1, members - away)))
    creators = {m: Creator(MemberIndex(m), weights) for m in here}
    heights = dict.fromkeys(here, -1)
    seen: dict[EventId, list[int]] = {}
    made = 0
    for step in range(60):
        now_ms = 1000 + step * EVENT_PATIENCE_MS
        member = random.choice(here)
        plan = creators[member].plan(now_ms, has_payload=False, has_work=True)
        if plan is None:
            stalled = all(
                c.plan(now_ms, has_payload=True, has_work=True) is None for c in creators.values()
            )
            plan = creators[member].plan(now_ms, has_payload=True, has_work=True)
            if plan is None:
                quorum = 3 * sum(weights[m] for m in here) > 2 * sum(weights)
                assert not (stalled and quorum), "a quorum stands still"
                continue
        made += 1
        heights[member] += 1
        vector = [-1] * members
        for parent in (*plan.other_parents, *([plan.self_parent] if plan.self_parent else [])):
            vector = list(map(max, vector, seen[parent]))
        vector[member] = heights[member]
        seen[_id(member, heights[member])] = vector
        for creator in creators.values():
            creator.observe(
                _id(member, heights[member]), MemberIndex(member), heights[member], vector, now_ms
            )
    if not 3 * sum(weights[m] for m in here) > 2 * sum(weights):
        assert made <= 3 * members * members
