"""Clients of a simulated network: they submit transactions, and remember what they were told."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Final

from core.errors import MyceldError
from core.ids import TransactionId
from gateway.views import Stage
from ledger.transaction import opaque_transaction, transaction_id

if TYPE_CHECKING:
    from sim.cell import SimCell
    from sim.world import World

_STAGES: Final = (Stage.STORED, Stage.STORED, Stage.ORDERED, Stage.APPLIED, Stage.CERTIFIED)
_PATIENCE_S: Final = 20.0
_KEYS: Final = 8
_LARGE_BYTES: Final = 30_000
_POSTS: Final = 0.02
"""The part of all that is asked for that is content: each full cell fetches it."""
_CONTENTS: Final = 16
"""Different ones: the second post of the same is refused by rule."""


class Client:
    """Asks one machine for something now and then, one thing after the other."""

    def __init__(self, world: World, cell: SimCell, chance: Random, *, pause_s: float) -> None:
        """`pause_s`: in the mean, between two requests."""
        self._world = world
        self._cell = cell
        self._chance = chance
        self._pause_s = pause_s
        self._number = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1.0) * self._pause_s)
            await self.ask(self._chance.choice(_STAGES), _PATIENCE_S)

    async def ask_once(self) -> None:
        """Ask for something that is to be stored, now."""
        await self.ask(Stage.STORED, _PATIENCE_S)

    async def ask(self, stage: Stage, patience_s: float) -> bool:
        """Submit something; return whether the stage was reached in time."""
        self._number += 1
        text = f"{self._cell.index}/{self._number}/{self._chance.getrandbits(32)}".encode()
        try:
            async with asyncio.timeout(patience_s):
                drawn = self._chance.random()
                if drawn < 0.5:
                    identity = await self._submit(text, stage, patience_s)
                elif drawn < 0.5 + _POSTS:
                    identity = await self._post(stage, patience_s)
                else:
                    identity = await self._put(text, stage, patience_s)
        except (MyceldError, TimeoutError) as error:
            code = getattr(error, "code", "no answer")
            self._world.trace.note("refused", self._cell.index, code=code)
            return False
        self._world.trace.note("told", self._cell.index, id=identity.hex()[:12], stage=stage.word)
        self._world.referee.told(identity, self._cell.index, stage)
        return True

    async def _submit(self, text: bytes, stage: Stage, patience_s: float) -> TransactionId:
        if self._chance.random() < 0.05:
            text += self._chance.randbytes(_LARGE_BYTES)
        raw = opaque_transaction(text)
        await self._cell.ask(lambda cell: cell.submit([raw], wait=stage, timeout_s=patience_s))
        return transaction_id(raw)

    async def _post(self, stage: Stage, patience_s: float) -> TransactionId:
        body = b"minutes of meeting %d" % self._chance.randrange(_CONTENTS)
        receipt = await self._cell.ask(
            lambda cell: cell.post_content("minutes", body, wait=stage, timeout_s=patience_s)
        )
        return TransactionId(bytes.fromhex(receipt.id))

    async def _put(self, text: bytes, stage: Stage, patience_s: float) -> TransactionId:
        key = f"sim/{self._chance.randrange(_KEYS)}"
        receipt = await self._cell.ask(
            lambda cell: cell.put(key, text, nonce=None, wait=stage, timeout_s=patience_s)
        )
        return TransactionId(bytes.fromhex(receipt.id))
