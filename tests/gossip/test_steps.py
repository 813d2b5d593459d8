"""Steps are what their definition says, read off the ancestry of each event."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import MemberIndex
from gossip.steps import Steps

ME = MemberIndex(0)


def test_the_first_events_are_in_step_0_and_a_supermajority_of_them_opens_the_next() -> None:
    steps = Steps([1, 1, 1, 1])
    assert [steps.note(MemberIndex(m), 0, _seen(4, {m: 0})) for m in range(4)] == [0, 0, 0, 0]
    assert steps.note(MemberIndex(1), 1, _seen(4, {1: 1, 0: 0})) == 0, "two of four see each other"
    assert steps.note(MemberIndex(2), 1, _seen(4, {2: 1, 0: 0, 3: 0})) == 1


def test_who_was_behind_is_where_the_others_are() -> None:
    steps = Steps([1, 1, 1, 1])
    for number in range(6):
        for member in (1, 2, 3):
            seen = dict.fromkeys((1, 2, 3), number - 1) | {member: number}
            assert steps.note(MemberIndex(member), number, _seen(4, seen)) == number
    assert steps.advances(ME)
    assert steps.note(ME, 0, (0, 5, 5, 5)) == 6
    assert not steps.advances(ME)


def test_nobody_advances_alone_but_who_holds_a_supermajority() -> None:
    for weights, alone in (([1, 1], False), ([3, 1], True), ([1], True)):
        steps = Steps(weights)
        assert steps.advances(ME), "nothing is there yet"
        steps.note(ME, 0, _seen(len(weights), {0: 0}))
        assert steps.advances(ME) is alone


def test_awaited_are_those_who_kept_step_until_now() -> None:
    steps = Steps([1] * 5)
    for member in range(5):
        steps.note(MemberIndex(member), 0, _seen(5, {member: 0}))
    full = dict.fromkeys(range(5), 0)
    for member in (0, 1):
        steps.note(MemberIndex(member), 1, _seen(5, full | {member: 1}))
    assert steps.awaited(ME) == [], "step 0 is what the next event is built on"
    for member in (2, 3):
        steps.note(MemberIndex(member), 1, _seen(5, full | {member: 1}))
    assert steps.awaited(ME) == [4]
    steps.exclude(MemberIndex(4))
    assert steps.awaited(ME) == []


def test_a_member_that_forked_does_not_count() -> None:
    steps = Steps([1, 1, 1, 1])
    for member in range(3):
        steps.note(MemberIndex(member), 0, _seen(4, {member: 0}))
    assert steps.advances(ME)
    steps.exclude(MemberIndex(1))
    steps.exclude(MemberIndex(1))
    assert not steps.advances(ME)
    assert steps.note(MemberIndex(1), 0, _seen(4, {1: 0})) == 0, "its second event of a sequence"
    steps.note(MemberIndex(3), 0, _seen(4, {3: 0}))
    assert steps.advances(ME)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=7))
@settings(deadline=None, max_examples=60)
def test_each_step_is_the_definition_read_off_the_ancestry(seed: int, weights: list[int]) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    members = len(weights)
    steps = Steps(weights)
    vectors: dict[tuple[int, int], tuple[int, ...]] = {}
    expected: dict[tuple[int, int], int] = {}
    heights = [-1] * members
    for _ in range(50):
        creator = random.randrange(members)
        parents = [
            (m, random.randint(max(0, heights[m] - 2), heights[m]))
            for m in range(members)
            if m != creator and heights[m] >= 0 and random.random() < 0.7
        ]
        if heights[creator] >= 0:
            parents.append((creator, heights[creator]))
        below = tuple(max((vectors[p][m] for p in parents), default=-1) for m in range(members))
        newest = {(m, below[m]) for m in range(members) if below[m] >= 0}
        top = max((expected[event] for event in newest), default=0)
        weight = sum(weights[m] for m, at in newest if expected[m, at] == top)
        heights[creator] += 1
        event = (creator, heights[creator])
        vectors[event] = (*below[:creator], heights[creator], *below[creator + 1 :])
        expected[event] = top + (3 * weight > 2 * sum(weights))
        step = steps.note(MemberIndex(creator), heights[creator], vectors[event])
        assert step == expected[event]
        assert steps.of_tip(MemberIndex(creator)) == step


def _seen(members: int, highest: dict[int, int]) -> tuple[int, ...]:
    return tuple(highest.get(member, -1) for member in range(members))
