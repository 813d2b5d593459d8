"""The long run: `scripts/fuzz` prints a table, and keeps every input that broke a promise."""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from tests.fuzz.judge import MEMORY_FACTOR, TIME_MS_MAX, Report

_CODES_SHOWN = 4


def main() -> int:
    """Run what the command line asks for; 1 if any promise was broken."""
    options = _options()
    if options.atheris:
        from tests.fuzz import coverage_guided

        return coverage_guided.run(options.only, options.inputs)
    # Not before: atheris has to see the decoders being imported.
    from tests.fuzz.targets import all_targets, fuzz_named

    names = [t.name for t in all_targets() if not options.only or options.only in t.name]
    names = names[names.index(options.start) if options.start else 0 :]
    if options.list:
        _say("\n".join(names))
        return 0
    began = time.monotonic()
    broken = 0
    reports: list[Report] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        for report in pool.map(fuzz_named, names, repeat(options.seed), repeat(options.inputs)):
            reports.append(report)
            broken += _kept(report, options.failures)
            if not options.markdown:
                _say(_row(report))
    if options.markdown:
        _say(_table(reports))
    total = sum(report.inputs for report in reports)
    took_s = time.monotonic() - began
    _say(
        f"\n{len(reports)} decoders, {total:,} inputs, seed {options.seed!r}, {took_s:.0f} s, "
        f"Python {platform.python_version()}: {broken} broken promises"
    )
    return 1 if broken else 0


def breaches(report: Report) -> list[tuple[bytes, str]]:
    """Return the inputs that broke a promise, with what they did."""
    found = [(failure.data, failure.what) for failure in report.failures]
    if report.own:
        return found
    if report.slowest_ms > TIME_MS_MAX:
        found.append((report.slowest, f"{report.slowest_ms:.1f} ms to refuse"))
    if report.memory_ratio > MEMORY_FACTOR:
        found.append((report.hungriest, f"{report.memory_ratio:.1f} times its size to refuse"))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs for each decoder")
    parser.add_argument("--seed", default="1", help="any text; the same gives the same inputs")
    parser.add_argument("--only", default="", metavar="TEXT", help="decoders with this in the name")
    parser.add_argument("--start", metavar="NAME", help="the decoder to begin with")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--failures", type=Path, help="folder for inputs that broke a promise")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs")
    parser.add_argument("--list", action="store_true", help="print the decoders' names")
    parser.add_argument(
        "--atheris",
        action="store_true",
        help="let atheris look for new paths in the one decoder --only names: docs/fuzzing.md",
    )
    return parser.parse_args()


def _kept(report: Report, folder: Path | None) -> int:
    found = breaches(report)
    for data, what in found:
        shown = data[:60].hex() + ("…" if len(data) > 60 else "")
        _say(f"BROKEN {report.name}: {what}\n  {len(data)} bytes: {shown}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{report.name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:12]}"
            (folder / name.replace("/", "-")).write_bytes(data)
    return len(found)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _cells(report: Report) -> tuple[str, ...]:
    codes = report.refused.most_common(_CODES_SHOWN)
    more = len(report.refused) - len(codes)
    return (
        report.name,
        f"{report.inputs:,}",
        f"{report.accepted:,}",
        ", ".join(f"{code.removeprefix('MYC-')} {count:,}" for code, count in codes)
        + (f", {more} more" if more > 0 else ""),
        f"{report.slowest_ms:.1f}",
        f"{max(0.0, report.memory_ratio):.1f}",
    )


def _row(report: Report) -> str:
    name, inputs, accepted, codes, slowest, ratio = _cells(report)
    return f"{name:34}{inputs:>9}{accepted:>9}{slowest:>7} ms{ratio:>6} x  {codes}"


def _table(reports: list[Report]) -> str:
    head = ("decoder", "inputs", "accepted", "refused by code", "slowest ms", "memory ×")
    rows = [head, ("---",) * 3 + ("---", "---:", "---:"), *map(_cells, reports)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
