"""A connection to the database in a thread of its own, by aiosqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite

_T = TypeVar("_T")


class DatabaseThread(aiosqlite.Connection):
    """aiosqlite's connection and thread; runs one function of ours per hop."""

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return `function(connection)`, run in the thread."""
        result: _T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]  # upstream has no types there
        return result

    def run_here(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return `function(connection)`, run in the calling thread while the other one waits."""
        return function(self._conn)

    def join(self) -> None:
        """Wait for the thread, which ends within microseconds of `close`."""
        self._thread.join()
