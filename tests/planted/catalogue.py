"""The list of planted faults: mistakes that a developer could make, each as one edit of the source.

The TOML files beside this hold them. `plant` makes a copy of the packages with one edit; the
simulator, run on that copy, has to find it (`scripts/plant`).
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PACKAGES: Final = (
    "core", "gateway", "gossip", "hashgraph", "identity", "journal", "ledger", "myceld", "node", "sim",
)  # fmt: skip
"""What a run of the simulator imports."""


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
