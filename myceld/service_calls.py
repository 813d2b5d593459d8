"""The client's calls about services, the audit journal, and proofs of identity."""

from __future__ import annotations

from collections.abc import Sequence

from myceld.calls import Calls, JsonObject


class ServiceCalls(Calls):
    """The part of `Client` that is about services."""

    def services(self) -> JsonObject:
        """Return what the cell is, and its ServiceViews in the order of their start."""
        return self._get("/api/v1/services")

    def describe(self, cell: str) -> JsonObject:
        """Return what a cell (its id, or a member's name) says of itself: a DescriptionView."""
        return self._get("/api/v1/cell", {"cell": cell})

    def acts(
        self,
        *,
        limit: int = 100,
        before: int | None = None,
        since_ms: int = 0,
        refused: bool = False,
    ) -> JsonObject:
        """Return a page of the audit journal, the newest first: ActViews, and `next`."""
        query: dict[str, object] = {"limit": limit, "since_ms": since_ms, "refused": int(refused)}
        if before is not None:
            query["before"] = before
        return self._get("/api/v1/audit", query)

    def reload_config(self) -> JsonObject:
        """Have the cell read its configuration again: what it took over, what needs a restart."""
        return self._send("/api/v1/config/reload", {})

    def log_lines(self, after: int = 0, limit: int = 1000) -> JsonObject:
        """Return the LogsView: lines from number `after` on that are still in memory."""
        return self._get("/api/v1/logs", {"after": after, "limit": limit})

    def set_log_levels(self, levels: Sequence[str]) -> JsonObject:
        """Change levels of the log, as COMPONENT=LEVEL, or LEVEL for all; return all of them."""
        return self._send("/api/v1/logs/levels", {"levels": list(levels)})

    def verify_identity(self, cell: str) -> JsonObject:
        """Have a cell (its id, or a member's name) prove its key; return the ProvenView."""
        return self._send("/api/v1/identity/verify", {"cell": cell})
