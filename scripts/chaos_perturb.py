"""Carries out the perturbations of a manifest, and measures how soon each cell is back.

Back is a cell that answers, takes part, and has ordered more than any cell had when the
perturbation ended. While it lasts, the cells that it leaves alone have to go on, if they are
enough.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from chaos_cell import Cell, wait_until
from chaos_errors import ENDED_BY_ITSELF, NOT_BACK, STOOD_STILL, Finding, NetworkNotUp
from chaos_manifest import DOWN, HALVES, Act, Manifest, Perturbation
from chaos_network import AT_WORK, Network

BACK_S: Final = 20.0
"""A cell has to be back in this time."""
GIVEN_UP_S: Final = 60.0
"""After this time the run goes on without it."""
PROGRESS_S_MIN: Final = 2.0
"""A shorter perturbation can end before the others have ordered anything."""
STOPS_S: Final = 10.0
"""A cell on a full disk has to notice in this time."""

_FULL_CODES: Final = ("MYC-JOURNAL-012", "MYC-NODE-005")


@dataclass(slots=True)
class Outcome:
    """What became of one perturbation."""

    perturbation: Perturbation
    began_s: float
    ended_s: float = 0.0
    back_s: dict[int, float] = field(default_factory=dict)
    """By cell: how long after the end it was back."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def slowest_s(self) -> float | None:
        """When the last cell was back; None if one was not."""
        return None if any(f.code == NOT_BACK for f in self.findings) else max(self.back_s.values())


