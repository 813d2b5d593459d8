"""Who sees that a divergence was looked into finds all of it in the report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.ids import Round
from node import divergence
from node.divergence import DivergenceSearch
from tests.ledger.world import GENESIS

PEER = "a cell"


def test_the_report_is_whole_as_soon_as_the_first_round_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the stream to the cell that told it is still being closed."""
    told: list[Round | None] = []

    class Inquiry:
        def __init__(self, *_: object) -> None:
            pass

        async def __aenter__(self) -> None:
            pass

        async def __aexit__(self, *_: object) -> None:
            told.append(None if search.finding is None else search.finding.first_round)

    async def found_out(_: object, finding: divergence.Finding) -> Round:
        finding.header_proof = "the proof"
        return Round(3)

    peers = cast("Any", SimpleNamespace(connected=lambda: [PEER]))
    nothing = cast("Any", None)
    search = DivergenceSearch(nothing, GENESIS.network_id, nothing, nothing, peers)
    monkeypatch.setattr(divergence, "Inquiry", Inquiry)
    monkeypatch.setattr(search, "_search", found_out)
    certificate = SimpleNamespace(round=Round(5), header_hash=b"theirs", to_value=lambda: 1)
    found = cast("Any", SimpleNamespace(certificate=certificate, own_hash=b"ours"))
    asyncio.run(search.run(found, tmp_path))
    assert told == [None]
    assert search.finding is not None
    report = json.loads(Path(str(search.finding.report)).read_text())
    assert (report["first_round"], report["header_proof"], report["peer"]) == (3, "the proof", PEER)
