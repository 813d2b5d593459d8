"""Answers about process. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class SettingView(TypedDict):
    """The value of one key."""

    is_masked: bool
    """Whether it came out of a variable that is named like a secret."""
    key: str
    """As `section.key`."""
    line: int | None
    origin: str
    """The file, `profile:NAME` or variable that says so, or `default`."""
    reload: bool
    """Whether another value is taken over while the cell runs."""
    value: bool | int | str | list[str] | None
    """Null if it is masked."""


class ConfigView(TypedDict):
    """What the cell goes by."""

    needs_restart: list[str]
    """Keys that had another value in the files when those were last read again."""
    values: list[SettingView]
    """Of all keys."""


class ReloadView(TypedDict):
    """What became of a changed configuration: names of keys, as `section.key`."""

    applied: list[str]
    needs_restart: list[str]


class LogLineView(TypedDict):
    """One line of the log."""

    component: str
    level: str
    number: int
    text: str
    """One JSON object, as in the log file."""


class LogsView(TypedDict):
    """A page of the newest lines."""

    dropped: int
    """Lines that no file and no terminal took in time."""
    items: list[LogLineView]
    next: int
    """The number to go on from."""


class LevelsView(TypedDict):
    """From which level on each component logs."""

    levels: dict[str, str]


class UseView(TypedDict):
    """Something that takes room on the disk."""

    can_go: bool
    how: str
    """How it can be made less; empty if it can not."""
    note: str
    size_bytes: int
    what: str


class SpaceView(TypedDict):
    """What takes the room of the cell on its disk."""

    days_left: int | None
    """Until the disk is full at that rate."""
    disk_free_bytes: int
    growth_bytes_a_day: int | None
    """By the transactions of the last day; null for a network that is younger than an hour."""
    is_estimated: bool
    """Whether sizes inside the store are estimates."""
    total_bytes: int
    uses: list[UseView]
