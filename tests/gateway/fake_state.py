"""The part of the fake cell that is about the state service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from gateway.errors import NoNamespace
from gateway.state_views import (
    ChangesQuery,
    ChangesView,
    DifferencesView,
    DifferenceView,
    NamespaceView,
    NamespaceWish,
    StateEntryView,
    StateHistoryView,
    StateListView,
    WriteWish,
)
from gateway.views import ReceiptView, Stage
from ledger.errors import StateNotKept

Taken: TypeAlias = Callable[[str, object, Stage, float], Awaitable[ReceiptView]]
"""Notes a call and makes its receipt."""

TEXT = StateEntryView("club/a", "te\x1b[31mxt" + "x" * 80, "74", 7, "ab" * 32)
BYTES = StateEntryView("club/b", None, "ff00", 8, "ab" * 32)
GONE = StateEntryView("club/c", None, None, 9, None)
CLUB = NamespaceView("club", ["12D3KooWFakeCell"], "writers", ["12D3KooWOther"], 4)


class FakeState:
    """Has three keys, of which one was taken away, and one namespace."""

    def __init__(self, taken: Taken) -> None:
        self._taken_by = taken
        self.asked: list[object] = []

    async def write_state(
        self, wishes: Sequence[WriteWish], *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        return await self._taken_by("write_state", list(wishes), wait, timeout_s)

    async def roll_back(
        self, prefix: str, to_round: int, *, exact: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        return await self._taken_by("roll_back", (prefix, to_round, exact), wait, timeout_s)

    async def state_entries(
        self, prefix: str, after: str, limit: int, at: int | None = None
    ) -> StateListView:
        self.asked.append((prefix, after, limit) if at is None else (prefix, after, limit, at))
        items = [TEXT, BYTES][:limit]
        return StateListView(items, items[-1].key if len(items) == limit else None, 9)

    async def state_history(self, key: str, before: int, limit: int) -> StateHistoryView:
        self.asked.append((key, before, limit))
        return StateHistoryView([GONE, BYTES, TEXT][:limit], 8 if limit == 2 else None, 3)

    async def state_differences(
        self, rounds: tuple[int, int], prefix: str, after: str, limit: int
    ) -> DifferencesView:
        self.asked.append((rounds, prefix, after, limit))
        return DifferencesView([DifferenceView("club/a", None, TEXT)], "club/a")

    async def state_changes(self, query: ChangesQuery, timeout_s: float) -> ChangesView:
        self.asked.append((query, timeout_s))
        if query.after_round == 1:
            raise StateNotKept("states are kept from round 3 to 9, not 1")
        if query.after_round is None or query.after_round < 9:
            return ChangesView([TEXT, GONE], 9, "club/c")
        return ChangesView([BYTES], 10, "")

    async def set_namespace(
        self, wish: NamespaceWish, *, claims: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        return await self._taken_by("set_namespace", (wish, claims), wait, timeout_s)

    async def release_namespace(self, name: str, *, wait: Stage, timeout_s: float) -> ReceiptView:
        return await self._taken_by("release_namespace", (name,), wait, timeout_s)

    async def namespaces(self, prefix: str, after: str, limit: int) -> list[NamespaceView]:
        self.asked.append((prefix, after, limit))
        return [CLUB][:limit]

    async def namespace(self, key: str) -> NamespaceView:
        if not key.startswith("club"):
            raise NoNamespace("there is none")
        return CLUB
