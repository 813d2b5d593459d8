"""Kept up change by change, scores rank cells as a library does with PageRank of the whole."""

from __future__ import annotations

import pytest
from bench_trust_cases import ByLibrary, Society, first_cells, rank_agreement

CELLS = 2_000
EDGES = 20_000
CHANGES = 300


def changed_often() -> Society:
    """Return a view that was computed once and then kept up over many changes."""
    society = Society(CELLS, EDGES)
    society.graph.settle()
    for at in range(CHANGES):
        society.change()
        if at % 10 == 0:
            society.revoke()
        if at % 50 == 0:
            society.change_own()
        society.graph.settle()
    return society


def test_after_many_changes_the_ranking_is_that_of_a_library_from_scratch() -> None:
    graph = changed_often().graph
    kept, whole = dict(graph.scores()), ByLibrary(graph).scores()
    assert max(abs(kept[key] - whole[key]) for key in kept) < 1e-4
    assert rank_agreement(kept, whole) > 0.9999
    assert first_cells(kept, 100) == first_cells(whole, 100)


def test_the_measure_of_agreement_sees_a_wrong_ranking() -> None:
    kept = dict(changed_often().graph.scores())
    wrong = dict(zip(kept, reversed(kept.values()), strict=True))
    assert rank_agreement(kept, wrong) < 0.5
    assert rank_agreement(kept, kept) == pytest.approx(1.0)
