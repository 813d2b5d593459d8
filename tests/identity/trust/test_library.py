"""Kept up change by change, scores rank cells as a library does with PageRank of the whole."""

from __future__ import annotations

from random import Random

import igraph
import pytest

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import DAMPING, PERIOD_S
from tests.identity.trust.world import ME, cell

CELLS = 2_000
EDGES = 20_000
CHANGES = 300


def by_library(graph: TrustGraph) -> dict[PublicKey, float]:
    """Return the scores as igraph computes them from the edges of a graph.

    Whatever a cell does not hand on goes to a cell of its own, the sink. The walk restarts at what
    the owner says itself, and an edge to a cell that it attested carries only what its word lets
    through. Exact as long as no score is at its upper bound.
    """
    cells = [key for key in graph.known() if key != graph.own]
    sink = len(cells)
    numbers = {key: at for at, key in enumerate(cells)}
    parts = {key: graph.parts(key) for key in cells}
    edges, weights = [(sink, sink)], [1.0]
    for issuer, at in numbers.items():
        left = 1.0
        for subject in graph.subjects(issuer):
            if subject == graph.own:
                continue
            share = graph.flow(issuer, subject) / DAMPING * parts[subject][2]
            edges.append((at, numbers[subject]))
            weights.append(share)
            left -= share
        edges.append((at, sink))
        weights.append(max(left, 0.0))
    starts = [word + passes * met for word, met, passes in parts.values()]
    walk = igraph.Graph(n=sink + 1, edges=edges, directed=True).personalized_pagerank(
        directed=True, damping=DAMPING, weights=weights, reset=[*starts, 0.0]
    )
    whole = sum(starts) / (1 - DAMPING)
    return {key: walk[at] * whole for key, at in numbers.items()}


def rank_agreement(one: dict[PublicKey, float], other: dict[PublicKey, float]) -> float:
    """Return Spearman's correlation of two rankings of the same cells: 1 if they are the same."""
    ranks = [
        {key: at for at, key in enumerate(sorted(scores, key=lambda key: (-scores[key], key)))}
        for scores in (one, other)
    ]
    count = len(one)
    squares = sum((ranks[0][key] - ranks[1][key]) ** 2 for key in one)
    return 1 - 6 * squares / (count * (count**2 - 1))


def changed_often() -> TrustGraph:
    """Return a view that was computed once and then kept up over many changes."""
    chance = Random(7)  # noqa: S311 - the same graph at each run
    graph = TrustGraph(ME)
    for at in range(30):
        graph.attest(ME, cell(at), score=chance.random(), made_s=0)

    def one_change() -> None:
        # Some are attested by many, most by few.
        issuer, subject = chance.randrange(CELLS), int(CELLS * chance.random() ** 2)
        made = chance.randrange(30) * PERIOD_S
        graph.attest(cell(issuer), cell(subject), score=chance.random(), made_s=made)

    for _ in range(EDGES):
        one_change()
    graph.advance(time_s=20 * PERIOD_S, round_number=1)
    graph.settle()
    for at in range(CHANGES):
        one_change()
        if at % 10 == 0:
            issuer = graph.known()[1 + chance.randrange(CELLS)]
            for subject in graph.subjects(issuer)[:1]:
                graph.revoke(issuer, subject)
        if at % 50 == 0:
            graph.attest(ME, cell(at // 50), score=chance.random(), made_s=0)
        graph.settle()
    return graph


def test_after_many_changes_the_ranking_is_that_of_a_library_from_scratch() -> None:
    graph = changed_often()
    kept, whole = dict(graph.scores()), by_library(graph)
    assert max(abs(kept[key] - whole[key]) for key in kept) < 1e-4
    assert rank_agreement(kept, whole) > 0.9999
    first = [sorted(scores, key=lambda key: -scores[key])[:100] for scores in (kept, whole)]
    assert first[0] == first[1]


def test_the_measure_of_agreement_sees_a_wrong_ranking() -> None:
    graph = changed_often()
    kept = dict(graph.scores())
    wrong = dict(zip(kept, reversed(kept.values()), strict=True))
    assert rank_agreement(kept, wrong) < 0.5
    assert rank_agreement(kept, kept) == pytest.approx(1.0)
