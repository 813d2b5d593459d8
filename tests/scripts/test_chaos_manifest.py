"""Manifests of chaos runs: what a seed draws can be run, is written down, and is the same again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from chaos_errors import BadManifest
from chaos_manifest import (
    DOWN,
    HALVES,
    KINDS,
    Act,
    Manifest,
    Perturbation,
    check,
    dump,
    generate,
    load,
)


def made(seed: int = 1, cells: int = 5, count: int = 40) -> Manifest:
    return generate(seed=seed, cells=cells, count=count, seconds=480)


@pytest.mark.parametrize("cells", [4, 5, 6, 7])
def test_what_is_drawn_never_takes_more_cells_down_than_can_be_spared(cells: int) -> None:
    together = 0
    for seed in range(50):
        manifest = made(seed, cells)
        check(manifest)
        for one in manifest.perturbations:
            down = sum(len(act.cells) for act in one.acts if act.kind in DOWN)
            assert down <= manifest.spare == (cells - 1) // 3
            together += len(one.acts) > 1
    assert together > 100, "several at once"


def test_each_kind_has_its_turn_and_each_cell() -> None:
    acts = [act for one in made().perturbations for act in one.acts]
    assert min(Counter(act.kind for act in acts)[kind] for kind in KINDS) >= 3
    assert {cell for act in acts for cell in act.cells} == {1, 2, 3, 4, 5}


def test_each_is_over_before_the_next_begins() -> None:
    for seed in range(50):
        drawn = made(seed).perturbations
        for one, two in pairwise(drawn):
            assert one.at_s + one.lasts_s < two.at_s


def test_a_seed_draws_the_same_again_and_another_does_not() -> None:
    assert made(7) == made(7) != made(8)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(dump(made(3, 7)))
    assert load(path) == made(3, 7)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', "nonsense"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(BadManifest):
        load(path)
    with pytest.raises(BadManifest):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("acts", "lasts_s"),
    [
        ((Act("kill", (1, 2)),), 1),
        ((Act("kill", (1,)), Act("pause", (2,))), 1),
        ((Act("kill", (6,)),), 1),
        ((Act("kill", ()),), 1),
        ((Act("melt", (1,)),), 1),
        ((Act("kill", (1,), 5),), 1),
        ((Act("delay", (1,)),), 1),
        ((Act(HALVES, (1, 2)), Act("skew", (3,), 1000)), 1),
        ((Act("kill", (1,)), Act("skew", (1,), 1000)), 1),
        ((Act("kill", (1,)),), -1),
    ],
)
def test_what_can_not_be_run_is_refused(acts: tuple[Act, ...], lasts_s: float) -> None:
    with pytest.raises(BadManifest):
        check(replace(made(), perturbations=(Perturbation(0, lasts_s, acts),)))


def test_more_cells_than_can_be_spared_go_down_only_if_the_manifest_says_so() -> None:
    all_at_once = (Perturbation(0, 1, (Act("kill", (1, 2, 3, 4, 5)),)),)
    with pytest.raises(BadManifest):
        check(replace(made(), perturbations=all_at_once))
    check(replace(made(), perturbations=all_at_once, beyond_f=True))
