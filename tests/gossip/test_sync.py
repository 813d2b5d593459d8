"""What one cell has reaches all, asked of one peer at a time, and no peer can stop that."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CellId, MemberIndex
from gossip import orphans as orphans_module
from gossip.errors import BadFrame
from gossip.index import EventIndex
from gossip.limits import (
    HAVE_INTERVAL_MS,
    LACK_GRACE_MS,
    ORPHAN_GRACE_MS,
    ORPHANS_AHEAD_MAX,
    WANT_DURATION_MS_MAX,
    WANT_PATIENCE_MS,
    WANT_PROGRESS_SIZE_BYTES_MIN,
)
from gossip.score import Misbehaviour, Scores, Standing, Subject
from gossip.sync import Effect, Send, SendEvents, Sync
from gossip.wire import Have, Vector, Want
from hashgraph.event import Event
from tests.gossip.world import (
    EPOCH,
    Node,
    chain,
    connect,
    disconnect,
    event,
    nodes,
    run,
    unresolved,
)

A, B, C = CellId("a"), CellId("b"), CellId("c")


class Alone:
    """One sync under test, with peers played by hand."""

    def __init__(self, *, members: int = 2) -> None:
        self.index = EventIndex(members)
        self.sync = Sync(EPOCH, self.index)
        for peer in (A, B, C):
            self.sync.connected(peer, 0)

    def add(self, *events: Event) -> None:
        """Add events of others."""
        for item in events:
            self.sync.added(item, self.index.add(item, 1), own=False)

    def tell(self, peer: CellId, vector: Vector, now_ms: int) -> list[CellId]:
        """Return who is asked when a peer tells a vector."""
        return asked(self.sync.told(peer, vector, now_ms))


def asked(effects: list[Effect]) -> list[CellId]:
    """Return the peers that are sent a Want."""
    return [e.peer for e in effects if isinstance(e, Send) and isinstance(e.frame, Want)]


def _grow(random: Random, node: Node, creator: int) -> None:
    """Let a node make an event on top of all it knows."""
    own = [e for e in node.events if e.creator == creator]
    parents = {p for e in node.events for p in (e.self_parent, *e.other_parents)}
    tips = [e for e in node.events if e.id not in parents and e.creator != creator]
    picked = random.sample(tips, random.randint(0, len(tips)))
    salt = random.randbytes(4)
    node.add(event(creator, own[-1] if own else None, picked, salt=salt), own=True)


def test_a_newcomer_gets_everything_in_one_want() -> None:
    old, new = nodes("old", "new")
    for item in (*chain(0, 3000), *chain(1, 7)):
        old.add(item)
    connect(old, new)
    run([old, new], until_ms=100)
    assert new.known == old.known
    assert (old.asked, new.asked) == (0, 1)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_everything_reaches_everyone_over_links_that_come_and_go(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    parts = nodes("a", "b", "c")
    pairs = [(0, 1), (0, 2), (1, 2)]
    now_ms = 0
    for _ in range(random.randint(1, 6)):
        for one, other in pairs:
            if parts[other].name in parts[one].nodes:
                if random.random() < 0.3:
                    disconnect(parts[one], parts[other])
            elif random.random() < 0.6:
                connect(parts[one], parts[other], now_ms)
        for _ in range(random.randint(0, 8)):
            member = random.randrange(3)
            _grow(random, parts[member], member)
            run(parts, start_ms=now_ms, until_ms=now_ms + random.choice([0, 20, 60]))
        now_ms += 500
    for one, other in pairs[: random.choice([2, 3])]:
        if parts[other].name not in parts[one].nodes:
            connect(parts[one], parts[other], now_ms)
    run(parts, start_ms=now_ms, until_ms=now_ms + 6000)
    assert parts[0].known == parts[1].known == parts[2].known
    assert all(not part.inbox for part in parts)
    for part in parts:
        assert part.sync.wait_ms(now_ms + 6000) is None, "the network must come to rest"


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_a_fork_of_which_each_side_has_another_branch_reaches_both(
    seed: int, left: int, right: int
) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    one, other = nodes("one", "other")
    trunk = chain(2, random.randint(0, 3))
    for node, length, salt in ((one, left, b"l"), (other, right, b"r")):
        for item in trunk:
            node.add(item)
        tip = trunk[-1] if trunk else None
        for _ in range(length):
            tip = event(2, tip, salt=salt)
            node.add(tip)
        # Each builds on the branch it knows: what the other can not take without that branch.
        assert tip is not None
        node.add(event(0 if node is one else 1, None, [tip]))
    connect(one, other)
    run([one, other], until_ms=8000)
    assert one.known == other.known
    assert one.sync.wait_ms(8000) is None


@pytest.mark.parametrize("sender_knows", [True, False])
def test_an_event_on_parents_that_can_not_be_told_comes_again_with_hints(
    sender_knows: bool,  # noqa: FBT001 - a table
) -> None:
    twins = {
        creator: [event(creator, salt=bytes([number])) for number in range(4)]
        for creator in (1, 2, 3)
    }
    one, other = nodes("one", "other")
    for branch in twins.values():
        for twin in branch:
            other.add(twin)
        for twin in branch[::-1] if sender_knows else branch[-1:]:
            one.add(twin)
    connect(one, other)
    run([one, other], until_ms=1000)
    one.add(event(0, None, [branch[-1] for branch in twins.values()]), own=True)
    if not sender_knows:
        assert other.index.resolve(unresolved(one.events[-1])) is None
    run([one, other], start_ms=1000, until_ms=2000)
    assert one.known == other.known
    assert one.sync.wait_ms(2000) is None


def test_own_events_are_pushed_to_every_peer_at_once() -> None:
    alone = Alone()
    item = event(0)
    arrival = alone.index.add(item, 1)
    effects = alone.sync.added(item, arrival, own=True)
    assert effects == [SendEvents(peer, (0,), last=False) for peer in (A, B, C)]


def test_a_peer_is_told_what_is_here_when_it_connects_and_later_only_what_changed() -> None:
    sync = Sync(EPOCH, index := EventIndex(2))
    assert sync.connected(A, 0) == [Send(A, Have(EPOCH, (0, 0)))]
    assert sync.tick(10 * HAVE_INTERVAL_MS) == []
    assert sync.wait_ms(10 * HAVE_INTERVAL_MS) is None
    now_ms = 20 * HAVE_INTERVAL_MS
    index.add(event(0), 1)
    assert sync.wait_ms(now_ms) == 0
    assert sync.tick(now_ms) == [Send(A, Have(EPOCH, (1, 0)))]
    index.add(event(1), 1)
    assert sync.tick(now_ms + HAVE_INTERVAL_MS - 1) == []
    assert sync.wait_ms(now_ms + 1) == HAVE_INTERVAL_MS - 1
    assert sync.tick(now_ms + HAVE_INTERVAL_MS) == [Send(A, Have(EPOCH, (1, 1)))]


def test_one_peer_is_asked_at_a_time_and_the_next_when_it_is_silent() -> None:
    alone = Alone()
    assert alone.tell(A, (3, 0), 0) == [A]
    assert alone.tell(B, (3, 0), 1) == []
    assert alone.tell(C, (3, 0), 2) == []
    assert asked(alone.sync.tick(WANT_PATIENCE_MS - 1)) == []
    assert asked(alone.sync.tick(WANT_PATIENCE_MS)) == [B]
    assert asked(alone.sync.tick(2 * WANT_PATIENCE_MS)) == [C]
    assert asked(alone.sync.tick(3 * WANT_PATIENCE_MS)) == [A]


def test_progress_buys_patience_but_not_for_ever() -> None:
    alone = Alone()
    alone.tell(A, (9, 0), 0)
    alone.tell(B, (9, 0), 0)
    for now_ms in range(1000, WANT_DURATION_MS_MAX, 1000):
        alone.sync.answered(A, now_ms, last=False, fresh_bytes=WANT_PROGRESS_SIZE_BYTES_MIN)
        assert asked(alone.sync.tick(now_ms)) == []
    alone.sync.answered(A, WANT_DURATION_MS_MAX - 1, last=False, fresh_bytes=10**6)
    assert asked(alone.sync.tick(WANT_DURATION_MS_MAX)) == [B]


def test_a_gone_peer_is_not_waited_for() -> None:
    alone = Alone()
    alone.tell(A, (3, 0), 0)
    alone.tell(B, (3, 0), 0)
    alone.sync.disconnected(A)
    assert asked(alone.sync.tick(1)) == [B]


def test_nobody_is_asked_for_what_came_already() -> None:
    alone = Alone()
    alone.tell(A, (2, 0), 0)
    alone.tell(B, (2, 0), 0)
    alone.add(*chain(0, 2))
    assert asked(alone.sync.answered(A, 10, last=True)) == []
    assert asked(alone.sync.tick(20)) == []
    assert alone.sync.wait_ms(10_000) == 0, "only to tell what is here"


def test_a_later_told_event_may_come_by_itself_first() -> None:
    alone = Alone()
    alone.tell(A, (0, 0), 0)
    assert alone.tell(A, (1, 0), 1000) == []
    assert asked(alone.sync.tick(1000 + LACK_GRACE_MS - 1)) == []
    assert asked(alone.sync.tick(1000 + LACK_GRACE_MS)) == [A]


def test_a_peer_that_claims_what_it_never_sends_is_asked_less_and_less() -> None:
    alone = Alone()
    at_ms = [0] * len(alone.tell(A, (1000, 0), 0))
    for now_ms in range(0, 60_000, 20):
        effects = alone.sync.answered(A, now_ms, last=True) + alone.sync.tick(now_ms)
        at_ms += [now_ms] * len(asked(effects))
    pauses = [b - a for a, b in pairwise(at_ms)]
    assert pauses == sorted(pauses)
    assert LACK_GRACE_MS <= pauses[0] <= 2 * LACK_GRACE_MS + 20
    assert pauses[-1] >= 30 * LACK_GRACE_MS


def test_a_peer_that_trickles_or_lies_is_asked_after_those_that_deliver() -> None:
    """A is silent, B trickles, C delivers: C is never waited for longer than once for each."""
    alone = Alone()
    for peer in (A, B, C):
        alone.tell(peer, (10**6, 0), 0)
    who = [A]
    for now_ms in range(0, 120_000, 20):
        effects: list[Effect] = []
        if who[-1] == B:
            effects += alone.sync.answered(B, now_ms, last=False, fresh_bytes=200)
        if who[-1] == C:
            effects += alone.sync.answered(C, now_ms, last=False, fresh_bytes=10**5)
        who += asked(effects + alone.sync.tick(now_ms))
    assert who[:3] == [A, B, C]
    assert set(who[3:]) <= {C}
    blamed = alone.sync.take_blamed()
    assert blamed == [(A, Misbehaviour.UNANSWERED)]


def test_a_slow_peer_is_kept_while_nobody_else_has_it() -> None:
    alone = Alone()
    wants = len(alone.tell(A, (10**6, 0), 0))
    for now_ms in range(20, 100_000, 20):
        alone.sync.answered(A, now_ms, last=False, fresh_bytes=200)
        wants += len(asked(alone.sync.tick(now_ms)))
    assert wants == 1, "asking again would only send the same twice"
    assert alone.tell(B, (10**6, 0), 100_000) == [B]


def test_one_who_failed_is_left_at_once_for_one_who_did_not() -> None:
    alone = Alone()
    alone.tell(A, (9, 0), 0)
    assert asked(alone.sync.tick(WANT_PATIENCE_MS)) == [], "A is asked again only after a pause"
    later_ms = WANT_PATIENCE_MS + 2 * LACK_GRACE_MS
    assert asked(alone.sync.tick(later_ms)) == [A]
    assert alone.tell(B, (9, 0), later_ms + 20) == [B]


def test_a_missing_parent_is_asked_of_the_sender_after_a_grace() -> None:
    alone = Alone()
    first, second = chain(0, 2)
    assert alone.index.resolve(unresolved(second)) is None
    alone.sync.orphan(B, unresolved(second), now_ms=0)
    assert alone.sync.is_known(unresolved(second))
    assert not alone.sync.is_known(unresolved(first))
    assert asked(alone.sync.tick(ORPHAN_GRACE_MS - 1)) == []
    assert asked(alone.sync.tick(ORPHAN_GRACE_MS)) == [B]
    alone.add(first)
    assert alone.sync.adoptable(ORPHAN_GRACE_MS) == [(B, unresolved(second), second)]
    alone.add(second)
    assert alone.sync.adoptable(ORPHAN_GRACE_MS) == []


def test_an_orphan_whose_sender_has_no_parents_for_it_is_forgotten() -> None:
    alone = Alone()
    alone.sync.orphan(A, unresolved(chain(0, 2)[1]), now_ms=0)
    exact = []
    now_ms = 0
    while alone.sync.wait_ms(now_ms) is not None and now_ms < 5000:
        now_ms += 20
        effects = alone.sync.tick(now_ms)
        while effects:
            effect = effects.pop()
            if isinstance(effect, Send) and isinstance(effect.frame, Want):
                exact.append(isinstance(effect.frame.vector[0], tuple))
                effects += alone.sync.answered(A, now_ms, last=True)
    assert exact == [False, True]
    assert len(alone.sync._orphans) == 0
    assert alone.sync._orphans.size_bytes == 0
    assert alone.sync.take_blamed() == [(A, Misbehaviour.UNRESOLVED)]


def test_who_sends_events_far_ahead_is_asked_for_the_rest_and_blamed_when_it_has_none() -> None:
    alone = Alone()
    far = unresolved(chain(0, ORPHANS_AHEAD_MAX + 3)[-1])
    alone.sync.orphan(A, far, now_ms=0)
    assert alone.sync.orphans == 0
    assert asked(alone.sync.tick(LACK_GRACE_MS - 1)) == []
    assert asked(alone.sync.tick(LACK_GRACE_MS)) == [A]
    alone.sync.answered(A, LACK_GRACE_MS + 1, last=True)
    assert alone.sync.take_blamed() == [(A, Misbehaviour.UNRESOLVED)]
    assert alone.sync.wait_ms(HAVE_INTERVAL_MS) is None


def test_who_goes_on_sending_events_far_ahead_without_an_answer_is_banned_within_ten_seconds() -> (
    None
):
    alone, scores = Alone(), Scores()
    far = unresolved(chain(0, ORPHANS_AHEAD_MAX + 3)[-1])
    for now_ms in range(0, 10_000, 20):
        alone.sync.orphan(A, far, now_ms)
        alone.sync.answered(A, now_ms, last=False)
        alone.sync.tick(now_ms)
        for peer, what in alone.sync.take_blamed():
            if scores.note(peer, Subject.MEMBER, what, now_ms) is Standing.BANNED:
                return
    pytest.fail("it was never banned")


def test_who_was_far_ahead_and_brings_the_rest_is_not_blamed() -> None:
    alone = Alone()
    events = chain(0, ORPHANS_AHEAD_MAX + 3)
    alone.sync.orphan(A, unresolved(events[-1]), now_ms=0)
    assert asked(alone.sync.tick(LACK_GRACE_MS)) == [A]
    alone.add(*events)
    alone.sync.answered(A, LACK_GRACE_MS + 1, last=True, fresh_bytes=1)
    assert alone.sync.take_blamed() == []


def test_the_highest_sequence_ever_seen_is_known_though_its_event_is_not_here() -> None:
    alone = Alone()
    first, second, third = chain(0, 3)
    assert alone.sync.seen_of(MemberIndex(0)) == 0
    alone.add(first)
    assert alone.sync.seen_of(MemberIndex(0)) == 1
    alone.sync.orphan(A, unresolved(third), now_ms=0)
    assert (alone.sync.seen_of(MemberIndex(0)), alone.sync.seen_of(MemberIndex(1))) == (3, 0)
    alone.sync.disconnected(A)
    assert alone.sync.seen_of(MemberIndex(0)) == 3, "seen is seen, whoever brought it"
    alone.sync.orphan(B, unresolved(second), now_ms=0)
    assert alone.sync.seen_of(MemberIndex(0)) == 3


def test_an_orphan_that_finds_no_room_was_seen_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphans_module, "ORPHANS_SIZE_BYTES_MAX", 0)
    alone = Alone()
    alone.sync.orphan(A, unresolved(chain(0, 5)[4]), now_ms=0)
    assert len(alone.sync._orphans) == 0
    assert alone.sync.seen_of(MemberIndex(0)) == 5


def test_frames_name_the_epoch() -> None:
    alone = Alone()
    (want,) = alone.sync.told(A, (3, 0), 0)
    assert want == Send(A, Want(EPOCH, (0, 0)))


@pytest.mark.parametrize("vector", [(), (0,), (0, 0, 0)])
def test_a_vector_of_another_roster_is_refused(vector: Vector) -> None:
    alone = Alone()
    with pytest.raises(BadFrame):
        alone.sync.told(A, vector, 0)
    with pytest.raises(BadFrame):
        alone.sync.wanted(A, vector, 0)


def test_a_want_is_streamed_in_frames_as_the_link_drains() -> None:
    alone = Alone()
    alone.add(*chain(0, 2500))
    sent: list[int] = []
    frames = alone.sync.wanted(A, (0, 0), 0)
    while frames:
        (frame,) = frames
        assert isinstance(frame, SendEvents)
        sent += frame.arrivals
        assert alone.sync.answers.is_streaming(A) is not frame.last
        frames = [*alone.sync.answers.drained(A)]
    assert sent == list(range(2500))
    assert alone.sync.answers.drained(B) == []


def test_an_empty_want_is_answered_and_a_gone_peer_gets_nothing() -> None:
    alone = Alone()
    (answer,) = alone.sync.wanted(A, (0, 0), 0)
    assert answer == SendEvents(A, (), last=True)
    assert hash(answer) == hash(SendEvents(A, (), last=True)), "frames are shared by what they hold"
    alone.add(*chain(0, 2000))
    alone.sync.wanted(A, (0, 0), 1000)
    alone.sync.disconnected(A)
    assert alone.sync.answers.drained(A) == []
    assert not alone.sync.answers.is_streaming(A)
