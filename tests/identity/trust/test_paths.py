"""Why a score is what it is: the paths that make it, strongest first, and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import PublicKey
from identity.trust import paths as module
from identity.trust.graph import TrustGraph
from identity.trust.limits import (
    DAMPING,
    INTERACTION_WEIGHT_MAX,
    PATHS_MAX,
    PERIOD_S,
    SHARES_MIN,
)
from identity.trust.paths import why
from tests.identity.trust.world import EXACT, ME, cell, view

ONE_STEP = DAMPING / SHARES_MIN


def names(*cells: str) -> tuple[PublicKey, ...]:
    return tuple(cell(name) for name in cells)


def test_the_own_word_is_the_first_path() -> None:
    found = why(view(("me", "ada", 0.8), ("me", "bob", 1.0), ("bob", "ada", 1.0)), cell("ada"))
    assert found.paths[0].cells == names("me", "ada")
    assert (found.score, found.own_word, found.by_others) == pytest.approx((0.8, 0.8, 0.0))


def test_paths_come_strongest_first_with_what_each_cell_says() -> None:
    graph = view(
        ("me", "ada", 1.0), ("me", "bob", 0.5), ("ada", "eve", 0.9), ("bob", "eve", 1.0),
        ("bob", "ada", 1.0), ("me", "dan", 0.1), ("dan", "bob", 1.0),
    )  # fmt: skip
    found = why(graph, cell("eve"))
    assert [path.cells for path in found.paths[:2]] == [
        names("me", "ada", "eve"),
        names("me", "bob", "eve"),
    ]
    assert [path.strength for path in found.paths[:2]] == pytest.approx(
        [0.9 * ONE_STEP, 0.5 * ONE_STEP]
    )
    assert found.paths[0].weights == pytest.approx((1.0, 0.9))
    assert found.by_others == pytest.approx(found.score)


def test_interactions_of_ones_own_are_told_apart() -> None:
    graph = TrustGraph(ME, tolerance=EXACT)
    graph.interact(ME, cell("ada"), time_s=0, identity=b"1")
    graph.settle()
    found = why(graph, cell("ada"))
    assert found.own_interactions == pytest.approx(INTERACTION_WEIGHT_MAX / 2)
    assert (found.own_word, found.by_others) == (0.0, 0.0)
    assert [path.cells for path in found.paths] == [names("me", "ada")]


@pytest.mark.parametrize("whom", ["stranger", "eve", "me"])
def test_what_has_no_paths_has_none(whom: str) -> None:
    found = why(view(("me", "ada", 1.0), ("mallory", "eve", 1.0)), cell(whom))
    assert found.paths == ()
    assert found.score == (1.0 if whom == "me" else 0.0)


def test_no_more_paths_are_shown_than_were_asked_for() -> None:
    pairs = [(("me", str(at), 1.0), (str(at), "eve", 1.0)) for at in range(20)]
    graph = view(*(pair for both in pairs for pair in both))
    assert len(why(graph, cell("eve"), 3).paths) == 3
    assert len(why(graph, cell("eve"), 100).paths) == PATHS_MAX


def test_the_search_ends_in_a_graph_full_of_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = [(str(a), str(b), 1.0) for a in range(40) for b in range(40) if a != b]
    graph = view(("me", "0", 1.0), *everybody)
    monkeypatch.setattr(module, "PATH_LOOKS_MAX", 1000)
    found = why(graph, cell("39"))
    assert found.paths[0].cells == names("me", "0", "39")


NAMES = ("me", "ada", "bob", "eve", "dan")
SAID = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda p: p[0] != p[1]),
    st.integers(1, 10).map(lambda tenths: tenths / 10),
    max_size=16,
)


def all_paths(graph: TrustGraph, tail: tuple[PublicKey, ...], factor: float) -> list[float]:
    """Return the strengths of all paths that end in `tail`, by looking at every one."""
    word, met, passes = graph.parts(tail[0])
    found = [factor * (word + passes * met)]
    for issuer in graph.known()[1:]:
        if issuer not in tail:
            handed = factor * passes * graph.flow(issuer, tail[0])
            found += all_paths(graph, (issuer, *tail), handed)
    return [strength for strength in found if strength > 0.0]


@given(said=SAID, age=st.integers(0, 60))
def test_they_are_the_strongest_of_all_and_come_to_no_more_than_the_score(
    said: dict[tuple[str, str], float], age: int
) -> None:
    graph = view(*((issuer, subject, score) for (issuer, subject), score in said.items()))
    graph.advance(time_s=age * PERIOD_S, round_number=1)
    graph.settle()
    for subject in graph.known()[1:]:
        found = why(graph, subject)
        strengths = [path.strength for path in found.paths]
        every = sorted(all_paths(graph, (subject,), 1.0), reverse=True)
        assert strengths == pytest.approx(every[:PATHS_MAX], abs=1e-12)
        assert sum(every) <= found.score + 1e-9
