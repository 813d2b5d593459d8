"""The planted faults are all still mistakes in the present source, and some of them are found.

All of them are looked for by `scripts/plant`, which takes an hour; docs/planted-faults.md has its
table.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.planted.catalogue import (
    ROOT,
    PlantedFault,
    is_failing,
    likely_first,
    planted_faults,
    runs_in,
)

FAULTS = tuple(planted_faults())
SAMPLE = ("own-events-not-durable", "quorum-of-a-half", "replay-skips-the-last-block")
SEEDS = 8
OF_TESTS = ("no-padding", "refusals-not-audited")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_edit_applies_once_and_is_still_python(fault: PlantedFault) -> None:
    assert fault.occurrences(ROOT) == 1
    assert fault.new != fault.old
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    ast.parse(text.replace(fault.old, fault.new))


def test_there_are_enough_of_them_in_every_package() -> None:
    packages = Counter(fault.package for fault in FAULTS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 44
    assert set(packages) == {
        *("gateway", "gossip", "hashgraph", "identity", "journal", "ledger", "node")
    }
    assert min(packages.values()) >= 5


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.test], ids=lambda one: one.name)
def test_each_test_that_is_named_is_there(fault: PlantedFault) -> None:
    file, _, name = fault.test.partition("::")
    function = name.partition("[")[0]
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE)


@pytest.mark.parametrize("name", OF_TESTS)
def test_some_are_found_by_the_test_that_they_name(name: str, tmp_path: Path) -> None:
    (fault,) = (one for one in FAULTS if one.name == name)
    fault.plant(tmp_path)
    assert is_failing(tmp_path, fault.test)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_simulator_finds_some_of_them_within_few_seeds(name: str, tmp_path: Path) -> None:
    (fault,) = (one for one in FAULTS if one.name == name)
    fault.plant(tmp_path)
    runs = runs_in(tmp_path, likely_first(range(1, 301), fault.likely))
    try:
        assert any(run.findings for run in islice(runs, SEEDS))
    finally:
        runs.close()
