"""Tells those who watch the state that a round is durable; holds nothing for them.

Who watches reads what changed from the disk, at its own pace: a slow one costs no memory, and hears
that it was too slow when what follows is not kept any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.ids import Round
from ledger.machine import Applied
from node.errors import TooManyWatchers
from node.limits import WATCHERS_MAX


class StateNews:
    """The newest durable round. `applied` is told of each."""

    def __init__(self, applied: Round = Round(0)) -> None:
        self.round = applied
        self.has_ended = False
        """Whether the cell jumped: what comes now is told elsewhere."""
        self._changed = asyncio.Event()
        self._watchers = 0

    def applied(self, applied: Applied) -> None:
        """Note a round whose effects are durable."""
        self.round = applied.header.round
        self._wake()

    def end(self) -> None:
        """Have who waits look anew: nothing will be told here any more."""
        self.has_ended = True
        self._wake()

    async def after(self, round_number: Round) -> None:
        """Wait until a later round is durable, or nothing will be told here any more."""
        while self.round <= round_number and not self.has_ended:
            await self._changed.wait()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count a watcher; raises TooManyWatchers."""
        if self._watchers >= WATCHERS_MAX:
            raise TooManyWatchers(f"{self._watchers} watch already")
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
