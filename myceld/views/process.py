"""Answers about process. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


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
