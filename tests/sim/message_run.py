"""One simulated network whose cells send messages, as a program: prints what came of it as JSON.

A process of its own, as its clock and chance are taken away:
`python -m tests.sim.message_run 1 rotate`, the last word only if both ends are to take new keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core import failpoint
from core.errors import MyceldError
from gateway.message_views import ContentView, MessageQuery, MessageWish
from gateway.trust_views import AttestWish
from gateway.views import Stage
from identity.messages.work import Posting, encode_work
from identity.trust import GENERAL_SCOPE
from ledger.kinds import VALUE_PREFIX
from ledger.state_proof import StateAnswer, StateQuestion, decode_message, encode_message
from node.cell import RunningCell
from sim import clock
from sim.cell import SimCell
from sim.disk import seed_sqlite
from sim.errors import CellDown
from sim.loop import SimLoop
from sim.scenario import Action, Scenario
from sim.trace import Trace
from sim.world import World, on_error_of

_T = TypeVar("_T")

RECEIVED = MessageQuery(way="received", cell=None, room=None, status=None)
BODY = b"of May" * 100
TROUBLE = (
    Action(500, "power cut", (0, 2), 500),
    Action(1_200, "partition", (1, 3), 900),
    Action(2_200, "power cut", (2,), 1_500),
    Action(3_000, "crash at write", (0,), 300, 40, "power cut"),
)
LATE_TROUBLE = (Action(4_700, "power cut", (0, 2), 500),)
"""While they rotate, or a little later."""


class MessageRun:
    """Alice, the first cell, writes to Bob, the third, while both are in trouble."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alice, self.bob = world.cells[0], world.cells[2]
        self.told: list[str] = []
        """Texts that were acknowledged."""

    async def talk(self) -> None:
        for number in range(80):
            await asyncio.sleep(0.05)
            try:
                await self.alice.ask(self._sends(self.chat(str(number))))
            except (CellDown, MyceldError):
                continue
            self.told.append(str(number))

    async def rotate(self, cell: SimCell, after_s: float) -> None:
        """Have a cell take another key, whatever comes in between."""
        await asyncio.sleep(after_s)
        while not cell.rotations:
            try:
                async with asyncio.timeout(2):
                    await cell.ask(lambda one: one.rotate_key(wait=Stage.STORED, timeout_s=2))
            except (CellDown, MyceldError, TimeoutError):
                pass
            await asyncio.sleep(0.5)

    def chat(self, text: str) -> MessageWish:
        return MessageWish(self.bob.key.cell_id, b"", "CHAT", text, b"", 3600)

    def request(self, kind: str, body: bytes) -> MessageWish:
        return MessageWish(self.bob.key.cell_id, b"", kind, "", body, 3600)

    def outcome(self) -> dict[str, object]:
        """After the recovery: what there is at the end."""
        (last,) = self._ask(self.alice, self._sends(self.chat("last")))
        page = self._until(
            self.bob,
            lambda cell: cell.next_messages(RECEIVED, after=-1, limit=1000, timeout_s=5),
            lambda page: bool(page.messages) and page.messages[-1].text == "last",
        )
        end = self._until(
            self.alice,
            lambda cell: cell.message(last.id, wait=None, timeout_s=5),
            lambda view: view.status == "delivered",
        )
        return {
            "told": self.told,
            "texts": [view.text for view in page.messages],
            "end": end.status,
            "posted": self._post(),
            "proven": self._query(),
            "rotations": [cell.rotations for cell in self.world.cells],
        }

    def _post(self) -> bool:
        """Have Bob post something; return whether a third cell comes to have it.

        He does so for those whom he trusts.
        """
        friend = self.alice.key.cell_id
        said = AttestWish(friend, GENERAL_SCOPE, 900_000)
        self._ask(self.bob, lambda cell: cell.attest(said, wait=Stage.CERTIFIED, timeout_s=10))
        self._ask(self.bob, lambda cell: cell.trust_of(friend, 1, "general"))
        wish = self.request("POST", encode_work(Posting("minutes", BODY)))
        self._ask(self.alice, self._sends(wish))
        wanted = hashlib.sha256(BODY).hexdigest()  # clients post too

        def is_here(items: list[ContentView]) -> bool:
            return any(view.hash == wanted and view.here for view in items)

        return is_here(
            self._until(
                self.world.cells[1], lambda cell: cell.contents(offset=0, limit=100), is_here
            )
        )

    def _query(self) -> bool:
        """Ask Bob for a value; return whether the answer carries a proof."""
        question = encode_message(StateQuestion(VALUE_PREFIX + b"sim/0"))
        self._ask(self.alice, self._sends(self.request("QUERY", question)))
        page = self._until(
            self.alice,
            lambda cell: cell.next_messages(RECEIVED, after=-1, limit=100, timeout_s=1),
            lambda page: bool(page.messages),
        )
        bodies = [view.body_hex or "" for view in page.messages if view.type == "QUERY"]
        answers = [decode_message(bytes.fromhex(body)) for body in bodies]
        return len(answers) == 1 and isinstance(answers[0], StateAnswer)

    def _sends(self, wish: MessageWish) -> Callable[[RunningCell], Coroutine[Any, Any, Any]]:
        return lambda cell: cell.send_message(wish, wait=None, timeout_s=5)

    def _ask(self, cell: SimCell, make: Callable[[RunningCell], Coroutine[Any, Any, _T]]) -> _T:
        answer = cell.ask(make)
        until_ms = self.world.now_ms + 20_000
        while not answer.done() and self.world.now_ms < until_ms:
            self._run_for(100)
        return answer.result()

    def _until(
        self,
        cell: SimCell,
        make: Callable[[RunningCell], Coroutine[Any, Any, _T]],
        good: Callable[[_T], bool],
    ) -> _T:
        found = self._ask(cell, make)
        for _ in range(300):
            if good(found):
                break
            self._run_for(200)
            found = self._ask(cell, make)
        return found

    def _run_for(self, duration_ms: int) -> None:
        self.world.loop.run_until((self.world.now_ms + duration_ms) / 1000)


def main(seed: int, *, rotate: bool) -> None:
    """Run once and print the outcome."""
    scenario = Scenario(
        seed=seed,
        members=4,
        epoch_rounds=16,
        loss=0.05,
        load_per_s=4.0,
        troubled_ms=6_000,
        actions=TROUBLE + LATE_TROUBLE * rotate,
    )
    loop = SimLoop()
    trace = Trace(lambda: round(loop.time() * 1000), None)
    seed_sqlite(seed)
    with clock.installed(loop, seed):
        world = World(scenario, loop, trace)
        loop.on_error = on_error_of(world)
        failpoint.arm(world.hit)
        run = MessageRun(world)
        world._spawn(run.talk())
        if rotate:
            world._spawn(run.rotate(run.bob, 1.5))
            world._spawn(run.rotate(run.alice, 4.2))
        verdict = world.run()
        outcome = run.outcome()
    findings = [str(one) for one in verdict.findings]
    sys.stdout.write(json.dumps({"findings": findings, **outcome}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the cells are not to be closed: there is no time any more


if __name__ == "__main__":
    main(int(sys.argv[1]), rotate="rotate" in sys.argv)
