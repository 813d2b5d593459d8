"""Carries items from the cell to all subscribers: the shell of `gateway.subscriptions`.

While a kind of items has subscribers, one task reads what is new from the store, once for all of
them, and hands it to each that is not blocked; one more looks after their progress. Without
subscribers there is no task. Nobody is waited for: a blocked subscriber is passed over, goes on
when its connection has room again, and is dropped when it falls behind too far or for too long.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import structlog

from core.errors import MyceldError
from gateway.answers import error_view
from gateway.errors import (
    BadRequest,
    GatewayStopping,
    HistoryGone,
    SubscriberGone,
    SubscriberTooSlow,
    SubscriptionNamed,
    TooManySubscribers,
    TooManySubscriptions,
    Unexpected,
)
from gateway.limits import (
    PEERS_LOOK_S,
    STREAM_LOOK_S,
    STREAM_NEWS_S_MAX,
    STREAM_PACE_PER_SUBSCRIBER_S,
    STREAM_PACE_S,
    STREAM_PAGE_ITEMS_MAX,
    STREAM_PAGES_MAX,
    STREAM_ROOM_BYTES,
    STREAM_STALL_S_MAX,
    STREAM_TURN,
    SUBSCRIBERS_MAX,
    SUBSCRIBERS_PER_CALLER_MAX,
    SUBSCRIPTIONS_MAX,
)
from gateway.stream_cell import Cursor, StreamCell, StreamFilter, StreamKind
from gateway.subscriptions import Handout, PeerWatch, Shared, Subscription, Tail

_LOG: structlog.stdlib.BoundLogger = structlog.get_logger("streams")


class Sink(Protocol):
    """A connection to a subscriber."""

    @property
    def is_blocked(self) -> bool:
        """Whether it holds as much as it may that the other end has not taken."""
        ...

    async def room(self) -> None:
        """Wait until it is not blocked, or ended."""
        ...

    def put(self, subscription: Subscription, handout: Handout) -> None:
        """Send items."""
        ...

    def tell(self, message: Mapping[str, object]) -> None:
        """Send something that is no item."""
        ...

    def end(self, error: MyceldError) -> None:
        """Say why, and close; cut it if the other end does not let it."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription as it is asked for; at most one of the two says where it begins."""

    name: str
    wanted: StreamFilter
    after: Cursor | None = None
    after_round: int | None = None


@dataclass(slots=True, eq=False)
class Subscriber:
    """Somebody who is connected."""

    sink: Sink
    caller: str
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    blocked_since_s: float | None = None
    has_ended: bool = False


