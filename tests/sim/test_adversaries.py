"""Each adversary does to honest cells what it says, and all promises hold all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import process
from sim.adversaries import ADVERSARIES
from sim.scenario import Liar, Scenario
from sim.verdict import Verdict

SEEN = "numbers with two events"
REMOVED = "liars removed"


def run(
    kind: str, seed: int, tmp_path: Path, *, members: int = 4, epoch_rounds: int = 2048
) -> tuple[Verdict, str]:
    """Return the verdict over a short run with as many liars as may be, and its trace."""
    liars = {4: (1,), 7: (1, 4)}[members]
    scenario = Scenario(
        seed,
        members,
        epoch_rounds=epoch_rounds,
        coin_period=3,
        load_per_s=4.0,
        troubled_ms=3_000 if members == 4 else 1_200,
        liars=tuple(Liar(cell, kind) for cell in liars),
    )
    trace = tmp_path / "trace"
    verdict = process.run(scenario, trace)
    assert verdict.is_clean, verdict.findings
    return verdict, trace.read_text()


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("equivocates early", 1),
        ("equivocates late", 4),
        ("equivocates nested", 1),
        ("equivocates in a partition", 1),
        ("two copies", 4),
    ],
)
def test_two_histories_reach_honest_cells_and_cost_the_liar_its_place(
    kind: str, seed: int, tmp_path: Path
) -> None:
    verdict, trace = run(kind, seed, tmp_path)
    assert verdict.lies[SEEN] >= 1
    assert verdict.lies[REMOVED] == 1
    assert "a member forked" in trace


@pytest.mark.parametrize(
    ("kind", "seed"), [("equivocates early", 3), ("equivocates in a partition", 1)]
)
def test_two_liars_of_seven_are_removed_too(kind: str, seed: int, tmp_path: Path) -> None:
    verdict, _ = run(kind, seed, tmp_path, members=7)
    assert verdict.lies[SEEN] >= 1
    assert verdict.lies[REMOVED] == 2


def test_who_was_removed_tries_on_in_vain(tmp_path: Path) -> None:
    verdict, trace = run("equivocates nested", 1, tmp_path)
    assert verdict.lies["tries of those removed"] >= 1
    assert "MYC-GOSSIP-005" in trace, "it can only sign for itself"


def test_what_was_withheld_comes_out_at_the_end_of_the_epoch(tmp_path: Path) -> None:
    verdict, _ = run("withholds", 3, tmp_path, epoch_rounds=16)
    assert verdict.lies["withheld"] >= 10
    assert verdict.lies["released"] >= 10
    assert verdict.epochs >= 2
    assert verdict.lies[SEEN] == 0


@pytest.mark.parametrize(
    ("kind", "deed", "count"),
    [
        ("selective", "shown to few", 10),
        ("mute", "silences", 10),
        ("false vectors", "false vectors", 5),
        ("stale parents", "stale events", 10),
        ("false times", "false times", 4),
        ("copies transactions", "copied transactions", 10),
        ("forges transactions", "forged transactions", 5),
        ("false checkpoints", "false checkpoints", 5),
    ],
)
def test_what_no_rule_forbids_changes_nothing(
    kind: str, deed: str, count: int, tmp_path: Path
) -> None:
    verdict, _ = run(kind, 2, tmp_path)
    assert verdict.lies[deed] >= count
    assert verdict.lies[REMOVED] == 0
    assert verdict.transactions >= 4


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("bad signatures", "MYC-GOSSIP-005"),
        ("false times", "MYC-GOSSIP-007"),
        ("equivocates early", "MYC-GOSSIP-020"),
    ],
)
def test_who_sends_what_is_wrong_is_dropped_for_that(kind: str, code: str, tmp_path: Path) -> None:
    _, trace = run(kind, 1, tmp_path)
    assert code in trace


def test_events_on_what_nobody_made_are_held_against_their_sender(tmp_path: Path) -> None:
    verdict, trace = run("phantom parents", 1, tmp_path)
    assert verdict.lies["phantoms"] >= 5
    assert "events whose parents it does not have" in trace
    assert verdict.lies[REMOVED] == 0, "who only names phantoms has not forked"


def test_divided_votes_need_more_rounds_and_agree_in_the_end(tmp_path: Path) -> None:
    verdict, _ = run("coin forcing", 1, tmp_path)
    assert verdict.lies["undecided rounds"] >= 4, "undivided votes leave two"
    assert verdict.rounds > 5


def test_every_adversary_says_what_it_does_and_what_it_hopes_for() -> None:
    for kind in ADVERSARIES.values():
        assert "hopes" in (kind.__doc__ or "")
