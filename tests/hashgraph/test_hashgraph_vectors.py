"""Published vectors, exactly, in many topological sequences, and the replay command."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.errors import MyceldError
from hashgraph import Engine, Event
from hashgraph.__main__ import main
from hashgraph.errors import MalformedVector
from hashgraph.explain import Explainer
from hashgraph.oracle import _Definitions, oracle
from hashgraph.outcome import Outcome
from hashgraph.replay import replay
from hashgraph.vector import Vector, outcome_as_json, read_vector, shuffled
from tests.hashgraph.hashgraph_cases import Case, random_case

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


def in_engine(vector: Vector, events: Sequence[Event]) -> Outcome:
    return replay(
        events,
        vector.weights,
        coin_period=vector.coin_period,
        first_round=vector.first_round,
        coin=vector.coin,
    )


def as_file(tmp_path: Path, case: Case) -> Path:
    """Write a random graph as a vector, with forks, weights, times and hashes."""
    events = [
        {
            "id": event.id.hex()[:12],
            "creator": event.creator,
            "self_parent": None if event.self_parent is None else event.self_parent.hex()[:12],
            "other_parents": [other.hex()[:12] for other in event.other_parents],
            "time": event.time_ns,
            "hash": event.id.hex(),
            "coin": position % 2,
        }
        for position, event in enumerate(case.events)
    ]
    file = tmp_path / "case.json"
    data = {
        "schema": "hashgraph-vector/1",
        "members": len(case.weights),
        "weights": case.weights,
        "coin_period": case.coin_period,
        "first_round": case.first_round,
        "events": events,
    }
    file.write_text(json.dumps(data))
    return file


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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_vector_holds_from_every_prefix_after_a_restart(file: Path) -> None:
    vector = read_vector(file.read_bytes())
    whole = in_engine(vector, vector.events)
    for length in range(len(vector.events)):
        # What a cell finds in its journal is in the sequence in which it met the events.
        prefix = shuffled(vector.events[:length], str(length))
        assert (
            in_engine(vector, prefix).order == whole.order[: len(in_engine(vector, prefix).order)]
        )
        outcome = in_engine(vector, [*prefix, *vector.events[length:]])
        assert without_order(outcome_as_json(outcome, vector)) == expected(file)
        assert outcome.order == whole.order


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_engine_strongly_sees_what_the_vector_says(file: Path) -> None:
    vector = read_vector(file.read_bytes())
    pairs = json.loads(file.read_text())["expect"]["strongly_sees"]
    engine = Engine(vector.weights)
    for event in vector.events:
        engine.add(event)
    found = [
        [vector.names[x.id], vector.names[y.id]]
        for x in vector.events
        for y in vector.events
        if engine.strongly_sees(x.id, y.id)
    ]
    assert pairs is None or sorted(found) == sorted(pairs)


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
        {"events": [{**TINY["events"][0], "creator": 1}]},
        {"events": [{**TINY["events"][0], "creator": -1}]},
        {"events": [{**TINY["events"][0], "time": 1.5}]},
        {
            "members": 2,
            "weights": [1, 1],
            "events": [TINY["events"][0], {**TINY["events"][1], "creator": 1}],
        },
    ],
)
def test_malformed_vectors_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedVector):
        read_vector(json.dumps(TINY | change))


@pytest.mark.parametrize("seed", range(12))
def test_explanation_is_what_the_definitions_say(seed: int, tmp_path: Path) -> None:
    case = random_case(seed, forks=seed % 2 == 0, uneven=seed % 3 == 0, members=4, size=110)
    vector = read_vector(as_file(tmp_path, case).read_bytes())
    graph = _Definitions(
        vector.events, vector.weights, vector.coin_period, vector.first_round, vector.coin
    )
    outcome = in_engine(vector, vector.events)
    places = {item.event.id: place for place, item in enumerate(outcome.order)}
    explainer = Explainer(vector)
    voted = decided = 0
    for event in vector.events:
        why = explainer.explain(vector.names[event.id])
        strong = [x.id for x in vector.events if graph.strongly_sees(x, event)]
        assert list(why.strongly_seen_by) == strong
        assert why.round == outcome.round[event.id]
        assert why.famous == outcome.famous.get(event.id)
        assert why.position == places.get(event.id)
        for voting in why.voting:
            for vote in voting.votes:
                voter = graph.by_id[vote.voter]
                assert (vote.vote, vote.decides) == graph.vote(voter, event)
                voted += 1
                decided += vote.decides
        if why.received is not None and why.position is not None:
            judges = graph.judges(why.received)
            assert sorted(item.judge for item in why.judges) == sorted(j.id for j in judges)
            assert why.median_ns == graph.order_key(event, judges)[0]
            assert why.consensus_time_ns == outcome.order[why.position].consensus_time_ns
    assert voted > 20
    assert decided > 0


def test_explain_prints_the_same_as_text_and_as_json(tmp_path: Path) -> None:
    file = as_file(tmp_path, random_case(3, forks=False, uneven=True, members=4, size=80))
    vector = read_vector(file.read_bytes())
    for event in vector.events[:12]:
        name = vector.names[event.id]
        as_json = CliRunner().invoke(main, ["explain", str(file), name, "--json"])
        as_text = CliRunner().invoke(main, ["explain", str(file), name])
        assert as_json.exit_code == as_text.exit_code == 0
        data = json.loads(as_json.output)
        assert data["id"] == name
        assert data["judges"] != []
        for said in (
            f"event {name}:",
            f"round created {data['round']}",
            f"received in round {data['received']}",
            f"median {data['median']}, consensus time {data['time']}",
            f"place {data['position']} in the order",
            *(f"  {item['judge']}: at {item['first']}" for item in data["judges"]),
            *(f"  {vote['voter']}: " for voting in data["votes"] for vote in voting["votes"]),
        ):
            assert said in as_text.output


def test_explain_of_an_unknown_event_says_so() -> None:
    result = CliRunner().invoke(main, ["explain", str(FILES[0]), "nobody"])
    assert result.exit_code == 1
    assert "MYC-HASHGRAPH-020" in result.output


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_check_compares_engine_oracle_and_file(file: Path, tmp_path: Path) -> None:
    for options in ([], ["--shuffle", "9"]):
        result = CliRunner().invoke(main, ["check", str(file), *options])
        assert result.exit_code == 0
        assert "5 answers expected" in result.output
    changed = json.loads(file.read_text())
    changed["expect"]["decided_rounds"].append(99)
    other = tmp_path / "changed.json"
    other.write_text(json.dumps(changed))
    result = CliRunner().invoke(main, ["check", str(other)])
    assert result.exit_code == 1
    assert result.output == "decided_rounds: not what the file expects\n"


@pytest.mark.parametrize("seed", range(6))
def test_check_agrees_on_graphs_with_forks_and_weights(seed: int, tmp_path: Path) -> None:
    file = as_file(tmp_path, random_case(seed, forks=True, uneven=True))
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 0
    assert "engine and oracle agree" in result.output


def test_replay_of_a_bad_file_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text("{}")
    result = CliRunner().invoke(main, ["replay", str(file)])
    assert result.exit_code == 1
    assert "MYC-HASHGRAPH-015" in result.output
    for bad in ("", "[]", "nonsense", "[" * 100_000, b"\xff\xfe\x00"):
        with pytest.raises(MyceldError):
            read_vector(bad)
        file.write_bytes(bad.encode() if isinstance(bad, str) else bad)
        for command in (["replay", str(file)], ["check", str(file)], ["explain", str(file), "a"]):
            result = CliRunner().invoke(main, command)
            assert result.exit_code == 1
            assert "MYC-HASHGRAPH-015" in result.output


@pytest.mark.parametrize(
    "rules",
    [{"coin_period": 1}, {"weights": [0]}, {"weights": [-1]}, {"members": 0, "weights": []}],
)
@pytest.mark.parametrize("options", [[], ["--oracle"]])
def test_replay_with_unfit_rules_is_refused(
    rules: dict[str, Any], options: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "unfit.json"
    file.write_text(json.dumps(TINY | {"events": []} | rules))
    result = CliRunner().invoke(main, ["replay", str(file), *options])
    assert result.exit_code == 1
    assert "MYC-HASHGRAPH-014" in result.output
