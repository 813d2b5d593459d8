"""What `myceld sim` does with its options: draws scenarios, runs them, and says what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.errors import EXIT_FAILED, BadInput
from cli.limits import SIM_CELLS_MAX, SIM_SHRINK_RUNS_MAX
from cli.options import expand
from myceld.client import Client
from sim import process
from sim.adversaries import ADVERSARIES
from sim.drawing import PROFILES, Wishes, draw
from sim.faults import FAULTS
from sim.scenario import Action, Scenario, from_json, to_json
from sim.shrink import shrink_failed
from sim.verdict import Verdict


def run(options: dict[str, Any]) -> None:
    """Run the scenarios that the options ask for; ends with EXIT_FAILED if one failed."""
    scenarios = list(_scenarios(options))
    if options["write"]:
        Path(options["write"]).write_text(to_json(scenarios[0]) + "\n", encoding="utf-8")
    jobs = options["jobs"] or os.cpu_count() or 1
    verdicts: list[tuple[Scenario, Verdict]] = []
    by_seed = {scenario.seed: scenario for scenario in scenarios}
    trace = expand(options["trace"]) if options["trace"] else None
    if trace is not None and len(scenarios) > 1:
        raise BadInput("--trace is for one run: leave --seeds out")
    as_json = bool(options["as_json"])
    for verdict in process.run_many(scenarios, jobs=jobs, trace_path=trace):
        verdicts.append((by_seed[verdict.seed], verdict))
        if not as_json:
            _show(by_seed[verdict.seed], verdict, many=len(scenarios) > 1)
    failed = [(scenario, verdict) for scenario, verdict in verdicts if not verdict.is_clean]
    if as_json:
        _show_json(verdicts)
    elif len(scenarios) > 1:
        _show_sum([verdict for _, verdict in verdicts], len(failed))
    if failed and options["shrink"]:
        _shrink(*failed[0], options["write"])
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


def _scenarios(options: dict[str, Any]) -> Iterator[Scenario]:
    if options["scenario"]:
        path = expand(options["scenario"])
        try:
            scenario = from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"can not read {path}: {error}") from error
        _check_kinds(
            [action.kind for action in scenario.actions], [liar.kind for liar in scenario.liars]
        )
        yield scenario
        return
    like = _members_of(options["like"])
    faults = options["faults"]
    kinds = None if faults in PROFILES else tuple(name.strip() for name in faults.split(","))
    _check_kinds(kinds or (), options["liars"])
    wishes = Wishes(
        profile="mixed" if kinds else faults,
        cells=len(like) if like else options["cells"],
        minutes=options["minutes"],
        liars=tuple(options["liars"]) or None,
        kinds=kinds,
    )
    for seed in range(options["seed"], options["seed"] + options["seeds"]):
        yield _with_choices(draw(seed, wishes), like, options)


def _check_kinds(faults: Iterable[str], liars: Iterable[str]) -> None:
    """Raise BadInput for a kind that there is not."""
    for kind in faults:
        if kind not in FAULTS:
            raise BadInput(f"no fault {kind!r}; there are {', '.join([*PROFILES, *FAULTS])}")
    for kind in liars:
        if kind not in ADVERSARIES:
            raise BadInput(f"no adversary {kind!r}; there are {', '.join(ADVERSARIES)}")


def _with_choices(
    scenario: Scenario, like: list[tuple[str, int]], options: dict[str, Any]
) -> Scenario:
    """Return the scenario with what was asked for by name."""
    names = [name for name, _ in like] or [f"cell-{at + 1}" for at in range(scenario.members)]
    if like:
        actions = tuple(action for action in scenario.actions if action.kind != "member")
        weights = tuple(weight for _, weight in like)
        scenario = replace(scenario, weights=weights, names=tuple(names), actions=actions)
    if options["kill"]:
        down = _named(options["kill"], names)
        actions = tuple(action for action in scenario.actions if action.kind != "member")
        scenario = replace(scenario, down=down, actions=actions)
    if options["partition"]:
        alone = _named(options["partition"], names)
        part = Action(0, "partition", alone, scenario.troubled_ms)
        scenario = replace(scenario, actions=(part, *scenario.actions))
    return scenario


def _named(text: str, names: list[str]) -> tuple[int, ...]:
    """Return the members in a list of names, or as many as a number says."""
    if text.isdecimal():
        if int(text) > len(names):
            raise BadInput(f"there are {len(names)} members, not {text}")
        return tuple(range(int(text)))
    chosen = []
    for name in (part.strip() for part in text.split(",")):
        if name not in names:
            raise BadInput(f"no member {name!r}; there are {', '.join(names)}")
        chosen.append(names.index(name))
    return tuple(sorted(set(chosen)))


def _members_of(directory: str | None) -> list[tuple[str, int]]:
    """Return names and weights of the members of a live cell's network."""
    if not directory:
        return []
    with Client.from_home(expand(directory)) as cell:
        members = cell.members()["members"]
    if len(members) > SIM_CELLS_MAX:
        raise BadInput(f"{len(members)} members are more than the {SIM_CELLS_MAX} that are run")
    return [(member["name"], member["weight"]) for member in members]


