"""Crashes real cells at each failpoint, several times each, under load.

Members crash one at a time, so that the others go on; the cell that has crashed is started again
at once and crashes again, earlier or later, until the failpoint has had its turns. Then it has to
be back in time. Cells without a vote, which fetch checkpoints, crash beside that.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from chaos_cell import POLL_S, Cell, wait_until
from chaos_errors import ENDED_BY_ITSELF, NEVER_HIT, NOT_BACK, Finding, NetworkNotUp
from chaos_network import AT_WORK, Network
from chaos_perturb import BACK_S
from chaos_provoke import (
    Fetching,
    Joining,
    Provoke,
    make_new,
    make_ticket,
    newcomer,
    put_much,
    take_new_key,
    wait,
)
from chaos_report import aligned, counted

from core.failpoint import FAILPOINTS

CRASHES: Final = 10
HIT_S: Final = 30.0
"""A failpoint has to be hit in this time after the start of the cell."""
EPOCH_ROUNDS: Final = 64
EPOCHS_MIN: Final = 2
"""Before the first crash: so that there is a checkpoint to fetch."""

_NEW: Final = ("journal.create.", "install.", "transfer.ask.", "transfer.keep.")
"""Only a cell that is new comes there."""
_OF_OTHERS: Final = (*_NEW, "transfer.", "invites.proposal.")
_REPLAYS: Final = "replay."
_JOURNALS: Final = ("consensus", "state", "message")
_COUNTS_MAX: Final = (
    ("file.", 1),
    ("discovery.", 1),
    ("replay.", 1),
    ("invites.use", 2),
    ("invites.welcome", 2),
    ("invites.", 3),
    ("install.", 1),
    ("transfer.keep", 3),
    ("transfer.", 4),
    ("journal.create", 1),
    ("journal.recovery", 1),
    ("journal.takeover", 1),
    ("journal.checkpoint", 3),
    ("consensus.epoch", 2),
    ("execution.seal", 2),
    ("message.", 20),
    ("", 60),
)
"""By the beginning of its name: at which hit after the start a failpoint kills, at the latest."""


@dataclass(slots=True)
class Tally:
    """What became of one failpoint."""

    name: str
    crashes: int = 0
    seconds: float = 0.0
    back_s: float | None = None
    findings: list[Finding] = field(default_factory=list)


class Crasher:
    """Crashes the cells of a network; two threads at the most use it, for different cells."""

    def __init__(self, network: Network, seed: int, crashes: int) -> None:
        self._network = network
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._crashes = crashes
        self._hit_s = network.patience * HIT_S
        self._back_s = network.patience * BACK_S
        self._others: dict[str, Cell] = {}

    def run(self, names: Sequence[str], tell: Callable[[Tally], None]) -> list[Tally]:
        """Crash at each of these failpoints; tell of each."""
        new = [name for name in names if name.startswith(_NEW)]
        others = [name for name in names if name not in new]
        self._prepare(names)
        tallies: list[Tally] = []
        failures: list[BaseException] = []

        def crash_newcomers() -> None:
            try:
                for name in new:
                    tallies.append(self._crash_newcomer(name, self._others["newcomer"]))
                    tell(tallies[-1])
            except Exception as error:  # noqa: BLE001 - it is raised in the caller's thread
                failures.append(error)

        beside = threading.Thread(target=crash_newcomers, daemon=True)
        beside.start()
        for number, name in enumerate(others):
            victim = self._network.cells[number % len(self._network.cells)]
            tallies.append(self._crash_member(name, victim))
            tell(tallies[-1])
        beside.join()
        if failures:
            raise failures[0]
        return sorted(tallies, key=lambda tally: names.index(tally.name))

    def _prepare(self, names: Sequence[str]) -> None:
        """Have a checkpoint to fetch, cells that fetch it, and journals that are followed."""
        cells = self._network.cells
        if any(name.startswith(_OF_OTHERS) for name in names):
            for number, name in enumerate(("newcomer", "fetcher"), len(cells) + 1):
                other = newcomer(number, self._network.directory / name, cells)
                self._others[name] = other
                self._network.others.append(other)
        for cell, other in zip(cells, [*cells[1:], cells[0]], strict=True):
            for journal in _JOURNALS:
                cell.client.follow(other.cell_id, journal)
        wait_until(
            lambda: cells[0].status_now()["epoch"] >= EPOCHS_MIN, self._hit_s * 3, "no epoch ends"
        )

    def _provocation(self, name: str) -> Provoke:
        """Return what leads to a failpoint."""
        if name.startswith("journal.checkpoint"):
            return put_much
        if name.startswith("journal.takeover"):
            return take_new_key
        if name.startswith("invites.create"):
            return make_ticket
        if name.startswith("transfer.answer"):
            return Fetching(self._others["fetcher"])
        if name.startswith("invites.proposal"):
            known = self._others["fetcher"]
            if not known.is_alive():
                known.start()
            key = known.home / "key.json"
            return Joining(self._network.directory / "proposed", self._network.starter, key)
        if name.startswith("invites."):
            return Joining(self._network.directory / "joins", self._network.starter)
        return wait

    def _crash_member(self, name: str, victim: Cell) -> Tally:
        tally, began_s = Tally(name), time.monotonic()
        provoke = self._provocation(name)
        victim.end()
        if name.startswith(_REPLAYS):
            self._crash_in_replay(tally, victim)
        else:
            for _ in range(self._crashes):
                self._crash(tally, victim, provoke)
        self._come_back(tally, victim)
        if isinstance(provoke, Joining):
            self._let_in(tally, victim, provoke)
        tally.seconds = time.monotonic() - began_s
        return tally

    def _crash_newcomer(self, name: str, cell: Cell) -> Tally:
        tally, began_s = Tally(name), time.monotonic()
        for _ in range(self._crashes):
            cell.end()
            self._crash(tally, cell, wait, prepare=make_new)
            self._come_back(tally, cell)
        tally.seconds = time.monotonic() - began_s
        return tally

    def _crash(self, tally: Tally, victim: Cell, provoke: Provoke, prepare: Provoke = wait) -> None:
        """Start a cell and wait for its crash: at a drawn hit, or at the first if that is late."""
        latest = next(most for start, most in _COUNTS_MAX if tally.name.startswith(start))
        for at in (self._chance.randint(1, latest), 1):
            prepare(victim)
            if self._dies(tally, victim, f"{tally.name}=kill@{at}", provoke):
                tally.crashes += 1
                return
            victim.end()
        detail = f"{victim.name}: no {tally.name} in {self._hit_s:.0f} s"
        tally.findings.append(Finding(NEVER_HIT, detail))

    def _crash_in_replay(self, tally: Tally, victim: Cell) -> None:
        """Crash just before a new epoch, so that the replay finds own transactions voided."""
        until_s = time.monotonic() + self._crashes * self._hit_s
        while tally.crashes < self._crashes and time.monotonic() < until_s:
            self._dies(tally, victim, "consensus.epoch.before=kill@1", put_much)
            victim.end()
            order = f"{tally.name}=kill@1"
            tally.crashes += self._dies(tally, victim, order, wait, unless=victim.is_ready)
            victim.end()
        if tally.crashes < self._crashes:
            detail = f"{victim.name}: {tally.name} was hit {tally.crashes} times"
            tally.findings.append(Finding(NEVER_HIT, detail))

    def _dies(
        self,
        tally: Tally,
        victim: Cell,
        order: str,
        provoke: Provoke,
        unless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Start a cell with an order to crash; return whether it did in time, and first."""
        size = victim.log_size()
        victim.start(order)
        until_s = time.monotonic() + self._hit_s
        while victim.is_alive():
            if unless() or time.monotonic() > until_s:
                return False
            provoke(victim)
            time.sleep(POLL_S / 2)
        self._look_at_log(tally, victim, size)
        return True

    def _look_at_log(self, tally: Tally, victim: Cell, size: int) -> None:
        said = victim.said(size)
        if "error MYC-" in said:
            words = said[said.index("error MYC-") :].split("\n")[0]
            tally.findings.append(Finding(ENDED_BY_ITSELF, f"{victim.name}: {words}"))

    def _come_back(self, tally: Tally, victim: Cell) -> None:
        """Start a cell; note how long it takes until it has what the others have."""
        others = self._network.except_for([victim.number])
        goal = max(cell.ordered() for cell in others)
        if not victim.is_alive():
            victim.start()

        def is_back() -> bool:
            status = victim.status()
            if status is None or status["phase"] not in AT_WORK:
                return False
            return bool(status["transactions_ordered"] > goal)

        try:
            took_s = wait_until(
                is_back, 3 * self._back_s, "it is not back", hopeless=lambda: not victim.is_alive()
            )
        except NetworkNotUp as error:
            detail = f"{victim.name} after {tally.name}: {error}: {victim.last_words()}"
            tally.findings.append(Finding(NOT_BACK, detail))
            return
        tally.back_s = max(tally.back_s or 0.0, took_s)
        if took_s > self._back_s:
            detail = f"{victim.name} after {tally.name}: back after {took_s:.1f} s"
            tally.findings.append(Finding(NOT_BACK, detail))

    def _let_in(self, tally: Tally, inviter: Cell, joining: Joining) -> None:
        """Check that a newcomer whose inviter crashed gets in when that is back."""
        joined = joining.joined
        joining(inviter)
        if joining.joined == joined:
            detail = f"{inviter.name} after {tally.name}: the newcomer is not let in"
            tally.findings.append(Finding(NOT_BACK, detail))


def names_of(only: Sequence[str]) -> list[str]:
    """Return the failpoints whose names begin with one of these."""
    return [name for name in FAILPOINTS if name.startswith(tuple(only))]


def tally_line(tally: Tally) -> str:
    """Return one line while the run goes on."""
    return "  ".join(_row(tally))


def tally_table(tallies: Sequence[Tally]) -> str:
    """Return the table at the end."""
    head = ("failpoint", "crashes", "s", "back after s", "verdict")
    return aligned([head, *map(_row, tallies)])


def _row(tally: Tally) -> tuple[str, ...]:
    return (
        tally.name,
        str(tally.crashes),
        f"{tally.seconds:.1f}",
        "–" if tally.back_s is None else f"{tally.back_s:.1f}",
        counted(tally.findings) or "back each time",
    )
