"""Looks for a smaller scenario that still fails: fewer actions, less time, fewer cells.

A scenario fails the same way if it breaks a promise that the first one broke. Delta debugging over
the actions (Zeller and Hildebrandt 2002, ddmin), then one simplification of the numbers after the
other, as long as something gets smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ledger.limits import PATCHES_SIZE_BYTES_MAX
from sim import process
from sim.scenario import Action, Scenario
from sim.verdict import Verdict

Fails = Callable[[Scenario], bool]


def shrink(scenario: Scenario, fails: Fails, tell: Callable[[Scenario], None]) -> Scenario:
    """Return the smallest failing scenario that was found; `tell` is told of each better one."""
    best = scenario
    while True:
        smaller = _shrink_actions(best, fails)
        for candidate in _simpler(smaller):
            if fails(candidate):
                smaller = candidate
                break
        if smaller == best:
            return best
        best = smaller
        tell(best)


def shrink_failed(
    scenario: Scenario, verdict: Verdict, *, runs_max: int, tell: Callable[[int, Scenario], None]
) -> Scenario:
    """Return the smallest scenario found that breaks a promise which this run broke.

    It takes `runs_max` runs at the most; `tell` gets how many it took so far, and the best.
    """
    promises = {finding.promise for finding in verdict.findings}
    runs = 0

    def fails(candidate: Scenario) -> bool:
        nonlocal runs
        runs += 1
        if runs > runs_max:
            return False
        return any(found.promise in promises for found in process.run(candidate).findings)

    return shrink(scenario, fails, lambda best: tell(runs, best))


def _shrink_actions(scenario: Scenario, fails: Fails) -> Scenario:
    actions, parts = scenario.actions, 2
    while len(actions) >= 1:
        size = -(-len(actions) // parts)
        for at in range(0, len(actions), size):
            rest = actions[:at] + actions[at + size :]
            if fails(replace(scenario, actions=rest)):
                actions, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(len(actions), 2 * parts)
    return replace(scenario, actions=actions)


def _simpler(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with one thing simpler, the largest steps first."""
    if scenario.actions:
        end_ms = max(action.at_ms + action.for_ms for action in scenario.actions)
        for troubled_ms in (end_ms // 2, end_ms + 100):
            if troubled_ms < scenario.troubled_ms:
                yield replace(scenario, troubled_ms=troubled_ms)
    elif scenario.troubled_ms > 1_000:
        yield replace(scenario, troubled_ms=scenario.troubled_ms // 2)
    if scenario.liars:
        for at in range(len(scenario.liars)):
            yield replace(scenario, liars=scenario.liars[:at] + scenario.liars[at + 1 :])
    if scenario.followers and not _names(scenario, scenario.machines - 1):
        yield replace(scenario, followers=scenario.followers - 1)
    plainer = (
        replace(scenario, down=()),
        replace(scenario, loss=0.0),
        replace(scenario, patches_bytes_max=PATCHES_SIZE_BYTES_MAX),
    )
    yield from [one for one in plainer if one != scenario]
    for number, action in enumerate(scenario.actions):
        for simpler in _simpler_action(action):
            changed = [*scenario.actions]
            changed[number] = simpler
            yield replace(scenario, actions=tuple(changed))


def _simpler_action(action: Action) -> Iterator[Action]:
    if len(action.cells) > 1 and action.kind not in {"cut", "cut one way", "member"}:
        half = len(action.cells) // 2
        yield replace(action, cells=action.cells[:half])
        yield replace(action, cells=action.cells[half:])
    if action.for_ms > 200:
        yield replace(action, for_ms=action.for_ms // 2)


def _names(scenario: Scenario, cell: int) -> bool:
    named = {*scenario.down, *(liar.cell for liar in scenario.liars)}
    return cell in named or any(cell in action.cells for action in scenario.actions)
