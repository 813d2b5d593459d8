"""A program: four simulated cells attest each other, one restarts; prints what they answer.

It has a process of its own, as each run of the simulator: the clock of the process is taken away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

import node.interactions as interactions_module
from core.errors import MyceldError
from core.ids import Hash
from gateway.trust_views import AttestWish
from gateway.views import ReceiptView, Stage
from identity.trust import INTERACTIONS_JOURNAL, exchange_digest
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
        return asdict(self.ask(at, lambda cell: cell.trust_of(about, 8, "general")))

    def sign(self, here: int, there: int, digest: Hash, *, known: bool) -> str:
        """Let a cell offer to sign an exchange; return how that ended."""
        ends = [self.world.cells[at].key.cell_id for at in (here, there)]

        async def note(cell: RunningCell) -> None:
            cell._parts.interactions.took_part(ends[0], digest)

        async def offer(cell: RunningCell) -> str:
            try:
                await cell._parts.interactions.sign_with(ends[1], digest)
            except MyceldError as error:
                return error.code
            return "signed"

        if known:
            self.ask(there, note)
        return self.ask(here, offer)

    def caught_up(self) -> None:
        cells = self.world.cells
        newest = max(cell.applied_round for cell in cells)
        self.wait(lambda: all(cell.applied_round >= newest for cell in cells))


def interactions(network: Network) -> dict[str, Any]:
    """Let time pass until cells have signed with each other that they are of one history."""
    cells = network.world.cells
    signed = [INTERACTIONS_JOURNAL in cell.parts.store.journals() for cell in cells if cell.parts]
    told: dict[str, Any] = {"before": signed}
    certified = cells[1].parts.execution.certified_hash if cells[1].parts else None
    told["early"] = None if certified is None else network.sign(0, 1, certified, known=False)
    network.loop.run_until(network.loop.time() + 30)
    blocks = [
        network.ask(at, lambda cell: cell.journal_blocks(INTERACTIONS_JOURNAL, start=0, limit=100))
        for at in range(len(cells))
    ]
    told["summaries"] = [[block.summary for block in some] for some in blocks]
    told["data"] = [[block.data_hex for block in some] for some in blocks]
    told["score"] = network.score(3, "cell-1")
    proof = network.ask(0, lambda cell: cell.journal_proof(INTERACTIONS_JOURNAL, 0))
    told["proof"] = proof.file
    told["network"] = network.world.genesis.network_id.hex()
    told["cells"] = [cell.key.cell_id for cell in cells]
    digest, other = exchange_digest(b"question", b"answer"), exchange_digest(b"a", b"b")
    told["exchange"] = [
        network.sign(0, 1, digest, known=False),
        network.sign(0, 1, digest, known=True),
        network.sign(0, 1, digest, known=False),
        network.sign(0, 1, other, known=False),
    ]
    return told


def rotations(network: Network) -> dict[str, Any]:
    """Have the one who attests take a new key, and the one in the middle."""
    cells = network.world.cells
    before = [cell.key.cell_id for cell in cells]
    for at in (0, 1):
        network.world.rotate(at)
        network.wait(lambda at=at: cells[at].rotations == 1 and cells[at].running is not None)  # type: ignore[misc]  # a bound default
        network.caught_up()
    return {
        "before": before,
        "ids": [one.cell_id for one in network.ask(0, lambda cell: cell.members()).members],
        "by name": network.score(0, "cell-3"),
        "by old id": network.score(0, before[1]),
        "graph": asdict(network.ask(0, lambda cell: cell.trust_graph(10, "general"))),
    }


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
    told["interactions"] = interactions(network)
    told["before"] = network.score(0, "cell-3")
    network.world.cells[0].kill()
    network.start(network.world.cells[0])
    told["restarted"] = network.score(0, "cell-3")
    told["graph"] = asdict(network.ask(0, lambda cell: cell.trust_graph(10, "general")))
    told["rotated"] = rotations(network)
    told["revoked outcome"] = network.attest(0, "cell-2", None).outcome
    told["revoked"] = network.score(0, "cell-2")
    told["findings"] = [str(one) for one in network.world.referee.findings]
    return told


def main() -> None:
    seed_sqlite(1)
    vars(interactions_module).update(INTERACTION_CHECK_S=1.0, INTERACTION_AFTER_S=5.0)
    network = Network(1)
    with clock.installed(network.loop, 1):
        told = story(network)
    print(json.dumps(told), flush=True)  # noqa: T201 - the program's output
    os._exit(0)  # what the cells were doing is not cleaned up


if __name__ == "__main__":
    main()
