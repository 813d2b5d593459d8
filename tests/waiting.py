"""Waiting in a real loop for what has no event of its own; the deadline only ends a hung test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

PATIENCE_S: Final = 300.0
_LOOK_S = 0.01


async def until(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Look again and again until a condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - nothing tells of what is waited for here
            await asyncio.sleep(_LOOK_S)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a loop of its own to its end, or fail in time."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main

    asyncio.run(bounded())
