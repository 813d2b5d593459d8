"""What a measurement is worth without: the machine, the versions and the commit. And the table."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("PyNaCl", "aiosqlite", "libp2p", "msgpack", "multiaddr", "myceld", "starlette", "structlog"),
    *("trio", "uvicorn"),
)
COLUMNS = (
    *("load", "due/s", "ordered/s", "refused", "lost", "stored", "ordered", "certified"),
    *("due→ordered", "CPU/cell", "gen", "others", "events/s", "rounds/s", "loadavg"),
)


def surroundings() -> dict[str, Any]:
    """Return where and with what it was measured."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _cpu_model(),
            "memory_mib": psutil.virtual_memory().total // 2**20,
            "system": platform.platform(),
            "load_average": [round(value, 2) for value in os.getloadavg()],
        },
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len((_git("status", "--porcelain") or "").splitlines()),
    }


def bar(name: str, value: float, value_max: float, unit: str) -> bool:
    """Print whether a value is within its bar; return that."""
    is_good = value <= value_max
    said = "yes" if is_good else "NO"
    print(f"bar  {name:32} {value:8.1f} {unit:4} of at most {value_max:g}  {said}")
    return is_good


def heading(around: dict[str, Any]) -> str:
    """Return the lines above the table."""
    machine = around["machine"]
    changed = f" + {around['changed_files']} changed files" if around["changed_files"] else ""
    return (
        f"{around['date']}  commit {(around['commit'] or 'unknown')[:12]}{changed}\n"
        f"{machine['cores']} cores {machine['cpu']}, {machine['memory_mib']} MiB, "
        f"{machine['system']}, Python {around['python']}, load {machine['load_average'][0]}"
    )


def quiet_text(quiet: dict[str, Any]) -> str:
    """Return the lines about the quiet network."""
    cpu = " ".join(f"{value:.1f}" for value in quiet["cpu_percent_per_cell"])
    memory = " ".join(f"{value:.0f}" for value in quiet["memory_mib"])
    firsts = "; ".join(
        f"{first['stored']:.0f} / {first['ordered']:.0f} / {first['certified']:.0f}"
        f" (after {first['quiet_s']:g} s)"
        for first in quiet["first_transactions_ms"]
    )
    return (
        f"quiet {quiet['seconds']:g} s: CPU/cell {cpu} %, RSS {memory} MiB, "
        f"{quiet['events_per_s']:g} events/s, others {quiet['cpu_percent_others']} %\n"
        f"first transaction, ms to stored / ordered / certified: {firsts}"
    )


def table(lines: list[dict[str, Any]]) -> str:
    """Return the loads as a table: latencies p50/p99 in ms from accepted, CPU in % of a core."""
    return aligned([COLUMNS, *(_row(line) for line in lines)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as a table: the first column to the left, others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    return (
        line["load"],
        f"{line['due_per_s']:.0f}",
        f"{line['ordered_per_s']:.0f}",
        str(line["refused"]),
        str(line["lost"] + line["twice"]),
        _span(line["stored_ms"]),
        _span(line["ordered_ms"]),
        _span(line["certified_ms"]),
        _span(line["due_to_ordered_ms"]),
        f"{line['cpu_percent_cell_mean']:.0f} %",
        f"{line['cpu_percent_generators']:.0f} %",
        f"{line['cpu_percent_others']:.0f} %",
        f"{line['events_per_s']:.0f}",
        f"{line['rounds_per_s']:.1f}",
        f"{line['load_average'][0]:.1f}",
    )


def _span(percentiles: dict[str, float] | None) -> str:
    return "–" if percentiles is None else f"{percentiles['p50']:.0f}/{percentiles['p99']:.0f}"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607 - git as the person has it
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.rstrip() if done.returncode == 0 else None
