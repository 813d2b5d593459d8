"""The routes of the state service: values and their history, writes, namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.asks import KeyAsk
from gateway.errors import NoNamespace, NoSuchCell, NoSuchKey
from gateway.operations import INTAKE, Operation, get, post
from gateway.state_asks import (
    ChangesAsk,
    DifferencesAsk,
    HistoryAsk,
    ListAsk,
    NamespaceAsk,
    PrefixAsk,
    ReleaseAsk,
    RollbackAsk,
    ValueAsk,
    WriteAsk,
)
from gateway.state_views import (
    ChangesView,
    DifferencesView,
    NamespaceView,
    StateCell,
    StateHistoryView,
    StateListView,
)
from gateway.views import ReceiptView, Stage, StateValueView
from gateway.waiting import Waiting


@dataclass(frozen=True, slots=True)
class NamespacesView:
    """Namespaces in the order of their names."""

    items: Sequence[NamespaceView]
    next: str | None
    """`after` of the next part; null at the end."""


class StateRoutes:
    """Everything that a client can ask of the state service, but the simple put."""

    tag = "state"

    def __init__(self, cell: StateCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/state/value", self.value, NoSuchKey),
            get("/api/v1/state/values", self.values),
            get("/api/v1/state/history", self.history),
            get("/api/v1/state/diff", self.differences),
            get("/api/v1/state/changes", self.changes),
            post("/api/v1/state/write", self.write, *INTAKE),
            post("/api/v1/state/rollback", self.roll_back, *INTAKE),
            get("/api/v1/state/namespaces", self.namespaces),
            get("/api/v1/state/namespace", self.namespace, NoNamespace),
            post("/api/v1/state/namespaces/claim", self.claim, NoSuchCell, *INTAKE),
            post("/api/v1/state/namespaces/set", self.set_namespace, NoSuchCell, *INTAKE),
            post("/api/v1/state/namespaces/release", self.release, *INTAKE),
        ]

    async def value(self, query: ValueAsk) -> StateValueView:
        """Return the value of a key.

        Of the newest applied round, or, `at`, of one that is still kept.
        """
        return await self._waits.read(self._cell.state_value(query.key, query.at))

    async def values(self, query: ListAsk) -> StateListView:
        """List keys with a prefix, and their values.

        Of the newest applied round, or, `at`, of one that is still kept. A part of that can be
        empty and not the last: keys that are gone count for `limit`.
        """
        work = self._cell.state_entries(query.prefix, query.after, query.limit, query.at)
        return await self._waits.read(work)

    async def history(self, query: HistoryAsk) -> StateHistoryView:
        """List what rounds made of a key, the newest first."""
        work = self._cell.state_history(query.key, query.before, query.limit)
        return await self._waits.read(work)

    async def differences(self, query: DifferencesAsk) -> DifferencesView:
        """List keys whose values differ after two rounds."""
        rounds = query.first, query.last
        work = self._cell.state_differences(rounds, query.prefix, query.after, query.limit)
        return await self._waits.read(work)

    async def changes(self, query: ChangesAsk) -> ChangesView:
        """Wait for changes of keys with a prefix."""
        work = self._cell.state_changes(query.query(), query.timeout_s)
        return await self._waits.reached(work, Stage.APPLIED, query.timeout_s)

    async def write(self, body: WriteAsk) -> ReceiptView:
        """Write keys, all of them or none, each if its condition holds."""
        wishes = [item.wish() for item in body.writes]
        work = self._cell.write_state(wishes, wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def roll_back(self, body: RollbackAsk) -> ReceiptView:
        """Put a key back to what it was, or all keys with a prefix."""
        exact = body.key is not None
        work = self._cell.roll_back(
            body.key or body.prefix or "",
            body.to_round,
            exact=exact,
            wait=body.wait,
            timeout_s=body.timeout_s,
        )
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def namespaces(self, query: PrefixAsk) -> NamespacesView:
        """List namespaces."""
        work = self._cell.namespaces(query.prefix, query.after, query.limit)
        items = await self._waits.read(work)
        return NamespacesView(items, items[-1].name if len(items) == query.limit else None)

    async def namespace(self, query: KeyAsk) -> NamespaceView:
        """Return the namespace around a key."""
        return await self._waits.read(self._cell.namespace(query.key))

    async def claim(self, body: NamespaceAsk) -> ReceiptView:
        """Claim a namespace."""
        return await self._set(body, claims=True)

    async def set_namespace(self, body: NamespaceAsk) -> ReceiptView:
        """Change who owns a namespace, or may write in it."""
        return await self._set(body, claims=False)

    async def release(self, body: ReleaseAsk) -> ReceiptView:
        """Give a namespace up: what lies there stays, and anybody may claim it."""
        work = self._cell.release_namespace(body.name, wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def _set(self, body: NamespaceAsk, *, claims: bool) -> ReceiptView:
        work = self._cell.set_namespace(
            body.wish(), claims=claims, wait=body.wait, timeout_s=body.timeout_s
        )
        return await self._waits.reached(work, body.wait, body.timeout_s)
