"""One direction between two machines, and the ordered channels of connections over it.

A channel does what TCP does: what the link delays, loses or holds up arrives late and in order,
once; it never arrives changed. A cut link loses all packets, so items wait at their sender and come
some time after the link is whole again.
"""

from __future__ import annotations

import contextvars
import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sim.limits import (
    BASE_DELAY_S,
    HELD_ITEMS_MAX,
    JITTER_S,
    PACKET_BYTES,
    RETRANSMISSION_S_MAX,
    RETRANSMISSION_S_MIN,
    RETRANSMISSIONS_MAX,
    WAITING_CHANNELS_MAX,
)

if TYPE_CHECKING:
    from sim.life import Life
    from sim.loop import SimLoop
    from sim.machine import Machine


@dataclass(slots=True, eq=False)
class Link:
    """The way from one machine to another. All but `chance` may be set at any time."""

    chance: random.Random
    delay_s: float = BASE_DELAY_S
    jitter_s: float = JITTER_S
    loss: float = 0.0
    """Probability that one packet is lost."""
    spike_s: float = 0.0
    """Added to every delay while it lasts."""
    bytes_per_s: float | None = None
    cut: bool = False
    """Set by `SimNetwork.cut` and `heal`."""
    cut_at_s: float = 0.0
    free_at_s: float = 0.0
    """When the bytes before have left, on a link of limited bandwidth."""
    waiting: OrderedDict[Channel, None] = field(default_factory=OrderedDict)
    """Channels with items that were lost."""

    def travel_s(self, size_bytes: int, now_s: float) -> float:
        """Draw how long an item takes from now."""
        took_s = self.delay_s + self.spike_s + self.jitter_s * self.chance.random()
        if self.bytes_per_s is not None:
            self.free_at_s = max(self.free_at_s, now_s) + size_bytes / self.bytes_per_s
            took_s += self.free_at_s - now_s
        if self.loss > 0:
            took_s += self._retransmissions_s(1 + size_bytes // PACKET_BYTES)
        return took_s

    def _retransmissions_s(self, packets: int) -> float:
        """Draw how long the slowest of the packets is late: each loss in a row doubles the wait."""
        wait_s = max(RETRANSMISSION_S_MIN, 2 * (self.delay_s + self.spike_s))
        late_s, lost = 0.0, 1 - (1 - self.loss) ** packets
        for _ in range(RETRANSMISSIONS_MAX):
            if self.chance.random() >= lost:
                break
            late_s += min(wait_s, RETRANSMISSION_S_MAX)
            wait_s, lost = 2 * wait_s, self.loss
        return late_s


_Item: TypeAlias = tuple[int, int, Callable[..., None], tuple[object, ...]]
"""Number, size in bytes, and what to call at the receiver."""


class Channel:
    """One direction of a connection."""

    def __init__(self, loop: SimLoop, link: Link, source: Machine, target: Machine) -> None:
        self.receiver: Life | None = None
        """In whose context items arrive; None for a machine's kernel."""
        self._loop = loop
        self._link = link
        self._source, self._target = source, target
        self._sent = self._arrived = 0
        self._lost: list[_Item] = []
        self._early: dict[int, _Item] = {}

    @property
    def full(self) -> bool:
        """Tell whether too much waits for a link that is cut."""
        return len(self._lost) >= HELD_ITEMS_MAX

    def send(self, size_bytes: int, function: Callable[..., None], *args: object) -> None:
        """Call a function at the receiver once the item has travelled; keeps the order."""
        item = (self._sent, size_bytes, function, args)
        self._sent += 1
        self._post(item)

    def send_again(self) -> None:
        """Send what was lost: the link is whole again, or the machine back."""
        lost, self._lost = self._lost, []
        for item in lost:
            self._post(item)

    def forget(self) -> None:
        """Give up what has not arrived."""
        self._lost.clear()
        self._link.waiting.pop(self, None)

    def _blocked(self) -> bool:
        return self._link.cut or not self._target.up or not self._source.up

    def _post(self, item: _Item) -> None:
        if self._blocked():
            self._lose(item)
            return
        now_s, receiver = self._loop.time(), self.receiver
        at_s = now_s + self._link.travel_s(item[1], now_s)
        context = contextvars.Context() if receiver is None else receiver.context
        self._loop.call_at(at_s, self._arrive, item, context=context)

    def _arrive(self, item: _Item) -> None:
        if self._blocked():
            self._lose(item)
            return
        if item[0] != self._arrived:
            self._early[item[0]] = item
            return
        while True:
            self._arrived += 1
            item[2](*item[3])
            following = self._early.pop(self._arrived, None)
            if following is None:
                return
            item = following

    def _lose(self, item: _Item) -> None:
        if self.full:
            return
        self._lost.append(item)
        waiting = self._link.waiting
        waiting[self] = None
        if len(waiting) > WAITING_CHANNELS_MAX:
            waiting.popitem(last=False)[0].forget()
