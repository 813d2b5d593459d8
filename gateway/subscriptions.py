"""The machine of subscriptions: who has got what, and what each gets next. Pure.

Each kind of items has one `Tail`: the newest of them, without a gap, encoded once, held once, for
all who subscribe. A subscription is a filter and a place. It first gets history, pages of the
store that nobody keeps for it, until its place is in the tail; from then on it reads the tail. So
what waits for a slow reader is the part of the tail in front of it and no copy, and who falls out
of the tail's end is behind by more than the bound.

Two rules: a subscription's place only grows, and it moves over an item exactly when that item is
handed out or is not wanted. So nothing is lost and nothing comes twice, wherever it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from core.errors import check
from gateway.errors import SubscriberTooSlow
from gateway.json_bytes import json_bytes
from gateway.limits import (
    HANDOUT_NAMES_MAX,
    HANDOUTS_MAX,
    STREAM_TAIL_ITEMS_MAX,
    STREAM_TAIL_SIZE_BYTES_MAX,
)
from gateway.stream_cell import Cursor, StreamFilter, StreamItem, StreamKind, StreamPage
from gateway.views import PeerView

_WHOLE_TEXT: Final = b"\x81"
_FIRST_TEXT: Final = b"\x01"
_FINAL_CONTINUATION: Final = b"\x80"
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_PEER_SIZE_BYTES: Final = 1024


class Shared:
    """An item and its JSON, which is made when the first one gets it, for all."""

    def __init__(self, kind: StreamKind, item: StreamItem) -> None:
        self.item = item
        self._kind = kind

    @cached_property
    def json_tail(self) -> bytes:
        """The JSON object without its beginning, which names the subscription."""
        item = self.item
        frame = {
            "kind": self._kind.value,
            "round": item.round,
            "cursor": item.cursor.text,
            "item": item.view,
        }
        return json_bytes(frame)[1:]

    @cached_property
    def continuation(self) -> bytes:
        """The same as the last fragment of a WebSocket message."""
        return _FINAL_CONTINUATION + length_bytes(len(self.json_tail)) + self.json_tail


class Handout:
    """Items that are handed out at once, to one subscriber or to many that stand at one place."""

    def __init__(self, items: Sequence[Shared]) -> None:
        self.items = items
        self._messages: dict[bytes, bytes] = {}

    def messages(self, first_fragment: bytes) -> bytes:
        """Return WebSocket messages of them all, joined once for all who call them the same."""
        found = self._messages.get(first_fragment)
        if found is None:
            parts = (part for one in self.items for part in (first_fragment, one.continuation))
            found = b"".join(parts)
            if len(self._messages) < HANDOUT_NAMES_MAX:
                self._messages[first_fragment] = found
        return found


@dataclass(frozen=True, slots=True)
class _Step:
    """What a subscription with a filter and a place gets next, and where it is then."""

    handout: Handout
    number: int
    place: Cursor


class Tail:
    """The newest items of one kind. `begin` is the place before the first, `end` behind the last.

    Items have numbers that go on from 0; those before `first_number` are gone.
    """

    def __init__(
        self,
        kind: StreamKind,
        begin: Cursor,
        *,
        items_max: int = STREAM_TAIL_ITEMS_MAX,
        size_bytes_max: int = STREAM_TAIL_SIZE_BYTES_MAX,
    ) -> None:
        self.kind = kind
        self.begin = self.end = begin
        self.first_number = 0
        self.size_bytes = 0
        self.steps: dict[tuple[StreamFilter, Cursor, int, int], _Step] = {}
        """What was handed out since the tail was extended: others at that place get the same."""
        self._items: list[Shared] = []
        self._items_max = items_max
        self._size_bytes_max = size_bytes_max

    @property
    def end_number(self) -> int:
        """The number of the next item."""
        return self.first_number + len(self._items)

    def extend(self, page: StreamPage) -> None:
        """Add what follows, and let go of the oldest beyond the bounds."""
        self.steps.clear()
        place = self.end
        for item in page.items:
            check(item.cursor.is_behind(place), "items come in their order, each once")
            place = item.cursor
            self._items.append(Shared(self.kind, item))
            self.size_bytes += item.size_bytes
        check(not self.end.is_behind(page.end), "a page goes on, never back")
        self.end = page.end
        gone, count = 0, len(self._items)
        while count - gone > 1 and (
            count - gone > self._items_max or self.size_bytes > self._size_bytes_max
        ):
            self.size_bytes -= self._items[gone].item.size_bytes
            gone += 1
        if gone:
            self.begin = self._items[gone - 1].item.cursor
            del self._items[:gone]
            self.first_number += gone

    def covers(self, place: Cursor) -> bool:
        """Return whether all that follows a place is here, or to come."""
        return not self.begin.is_behind(place)

    def number_behind(self, place: Cursor) -> int:
        """Return the number of the first item behind a place that is covered."""
        low, high = 0, len(self._items)
        while low < high:
            middle = (low + high) // 2
            if self._items[middle].item.cursor.is_behind(place):
                high = middle
            else:
                low = middle + 1
        return self.first_number + low

    def get(self, number: int) -> Shared:
        """Return an item that is not gone."""
        return self._items[number - self.first_number]


class Subscription:
    """One filter of one subscriber. `number` is that of its next item; None: it gets history."""

    def __init__(self, name: str, wanted: StreamFilter, place: Cursor) -> None:
        self.name = name
        self.wanted = wanted
        self.place = place
        self.number: int | None = None
        self.beginning = json_bytes({"subscription": name})[:-1] + b","
        """Of each JSON object that it gets."""
        self.first_fragment = _FIRST_TEXT + length_bytes(len(self.beginning)) + self.beginning
        """Of each WebSocket message that it gets."""

    def join(self, tail: Tail) -> bool:
        """Go on from the tail if it covers the place; return whether it does."""
        if not tail.covers(self.place):
            return False
        self.number = tail.number_behind(self.place)
        return True

    def take_page(self, page: StreamPage) -> list[Shared]:
        """Move over a page of history; return what is wanted of it."""
        check(self.number is None, "history comes before the tail")
        kind = self.wanted.kind
        taken = [Shared(kind, item) for item in page.items if self._moves_over(item)]
        if page.end.is_behind(self.place):
            self.place = page.end
        return taken

    def take(self, tail: Tail, room_bytes: int) -> Handout:
        """Move on in the tail while there is room; return what is wanted of it, at least one item.

        Raises SubscriberTooSlow if the tail has gone on past it.
        """
        if self.number is None or self.number == tail.end_number:
            if self.number is not None and tail.end.is_behind(self.place):
                self.place = tail.end
            return _NOTHING
        if self.number < tail.first_number:
            raise SubscriberTooSlow(
                f"more than the newest items waited for it; go on after {self.place.text}",
            )
        begin = self.wanted, self.place, self.number, room_bytes
        step = tail.steps.get(begin)
        if step is None:
            step = self._step(tail, room_bytes, self.number)
            if len(tail.steps) < HANDOUTS_MAX:
                tail.steps[begin] = step
        self.number, self.place = step.number, step.place
        return step.handout

    def _step(self, tail: Tail, room_bytes: int, number: int) -> _Step:
        taken: list[Shared] = []
        while number < tail.end_number and room_bytes > 0:
            shared = tail.get(number)
            number += 1
            if self._moves_over(shared.item):
                taken.append(shared)
                room_bytes -= shared.item.size_bytes
        if number == tail.end_number and tail.end.is_behind(self.place):
            self.place = tail.end
        return _Step(Handout(taken), number, self.place)

    def _moves_over(self, item: StreamItem) -> bool:
        """Move the place; return whether the item is handed out."""
        if not item.cursor.is_behind(self.place):
            return False  # it came from another cell, which was ahead
        self.place = item.cursor
        return self.wanted.matches(item.view)


_NOTHING: Final = Handout(())


class PeerWatch:
    """Finds out what became of peers between two looks. Counters and round trips are no change."""

    def __init__(self) -> None:
        self._known: dict[str, PeerView] = {}
        self._number = 0

    def look(self, peers: Sequence[PeerView]) -> StreamPage:
        """Return the peers that are not what they were."""
        present = {peer.cell_id: peer for peer in peers}
        lost = [
            replace(peer, connected=False, direction=None)
            for cell_id, peer in self._known.items()
            if cell_id not in present and peer.connected
        ]
        changed = [peer for peer in peers if _shape(peer) != _shape(self._known.get(peer.cell_id))]
        self._known = present
        return StreamPage([self._item(peer) for peer in [*lost, *changed]], Cursor(self._number))

    def snapshot(self) -> StreamPage:
        """Return all peers as they were at the last look, none of which is news."""
        here = Cursor(self._number)
        items = [StreamItem(here, None, peer, _PEER_SIZE_BYTES) for peer in self._known.values()]
        return StreamPage(items, here)

    def _item(self, peer: PeerView) -> StreamItem:
        self._number += 1
        return StreamItem(Cursor(self._number), None, peer, _PEER_SIZE_BYTES)


def length_bytes(size: int) -> bytes:
    """Return the length of an unmasked WebSocket frame as RFC 6455, section 5.2 writes it."""
    if size < _LENGTH_16:
        return bytes([size])
    if size < 1 << 16:
        return bytes([_LENGTH_16]) + size.to_bytes(2, "big")
    return bytes([_LENGTH_64]) + size.to_bytes(8, "big")


def text_frame(data: bytes) -> bytes:
    """Return a whole WebSocket message."""
    return _WHOLE_TEXT + length_bytes(len(data)) + data


def _shape(peer: PeerView | None) -> tuple[object, ...] | None:
    if peer is None:
        return None
    return peer.name, peer.member, peer.connected, peer.direction, tuple(peer.addresses)
