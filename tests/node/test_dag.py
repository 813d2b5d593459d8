"""What a cell says of its hashgraph: windows are whole, news miss nothing, reasons are true."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import pytest

from core.ids import EventId, Round
from gateway.consensus_views import DagQuery, DagView, EventWhyView
from gateway.errors import BadRequest, HashgraphMoved, NoSuchRound
from hashgraph.event import Event
from hashgraph.oracle import oracle
from node.dag import Dag
from node.dag_reasons import event_view, undecided_views, why_view, witnesses_view
from node.dag_window import window
from tests.node.dag_world import DagWorld


def look(dag: Dag, limit: int = 1000, **query: int | str | None) -> DagView:
    return asyncio.run(window(dag, replace(DagQuery(limit=limit), **query)))  # type: ignore[arg-type]  # fields by name


def a_world(seed: int = 3, *, fork: bool = False) -> DagWorld:
    world = DagWorld(seed=seed)
    for member in range(4):
        world.add(member, [])
    world.gossip(120)
    if fork:
        own = world.tips[3]
        assert own is not None
        other = [tip for tip in world.tips[:1] if tip is not None]
        world.add(3, other, own=next(e for e in world.events if e.id == own.self_parent))
        world.tips[3] = own
        world.gossip(60, without=[3])
    return world


@pytest.mark.parametrize("fork", [False, True])
def test_a_window_shows_every_event_as_the_definitions_say(*, fork: bool) -> None:
    world = a_world(fork=fork)
    found = look(world.dag())
    expected = oracle(world.events, world.roster.weights, first_round=1, rule_set=2)
    assert [one.id for one in found.items] == [event.id.hex() for event in world.events]
    names = {(one.branch, one.sequence): one.id for one in found.items}
    assert len(names) == len(world.events)
    order = [item.event.id for item in expected.order]
    for one, event in zip(found.items, world.events, strict=True):
        own = () if event.self_parent is None else (event.self_parent,)
        assert [names[parent] for parent in one.parents] == [
            parent.hex() for parent in (*own, *event.other_parents)
        ]
        assert found.branches[one.branch] == one.creator == event.creator
        assert (one.round, one.received) == (
            expected.round[event.id],
            expected.received.get(event.id),
        )
        assert one.witness == (event.id in expected.witnesses[Round(one.round)])
        assert one.famous == expected.famous.get(event.id)
        if one.position is not None:
            item = expected.order[one.position]
            assert (item.event.id, item.consensus_time_ns) == (event.id, one.consensus_time_ns)
        assert (one.position is None) == (event.id not in order)
        assert (one.time_ns, one.transactions) == (event.time_ns, len(event.payload))
    assert found.next is None
    assert len(world.reads) == len(set(world.reads)) == len(order)  # only what is not in memory


def test_pages_rounds_and_the_newest_are_parts_of_the_whole() -> None:
    world = a_world()
    dag = world.dag()
    whole = look(dag).items
    assert look(dag, limit=30).items == whole[-30:]
    paged: list[Any] = []
    start: int | None = 0
    while start is not None:
        page = look(dag, start=start, limit=17)
        paged += page.items
        start = page.next
    assert paged == whole
    for low, high in ((2, 4), (1, 1), (5, 99), (40, 50)):
        inside = [one for one in whole if low <= one.round <= high]
        found: list[Any] = []
        start = None
        while True:
            page = look(dag, from_round=low, to_round=high, start=start, limit=7)
            found += page.items
            start = page.next
            if start is None:
                break
        assert found == inside
    rounds = {one.round: one for one in look(dag).rounds}
    assert all(
        [mark.arrival for mark in rounds[number].witnesses]
        == [one.arrival for one in whole if one.witness and one.round == number]
        for number in rounds
    )


@pytest.mark.parametrize("seed", range(6))
def test_who_follows_the_news_knows_what_a_fresh_look_shows(seed: int) -> None:
    world = DagWorld(seed=seed)
    for member in range(4):
        world.add(member, [])
    first = look(world.dag(), limit=3)
    known = {one.arrival: asdict(one) for one in look(world.dag()).items}
    cursor = first.cursor
    for step in range(12):
        world.gossip(9 + step * 3)
        more = True
        while more:
            news = look(world.dag(), after=cursor, limit=1 + 5 * seed)
            for one in news.items:
                known[one.arrival] = asdict(one)
            for mark in (mark for one in news.rounds for mark in one.witnesses):
                if mark.arrival in known:  # else its row is still to come, and says it
                    known[mark.arrival]["famous"] = mark.famous
            for place in news.placed:
                if place.arrival in known:
                    known[place.arrival].update(asdict(place))
            cursor, more = news.cursor, news.more
        assert known == {one.arrival: asdict(one) for one in look(world.dag()).items}
    still = look(world.dag(), after=cursor)
    assert (still.items, still.placed, still.more) == ([], [], False)
    assert still.cursor == cursor


def test_how_much_was_known_when_a_round_was_decided_is_told() -> None:
    world = a_world()
    rounds = {one.round: one.known for one in look(world.dag()).rounds}
    decided = [number for number in rounds if rounds[number] is not None]
    assert len(decided) > 3
    for number in decided:
        known = rounds[number]
        assert known is not None
        before = oracle(world.events[: known - 1], world.roster.weights, rule_set=2)
        at = oracle(world.events[:known], world.roster.weights, rule_set=2)
        up_to = set(range(1, number + 1))
        assert up_to <= set(at.decided_rounds)
        assert not up_to <= set(before.decided_rounds)


def test_what_is_not_in_the_journal_yet_is_not_shown() -> None:
    world = a_world()
    found = look(world.dag(count=50))
    assert [one.arrival for one in found.items] == list(range(50))
    assert found.events == 50
    later = look(world.dag(), after=found.cursor)
    assert [one.arrival for one in later.items] == list(range(50, len(world.events)))


def test_cursors_of_others_and_of_over_epochs_do_no_harm() -> None:
    world = a_world()
    dag = world.dag()
    for text in ("", "1.2.3", "0.1.2.x", "0.-1.2.3", "0.1.2.3.4", "0.1.2." + "9" * 20):
        with pytest.raises(BadRequest):
            look(dag, after=text)
    assert look(dag, after="7.0.0.0", limit=5).items == look(dag, limit=5).items
    beyond = look(dag, after="0.999999.999999.999999")
    assert (beyond.items, beyond.placed, beyond.more) == ([], [], False)


def test_an_epoch_that_ends_meanwhile_is_told() -> None:
    world = a_world()
    dag = world.dag()
    world.is_current = False
    with pytest.raises(HashgraphMoved):
        look(dag)


def order_key(why: EventWhyView, by_id: dict[str, Event]) -> tuple[int, int, int]:
    whitening = reduce(
        int.__xor__,
        [int.from_bytes(by_id[judge.judge.id].signature, "big") for judge in why.judges],
    )
    own = int.from_bytes(by_id[why.event.id].signature, "big")
    times = sorted(judge.time_ns for judge in why.judges)
    return why.received or 0, times[len(times) // 2], own ^ whitening


@pytest.mark.parametrize("seed", range(3))
def test_reasons_are_true_and_the_order_follows_from_them(seed: int) -> None:
    world = a_world(seed, fork=seed == 1)
    dag = world.dag()
    by_id = {event.id.hex(): event for event in world.events}
    below = {event.id.hex(): world.below(event.id) for event in world.events}
    placed = []
    for event in world.events:
        why = asyncio.run(why_view(dag, event.id))
        assert why.words
        for judge in why.judges:
            chain = [one.id for one in judge.path]
            assert (chain[0], chain[-1]) == (judge.first.id, event.id.hex())
            for one, parent in pairwise(chain):
                child = by_id[one]
                assert EventId(bytes.fromhex(parent)) in (child.self_parent, *child.other_parents)
            assert event.id in below[judge.judge.id]
        for passed in why.passed:
            assert all(event.id not in below[one.id] for one in passed.lacking)
        if why.received is None:
            assert why.pending or dag.engine.round_of(event.id) > dag.engine.last_decided_round
            assert (why.position, why.median_ns, why.whitened) == (None, None, None)
            continue
        key = order_key(why, by_id)
        assert (why.median_ns, int(why.whitened or "", 16)) == key[1:]
        placed.append((key, why.position))
        for near, step in ((why.before, -1), (why.after, 1)):
            if near is not None:
                assert dag.placed.at((why.position or 0) + step).arrival == near.event.arrival
                other = (near.median_ns, int(near.whitened, 16))
                assert (other < key[1:]) == (step < 0)
    assert len(placed) > 60
    assert [position for _, position in sorted(placed)] == list(range(len(placed)))


def test_rounds_tell_votes_judges_and_what_they_wait_for() -> None:
    world = a_world()
    dag = world.dag()
    shown = [witnesses_view(dag, Round(n)) for n in range(1, dag.engine.last_round + 1)]
    assert sum(one.received for one in shown) == len(dag.placed)
    for one in shown:
        assert one.decided == (one.round <= dag.engine.last_decided_round)
        assert {w.id for w in one.witnesses if w.judge} == {
            judge.hex() for judge in dag.engine.judges(Round(one.round))
        }
        for witness in one.witnesses:
            assert witness.votes_yes + witness.votes_no == witness.voters
    waiting = undecided_views(dag)
    assert [one.round for one in waiting] == [one.round for one in shown if not one.decided]
    assert "nobody can decide" in waiting[-1].words
    for number in (0, dag.engine.last_round + 1):
        with pytest.raises(NoSuchRound):
            witnesses_view(dag, Round(number))


def test_a_member_that_is_cut_off_is_named_as_missing() -> None:
    world = DagWorld()
    for member in range(4):
        world.add(member, [])
    world.gossip(60, without=[3])
    dag = world.dag()
    hidden = world.events[3]
    why = asyncio.run(why_view(dag, hidden.id))
    assert why.received is None
    assert all("edsger" in one.missing for one in why.pending)
    assert any("did not receive it" in words for words in why.words)
    shown = asyncio.run(event_view(dag, hidden.id))
    assert (shown.member, shown.event.sequence, shown.forked) == ("edsger", 0, False)
