"""Waiting with a deadline: one way for every call that may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from journal.errors import TimedOut

_T = TypeVar("_T")


async def within(timeout_s: float | None, awaitable: Awaitable[_T]) -> _T:
    """Return what `awaitable` gives; raises TimedOut after `timeout_s` seconds (None: never)."""
    if timeout_s is None:
        return await awaitable
    try:
        async with asyncio.timeout(timeout_s):
            return await awaitable
    except TimeoutError as error:
        raise TimedOut(f"not done within {timeout_s} s") from error