def _show(scenario: Scenario, verdict: Verdict, *, many: bool) -> None:
    word = "clean" if verdict.is_clean else "FOUND"
    if many:
        what = f"{verdict.transactions} transactions, {verdict.rounds} rounds"
        show.line(f"seed {verdict.seed}  {word}  {what}  {verdict.digest[:12]}")
    else:
        show.pairs(_facts(scenario, verdict))
    for finding in verdict.findings:
        show.line(f"  {show.safe(str(finding))}")
    if not verdict.is_clean and many:
        show.line(f"  again: myceld sim --seed {verdict.seed}, with the same other options")
    show.flush()


def _facts(scenario: Scenario, verdict: Verdict) -> list[tuple[str, str]]:
    struck = ", ".join(f"{kind} × {count}" for kind, count in verdict.happenings.items())
    liars = ", ".join(f"cell-{liar.cell + 1} {liar.kind}" for liar in scenario.liars)
    recovered = "-" if verdict.recovered_s is None else f"{verdict.recovered_s:.1f} s"
    return [
        ("seed", str(verdict.seed)),
        ("cells", f"{scenario.members} members, {scenario.followers} followers"),
        ("liars", liars or "none"),
        ("stay down", ", ".join(f"cell-{at + 1}" for at in scenario.down) or "none"),
        ("went wrong", struck or "nothing"),
        ("virtual time", f"{verdict.virtual_s:.1f} s in {verdict.cpu_s:.1f} s of one core"),
        ("order", f"{verdict.transactions} transactions, {verdict.rounds} rounds"),
        ("epochs", str(verdict.epochs)),
        ("starts, jumps", f"{verdict.starts}, {verdict.jumps}"),
        ("after healing", verdict.outlook or f"new order agreed in {recovered}"),
        ("trace", verdict.digest),
        ("verdict", "clean" if verdict.is_clean else f"{len(verdict.findings)} found"),
    ]


def _show_sum(verdicts: list[Verdict], failed: int) -> None:
    virtual_s = sum(verdict.virtual_s for verdict in verdicts)
    cpu_s = sum(verdict.cpu_s for verdict in verdicts)
    show.line(
        f"{len(verdicts)} runs, {failed} with findings; {show.duration(virtual_s)} of virtual time "
        f"in {show.duration(cpu_s)} of one core"
    )
    struck: Counter[str] = Counter()
    for verdict in verdicts:
        struck.update(verdict.happenings)
    show.line(", ".join(f"{kind} × {count}" for kind, count in sorted(struck.items())))


def _show_json(verdicts: list[tuple[Scenario, Verdict]]) -> None:
    show.as_json(
        {
            "runs": [
                {"scenario": asdict(scenario), "verdict": asdict(verdict)}
                for scenario, verdict in verdicts
            ]
        }
    )


def _shrink(scenario: Scenario, verdict: Verdict, target: str | None) -> None:
    """Look for the smallest scenario that breaks a promise that this one broke."""

    def tell(runs: int, better: Scenario) -> None:
        click.echo(f"{runs} runs: {len(better.actions)} actions, {better.troubled_ms} ms", err=True)

    smallest = shrink_failed(scenario, verdict, runs_max=SIM_SHRINK_RUNS_MAX, tell=tell)
    if target:
        Path(target).write_text(to_json(smallest) + "\n", encoding="utf-8")
    show.line(to_json(smallest))
