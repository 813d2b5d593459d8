"""What happens in one run, written out: who takes part, what goes wrong when, how long it lasts.

A scenario is drawn from a seed (`sim.drawing`), and says everything that a run needs: the same
scenario gives the same run. It can be written to a file, changed by hand, and made smaller
(`sim.shrink`). Chance that is left to the run itself, such as the delay of each packet, comes from
`seed` too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.json_text import NotJson, parse_json
from ledger.limits import PATCHES_SIZE_BYTES_MAX
from sim.errors import BadScenario
from sim.limits import MACHINES_MAX, SCENARIO_SIZE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that goes wrong, or is put right. What the numbers mean depends on the kind."""

    at_ms: int
    kind: str
    """A name in `sim.faults.FAULTS`."""
    cells: tuple[int, ...] = ()
    """Machines, counted from 0."""
    for_ms: int = 0
    """How long it lasts; 0 where that has no meaning."""
    amount: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Liar:
    """A member that does not follow the rules."""

    cell: int
    kind: str
    """A name in `sim.adversaries.ADVERSARIES`."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. It begins with all machines up, and its second phase heals a core."""

    seed: int
    members: int
    followers: int = 0
    """Full copies without a vote."""
    weights: tuple[int, ...] = ()
    """Of the members; all have 1 if there are none here."""
    names: tuple[str, ...] = ()
    epoch_rounds: int = 2048
    coin_period: int = 10
    """Each so-manyth round of an election is a coin round."""
    delay_ms: int = 10
    """Of each link in the mean, one way."""
    loss: float = 0.0
    """Share of packets that a link loses, which delays the stream."""
    load_per_s: float = 2.0
    """Transactions of all clients together."""
    troubled_ms: int = 20_000
    """How long things go wrong. Then a core heals, and has to get on."""
    down: tuple[int, ...] = ()
    """Machines that stay down when the core heals."""
    patches_bytes_max: int = PATCHES_SIZE_BYTES_MAX
    """How much each cell logs of its pages of the state until it writes them whole."""
    old_builds: tuple[int, ...] = ()
    """Machines whose build knows only the rule set that the network begins with."""
    liars: tuple[Liar, ...] = ()
    actions: tuple[Action, ...] = ()

    @property
    def needs_those_down(self) -> bool:
        """Whether the members that stay down are too many for the others to go on without."""
        weights = self.weights or (1,) * self.members
        up = sum(weight for at, weight in enumerate(weights) if at not in self.down)
        return 3 * up <= 2 * sum(weights)

    @property
    def machines(self) -> int:
        """How many there are."""
        return self.members + self.followers


def to_json(scenario: Scenario) -> str:
    """Return the text of a scenario file."""
    return json.dumps({"version": 1, **asdict(scenario)}, indent=1)


def from_json(text: str) -> Scenario:
    """Return the scenario in a file's text; raises BadScenario."""
    if len(text) > SCENARIO_SIZE_BYTES_MAX:
        raise BadScenario(f"a scenario of {len(text)} characters is too long")
    try:
        content: Any = parse_json(text)
        if not isinstance(content, dict) or content.pop("version", None) != 1:
            raise BadScenario("expected a JSON object of version 1")
        content["liars"] = tuple(Liar(**liar) for liar in content.get("liars", ()))
        content["actions"] = tuple(_action(one) for one in content.get("actions", ()))
        for name in ("down", "weights", "names", "old_builds"):
            content[name] = tuple(content.get(name, ()))
        scenario = Scenario(**content)
    except (NotJson, ValueError, TypeError, AttributeError) as error:
        raise BadScenario(f"not a scenario: {error}") from error
    _check_types(scenario)
    return scenario


def _action(content: dict[str, Any]) -> Action:
    return Action(**{**content, "cells": tuple(content.get("cells", ()))})


def _check_types(scenario: Scenario) -> None:
    for field in fields(scenario):
        value, default = getattr(scenario, field.name), field.default
        expected = int if field.name in {"seed", "members"} else type(default)
        if not isinstance(value, expected) and not (expected is float and isinstance(value, int)):
            raise BadScenario(f"{field.name} is {value!r}")
    if not 0 < scenario.members <= MACHINES_MAX - scenario.followers:
        raise BadScenario(f"there are 1 to {MACHINES_MAX} machines, not {scenario.machines}")
    if scenario.patches_bytes_max < 0:
        raise BadScenario(f"patches_bytes_max is {scenario.patches_bytes_max}")
    named = [*scenario.down, *scenario.old_builds, *(liar.cell for liar in scenario.liars)]
    named += [cell for action in scenario.actions for cell in action.cells]
    # Not `in range`: that counts through all of a huge one for what is no integer.
    if not all(type(cell) is int and 0 <= cell < scenario.machines for cell in named):
        raise BadScenario(f"machines are counted from 0 to {scenario.machines - 1}")
