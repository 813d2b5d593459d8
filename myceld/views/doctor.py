"""Answers about doctor. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class Finding(TypedDict):
    """Something that the doctor found."""

    code: str
    severity: str
    area: str
    what: str
    why: str
    remedy: str
    command: str
    is_fixable: bool


class ClockView(TypedDict):
    """How far the clock of another member is from this cell's, by the times in its events."""

    cell_id: str
    name: str
    ahead_ms: float | None
    """Negative if it is behind; null while nothing came of it lately."""


class DoctorView(TypedDict):
    """What a running cell finds wrong with itself; codes are those of docs/errors.md."""

    findings: list[Finding]
    clocks: list[ClockView]
    files_open: int
    """Descriptors."""
    files_max: int
    memory_bytes: int
    """Resident."""
    cpu_s: float
    """Processor time since the start."""
    journals_audited: list[str]
    """Journals whose last audit since the start was without a fault."""


class ReasonView(TypedDict):
    """One thing that was looked at, and how it stands."""

    what: str
    ok: bool | None
    """Null for what is neither good nor bad."""
    detail: str


class WhyView(TypedDict):
    """Why something is as it is: the answer in a line, and what it follows from, in order."""

    about: str
    """`transaction`, `cell` or `stall`."""
    subject: str
    answer: str
    reasons: list[ReasonView]
    remedy: str
    """What to do about it; empty if nothing is to be done."""
