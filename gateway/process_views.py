"""What clients are shown of a cell's configuration and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ReloadView:
    """What became of a changed configuration: names of keys, as `section.key`."""

    applied: list[str]
    needs_restart: list[str]


@dataclass(frozen=True, slots=True)
class LogLineView:
    """One line of the log."""

    number: int
    level: str
    component: str
    text: str
    """One JSON object, as in the log file."""


@dataclass(frozen=True, slots=True)
class LogsView:
    """A page of the newest lines."""

    items: list[LogLineView]
    next: int
    """The number to go on from."""
    dropped: int
    """Lines that no file and no terminal took in time."""


@dataclass(frozen=True, slots=True)
class LevelsView:
    """From which level on each component logs."""

    levels: dict[str, str]


class ProcessCell(Protocol):
    """What the gateway's routes of the process need of a running cell."""

    async def reload_config(self) -> ReloadView:
        """Read the configuration again and take over what can change; raises BadConfig."""
        ...

    def log_lines(self, after: int, limit: int) -> LogsView:
        """Return lines from the number `after` on that are still in memory."""
        ...

    def log_levels(self, wished: Sequence[str]) -> LevelsView:
        """Change levels as COMPONENT=LEVEL, or LEVEL for all; return all. Raises BadLevel.

        Nothing is changed if nothing is wished.
        """
        ...
