"""The tables at the end of a chaos run."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from chaos_errors import Finding
from chaos_manifest import Manifest
from chaos_perturb import Outcome


def outcome_line(number: int, of: int, outcome: Outcome) -> str:
    """Return one line while the run goes on."""
    return f"{number:3}/{of}  at {outcome.began_s:6.1f} s  {_row(outcome)[1]}: {_verdict(outcome)}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the times to recovery: one line a perturbation."""
    head = ("at s", "perturbation", "lasted s", "back after s", "slowest", "verdict")
    return aligned([head, *map(_row, outcomes)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the times to recovery by kind: of the cells that were hit."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for act in outcome.perturbation.acts:
            times[act.kind] += [
                outcome.back_s[number] for number in act.cells if number in outcome.back_s
            ]
    rows = [
        (kind, str(len(back)), f"{statistics.median(back):.2f}", f"{max(back):.2f}")
        for kind, back in sorted(times.items())
        if back
    ]
    return aligned([("kind", "times", "back after s, median", "longest"), *rows])


def as_json(manifest: Manifest, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return all of it."""
    return {
        "seed": manifest.seed,
        "cells": manifest.cells,
        "perturbations": [
            {
                "what": str(outcome.perturbation),
                "began_s": round(outcome.began_s, 2),
                "lasted_s": round(outcome.ended_s, 2),
                "back_s": {str(cell): round(s, 2) for cell, s in outcome.back_s.items()},
                "findings": [str(finding) for finding in outcome.findings],
            }
            for outcome in outcomes
        ],
    }


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def counted(findings: Sequence[Finding]) -> str:
    """Return the codes of findings, each with how often; they are told in full at the end."""
    counts = Counter(finding.code for finding in findings)
    return ", ".join(f"{count} × {code}" for code, count in counts.items())


def _row(outcome: Outcome) -> tuple[str, ...]:
    hit = sorted(number for act in outcome.perturbation.acts for number in act.cells)
    back = ", ".join(
        f"{number}: {outcome.back_s[number]:.1f}" if number in outcome.back_s else f"{number}: –"
        for number in hit
    )
    slowest = outcome.slowest_s
    return (
        f"{outcome.began_s:.1f}",
        str(outcome.perturbation),
        f"{outcome.ended_s:.1f}",
        back,
        "–" if slowest is None else f"{slowest:.1f}",
        _verdict(outcome),
    )


def _verdict(outcome: Outcome) -> str:
    return counted(outcome.findings) or f"back after {outcome.slowest_s:.1f} s"
