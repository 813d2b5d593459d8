"""What clients are shown of a cell's configuration, its room on the disk, and its log."""

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
class SettingView:
    """The value of one key."""

    key: str
    """As `section.key`."""
    value: bool | int | str | list[str] | None
    """Null if it is masked."""
    is_masked: bool
    """Whether it came out of a variable that is named like a secret."""
    origin: str
    """The file, `profile:NAME` or variable that says so, or `default`."""
    line: int | None
    reload: bool
    """Whether another value is taken over while the cell runs."""


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What the cell goes by."""

    values: list[SettingView]
    """Of all keys."""
    needs_restart: list[str]
    """Keys that had another value in the files when those were last read again."""


@dataclass(frozen=True, slots=True)
class UseView:
    """Something that takes room on the disk."""

    what: str
    size_bytes: int
    note: str
    can_go: bool
    how: str
    """How it can be made less; empty if it can not."""


@dataclass(frozen=True, slots=True)
class SpaceView:
    """What takes the room of the cell on its disk."""

    uses: list[UseView]
    total_bytes: int
    disk_free_bytes: int
    growth_bytes_a_day: int | None
    """By the transactions of the last day; null for a network that is younger than an hour."""
    days_left: int | None
    """Until the disk is full at that rate."""
    is_estimated: bool
    """Whether sizes inside the store are estimates."""


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

    def config_in_force(self) -> ConfigView:
        """Return what the cell goes by."""
        ...

    async def space(self) -> SpaceView:
        """Return what takes room on the disk; looks at all of the store."""
        ...

    def log_lines(self, after: int, limit: int) -> LogsView:
        """Return lines from the number `after` on that are still in memory."""
        ...

    def log_levels(self, wished: Sequence[str]) -> LevelsView:
        """Change levels as COMPONENT=LEVEL, or LEVEL for all; return all. Raises BadLevel.

        Nothing is changed if nothing is wished.
        """
        ...