class Perturber:
    """Perturbs a network."""

    def __init__(self, network: Network, manifest: Manifest) -> None:
        self._network = network
        self._manifest = manifest
        self._patience = network.patience
        self._faults: dict[int, dict[str, Any]] = {cell.number: {} for cell in network.cells}
        self._log_sizes: dict[int, int] = {}

    def run(self, tell: Callable[[int, Outcome], None]) -> list[Outcome]:
        """Carry out all perturbations, each when the one before is over; tell of each."""
        outcomes = []
        began_s = time.monotonic()
        for number, one in enumerate(self._manifest.perturbations, 1):
            time.sleep(max(0.0, began_s + one.at_s - time.monotonic()))
            outcome = Outcome(one, time.monotonic() - began_s)
            self._carry_out(one, outcome)
            outcomes.append(outcome)
            tell(number, outcome)
        time.sleep(max(0.0, began_s + self._manifest.seconds - time.monotonic()))
        return outcomes

    def _carry_out(self, one: Perturbation, outcome: Outcome) -> None:
        hit = {number for act in one.acts for number in act.cells}
        spared = [cell for cell in self._network.cells if cell.number not in hit]
        before = [cell.ordered() for cell in spared]
        began_s = time.monotonic()
        for act in one.acts:
            self._begin(act)
        time.sleep(one.lasts_s)
        for act in one.acts:
            outcome.findings += self._noticed(act)
        if self._goes_on(one):
            for cell, ordered in zip(spared, before, strict=True):
                if cell.ordered() <= ordered:
                    detail = f"{one}: {cell.name} ordered nothing in {one.lasts_s} s"
                    outcome.findings.append(Finding(STOOD_STILL, detail))
        goal = max(*before, *(cell.ordered() for cell in self._asked(one)), 0)
        for act in one.acts:
            self._end(act)
        outcome.ended_s = time.monotonic() - began_s
        self._wait_back(one, goal, outcome)

    def _goes_on(self, one: Perturbation) -> bool:
        """Return whether the cells that are left alone are enough, and had time."""
        down = sum(len(act.cells) for act in one.acts if act.kind in DOWN)
        halves = any(act.kind == HALVES for act in one.acts)
        return not halves and down <= self._manifest.spare and one.lasts_s >= PROGRESS_S_MIN

    def _asked(self, one: Perturbation) -> list[Cell]:
        """Return the cells that tell what was ordered: a frozen one would hold us up."""
        silent = {number for act in one.acts if act.kind in DOWN for number in act.cells}
        return self._network.except_for(silent) or self._network.cells

    def _wait_back(self, one: Perturbation, goal: int, outcome: Outcome) -> None:
        ended_s = time.monotonic()
        waiting = list(self._network.cells)
        while waiting and time.monotonic() - ended_s < self._patience * GIVEN_UP_S:
            for cell in list(waiting):
                if _is_back(cell, goal):
                    outcome.back_s[cell.number] = time.monotonic() - ended_s
                    waiting.remove(cell)
            time.sleep(0.02)
        late = {
            number: took_s
            for number, took_s in outcome.back_s.items()
            if took_s > self._patience * BACK_S
        }
        for cell in waiting:
            after_s = time.monotonic() - ended_s
            detail = f"{one}: {cell.name} is not back after {after_s:.0f} s: {_state_of(cell)}"
            outcome.findings.append(Finding(NOT_BACK, detail))
            if not cell.is_alive():
                cell.start()
        for number, took_s in late.items():
            detail = f"{one}: cell-{number} was back after {took_s:.1f} s"
            outcome.findings.append(Finding(NOT_BACK, detail))

    def _cells(self, act: Act) -> Iterable[Cell]:
        return (self._network.cell(number) for number in act.cells)

    def _begin(self, act: Act) -> None:
        for cell in self._cells(act):
            self._log_sizes[cell.number] = cell.log_size()
            match act.kind:
                case "kill":
                    cell.end()
                case "restart":
                    cell.end(signal.SIGTERM)
                case "pause":
                    cell.send(signal.SIGSTOP)
                case "full":
                    self._have(cell, disk_full=True)
                case "skew":
                    self._have(cell, skew_ms=act.amount)
        if act.kind in ("cut", "deaf", "mute", "delay", HALVES):
            self._have_links(act)

    def _have_links(self, act: Act) -> None:
        """Tell both ends of each link between these cells and the others."""
        inside = [self._network.cell(number) for number in act.cells]
        outside = self._network.except_for(act.cells)
        theirs = {"deaf": "mute", "mute": "deaf", HALVES: "cut"}.get(act.kind, act.kind)
        ours = "cut" if act.kind == HALVES else act.kind
        for cells, others, kind in ((inside, outside, ours), (outside, inside, theirs)):
            ids = [other.cell_id for other in others]
            for cell in cells:
                before = self._faults[cell.number]
                if kind == "delay":
                    delays = before.get("delay_ms", {}) | dict.fromkeys(ids, act.amount)
                    self._have(cell, delay_ms=delays)
                else:
                    self._have(cell, **{kind: [*before.get(kind, ()), *ids]})

    def _noticed(self, act: Act) -> list[Finding]:
        """Check that a cell on a full disk has stopped with the code that says so."""
        if act.kind != "full":
            return []
        findings = []
        for cell in self._cells(act):
            try:
                wait_until(
                    lambda cell=cell: not cell.is_alive(),  # type: ignore[misc]  # a bound default
                    self._patience * STOPS_S,
                    "it goes on",
                )
            except NetworkNotUp as error:
                findings.append(Finding(ENDED_BY_ITSELF, f"{cell.name}, disk full: {error}"))
                continue
            if not any(code in cell.said(self._log_sizes[cell.number]) for code in _FULL_CODES):
                detail = f"{cell.name}, disk full: {cell.last_words()}"
                findings.append(Finding(ENDED_BY_ITSELF, detail))
        return findings

    def _end(self, act: Act) -> None:
        """Undo an act; what runs no more is started."""
        for cell in self._network.cells:
            self._faults[cell.number] = {}
            cell.have_faults({})
        for cell in self._cells(act):
            if act.kind == "pause":
                cell.send(signal.SIGCONT)
            elif act.kind in ("kill", "restart", "full") and not cell.is_alive():
                cell.start()

    def _have(self, cell: Cell, **faults: object) -> None:
        self._faults[cell.number] |= faults
        cell.have_faults(self._faults[cell.number])


def _is_back(cell: Cell, goal: int) -> bool:
    status = cell.status()
    if status is None or status["phase"] not in AT_WORK:
        return False
    return bool(status["transactions_ordered"] > goal)


def _state_of(cell: Cell) -> str:
    if not cell.is_alive():
        return f"its process has ended: {cell.last_words()}"
    status = cell.status()
    return "it gives no answer" if status is None else f"phase {status['phase']}"
