"""A forker's branches are bounded, and no honest event is kept out by that."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import MemberIndex
from gossip.limits import (
    BRANCHES_MAX,
    NEEDED_ORPHANS_QUICK,
    ORPHANS_PER_PEER_MAX,
    SPONSORED_PER_MEMBER,
)
from hashgraph.event import Event
from tests.gossip.world import Node, chain, connect, event, nodes, run, unresolved

FORKER = 3


def _twins(count: int, *, parent: Event | None = None) -> list[Event]:
    return [event(FORKER, parent, salt=number.to_bytes(2, "big")) for number in range(count)]


def _give(node: Node, sender: Node, *events: Event) -> None:
    """Let a node have events from a peer that relays whatever it likes."""
    node.inbox.append((sender.name, ([unresolved(e).encoded for e in events], False)))


def _branches(node: Node) -> int:
    return node.index.branches(MemberIndex(FORKER))


def test_a_forker_fills_its_bound_and_no_memory() -> None:
    hostile, node = nodes("hostile", "node")
    connect(hostile, node)
    run([node], until_ms=100)
    trunk = chain(FORKER, 5)
    twins = _twins(3_000, parent=trunk[-1])
    for start in range(0, len(twins), 500):
        _give(node, hostile, *trunk, *twins[start : start + 500])
    run([node], start_ms=100, until_ms=2_000)
    assert _branches(node) == BRANCHES_MAX
    assert len(node.events) == len(trunk) + BRANCHES_MAX
    orphans = node.sync._orphans
    assert len(orphans) <= ORPHANS_PER_PEER_MAX
    # Nor do its branches grow: what goes on for itself would only take their ends from others.
    longer = [event(FORKER, twin, salt=b"longer") for twin in twins[: BRANCHES_MAX + 4]]
    _give(node, hostile, *longer)
    run([node], start_ms=2_000, until_ms=2_500)
    assert node.known.isdisjoint(item.id for item in longer)
    assert _branches(node) == BRANCHES_MAX
    node.sync.disconnected(hostile.name)
    assert len(orphans) == 0
    assert node.sync.wait_ms(10_000) is None


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("comes_first", [False, True])
def test_an_honest_event_on_a_branch_too_many_gets_in_with_that_branch_alone(
    depth: int,
    comes_first: bool,  # noqa: FBT001 - a table
) -> None:
    hostile, one, other = nodes("hostile", "one", "other")
    twins = _twins(BRANCHES_MAX + 10)
    connect(hostile, one)
    if comes_first:
        _give(one, hostile, *twins)
    else:
        _give(one, hostile, *twins[:BRANCHES_MAX])
    run([one], until_ms=100)
    branch = [twins[-2]]
    for number in range(1, depth):
        branch.append(event(FORKER, branch[-1], salt=bytes([number])))
    for item in branch:
        other.add(item)
    honest = event(1, None, [branch[-1]])
    other.add(honest, own=True)
    later = event(1, honest)
    other.add(later, own=True)
    connect(one, other, 100)
    run([one, other], start_ms=100, until_ms=4_000)
    assert {honest.id, later.id} <= one.known
    assert _branches(one) == BRANCHES_MAX + 1
    assert other.known >= {honest.id, later.id}
    hostile.nodes.clear()
    one.sync.disconnected(hostile.name)
    run([one, other], start_ms=4_000, until_ms=8_000)
    assert one.sync.wait_ms(8_000) is other.sync.wait_ms(8_000) is None, "it comes to rest"


@pytest.mark.parametrize("namers", [1, 2])
def test_who_builds_on_a_forker_for_long_is_never_kept_out_and_opens_one_branch(
    namers: int,
) -> None:
    """A forker shows one cell a twin of each event that the others build on meanwhile."""
    hostile, one, *others = nodes("hostile", "one", "other", "third")[: 2 + namers]
    connect(hostile, one)
    _give(one, hostile, *_twins(BRANCHES_MAX + 10))
    run([one], until_ms=100)
    now_ms = 100
    shown = [event(FORKER, salt=b"on")]
    for other in others:
        other.add(shown[0])
        connect(one, other, now_ms)
    own: list[Event | None] = [None] * namers
    for number in range(25):
        at = number % namers
        made = event(at + 1, own[at], [shown[-1]], salt=b"%d" % number)
        others[at].add(made, own=True)
        own[at] = made
        run([one, *others], start_ms=now_ms, until_ms=now_ms + 4_000)
        now_ms += 4_000
        assert made.id in one.known, number
        # It has them on a branch now; what goes on there for itself must not push them aside.
        _give(one, hostile, event(FORKER, shown[-1], salt=b"aside %d" % number))
        shown.append(event(FORKER, shown[-1], salt=b"on %d" % number))
        for other in others:
            other.add(shown[-1])
    assert _branches(one) == BRANCHES_MAX + 1


def test_a_forker_can_not_need_its_own_branches() -> None:
    hostile, node = nodes("hostile", "node")
    connect(hostile, node)
    twins = _twins(60)
    _give(node, hostile, *twins)
    run([node], until_ms=100)
    # Another forker, all of whose branches but the first ones are too many as well.
    others = [event(2, None, [twin], salt=b"2") for twin in twins]
    encoded = [unresolved(item, hints=True).encoded for item in others]
    node.inbox.append((hostile.name, (encoded, False)))
    run([node], start_ms=100, until_ms=3_000)
    assert node.index.branches(MemberIndex(2)) <= BRANCHES_MAX
    assert _branches(node) <= 2 * BRANCHES_MAX


def test_twins_that_wait_for_one_parent_are_bounded_too_when_it_comes() -> None:
    hostile, node = nodes("hostile", "node")
    connect(hostile, node)
    trunk = chain(FORKER, 1)
    twins = _twins(4 * BRANCHES_MAX, parent=trunk[0])
    _give(node, hostile, *twins)
    run([node], until_ms=100)
    assert node.known == set()
    _give(node, hostile, *trunk)
    run([node], start_ms=100, until_ms=1_000)
    assert _branches(node) == BRANCHES_MAX
    assert len(node.events) == len(trunk) + BRANCHES_MAX


@pytest.mark.parametrize("namer", [1, 2])
def test_events_that_name_every_twin_at_once_open_no_branch_without_end(namer: int) -> None:
    """Each twin would go on where a branch ends, until the first of them is there."""
    hostile, node = nodes("hostile", "node")
    connect(hostile, node)
    roots = _twins(BRANCHES_MAX)
    _give(node, hostile, *roots)
    run([node], until_ms=100)
    # They came too late for themselves, all on the end of one branch.
    twins = _twins(6 * BRANCHES_MAX, parent=roots[0])
    _give(node, hostile, *twins)
    run([node], start_ms=100, until_ms=200)
    assert _branches(node) == BRANCHES_MAX
    naming = [event(namer, None, [twin], salt=b"names") for twin in twins]
    encoded = [unresolved(item, hints=True).encoded for item in naming]
    node.inbox.append((hostile.name, (encoded, False)))
    run([node], start_ms=200, until_ms=4_000)
    assert _branches(node) <= BRANCHES_MAX + SPONSORED_PER_MEMBER * node.members


def test_many_orphans_delay_what_is_needed_but_do_not_keep_it_out() -> None:
    hostile, one, other = nodes("hostile", "one", "other")
    twins = _twins(BRANCHES_MAX + NEEDED_ORPHANS_QUICK + 100)
    connect(hostile, one)
    _give(one, hostile, *twins)
    run([one], until_ms=100)
    assert len(one.sync._orphans) > NEEDED_ORPHANS_QUICK
    other.add(twins[-1])
    honest = event(1, None, [twins[-1]])
    other.add(honest)
    connect(one, other, 100)
    run([one, other], start_ms=100, until_ms=4_000)
    assert honest.id in one.known


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_honest_events_converge_whatever_a_forker_shows_to_whom(seed: int) -> None:
    """Three honest cells and a forker that shows each of them other branches."""
    random = Random(seed)  # noqa: S311 - chance of a test
    honest, hostile = nodes("a", "b", "c"), nodes("hostile")[0]
    for at, one in enumerate(honest):
        connect(hostile, one)
        for other in honest[:at]:
            connect(one, other)
    twins, now_ms = _twins(4 * BRANCHES_MAX), 0
    for _ in range(6):
        for member, node in enumerate(honest):
            shown = random.sample(twins, random.randint(0, 2 * BRANCHES_MAX))
            _give(node, hostile, *shown)
            if random.random() < 0.7:
                now_ms += 20
                run([node], start_ms=now_ms, until_ms=now_ms + 20)
            _grow(random, node, member)
        now_ms += 100
        run(honest, start_ms=now_ms, until_ms=now_ms + random.choice([20, 200]))
    run(honest, start_ms=now_ms + 200, until_ms=now_ms + 12_000)
    made = [{e.id for e in node.events if e.creator != FORKER} for node in honest]
    assert made[0] == made[1] == made[2]
    needed = {
        parent
        for node in honest
        for item in node.events
        if item.creator != FORKER
        for parent in item.other_parents
    }
    for node in honest:
        assert needed <= node.known
        assert _branches(node) <= BRANCHES_MAX + len(honest)
        assert len(node.sync._orphans.of(hostile.name)) <= ORPHANS_PER_PEER_MAX


def _grow(random: Random, node: Node, member: int) -> None:
    """Let an honest node make an event: on a forker only as long as it knows of no fork."""
    own = [e for e in node.events if e.creator == member]
    tips = {e.creator: e for e in node.events if e.creator != member}
    if node.index.is_forked(MemberIndex(FORKER)):
        tips.pop(MemberIndex(FORKER), None)
    picked = [tip for tip in tips.values() if random.random() < 0.8]
    salt = random.randbytes(4)
    node.add(event(member, own[-1] if own else None, picked, salt=salt), own=True)
