"""Why a score is what it is: the paths from the owner of a graph to a cell, strongest first.

A path's strength is what it alone brings to the score: the owner's word for its first cell, times
what each further cell hands on. The strengths of all walks add up to the score; those that pass a
cell twice are left out here, so the shown ones come to no more than it.

Best-first search backwards from the cell: what a beginning of a path can still bring is at most
the score of the cell where it stands, so the strongest paths come out first. PATH_LOOKS_MAX bounds
it: where that ends the search, the paths found until then are still the strongest.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import PATH_LOOKS_MAX, PATH_STEPS_MAX, PATHS_MAX


@dataclass(frozen=True, slots=True)
class Path:
    """One way in which trust comes to a cell."""

    cells: tuple[PublicKey, ...]
    """From the owner of the view to the cell, both included."""
    strength: float
    """What it brings to the score."""
    weights: tuple[float, ...]
    """What each cell says of the next one, 0 to 1, by attestation and interactions."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score, and what makes it."""

    score: float
    own_word: float
    """What the owner's own attestation of the cell brings."""
    own_interactions: float
    """What its own interactions with the cell bring."""
    by_others: float
    """What the words of others bring."""
    paths: tuple[Path, ...]
    """Strongest first; the owner's own word is the path of two cells."""


def why(graph: TrustGraph, subject: PublicKey, paths_max: int = PATHS_MAX) -> Explanation:
    """Explain the score of a cell. `graph` must be settled."""
    score = graph.score(subject)
    if score == 0.0 or subject == graph.own:
        return Explanation(score, 0.0, 0.0, 0.0, ())
    word, met, passes = graph.parts(subject)
    paths = tuple(_strongest(graph, subject, min(paths_max, PATHS_MAX)))
    by_others = max(score - word - passes * met, 0.0)
    return Explanation(score, word, passes * met, by_others, paths)


def _strongest(graph: TrustGraph, subject: PublicKey, paths_max: int) -> list[Path]:
    """Return the strongest paths, found by search from the subject backwards."""
    found: list[Path] = []
    order = 0
    """Tells entries of one bound apart, first come first served."""
    heap: list[tuple[float, int, bool, float, tuple[PublicKey, ...]]] = [
        (-graph.score(subject), order, False, 1.0, (subject,))
    ]
    looks = 0
    while heap and len(found) < paths_max and looks < PATH_LOOKS_MAX:
        _, _, is_whole, factor, tail = heapq.heappop(heap)
        if is_whole:
            found.append(_path(graph, tail, factor))
            continue
        word, met, passes = graph.parts(tail[0])
        start = word + passes * met
        if start > 0.0:
            order += 1
            heapq.heappush(heap, (-factor * start, order, True, factor * start, tail))
        if len(tail) == PATH_STEPS_MAX or passes == 0.0:
            continue
        issuers = graph.issuers(tail[0])
        looks += len(issuers) + 1
        for issuer in issuers:
            handed = factor * passes * graph.flow(issuer, tail[0])
            bound = handed * graph.score(issuer)
            if bound > 0.0 and issuer not in tail:
                order += 1
                heapq.heappush(heap, (-bound, order, False, handed, (issuer, *tail)))
    return found


def _path(graph: TrustGraph, tail: tuple[PublicKey, ...], strength: float) -> Path:
    cells = (graph.own, *tail)
    weights = tuple(graph.weight(one, next_) for one, next_ in zip(cells, tail, strict=False))
    return Path(cells, strength, weights)
