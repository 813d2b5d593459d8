"""The list of planted faults: mistakes that a developer could make, each as one edit of the source.

The TOML files beside this hold them. `plant` makes a copy of the packages with one edit; the
simulator, run on that copy, has to find it (`scripts/plant`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.drawing import Wishes, draw
from sim.scenario import to_json

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PACKAGES: Final = (
    "core", "gateway", "gossip", "hashgraph", "identity", "journal", "ledger", "myceld",
    "node", "sim",
)  # fmt: skip
"""What a run of the simulator imports."""
_OF_TESTS: Final = ("cli", "docs", "scripts", "tests")
"""What tests read besides."""
_UNUSED: Final = shutil.ignore_patterns("node_modules")
_TEST_TIMEOUT_S: Final = 300
_PASSED: Final = 0
_FAILED: Final = 1

_RUNNER: Final = """
import json, os, signal, sys
from sim import process
from sim.drawing import Wishes, draw
from sim.referee import Referee

assert process.__file__.startswith(sys.argv[1]), process.__file__
PROFILES = ("liars", "mixed")

def tell(seed, profile, findings):
    line = json.dumps([seed, profile, sum(os.times()[:2]), findings]) + "\\n"
    sys.stdout.write(line)
    sys.stdout.flush()

def run(seed, profile):
    def find(self, promise, detail, cell=None):
        tell(seed, profile, [(promise, detail)])
        os._exit(0)

    Referee.find = find
    verdict = process.run_here(draw(seed, Wishes(profile)))
    tell(seed, profile, [(one.promise, one.detail) for one in verdict.findings])

for seed in map(int, sys.argv[2:]):
    profile = PROFILES[seed % 2]
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        try:
            run(seed, profile)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    print(json.dumps(seed), flush=True)
"""
"""Runs seeds one after the other on the packages of one folder, each up to its first finding."""


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
    likely: str = ""
    """A pattern: scenarios in which it is found are run first."""
    test: str = ""
    """The test that finds it, as pytest names it. Without one, the simulator has to."""

    @property
    def package(self) -> str:
        """The package that it is in."""
        return self.file.partition("/")[0]

    def occurrences(self, root: Path) -> int:
        """Return how often the text to be replaced is in the file."""
        return (root / self.file).read_text(encoding="utf-8").count(self.old)

    def plant(self, target: Path, root: Path = ROOT) -> None:
        """Copy the packages to an empty folder, with the mistake."""
        folders = (*PACKAGES, *_OF_TESTS) if self.test else PACKAGES
        for folder in folders:  # compiled files too: they fit
            shutil.copytree(root / folder, target / folder, ignore=_UNUSED)
        if self.test:
            shutil.copy(root / "pyproject.toml", target)
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

    The end of a process without a verdict is a finding too.
    """
    command = [sys.executable, "-c", _RUNNER, str(root), *map(str, seeds)]
    environment = {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        run: Run | None = None
        try:
            for line in child.stdout:
                told = json.loads(line)
                if isinstance(told, list):
                    seed, profile, cpu_s, findings = told
                    run = Run(seed, profile, cpu_s, [(one, detail) for one, detail in findings])
                else:
                    yield run or Run(told, "", 0.0, [("the run ends", "its process ended")])
                    run = None
        finally:
            child.kill()


def is_failing(root: Path, test: str) -> bool:
    """Run one test on the packages of a folder; return whether it fails.

    Raises ValueError if there is no such test.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    try:
        done = subprocess.run(
            [*command, test], cwd=root, capture_output=True, check=False, timeout=_TEST_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (_PASSED, _FAILED):
        raise ValueError(f"{test} can not be run: {done.stdout.decode()[-500:]}")
    return done.returncode == _FAILED


def likely_first(seeds: Sequence[int], pattern: str = "") -> list[int]:
    """Return seeds in the order in which they are run: likely ones first, then cheap ones."""

    def cost(seed: int) -> tuple[bool, float, int]:
        scenario = draw(seed, Wishes("mixed" if seed % 2 else "liars"))
        overload = sum(action.kind == "overload" for action in scenario.actions)
        is_unlikely = re.search(pattern, to_json(scenario)) is None
        return is_unlikely, scenario.machines**2 * scenario.troubled_ms * (1 + overload), seed

    return sorted(seeds, key=cost)
