"""A fake cell behind a real gateway, served from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from gateway.server import Gateway
from tests.gateway.fake_cell import TOKEN, FakeCell

WAIT_S: Final = 180.0
"""Ends a test that hangs. A busy machine may take long for anything."""


@contextmanager
def serving() -> Iterator[tuple[FakeCell, str]]:
    """Serve until the block ends; yields the cell and its URL."""
    started = threading.Event()
    shared: list[Any] = []

    async def work() -> None:
        cell, stop = FakeCell(), asyncio.Event()
        gateway = Gateway(cell, token=TOKEN)
        shared.extend([cell, await gateway.start(), asyncio.get_running_loop(), stop])
        started.set()
        await stop.wait()
        await gateway.stop()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    assert started.wait(WAIT_S)
    cell, url, loop, stop = shared
    yield cell, url
    loop.call_soon_threadsafe(stop.set)
    thread.join(WAIT_S)
    assert not thread.is_alive()
