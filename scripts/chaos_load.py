"""Clients of the cells: each puts one value after the other and remembers what was acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chaos_cell import Cell

from core.errors import MyceldError
from myceld import Client

_RETRY_S: Final = 0.05
_ANSWER_S: Final = 20.0
_KEYS: Final = 50


class Load:
    """One client of one cell, which goes on over the cell's restarts."""

    def __init__(self, number: int, home: Path, rate_per_s: float) -> None:
        self.number = number
        self.acknowledged: list[str] = []
        self._home = home
        self._pause_s = 1 / rate_per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load-{number}", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Put no more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the answer that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        sent = 0
        with Client.from_home(self._home, timeout_s=_ANSWER_S) as client:
            due_s = time.monotonic()
            while not self._stop.is_set():
                sent += 1
                key = f"load-{self.number}-{sent % _KEYS}"
                try:
                    answer = client.put(key, b"%d" % sent, timeout_s=_ANSWER_S)
                    self.acknowledged.append(answer["id"])
                except MyceldError:
                    self._stop.wait(_RETRY_S)
                due_s = max(due_s + self._pause_s, time.monotonic() - 1)
                self._stop.wait(max(0.0, due_s - time.monotonic()))


@contextmanager
def loaded(cells: Sequence[Cell], rate_per_s: float) -> Iterator[list[Load]]:
    """Have a client at each cell inside the block; `rate_per_s` is of all together."""
    loads = [Load(cell.number, cell.home, rate_per_s / len(cells)) for cell in cells]
    try:
        yield loads
    finally:
        for load in loads:
            load.ask_to_stop()
        for load in loads:
            load.join()
