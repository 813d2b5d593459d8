"""Clients of real cells, and what must hold of what they were told."""

from __future__ import annotations

import threading
import time

from hashgraph.event import UnresolvedEvent
from myceld import CellRefused, CellUnreachable, Client
from tests.network.devnet import Devnet


class Load:
    """A client that puts one value after the other and remembers what was acknowledged."""

    def __init__(self, net: Devnet, cell: int) -> None:
        self._net, self._cell = net, cell
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)  # a failed test ends
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        with Client.from_home(self._net.home(self._cell)) as client:
            while not self._stop.is_set():
                number += 1
                try:
                    answer = client.put(f"load-{self._cell}", b"%d" % number)
                    self.acknowledged.append(answer["id"])
                except (CellUnreachable, CellRefused):
                    time.sleep(0.05)


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
