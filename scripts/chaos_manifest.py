"""What a chaos run does and when: drawn from a seed, written down, and run again from the file.

A manifest says which perturbations begin when, how long each lasts, and which cells it hits. It
never takes more cells down at once than the network can lose, unless it says `beyond_f`; cutting
the network in halves stops it without taking a cell down, and stands alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from chaos_errors import BadManifest

CELLS_MIN: Final = 4
CELLS_MAX: Final = 7
PERTURBATIONS_MAX: Final = 10_000
LASTS_S_MAX: Final = 120.0

DOWN: Final = ("kill", "restart", "pause", "cut", "deaf", "mute", "full")
"""A cell that suffers one of these takes no part meanwhile."""
SLOWED: Final = ("delay", "skew")
"""A cell that suffers one of these goes on."""
HALVES: Final = "halves"
KINDS: Final = (*DOWN, *SLOWED, HALVES)

_FORMAT: Final = 1
LOAD_PER_S: Final = 25.0
"""What two cores carry beside five cells and their restarts."""
_EPOCH_ROUNDS: Final = 256
"""Short, so that a run sees epochs end."""
_DELAYS_MS: Final = (50, 150, 400)
_SKEWS_MS: Final = (-3_600_000, -60_000, 60_000, 3_600_000)
_LAST_SHARE: Final = 0.55
"""Of the time until the next perturbation; the rest is for coming back."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to cells; `amount` is the delay or the skew, in ms."""

    kind: str
    cells: tuple[int, ...]
    amount: int = 0

    def __str__(self) -> str:
        where = "+".join(map(str, self.cells))
        return f"{self.kind} {where}" + (f" {self.amount:+} ms" if self.amount else "")


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Acts that begin together, `at_s` after the start of the load, and end together."""

    at_s: float
    lasts_s: float
    acts: tuple[Act, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.acts))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole run."""

    seed: int
    cells: int
    seconds: float
    load_per_s: float
    """Transactions a second, over all cells."""
    epoch_rounds: int
    perturbations: tuple[Perturbation, ...]
    beyond_f: bool = False

    @property
    def spare(self) -> int:
        """How many cells the network can lose and go on."""
        return (self.cells - 1) // 3


def generate(*, seed: int, cells: int, count: int, seconds: float) -> Manifest:
    """Draw a manifest: each kind in turn, in a drawn order, on drawn cells."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    slot_s = seconds / count
    deck: list[str] = []
    drawn: list[Perturbation] = []
    for number in range(count):
        if not deck:
            deck = chance.sample(KINDS, len(KINDS))
        acts = _drawn_acts(chance, deck.pop(), cells)
        at_s = slot_s * (number + chance.uniform(0.0, 0.15))
        lasts_s = slot_s * chance.uniform(0.05, _LAST_SHARE)
        drawn.append(Perturbation(round(at_s, 2), round(lasts_s, 2), acts))
    made = Manifest(seed, cells, seconds, LOAD_PER_S, _EPOCH_ROUNDS, tuple(drawn))
    check(made)
    return made


def check(manifest: Manifest) -> None:
    """Raise BadManifest for what can not be run."""
    if not CELLS_MIN <= manifest.cells <= CELLS_MAX:
        raise BadManifest(f"{manifest.cells} cells, {CELLS_MIN} to {CELLS_MAX} can be run")
    if len(manifest.perturbations) > PERTURBATIONS_MAX:
        raise BadManifest(f"{len(manifest.perturbations)} perturbations")
    for number, one in enumerate(manifest.perturbations, 1):
        where = f"perturbation {number}"
        if not (one.at_s >= 0 and 0 <= one.lasts_s <= LASTS_S_MAX):
            raise BadManifest(f"{where}: begins at {one.at_s} s and lasts {one.lasts_s} s")
        hit: list[int] = []
        for act in one.acts:
            _check_act(act, manifest.cells, where)
            hit += act.cells
        if len(set(hit)) < len(hit):
            raise BadManifest(f"{where}: two acts on one cell")
        down = sum(len(act.cells) for act in one.acts if act.kind in DOWN)
        if down > manifest.spare and not manifest.beyond_f:
            raise BadManifest(f"{where}: {down} cells down, {manifest.spare} can be spared")
        if len(one.acts) > 1 and any(act.kind == HALVES for act in one.acts):
            raise BadManifest(f"{where}: halves stand alone")


def dump(manifest: Manifest) -> str:
    """Return the text of a manifest's file."""
    return json.dumps({"format": _FORMAT, **asdict(manifest)}, indent=1) + "\n"


def load(path: Path) -> Manifest:
    """Read a manifest; raises BadManifest."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != _FORMAT:
            raise BadManifest(f"{path} has a format of another version")
        perturbations = tuple(_perturbation(one) for one in raw.pop("perturbations"))
        made = Manifest(**raw, perturbations=perturbations)
        check(made)
    except OSError as error:
        raise BadManifest(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadManifest(f"{path} is no manifest: {error}") from error
    return made


def _perturbation(raw: dict[str, Any]) -> Perturbation:
    acts = tuple(Act(one["kind"], tuple(one["cells"]), one.get("amount", 0)) for one in raw["acts"])
    return Perturbation(raw["at_s"], raw["lasts_s"], acts)


def _check_act(act: Act, cells: int, where: str) -> None:
    if act.kind not in KINDS:
        raise BadManifest(f"{where}: there is no {act.kind}, only {', '.join(KINDS)}")
    if not act.cells or not set(act.cells) <= set(range(1, cells + 1)):
        raise BadManifest(f"{where}: {act} is not on cells 1 to {cells}")
    if bool(act.amount) != (act.kind in SLOWED):
        raise BadManifest(f"{where}: {act.kind} with amount {act.amount}")


def _drawn_acts(chance: random.Random, kind: str, cells: int) -> tuple[Act, ...]:
    numbers = chance.sample(range(1, cells + 1), cells)
    if kind == HALVES:
        return (Act(kind, tuple(sorted(numbers[: cells // 2]))),)
    acts = [Act(kind, (numbers.pop(),), _amount(chance, kind))]
    spare = (cells - 1) // 3 - (kind in DOWN)
    if chance.random() < 0.4:
        others: Sequence[str] = KINDS[:-1] if spare > 0 else SLOWED
        other = chance.choice(others)
        acts.append(Act(other, (numbers.pop(),), _amount(chance, other)))
    return tuple(acts)


def _amount(chance: random.Random, kind: str) -> int:
    if kind == "delay":
        return chance.choice(_DELAYS_MS)
    return chance.choice(_SKEWS_MS) if kind == "skew" else 0
