"""Graphs that trust is measured on, and the same scores by a library: for bench-trust and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

import igraph

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import DAMPING, PERIOD_S

Pairs: TypeAlias = Iterator[tuple[int, int]]


def cell(name: str | int) -> PublicKey:
    """Return the key of a cell with a name."""
    return PublicKey(hashlib.sha256(str(name).encode()).digest())


ME = cell("me")


class Society:
    """A view of many cells: some are attested by many, most by few, as people are."""

    def __init__(self, cells: int, edges: int, *, own: int = 20, seed: int = 1) -> None:
        self.chance = Random(seed)  # noqa: S311 - the same graph at each run
        self.keys = [cell(at) for at in range(cells)]
        self.graph = TrustGraph(ME)
        for at in range(own):
            self.graph.attest(ME, self.keys[at], score=self.chance.random(), made_s=0)
        while self.graph.edges < edges:
            self.change()
        self.graph.advance(time_s=20 * PERIOD_S, round_number=1)

    def change(self) -> None:
        """Let somebody attest somebody, or attest it anew."""
        issuer = self.keys[self.chance.randrange(len(self.keys))]
        subject = self.keys[int(len(self.keys) * self.chance.random() ** 2)]
        made_s = self.chance.randrange(30) * PERIOD_S
        self.graph.attest(issuer, subject, score=self.chance.random(), made_s=made_s)

    def revoke(self) -> None:
        """Let somebody take something back."""
        issuer = self.chance.choice(self.keys)
        for subject in self.graph.subjects(issuer)[:1]:
            self.graph.revoke(issuer, subject)

    def change_own(self) -> None:
        """Let the owner of the view attest one of its friends anew, which moves most scores."""
        subject = self.chance.choice(self.graph.subjects(ME))
        made_s = 20 * PERIOD_S
        self.graph.attest(ME, subject, score=self.chance.random(), made_s=made_s)


class ByLibrary:
    """The scores of a view, as igraph computes them from its edges.

    Whatever a cell does not hand on goes to a cell of its own, the sink. The walk restarts at what
    the owner says itself, and an edge to a cell that it attested carries only what its word lets
    through. Exact as long as no score is at its upper bound.
    """

    def __init__(self, graph: TrustGraph) -> None:
        self._cells = [key for key in graph.known() if key != graph.own]
        sink = len(self._cells)
        numbers = {key: at for at, key in enumerate(self._cells)}
        parts = {key: graph.parts(key) for key in self._cells}
        edges, self._weights = [(sink, sink)], [1.0]
        for issuer, at in numbers.items():
            left = 1.0
            for subject in graph.subjects(issuer):
                if subject != graph.own:
                    share = graph.flow(issuer, subject) / DAMPING * parts[subject][2]
                    edges.append((at, numbers[subject]))
                    self._weights.append(share)
                    left -= share
            edges.append((at, sink))
            self._weights.append(max(left, 0.0))
        self._starts = [word + passes * met for word, met, passes in parts.values()]
        self._graph = igraph.Graph(n=sink + 1, edges=edges, directed=True)

    def scores(self) -> dict[PublicKey, float]:
        """Compute all of them from scratch."""
        walk = self._graph.personalized_pagerank(
            directed=True, damping=DAMPING, weights=self._weights, reset=[*self._starts, 0.0]
        )
        whole = sum(self._starts) / (1 - DAMPING)
        return {key: walk[at] * whole for at, key in enumerate(self._cells)}


def rank_agreement(one: dict[PublicKey, float], other: dict[PublicKey, float]) -> float:
    """Return Spearman's correlation of two rankings of the same cells: 1 if they are the same."""
    ranks = [
        {key: at for at, key in enumerate(sorted(scores, key=lambda key: (-scores[key], key)))}
        for scores in (one, other)
    ]
    count = len(one)
    squares = sum((ranks[0][key] - ranks[1][key]) ** 2 for key in one)
    return 1 - 6 * squares / (count * (count**2 - 1))


def first_cells(scores: dict[PublicKey, float], count: int) -> list[PublicKey]:
    """Return those with the highest scores."""
    return sorted(scores, key=lambda key: (-scores[key], key))[:count]


# -- fake cells ------------------------------------------------------------------------------------


def ring(count: int) -> Pairs:
    """Each attests the next one."""
    for at in range(count):
        yield at, (at + 1) % count


def star(count: int) -> Pairs:
    """All attest the first one, and it attests all."""
    for at in range(1, count):
        yield at, 0
        yield 0, at


def clique_of_six(count: int) -> Pairs:
    """A few hand the most to each other that shares allow; the others attest the first."""
    for one in range(6):
        for other in range(6):
            if one != other:
                yield one, other
    for at in range(6, count):
        yield at, 0


def dense(count: int) -> Pairs:
    """Each attests twenty others."""
    chance = Random(5)  # noqa: S311 - the same graph at each run
    for one in range(count):
        for other in chance.sample(range(count), 20):
            if one != other:
                yield one, other


SHAPES: dict[str, Callable[[int], Pairs]] = {
    "ring": ring,
    "star": star,
    "clique of six": clique_of_six,
    "dense": dense,
}


def fake(at: int) -> PublicKey:
    """Return the key of a fake cell."""
    return cell(f"fake {at}")


def with_cluster(shape: Callable[[int], Pairs], count: int, honest: int = 1) -> TrustGraph:
    """Return a view with fake cells, the first of which got so many honest attestations.

    They are the worst there can be: of cells that I and all my friends trust fully, and that
    attest nobody else.
    """
    graph = TrustGraph(ME)
    for number in range(honest):
        fooled = cell(f"fooled {number}")
        for at in range(20):
            graph.attest(ME, cell(f"friend {at}"), score=1.0, made_s=0)
            graph.attest(cell(f"friend {at}"), fooled, score=1.0, made_s=0)
        graph.attest(ME, fooled, score=1.0, made_s=0)
        graph.attest(fooled, fake(0), score=1.0, made_s=0)
    for one, other in shape(count):
        graph.attest(fake(one), fake(other), score=1.0, made_s=0)
    graph.settle()
    return graph
