"""Published vectors, exactly, in many topological sequences, and the replay command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.errors import MyceldError
from hashgraph.__main__ import main
from hashgraph.errors import MalformedVector
from hashgraph.oracle import oracle
from hashgraph.outcome import Outcome
from hashgraph.replay import replay
from hashgraph.vector import outcome_as_json, read_vector

VECTORS = Path(__file__).parent.parent / "vectors" / "hashgraph"
FILES = sorted(VECTORS.glob("*.json"))
KEYS = ("round", "witnesses", "famous", "decided_rounds")
TINY: dict[str, Any] = {
    "schema": "hashgraph-vector/1",
    "members": 1,
    "weights": [1],
    "coin_period": 10,
    "first_round": 1,
    "events": [
        {"id": "a", "creator": 0, "self_parent": None, "other_parents": []},
        {"id": "b", "creator": 0, "self_parent": "a", "other_parents": [], "coin": 0, "time": 7},
    ],
}


def expected(file: Path) -> dict[str, Any]:
    expect = json.loads(file.read_text())["expect"]
    return {key: expect[key] for key in KEYS} | {"received": expect["received_2016"]}


def without_order(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "order"}


def test_there_are_vectors() -> None:
    assert len(FILES) >= 3


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("answer", [replay, oracle])
def test_vector_holds_exactly_in_twenty_sequences(
    file: Path, answer: Callable[..., Outcome]
) -> None:
    vector = read_vector(file.read_bytes())
    orders = set()
    for seed in range(20):
        events = vector.shuffled(str(seed)) if seed else vector.events
        outcome = answer(
            events,
            vector.weights,
            coin_period=vector.coin_period,
            first_round=vector.first_round,
            coin=vector.coin,
        )
        result = outcome_as_json(outcome, vector)
        assert without_order(result) == expected(file)
        orders.add(tuple(item.event.id for item in outcome.order))
    assert len(orders) == 1


@pytest.mark.parametrize("options", [[], ["--oracle"], ["--shuffle", "5"]])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_replay_prints_the_outcome_as_json(file: Path, options: list[str]) -> None:
    result = CliRunner().invoke(main, ["replay", str(file), *options])
    assert result.exit_code == 0
    printed = json.loads(result.output)
    assert without_order(printed) == expected(file)
    assert sorted(printed["order"]) == sorted(printed["received"])


def test_time_hash_and_coin_of_a_vector_are_used() -> None:
    changed = json.loads(json.dumps(TINY))
    changed["events"][0]["hash"] = "ff00"
    vector = read_vector(json.dumps(changed))
    first, second = vector.events
    assert first.id == b"\xff\x00"
    assert first.signature == b"\xff\x00" + bytes(62)
    assert second.self_parent == first.id
    assert (first.time_ns, second.time_ns) == (0, 7)
    assert (vector.coin(first), vector.coin(second)) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"members": 2},
        {"weights": ["1"]},
        {"events": [{"id": "a"}]},
        {"events": None},
        {"events": [TINY["events"][1]]},
        {"events": [TINY["events"][0], TINY["events"][0]]},
        {"events": [{**TINY["events"][0], "other_parents": ["later"]}]},
        {"events": [{**TINY["events"][0], "hash": "xyz"}]},
    ],
)
def test_malformed_vectors_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedVector):
        read_vector(json.dumps(TINY | change))


def test_replay_of_a_bad_file_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text("{}")
    result = CliRunner().invoke(main, ["replay", str(file)])
    assert result.exit_code == 1
    assert "MYC-HASHGRAPH-015" in result.output
    for bad in ("", "[]", "nonsense"):
        with pytest.raises(MyceldError):
            read_vector(bad)
