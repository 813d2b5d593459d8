"""A thousand fake cells that attest each other, and got one honest attestation: none rises."""

from __future__ import annotations

import pytest
from bench_trust_cases import SHAPES, clique_of_six, dense, fake, with_cluster

from identity.trust.limits import DAMPING, INTERACTION_WEIGHT_MAX, SHARES_MIN
from tests.identity.trust.world import ME, cell

FAKES = 1_000
BAR = 0.3
BOUND = DAMPING / SHARES_MIN * (1 + DAMPING / (SHARES_MIN * (1 - DAMPING)))
"""Trust that enters by one attestation is at most DAMPING / SHARES_MIN. It comes by any one cell
once where it enters, and by each further step with a share of 1 / SHARES_MIN at most."""


def test_the_bound_is_below_read_only_access() -> None:
    assert BOUND + INTERACTION_WEIGHT_MAX < BAR


@pytest.mark.parametrize("shape", SHAPES)
def test_one_honest_attestation_lifts_no_fake_cell(shape: str) -> None:
    graph = with_cluster(SHAPES[shape], FAKES)
    scores = [graph.score(fake(at)) for at in range(FAKES)]
    assert graph.score(cell("fooled 0")) == pytest.approx(1.0)
    assert 0.0 < max(scores) <= BOUND
    assert sum(scores) < DAMPING / (1 - DAMPING)


def test_not_even_with_interactions_between_me_and_a_thousand_of_them() -> None:
    graph = with_cluster(clique_of_six, FAKES)
    for at in range(6, FAKES):
        for number in range(20):
            graph.interact(ME, fake(at), time_s=0, identity=bytes([number]))
    graph.settle()
    assert max(graph.score(fake(at)) for at in range(1, FAKES)) < BAR


def test_a_fake_cell_that_i_attest_myself_is_what_i_say_it_is() -> None:
    graph = with_cluster(dense, FAKES)
    graph.attest(ME, fake(1), score=0.6, made_s=0)
    graph.settle()
    assert graph.score(fake(1)) == pytest.approx(0.6)