class Hub:
    """All subscribers of a gateway. Owned by the event loop's thread."""

    def __init__(self, cell: StreamCell) -> None:
        self._cell = cell
        self._subscribers: dict[Subscriber, None] = {}
        self._callers: Counter[str] = Counter()
        self._tails: dict[StreamKind, Tail] = {}
        self._readers: dict[StreamKind, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._peers = PeerWatch()
        self._pages = asyncio.Semaphore(STREAM_PAGES_MAX)
        self._stopping = False

    def attach(self, sink: Sink, caller: str) -> Subscriber:
        """Take somebody in; raises TooManySubscribers or GatewayStopping."""
        if self._stopping:
            raise GatewayStopping("the cell is stopping")
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise TooManySubscribers(f"{SUBSCRIBERS_MAX} subscribers are connected")
        if self._callers[caller] >= SUBSCRIBERS_PER_CALLER_MAX:
            raise TooManySubscribers(f"{SUBSCRIBERS_PER_CALLER_MAX} connections of one caller")
        subscriber = Subscriber(sink, caller)
        self._subscribers[subscriber] = None
        self._callers[caller] += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="stream-watch")
        return subscriber

    def detach(self, subscriber: Subscriber) -> None:
        """Forget somebody whose connection has ended; safe to repeat."""
        if self._subscribers.pop(subscriber, self) is self:
            return
        subscriber.has_ended = True
        self._callers -= Counter([subscriber.caller])
        for name in list(subscriber.subscriptions):
            self.unsubscribe(subscriber, name)
        if not self._subscribers and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def subscribe(self, subscriber: Subscriber, wish: Wish) -> Subscription:
        """Begin a subscription, and tell where; `catch_up` is to be run for it.

        Raises SubscriptionNamed, TooManySubscriptions, BadRequest, HistoryGone or SubscriberGone.
        """
        kind = wish.wanted.kind
        if wish.name in subscriber.subscriptions:
            raise SubscriptionNamed(f"there is a subscription {wish.name!r} already")
        if len(subscriber.subscriptions) >= SUBSCRIPTIONS_MAX:
            raise TooManySubscriptions(f"{SUBSCRIPTIONS_MAX} subscriptions on one connection")
        place = wish.after
        if kind is StreamKind.PEERS and (place or wish.after_round is not None):
            raise BadRequest("peers have no history: a subscription begins with all of them")
        if wish.after_round is not None:
            place = await self._cell.stream_after_round(kind, wish.after_round)
        tail = await self._tail_of(kind)
        if subscriber.has_ended:
            if not self._of(kind):
                self._drop(kind)
            raise SubscriberGone("the connection ended meanwhile")
        subscription = Subscription(wish.name, wish.wanted, tail.end if place is None else place)
        subscriber.subscriptions[wish.name] = subscription
        subscriber.sink.tell(
            {
                "subscription": wish.name,
                "subscribed": kind.value,
                "cursor": subscription.place.text,
            }
        )
        if kind is StreamKind.PEERS:
            known = [Shared(kind, item) for item in self._peers.snapshot().items]
            subscriber.sink.put(subscription, Handout(known))
        return subscription

    def unsubscribe(self, subscriber: Subscriber, name: str) -> None:
        """End a subscription; raises SubscriptionNamed if there is none of this name."""
        subscription = subscriber.subscriptions.pop(name, None)
        if subscription is None:
            raise SubscriptionNamed(f"there is no subscription {name!r}")
        kind = subscription.wanted.kind
        if not self._of(kind):
            self._drop(kind)

    async def catch_up(self, subscriber: Subscriber, subscription: Subscription) -> None:
        """Give a subscription its history, and have it go on with what is new."""
        name, wanted = subscription.name, subscription.wanted
        try:
            while subscriber.subscriptions.get(name) is subscription:
                if subscription.join(self._tails[wanted.kind]):
                    self.pump(subscriber)
                    return
                await self._give_page(subscriber, subscription)
        except MyceldError as error:
            self._refuse(subscriber, subscription, error)

    def pump(self, subscriber: Subscriber) -> None:
        """Give somebody what there is, as long as there is room."""
        sink = subscriber.sink
        if not sink.is_blocked:
            subscriber.blocked_since_s = None
        try:
            for subscription in list(subscriber.subscriptions.values()):
                tail = self._tails[subscription.wanted.kind]
                while not (subscriber.has_ended or sink.is_blocked):
                    handout = subscription.take(tail, STREAM_ROOM_BYTES)
                    if not handout.items:
                        break
                    sink.put(subscription, handout)
        except SubscriberTooSlow as error:
            self.end(subscriber, error)

    def end(self, subscriber: Subscriber, error: MyceldError) -> None:
        """Drop somebody, and say why."""
        if not subscriber.has_ended:
            _LOG.info("subscriber dropped", caller=subscriber.caller, reason=str(error))
            self.detach(subscriber)
            subscriber.sink.end(error)

    def stop(self) -> None:
        """Say goodbye to all, and take nobody in any more."""
        self._stopping = True
        for subscriber in list(self._subscribers):
            self.end(subscriber, GatewayStopping("the cell is stopping"))

    @property
    def subscribers(self) -> list[Subscriber]:
        """All who are connected."""
        return list(self._subscribers)

    def is_idle(self) -> bool:
        """Whether there is no task at all."""
        return not self._readers and self._watching is None

    async def _tail_of(self, kind: StreamKind) -> Tail:
        """Return the tail of a kind, which is read from now on."""
        if kind not in self._tails:
            if kind is StreamKind.PEERS:
                self._peers = PeerWatch()
                begin = self._peers.look(self._cell.peers()).end
            else:
                begin = await self._cell.stream_head(kind)
            if kind not in self._tails:  # nobody else was faster
                self._tails[kind] = Tail(kind, begin)
                work = self._read(kind, self._tails[kind])
                self._readers[kind] = asyncio.create_task(work, name=f"stream-{kind.value}")
        return self._tails[kind]

    async def _read(self, kind: StreamKind, tail: Tail) -> None:
        """Add to a tail what is new, and deliver it."""
        try:
            while True:
                has_more = await self._extend(kind, tail)
                served = await self._deliver(kind)
                pace_s = max(STREAM_PACE_S, served * STREAM_PACE_PER_SUBSCRIBER_S)
                await asyncio.sleep(0 if has_more else pace_s)
        except MyceldError as error:
            self._fail(kind, error)
        except Exception:  # noqa: BLE001 - supervises a task of the gateway's own
            _LOG.exception("unexpected error", kind=kind.value)
            self._fail(kind, Unexpected("the gateway met an unexpected error"))

    async def _extend(self, kind: StreamKind, tail: Tail) -> bool:
        """Wait for something new, and add a page; return whether there is likely more."""
        if kind is StreamKind.PEERS:
            await asyncio.sleep(PEERS_LOOK_S)
            tail.extend(self._peers.look(self._cell.peers()))
            return False
        await self._news(kind, tail.end)
        page = await self._cell.stream_page(StreamFilter(kind), tail.end, STREAM_PAGE_ITEMS_MAX)
        tail.extend(page)
        return len(page.items) >= STREAM_PAGE_ITEMS_MAX

    async def _news(self, kind: StreamKind, place: Cursor) -> None:
        try:
            async with asyncio.timeout(STREAM_NEWS_S_MAX):
                await self._cell.stream_news(kind, place)
        except TimeoutError:
            return

    async def _deliver(self, kind: StreamKind) -> int:
        """Give all of a kind what there is; return how many had room for it."""
        served = 0
        for subscriber in list(dict.fromkeys(who for who, _ in self._of(kind))):
            if not (subscriber.has_ended or subscriber.sink.is_blocked):
                self.pump(subscriber)
                served += 1
                if served % STREAM_TURN == 0:
                    await asyncio.sleep(0)
        return served

    async def _give_page(self, subscriber: Subscriber, subscription: Subscription) -> None:
        """Send one page of history, no faster than it is read."""
        sink, wanted, place = subscriber.sink, subscription.wanted, subscription.place
        async with self._pages:
            page = await self._cell.stream_page(wanted, place, STREAM_PAGE_ITEMS_MAX)
            for batch in _batches(subscription.take_page(page)):
                await sink.room()
                if subscriber.has_ended:
                    return
                sink.put(subscription, Handout(batch))
        if page.end == place:
            await self._news(wanted.kind, place)
        else:
            await asyncio.sleep(0)

    async def _watch(self) -> None:
        """Look after progress while there are subscribers."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(STREAM_LOOK_S)
            now = loop.time()
            for subscriber in list(self._subscribers):
                if not subscriber.sink.is_blocked:
                    self.pump(subscriber)
                elif subscriber.blocked_since_s is None:
                    subscriber.blocked_since_s = now
                elif now - subscriber.blocked_since_s > STREAM_STALL_S_MAX:
                    stall = f"nothing was read for {STREAM_STALL_S_MAX:.0f} s"
                    self.end(subscriber, SubscriberTooSlow(stall))

    def _of(self, kind: StreamKind) -> list[tuple[Subscriber, Subscription]]:
        return [
            (subscriber, subscription)
            for subscriber in self._subscribers
            for subscription in subscriber.subscriptions.values()
            if subscription.wanted.kind is kind
        ]

    def _refuse(
        self, subscriber: Subscriber, subscription: Subscription, error: MyceldError
    ) -> None:
        """End one subscription, and say why; others of the connection go on."""
        if subscriber.subscriptions.get(subscription.name) is subscription:
            self.unsubscribe(subscriber, subscription.name)
            subscriber.sink.tell(refusal_fields(subscription.name, error))

    def _fail(self, kind: StreamKind, error: MyceldError) -> None:
        """End all subscriptions of a kind, whose tail can not go on."""
        _LOG.warning("subscriptions ended", kind=kind.value, reason=str(error))
        del self._readers[kind]  # it is this task, which ends by itself
        for subscriber, subscription in self._of(kind):
            self._refuse(subscriber, subscription, error)
        self._drop(kind)

    def _drop(self, kind: StreamKind) -> None:
        self._tails.pop(kind, None)
        reader = self._readers.pop(kind, None)
        if reader is not None:
            reader.cancel()


def _batches(items: Sequence[Shared]) -> Iterator[Sequence[Shared]]:
    """Yield items in parts of about STREAM_ROOM_BYTES."""
    begin, size_bytes = 0, 0
    for at, shared in enumerate(items):
        if size_bytes > STREAM_ROOM_BYTES:
            yield items[begin:at]
            begin, size_bytes = at, 0
        size_bytes += shared.item.size_bytes
    if items:
        yield items[begin:]


def refusal_fields(name: str | None, error: MyceldError) -> dict[str, object]:
    """Return the frame that says that a subscription is refused or ended."""
    view = error_view(error)
    shown = {field.name: getattr(view, field.name) for field in fields(view)}
    if isinstance(error, HistoryGone):
        shown["resume"] = error.resume
    return {"subscription": name, "error": shown}
