"""A thousand fake cells that attest each other, and got one honest attestation: none rises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import DAMPING, INTERACTION_WEIGHT_MAX, SHARES_MIN
from tests.identity.trust.world import ME, cell

FAKES = 1_000
BAR = 0.3
BOUND = DAMPING / SHARES_MIN * (1 + DAMPING / (SHARES_MIN * (1 - DAMPING)))
"""Trust that enters by one attestation is at most DAMPING / SHARES_MIN. It comes by any one cell
once where it enters, and by each further step with a share of 1 / SHARES_MIN at most."""

Pairs = Iterator[tuple[int, int]]


def ring(count: int) -> Pairs:
    for at in range(count):
        yield at, (at + 1) % count


def star(count: int) -> Pairs:
    """All attest the first one, and it attests all."""
    for at in range(1, count):
        yield at, 0
        yield 0, at


def clique_of_six(count: int) -> Pairs:
    """A few, who hand the most to each other that shares allow; the others attest the first."""
    for one in range(6):
        for other in range(6):
            if one != other:
                yield one, other
    for at in range(6, count):
        yield at, 0


def dense(count: int) -> Pairs:
    chance = Random(5)  # noqa: S311 - the same graph at each run
    for one in range(count):
        for other in chance.sample(range(count), 20):
            if one != other:
                yield one, other


def with_cluster(shape: Callable[[int], Pairs]) -> TrustGraph:
    """Return a view with honest cells, of which all I know stand behind one, and it was fooled."""
    graph = TrustGraph(ME)
    for at in range(20):
        graph.attest(ME, cell(f"friend {at}"), score=1.0, made_s=0)
        graph.attest(cell(f"friend {at}"), cell("fooled"), score=1.0, made_s=0)
    graph.attest(ME, cell("fooled"), score=1.0, made_s=0)
    graph.attest(cell("fooled"), fake(0), score=1.0, made_s=0)
    for one, other in shape(FAKES):
        graph.attest(fake(one), fake(other), score=1.0, made_s=0)
    graph.settle()
    return graph


def fake(at: int) -> PublicKey:
    return cell(f"fake {at}")


def test_the_bound_is_below_read_only_access() -> None:
    assert BOUND + INTERACTION_WEIGHT_MAX < BAR


@pytest.mark.parametrize("shape", [ring, star, clique_of_six, dense])
def test_one_honest_attestation_lifts_no_fake_cell(shape: Callable[[int], Pairs]) -> None:
    graph = with_cluster(shape)
    scores = [graph.score(fake(at)) for at in range(FAKES)]
    assert graph.score(cell("fooled")) == pytest.approx(1.0)
    assert 0.0 < max(scores) <= BOUND
    assert sum(scores) < DAMPING / (1 - DAMPING)


def test_not_even_with_interactions_between_me_and_all_of_them() -> None:
    graph = with_cluster(clique_of_six)
    for at in range(FAKES):
        for number in range(20):
            graph.interact(ME, fake(at), time_s=0, identity=bytes([number]))
    graph.settle()
    scores = [graph.score(fake(at)) for at in range(6, FAKES)]
    assert max(scores) < BAR


def test_a_fake_cell_that_i_attest_myself_is_what_i_say_it_is() -> None:
    graph = with_cluster(dense)
    graph.attest(ME, fake(1), score=0.6, made_s=0)
    graph.settle()
    assert graph.score(fake(1)) == pytest.approx(0.6)
