"""The routes of the process: its configuration, its room on the disk, the log and its levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from gateway.asks import LimitAsk
from gateway.kinds import Digits, Items, Name
from gateway.operations import Operation, get, post
from gateway.process_views import (
    ConfigView,
    LevelsView,
    LogsView,
    ProcessCell,
    ReloadView,
    SpaceView,
)
from gateway.reading import Ask
from settings.components import COMPONENTS


class LinesAsk(LimitAsk):
    """A part of the log."""

    after: Annotated[int, Digits()] = 0
    """The number of the first line: `next` of the part before."""


class LevelsAsk(Ask):
    """Levels of the log."""

    levels: Annotated[list[Name], Items(1, len(COMPONENTS) + 1, "levels")]
    """As `COMPONENT=LEVEL`; a `LEVEL` alone is for all components."""


class ProcessRoutes:
    """Everything that a client can ask about how the process runs."""

    tag = "process"

    def __init__(self, cell: ProcessCell) -> None:
        self._cell = cell

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/config", self.config),
            post("/api/v1/config/reload", self.reload),
            get("/api/v1/space", self.space),
            get("/api/v1/logs", self.lines),
            get("/api/v1/logs/levels", self.levels),
            post("/api/v1/logs/levels", self.set_levels),
        ]

    async def config(self) -> ConfigView:
        """Return what the cell goes by, and who says so.

        What comes out of a variable that is named like a secret is masked.
        """
        return self._cell.config_in_force()

    async def space(self) -> SpaceView:
        """Return what takes the room of the cell on its disk, and what can go.

        Looks at the whole store, which takes seconds for a large one; one at a time does.
        """
        return await self._cell.space()

    async def reload(self) -> ReloadView:
        """Read the configuration again.

        What can change while the cell runs is taken over. With a mistake nothing is.
        """
        return await self._cell.reload_config()

    async def lines(self, query: LinesAsk) -> LogsView:
        """List the newest lines of the log, as far as they are in memory."""
        return self._cell.log_lines(query.after, query.limit)

    async def levels(self) -> LevelsView:
        """Return from which level on each component logs."""
        return self._cell.log_levels(())

    async def set_levels(self, body: LevelsAsk) -> LevelsView:
        """Change from which level on components log.

        It holds until the cell is restarted or reads another configuration.
        """
        return self._cell.log_levels(body.levels)
