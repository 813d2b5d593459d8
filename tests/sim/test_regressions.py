"""Scenarios that once broke a promise: each is named for what went wrong, and is clean now."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import process
from sim.scenario import from_json

FOLDER = Path(__file__).parent / "regressions"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_what_once_went_wrong_does_not_any_more(file: Path) -> None:
    verdict = process.run(from_json(file.read_text(encoding="utf-8")))
    assert verdict.is_clean, "\n".join(map(str, verdict.findings))
    assert verdict.recovered_s is not None
