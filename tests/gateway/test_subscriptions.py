"""The machine of subscriptions: nothing is lost or comes twice, and bounds hold."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.streams import StreamReader

from core.errors import InvariantBroken
from gateway.errors import SubscriberTooSlow
from gateway.stream_cell import Cursor, StreamFilter, StreamItem, StreamKind, StreamPage
from gateway.subscriptions import PeerWatch, Shared, Subscription, Tail, length_bytes, text_frame
from gateway.views import PeerView
from tests.gateway.fake_streams import change, transaction

KIND = StreamKind.TRANSACTIONS
SENDERS = ("aa" * 32, "bb" * 32)
ROOM = 1 << 20


def order(count: int) -> list[StreamItem]:
    return [transaction(at, sender=SENDERS[at % 3 % 2]) for at in range(count)]


def page(items: list[StreamItem], begin: Cursor) -> StreamPage:
    return StreamPage(items, items[-1].cursor if items else begin)


def got(shared: Sequence[Shared]) -> list[str]:
    return [one.item.cursor.text for one in shared]


STEPS = st.lists(
    st.tuples(st.sampled_from(("grow", "history", "take", "reconnect")), st.integers(1, 8)),
    max_size=40,
)


@given(
    steps=STEPS,
    wanted=st.sampled_from([StreamFilter(KIND), StreamFilter(KIND, SENDERS[0])]),
    start=st.integers(0, 20),
    begin=st.integers(0, 20),
    items_max=st.integers(1, 9),
)
def test_nothing_is_lost_or_comes_twice_wherever_a_subscriber_goes_on(
    steps: list[tuple[str, int]], wanted: StreamFilter, start: int, begin: int, items_max: int
) -> None:
    items = order(40)
    tail = Tail(KIND, Cursor(start), items_max=items_max)
    subscription, received = Subscription("a", wanted, Cursor(begin)), list[str]()
    to_the_end = [("grow", len(items)), *[("history", 8), ("take", 8)] * len(items)]
    for step, count in [*steps, *to_the_end]:
        if step == "grow":
            tail.extend(page(items[tail.end.number :][:count], tail.end))
        elif step == "reconnect":
            # A client knows the cursor of the last item that it got, which is not the place.
            last = Cursor(int(received[-1])) if received else Cursor(begin)
            subscription = Subscription("b", wanted, last)
        elif step == "take":
            try:
                received += got(subscription.take(tail, count * 1000).items)
            except SubscriberTooSlow:
                subscription = Subscription("c", wanted, subscription.place)
        elif subscription.number is None and not subscription.join(tail):
            durable = items[: tail.end.number]
            found = durable[subscription.place.number :][:count]
            matching = [one for one in found if wanted.matches(one.view)]
            end = found[-1].cursor if found else subscription.place
            received += got(subscription.take_page(StreamPage(matching, end)))
    expected = [one.cursor.text for one in items[begin:] if wanted.matches(one.view)]
    assert received == expected


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(1, 50))
def test_a_tail_holds_no_more_than_its_bounds(sizes: list[int], items_max: int) -> None:
    tail = Tail(StreamKind.STATE, Cursor(0), items_max=items_max, size_bytes_max=10_000)
    for number, size in enumerate(sizes, 1):
        tail.extend(page([change(number, "k", "v" * size)], tail.end))
        held = [tail.get(at).item for at in range(tail.first_number, tail.end_number)]
        assert len(held) <= items_max
        assert tail.size_bytes == sum(one.size_bytes for one in held)
        assert tail.size_bytes <= 10_000 or len(held) == 1
        assert tail.covers(tail.begin)
        assert not tail.first_number or not tail.covers(Cursor(0))


def test_who_falls_out_of_the_tail_is_told_the_place_to_go_on_from() -> None:
    items = order(10)
    tail = Tail(KIND, Cursor(0), items_max=4)
    subscription = Subscription("a", StreamFilter(KIND), Cursor(0))
    assert subscription.join(tail)
    tail.extend(page(items[:3], tail.end))
    assert got(subscription.take(tail, 1).items) == ["1"]  # no more room, and at least one
    tail.extend(page(items[3:], tail.end))
    with pytest.raises(SubscriberTooSlow, match="go on after 1"):
        subscription.take(tail, ROOM)
    assert subscription.place == Cursor(1)


def test_what_is_not_wanted_does_not_hold_a_subscriber_back() -> None:
    tail = Tail(KIND, Cursor(0), items_max=4)
    subscription = Subscription("a", StreamFilter(KIND, "cc" * 32), Cursor(0))
    assert subscription.join(tail)
    for one in order(20):
        tail.extend(page([one], tail.end))
        assert not subscription.take(tail, 1).items
    assert subscription.place == Cursor(20)


def test_who_stands_at_the_same_place_with_the_same_wish_gets_the_same_bytes() -> None:
    tail = Tail(KIND, Cursor(0))
    names = ("a", "a", "b", "narrow")
    wishes = [StreamFilter(KIND)] * 3 + [StreamFilter(KIND, "cc" * 32)]
    four = [Subscription(*one, Cursor(0)) for one in zip(names, wishes, strict=True)]
    assert all(one.join(tail) for one in four)
    for before, count in ((0, 3), (3, 5)):
        tail.extend(page(order(5)[before:count], tail.end))
        handouts = [one.take(tail, ROOM) for one in four]
        assert handouts[0] is handouts[1] is handouts[2]
        assert got(handouts[0].items) == [str(number + 1) for number in range(before, count)]
        assert not handouts[3].items
        sent = [handouts[0].messages(one.first_fragment) for one in four[:3]]
        assert sent[0] is sent[1]
        assert sent[2].count(b'{"subscription":"b"') == count - before
    assert {one.place for one in four} == {Cursor(5)}


def test_a_place_ahead_of_this_cell_is_waited_for() -> None:
    tail = Tail(KIND, Cursor(0))
    subscription = Subscription("a", StreamFilter(KIND), Cursor(5))
    assert subscription.join(tail)
    tail.extend(page(order(7), tail.end))
    assert got(subscription.take(tail, ROOM).items) == ["6", "7"]


def test_items_out_of_order_stop_the_tail() -> None:
    tail = Tail(KIND, Cursor(3))
    with pytest.raises(InvariantBroken):
        tail.extend(page(order(2), tail.end))


def test_a_round_without_a_key_comes_after_all_its_keys() -> None:
    assert Cursor(3).is_behind(Cursor(3, "z"))
    assert Cursor(4, "a").is_behind(Cursor(3))
    assert Cursor(3, "b").is_behind(Cursor(3, "a"))
    assert not Cursor(3).is_behind(Cursor(3))


@pytest.mark.parametrize("size", [1, 200, 70_000])
def test_an_item_is_one_message_whose_second_fragment_is_the_same_for_all(size: int) -> None:
    shared = Shared(StreamKind.STATE, change(1, "k", "v" * size))
    for name in ("a", "another"):
        subscription = Subscription(name, StreamFilter(StreamKind.STATE), Cursor(0))
        stream = StreamReader()
        stream.feed_data(subscription.first_fragment + shared.continuation)
        first, rest = _frame(stream), _frame(stream)
        assert (first[0], rest[0]) == ((Opcode.TEXT, False), (Opcode.CONT, True))
        frame = json.loads(first[1] + rest[1])
        assert frame["subscription"] == name
        assert (frame["kind"], frame["round"], frame["cursor"]) == ("state", 1, "1:k")
        assert frame["item"]["value"] == "v" * size
    assert shared.continuation is shared.continuation


def _frame(stream: StreamReader) -> tuple[tuple[Opcode, bool], bytes]:
    head = _read(stream, 2)
    length = head[1]
    if length >= 126:
        length = int.from_bytes(_read(stream, 2 if length == 126 else 8), "big")
    return (Opcode(head[0] & 15), bool(head[0] & 128)), _read(stream, length)


def _read(stream: StreamReader, count: int) -> bytes:
    reading = stream.read_exact(count)
    try:
        while True:
            next(reading)
    except StopIteration as found:
        return bytes(found.value)


def test_lengths_are_as_short_as_they_can_be() -> None:
    assert [len(length_bytes(size)) for size in (0, 125, 126, 65_535, 65_536)] == [1, 1, 3, 3, 9]
    assert text_frame(b"hi") == b"\x81\x02hi"


def peer(name: str, *, connected: bool = True, bytes_in: int = 0) -> PeerView:
    return PeerView(
        cell_id=name,
        name=name,
        member=True,
        connected=connected,
        direction=None,
        addresses=[],
        rtt_ms=None,
        bytes_in=bytes_in,
        bytes_out=0,
        events_in=0,
        events_out=0,
        last_error=None,
    )


def test_a_peer_is_told_of_when_it_comes_or_goes_and_not_for_its_counters() -> None:
    watch = PeerWatch()
    assert len(watch.look([peer("a"), peer("b")]).items) == 2
    assert watch.look([peer("a", bytes_in=9), peer("b")]).items == []
    (gone,) = watch.look([peer("a", connected=False), peer("b")]).items
    assert gone.cursor == Cursor(3)
    (lost,) = watch.look([peer("a", connected=False)]).items
    assert isinstance(lost.view, PeerView)
    assert (lost.view.cell_id, lost.view.connected) == ("b", False)
    assert [one.cursor for one in watch.snapshot().items] == [Cursor(4)]
