"""The clients' calls about services, the audit journal, and proofs of identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from myceld.question import Question, call, get, send

if TYPE_CHECKING:
    from myceld.views import (
        ActsView,
        ConfigView,
        DescriptionView,
        LevelsView,
        LogsView,
        ProvenView,
        ReloadView,
        ServicesView,
        SpaceView,
    )


class ServiceCalls:
    """The part of both clients that is about services."""

    @call
    def services(self) -> Question[ServicesView]:
        """Return what the cell is, and its ServiceViews in the order of their start."""
        return get("/api/v1/services")

    @call
    def describe(self, cell: str) -> Question[DescriptionView]:
        """Return what a cell (its id, or a member's name) says of itself: a DescriptionView."""
        return get("/api/v1/cell", {"cell": cell})

    @call
    def acts(
        self,
        *,
        limit: int = 100,
        before: int | None = None,
        since_ms: int = 0,
        refused: bool = False,
    ) -> Question[ActsView]:
        """Return a page of the audit journal, the newest first: ActViews, and `next`."""
        query: dict[str, object] = {"limit": limit, "since_ms": since_ms, "refused": int(refused)}
        if before is not None:
            query["before"] = before
        return get("/api/v1/audit", query)

    @call
    def reload_config(self) -> Question[ReloadView]:
        """Have the cell read its configuration again: what it took over, what needs a restart."""
        return send("/api/v1/config/reload")

    @call
    def config(self) -> Question[ConfigView]:
        """Return the ConfigView: what the cell goes by, and who says so."""
        return get("/api/v1/config")

    @call
    def space(self) -> Question[SpaceView]:
        """Return the SpaceView: what takes the cell's room on its disk, and what can go."""
        return get("/api/v1/space")

    @call
    def log_lines(self, after: int = 0, limit: int = 1000) -> Question[LogsView]:
        """Return the LogsView: lines from number `after` on that are still in memory."""
        return get("/api/v1/logs", {"after": after, "limit": limit})

    @call
    def log_levels(self) -> Question[LevelsView]:
        """Return the LevelsView: from which level on each component logs."""
        return get("/api/v1/logs/levels")

    @call
    def set_log_levels(self, levels: Sequence[str]) -> Question[LevelsView]:
        """Change levels of the log, as COMPONENT=LEVEL, or LEVEL for all; return all of them."""
        return send("/api/v1/logs/levels", {"levels": list(levels)})

    @call
    def verify_identity(self, cell: str) -> Question[ProvenView]:
        """Have a cell (its id, or a member's name) prove its key; return the ProvenView."""
        return send("/api/v1/identity/verify", {"cell": cell})
