"""The planted faults are all still mistakes in the present source, and the simulator finds some.

All of them are looked for by `scripts/plant`, which takes an hour; docs/planted-faults.md has its
table.
"""

from __future__ import annotations

import ast
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.planted.catalogue import ROOT, PlantedFault, likely_first, planted_faults, runs_in

FAULTS = tuple(planted_faults())
SAMPLE = ("own-events-not-durable", "quorum-of-a-half", "replay-skips-the-last-block")
SEEDS = 8


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_edit_applies_once_and_is_still_python(fault: PlantedFault) -> None:
    assert fault.occurrences(ROOT) == 1
    assert fault.new != fault.old
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    ast.parse(text.replace(fault.old, fault.new))


def test_there_are_enough_of_them_in_every_package() -> None:
    packages = Counter(fault.package for fault in FAULTS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 44
    assert set(packages) == {"gossip", "hashgraph", "journal", "ledger", "node"}
    assert min(packages.values()) >= 5


@pytest.mark.parametrize("name", SAMPLE)
def test_the_simulator_finds_some_of_them_within_few_seeds(name: str, tmp_path: Path) -> None:
    (fault,) = (one for one in FAULTS if one.name == name)
    fault.plant(tmp_path)
    runs = runs_in(tmp_path, likely_first(range(1, 301), fault.likely))
    try:
        assert any(run.findings for run in islice(runs, SEEDS))
    finally:
        runs.close()
