"""Who waits for a round hears of it, and of the end of all news."""

from __future__ import annotations

import asyncio

from core.ids import Round
from node.state_news import StateNews
from tests.waiting import PATIENCE_S


def test_who_waits_is_woken_when_nothing_will_be_told_any_more() -> None:
    """A cell that jumps goes on with other news; nobody waits for the old ones to the end."""
    asyncio.run(_wait_and_end())


async def _wait_and_end() -> None:
    news = StateNews(Round(7))
    await news.after(Round(6))
    waiting = [asyncio.create_task(news.after(Round(7))) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    news.end()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*waiting)
        await news.after(Round(1000))
    assert news.has_ended
