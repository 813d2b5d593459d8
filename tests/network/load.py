"""Clients of real cells, and what must hold of what they were told."""

from __future__ import annotations

import threading
import time

from core.errors import MyceldError
from hashgraph.event import UnresolvedEvent
from myceld import Client
from tests.network.devnet import WAIT_S, Devnet, wait_until

PAUSE_S = 0.05
"""Between an answer and the next value: a cell is to be at work, not the machine."""


class Load:
    """A client that puts one value after the other and remembers what was acknowledged."""

    def __init__(self, net: Devnet, cell: int) -> None:
        self._net, self._cell = net, cell
        self.acknowledged: list[str] = []
        self._refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)  # a failed test ends
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def wait_refused(self) -> None:
        """Wait until a value is refused: whatever was acknowledged before is noted then."""
        before = self._refused
        wait_until(lambda: self._refused > before + 1, "its cell still answers")

    def _run(self) -> None:
        number = 0
        with Client.from_home(self._net.home(self._cell), timeout_s=WAIT_S) as client:
            while not self._stop.is_set():
                number += 1
                try:
                    answer = client.put(f"load-{self._cell}", b"%d" % number)
                    self.acknowledged.append(answer["id"])
                except MyceldError:
                    self._refused += 1
                time.sleep(PAUSE_S)


def check_acknowledged(net: Devnet, loads: list[Load]) -> None:
    outcomes = {line["id"]: line["outcome"] for line in net.all_transactions(1)}
    for load in loads:
        missing = [one for one in load.acknowledged if outcomes.get(one) != "applied"]
        assert not missing, f"{len(missing)} of {len(load.acknowledged)} lost"


def check_no_fork(logs: list[list[UnresolvedEvent]]) -> None:
    """No two different events of one creator in an epoch have one sequence number, at any cell."""
    seen: dict[tuple[int, int, int], bytes] = {}
    for log in logs:
        for event in log:
            place = (event.epoch, event.creator, event.sequence)
            assert seen.setdefault(place, event.id) == event.id
