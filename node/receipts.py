"""Who waits for which stage of which transaction, and when each stage was reached here.

In memory and bounded: what is forgotten can still be read from the agreed order on disk, only the
times of its stages are lost. Owned by the event loop's thread; every method is quick.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from core.errors import MyceldError
from core.ids import Round, TransactionId
from gateway.views import Stage
from node.clock import wall_ns
from node.limits import RECEIPTS_TRACKED_MAX


@dataclass(slots=True)
class Track:
    """What is remembered of one transaction."""

    stages_ns: dict[Stage, int] = field(default_factory=dict)
    waiters: list[tuple[Stage, asyncio.Future[None]]] = field(default_factory=list)

    @property
    def stage(self) -> Stage | None:
        """The highest stage reached, None before the first."""
        return max(self.stages_ns, default=None)


class Receipts:
    """Stages by transaction id."""

    def __init__(self) -> None:
        self.trace: Callable[[Iterable[TransactionId], Stage, int], None] | None = None
        """Hears of all stages of all transactions, with the wall clock in ns; None if nobody
        traces."""
        self._tracks: OrderedDict[TransactionId, Track] = OrderedDict()
        self._uncertified: OrderedDict[Round, list[TransactionId]] = OrderedDict()

    def track(self, transaction: TransactionId) -> Track | None:
        """Return what is remembered of a transaction."""
        return self._tracks.get(transaction)

    def reached(self, transactions: Iterable[TransactionId], stage: Stage) -> None:
        """Note that transactions reached a stage, and wake those who wait for it.

        Those that nobody submitted or waits for here are not remembered: the order on disk is.
        """
        now_ns = wall_ns()
        if self.trace is not None:
            transactions = list(transactions)
            self.trace(transactions, stage, now_ns)
        for transaction in transactions:
            track = self._tracks.get(transaction)
            if track is None:
                if stage > Stage.STORED:
                    continue
                track = self._make(transaction)
            track.stages_ns.setdefault(stage, now_ns)
            if track.waiters:
                track.waiters = [w for w in track.waiters if not _wake(w, stage)]

    def applied(self, round_number: Round, transactions: list[TransactionId]) -> None:
        """Note that a round with these transactions was applied durably."""
        self.reached(transactions, Stage.APPLIED)
        if transactions:
            self._uncertified[round_number] = transactions

    def certified(self, round_number: Round) -> None:
        """Note that all applied rounds up to this one are certified."""
        while self._uncertified and next(iter(self._uncertified)) <= round_number:
            self.reached(self._uncertified.popitem(last=False)[1], Stage.CERTIFIED)

    def wait(self, transaction: TransactionId, stage: Stage) -> asyncio.Future[None]:
        """Return a future that is done when the transaction reaches the stage."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        track = self._make(transaction)
        if track.stage is not None and track.stage >= stage:
            future.set_result(None)
        else:
            track.waiters.append((stage, future))
        return future

    def stop_waiting(self, transaction: TransactionId, future: asyncio.Future[None]) -> None:
        """Forget a future of `wait` that nobody waits for any more."""
        future.cancel()
        track = self._tracks.get(transaction)
        if track is not None:
            track.waiters = [waiter for waiter in track.waiters if waiter[1] is not future]
            if not track.stages_ns and not track.waiters:
                del self._tracks[transaction]

    def fail(self, transactions: Iterable[TransactionId], error: MyceldError) -> None:
        """Tell who waits for these that they will never have a place, and forget them."""
        for transaction in transactions:
            track = self._tracks.pop(transaction, None)
            for _, future in [] if track is None else track.waiters:
                if not future.done():
                    future.set_exception(type(error)(error.detail))

    def fail_all(self, error: MyceldError) -> None:
        """Tell everybody who waits that nothing will come: the cell stops."""
        for track in self._tracks.values():
            for _, future in track.waiters:
                if not future.done():
                    future.set_exception(error)
            track.waiters = []

    def _make(self, transaction: TransactionId) -> Track:
        track = self._tracks.get(transaction)
        if track is None:
            if len(self._tracks) >= RECEIPTS_TRACKED_MAX:
                self._forget_oldest()  # before, so that it is never the new one
            track = self._tracks[transaction] = Track()
        return track

    def _forget_oldest(self) -> None:
        """Drop the oldest transaction that nobody waits for."""
        for transaction, track in self._tracks.items():
            if not track.waiters:
                del self._tracks[transaction]
                return


def _wake(waiter: tuple[Stage, asyncio.Future[None]], stage: Stage) -> bool:
    """Wake a waiter whose stage is reached; return whether it is done with."""
    wanted, future = waiter
    if future.done():
        return True
    if stage < wanted:
        return False
    future.set_result(None)
    return True
