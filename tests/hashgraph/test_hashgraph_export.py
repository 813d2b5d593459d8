"""A graph leaves as a vector that gives the same answers wherever it is read."""

from __future__ import annotations

import json

import pytest

from hashgraph.export import vector_of
from hashgraph.replay import replay
from hashgraph.vector import outcome_as_json, read_expected, read_vector
from tests.hashgraph.hashgraph_cases import random_case


@pytest.mark.parametrize("seed", range(12))
def test_what_is_exported_is_read_as_the_same_graph_with_the_same_order(seed: int) -> None:
    case = random_case(seed, forks=seed % 2 == 1, uneven=seed % 3 == 0)
    exported = vector_of(
        case.events,
        case.weights,
        coin_period=case.coin_period,
        first_round=case.first_round,
        name="t",
        source="test",
    )
    text = json.dumps(exported)
    vector = read_vector(text)
    again = replay(
        vector.events,
        vector.weights,
        coin_period=vector.coin_period,
        first_round=vector.first_round,
        coin=vector.coin,
    )
    direct = case.by_engine()
    assert [item.event.id for item in again.order] == [item.event.id for item in direct.order]
    assert outcome_as_json(again, vector).items() >= read_expected(text).items()
