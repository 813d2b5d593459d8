"""Answers about doctor. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class ClockView(TypedDict):
    """How far the clock of another member is from this cell's, by the times in its events."""

    ahead_ms: float | None
    """Negative if it is behind; null while nothing came of it lately."""
    cell_id: str
    name: str


class Finding(TypedDict):
    """Something that the doctor found."""

    area: str
    code: str
    command: str
    is_fixable: bool
    remedy: str
    severity: str
    what: str
    why: str


class DoctorView(TypedDict):
    """What a running cell finds wrong with itself; codes are those of docs/errors.md."""

    clocks: list[ClockView]
    cpu_s: float
    """Processor time since the start."""
    files_max: int
    files_open: int
    """Descriptors."""
    findings: list[Finding]
    journals_audited: list[str]
    """Journals whose last audit since the start was without a fault."""
    memory_bytes: int
    """Resident."""


class ReasonView(TypedDict):
    """One thing that was looked at, and how it stands."""

    detail: str
    ok: bool | None
    """Null for what is neither good nor bad."""
    what: str


class WhyView(TypedDict):
    """Why something is as it is: the answer in a line, and what it follows from, in order."""

    about: str
    """`transaction`, `cell` or `stall`."""
    answer: str
    reasons: list[ReasonView]
    remedy: str
    """What to do about it; empty if nothing is to be done."""
    subject: str
