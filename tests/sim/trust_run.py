"""A program: four simulated cells attest each other, one restarts; prints what they answer.

It has a process of its own, as each run of the simulator: the clock of the process is taken away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

from gateway.trust_views import AttestWish
from gateway.views import ReceiptView, Stage
from node.cell import RunningCell
from sim import clock
from sim.cell import SimCell
from sim.disk import seed_sqlite
from sim.loop import SimLoop
from sim.scenario import Scenario
from sim.trace import Trace
from sim.world import World

T = TypeVar("T")
PATIENCE_S = 30.0


class Network:
    """Four cells, and the way to ask them."""

    def __init__(self, seed: int) -> None:
        self.loop = SimLoop()
        scenario = Scenario(seed=seed, members=4, epoch_rounds=16)
        self.world = World(scenario, self.loop, Trace(lambda: round(self.loop.time() * 1000), None))

    def start(self, cell: SimCell) -> None:
        cell.start()
        self.wait(lambda: cell.running is not None)

    def wait(self, ready: Callable[[], bool]) -> None:
        until_s = self.loop.time() + PATIENCE_S
        while not ready():
            assert self.loop.time() < until_s, "it takes too long"
            self.loop.run_until(self.loop.time() + 0.05)

    def ask(self, at: int, make: Callable[[RunningCell], Coroutine[Any, Any, T]]) -> T:
        answer = self.world.cells[at].ask(make)
        self.wait(answer.done)
        return answer.result()

    def attest(self, at: int, about: str, score: int | None, scope: str = "general") -> ReceiptView:
        wish = AttestWish(about, scope, score)
        return self.ask(
            at, lambda cell: cell.attest(wish, wait=Stage.APPLIED, timeout_s=PATIENCE_S)
        )

    def score(self, at: int, about: str) -> dict[str, Any]:
        return asdict(self.ask(at, lambda cell: cell.trust_of(about, 8)))

    def caught_up(self) -> None:
        cells = self.world.cells
        newest = max(cell.applied_round for cell in cells)
        self.wait(lambda: all(cell.applied_round >= newest for cell in cells))


def story(network: Network) -> dict[str, Any]:
    for cell in network.world.cells:
        cell.start()
    network.wait(lambda: all(cell.running is not None for cell in network.world.cells))
    told: dict[str, Any] = {}
    outcomes = [
        network.attest(0, "cell-2", 900_000),
        network.attest(1, "cell-3", 1_000_000),
        network.attest(0, "cell-4", 500_000, "chat"),
        network.attest(0, "cell-1", 500_000),
    ]
    told["outcomes"] = [one.refusal and one.refusal.code for one in outcomes]
    network.caught_up()
    told["direct"] = network.score(0, "cell-2")
    told["indirect"] = network.score(0, "cell-3")
    told["elsewhere"] = network.score(3, "cell-3")
    network.world.cells[0].kill()
    network.start(network.world.cells[0])
    told["restarted"] = network.score(0, "cell-3")
    told["graph"] = asdict(network.ask(0, lambda cell: cell.trust_graph(10)))
    told["revoked outcome"] = network.attest(0, "cell-2", None).outcome
    told["revoked"] = network.score(0, "cell-3")
    told["findings"] = [str(one) for one in network.world.referee.findings]
    return told


def main() -> None:
    seed_sqlite(1)
    network = Network(1)
    with clock.installed(network.loop, 1):
        told = story(network)
    print(json.dumps(told), flush=True)  # noqa: T201 - the program's output
    os._exit(0)  # what the cells were doing is not cleaned up


if __name__ == "__main__":
    main()
