"""The list of planted faults: mistakes that a developer could make, each as one edit of the source.

The TOML files beside this hold them. `plant` makes a copy of the packages with one edit; the
simulator, run on that copy, has to find it (`scripts/plant`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PACKAGES: Final = (
    "core", "gateway", "gossip", "hashgraph", "identity", "journal", "ledger", "myceld",
    "node", "sim",
)  # fmt: skip
"""What a run of the simulator imports."""

_RUNNER: Final = """
import json, sys
from sim import process
from sim.adversaries import ADVERSARIES
from sim.drawing import Wishes, draw

assert process.__file__.startswith(sys.argv[1]), process.__file__
for seed in map(int, sys.argv[2:]):
    profile = "mixed" if seed % 2 or not ADVERSARIES else "liars"
    verdict = process.run(draw(seed, Wishes(profile)))
    findings = [(one.promise, one.detail) for one in verdict.findings]
    print(json.dumps([seed, profile, verdict.cpu_s, findings]), flush=True)
"""
"""Runs seeds one after the other, in a process of its own, on the packages of one folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a seed came to."""

    seed: int
    profile: str
    cpu_s: float
    findings: list[tuple[str, str]]
    """Promise and detail of each."""


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """One mistake."""

    name: str
    breaks: str
    """In one sentence: what no longer holds."""
    file: str
    old: str
    """Text that is in the file exactly once."""
    new: str

    @property
    def package(self) -> str:
        """The package that it is in."""
        return self.file.partition("/")[0]

    def occurrences(self, root: Path) -> int:
        """Return how often the text to be replaced is in the file."""
        return (root / self.file).read_text(encoding="utf-8").count(self.old)

    def plant(self, target: Path, root: Path = ROOT) -> None:
        """Copy the packages to an empty folder, with the mistake."""
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / package, target / package, ignore=ignored)
        path = target / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, self.name
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def planted_faults(folder: Path = Path(__file__).parent) -> Iterator[PlantedFault]:
    """Yield all of the list, package by package."""
    for path in sorted(folder.glob("*.toml")):
        for one in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
            yield PlantedFault(**one)


def runs_in(root: Path, seeds: Sequence[int]) -> Generator[Run, None, None]:
    """Run seeds, odd ones with the profile `mixed` and even ones with `liars`, until closed.

    An end of the whole process is a finding of the seed that it was at.
    """
    command = [sys.executable, "-c", _RUNNER, str(root), *map(str, seeds)]
    with subprocess.Popen(
        command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        done = 0
        try:
            for line in child.stdout:
                seed, profile, cpu_s, findings = json.loads(line)
                yield Run(seed, profile, cpu_s, [(one, detail) for one, detail in findings])
                done += 1
        finally:
            child.kill()
        if done < len(seeds):
            yield Run(seeds[done], "", 0.0, [("the run ends", "the process ended")])
