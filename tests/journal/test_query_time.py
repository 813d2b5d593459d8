"""What a query may take is counted by what it does, not by what passes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from journal.errors import QueryTooLong
from journal.limits import QUERY_ELAPSED_MS_MAX, QUERY_STEPS, QUERY_TIME_MS_MAX
from tests.journal.world import open_store

LOOKS = 20
"""At the clocks, during one query."""
QUERY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT count(*) FROM n"
)
ROWS = LOOKS * QUERY_STEPS
"""Each takes some steps of SQLite's machine, so this is more than enough."""


@dataclass
class Clocks:
    """Both clocks, of a query whose every look finds that so much has passed."""

    work_ms: float
    elapsed_ms: float
    looks: int = 0

    def thread_time(self) -> float:
        return self.looks * self.work_ms / 1000

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks * self.elapsed_ms / 1000


def query(tmp: Path, monkeypatch: pytest.MonkeyPatch, clocks: Clocks) -> Any:  # noqa: ANN401 - of SQL
    monkeypatch.setattr(
        "journal.reader.time",
        SimpleNamespace(thread_time=clocks.thread_time, monotonic=clocks.monotonic),
    )

    async def main() -> Any:  # noqa: ANN401 - as above
        async with await open_store(tmp / "s.db") as store:
            ((count,),) = store.query(QUERY, (ROWS,))
            assert store.query("SELECT 1") == [(1,)]  # the next one has its own time
            return count

    return asyncio.run(main())


def test_a_query_that_others_keep_from_the_processor_is_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(work_ms=0.001, elapsed_ms=2 * QUERY_TIME_MS_MAX / LOOKS)
    monkeypatch.setattr("journal.reader.QUERY_ELAPSED_MS_MAX", 1e9)
    assert query(tmp_path, monkeypatch, clocks) == ROWS
    assert clocks.monotonic() * 1000 > 2 * QUERY_TIME_MS_MAX


@pytest.mark.parametrize(
    "clocks",
    [
        lambda: Clocks(work_ms=2 * QUERY_TIME_MS_MAX / LOOKS, elapsed_ms=0.001),
        lambda: Clocks(work_ms=0.001, elapsed_ms=2 * QUERY_ELAPSED_MS_MAX / LOOKS),
    ],
    ids=["works", "waits"],
)
def test_a_query_that_works_or_waits_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clocks: Callable[[], Clocks]
) -> None:
    with pytest.raises(QueryTooLong, match=r": stopped after \d+ ms of work in \d+ ms: 'WITH "):
        query(tmp_path, monkeypatch, clocks())


def test_a_query_is_stopped_by_its_own_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journal.reader.QUERY_TIME_MS_MAX", 20)
    monkeypatch.setattr("journal.reader.QUERY_ELAPSED_MS_MAX", 1e9)

    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            with pytest.raises(QueryTooLong):
                store.query(QUERY, (-1,))  # has no end
            assert store.query("SELECT 1") == [(1,)]

    asyncio.run(main())
