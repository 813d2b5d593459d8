"""One run: machines, wire and clients on one loop, in two phases, and a referee who sees it all.

Phase one: the scenario's actions strike while clients go on. Phase two: everything that lasts ends,
all machines but those that stay down are started, and the core that is up has to order something
new and to agree, within a bound. Then what is left is checked.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from core.errors import MyceldError
from gateway.views import Stage
from identity.keys import KeyPair
from ledger.genesis import Genesis
from ledger.parameters import FEE_PER_COST
from ledger.roster import Member
from sim.adversaries import ADVERSARIES, Adversary, install
from sim.cell import SimCell
from sim.chance import chance
from sim.clients import Client
from sim.clock import WALL_START_NS
from sim.closing import Closing
from sim.faults import FAULTS
from sim.life import Life, current_life
from sim.limits import (
    AT_THE_DOOR,
    AT_THE_DOOR_MAX,
    FEES_SHARE,
    MACHINE_PRANA,
    NO_QUORUM_MS,
    NO_QUORUM_SETTLE_MS,
    OVERLOAD_CLIENTS,
    RECOVERY_MS_MAX,
    RESTART_PAUSE_MS,
    SETTLE_STEP_MS,
    WALLET_PAUSE_S,
)
from sim.loop import SimLoop
from sim.membership import Membership, Motion, Rotation
from sim.network import SimNetwork
from sim.referee import Referee
from sim.scenario import Action, Scenario
from sim.taps import Tap
from sim.trace import Trace
from sim.verdict import Verdict
from sim.wallets import WALLET_PRANA, Wallet


class World:
    """Everything that there is in one run."""

    def __init__(self, scenario: Scenario, loop: SimLoop, trace: Trace) -> None:
        self.scenario = scenario
        self.loop = loop
        self.trace = trace
        self.context = contextvars.copy_context()
        """Of what belongs to no cell."""
        self._count = 0
        self.network = SimNetwork(loop, scenario.seed, scenario.machines)
        for link in self.network.links():
            link.delay_s = scenario.delay_ms / 1000
            link.jitter_s = scenario.delay_ms / 2000
            link.loss = scenario.loss
        keys = [
            KeyPair(self.chance("keys", number).randbytes(32))
            for number in range(scenario.machines)
        ]
        members = keys[: scenario.members]
        weights = scenario.weights or (1,) * scenario.members
        names = scenario.names or tuple(f"cell-{at + 1}" for at in range(scenario.members))
        self._wallet_key = KeyPair(self.chance("wallet key").randbytes(32))
        given = {self._wallet_key.public_key: WALLET_PRANA}
        given |= {key.public_key: MACHINE_PRANA for key in keys}
        has_fees = self.chance("fees").random() < FEES_SHARE
        self.genesis = Genesis(
            "sim",
            tuple(
                Member(key.public_key, weight, name)
                for key, weight, name in zip(members, weights, names, strict=True)
            ),
            WALL_START_NS,
            epoch_rounds=scenario.epoch_rounds,
            coin_period=scenario.coin_period,
            prana=tuple(sorted(given.items())),
            parameters=((FEE_PER_COST, 1),) if has_fees else (),
        )
        self.cells = [SimCell(self, at, key, f"cell-{at + 1}") for at, key in enumerate(keys)]
        self.honest = {at.key.public_key: at.index for at in self.cells if at.is_honest}
        self.referee = Referee(self.genesis, self.honest, lambda: self.now_ms, trace)
        self.verdict = Verdict(scenario.seed)
        self.redirects: dict[tuple[int, int], str] = {}
        """By (liar, machine): where that machine is told that the liar is."""
        self.liars: list[Adversary] = [
            ADVERSARIES[liar.kind](self, self.cells[liar.cell]) for liar in scenario.liars
        ]
        self.troubled = True
        """Whether things may still go wrong: phase one."""
        self._at_the_door = self.chance("at the door")
        self._mends: dict[int, Callable[[], None]] = {}
        self._cuts: Counter[tuple[int, int]] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def now_ms(self) -> int:
        """Virtual milliseconds since the beginning."""
        return round(self.loop.time() * 1000)

    def chance(self, *purpose: object) -> Random:
        """Return the chance for one purpose, from the scenario's seed."""
        return chance(self.scenario.seed, " ".join(map(str, purpose)))

    def bootstrap(self, cell: SimCell) -> tuple[str, ...]:
        """Return the addresses that a cell is given: those of all others."""
        return tuple(
            self.redirects.get((one.index, cell.index), one.address)
            for one in self.cells
            if one.key is not cell.key
        )

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something of the world's own after a while, if things may still go wrong then."""

        def act() -> None:
            if self.troubled:
                action()

        self.loop.call_later(delay_ms / 1000, act, context=self.context)

    def while_it_lasts(self, for_ms: int, mend: Callable[[], None]) -> None:
        """Call `mend` after a while, or when the core heals if that is before."""
        number = self.on_heal(mend)

        def end() -> None:
            ending = self._mends.pop(number, None)
            if ending is not None:
                ending()

        self.loop.call_later(for_ms / 1000, end, context=self.context)

    def cut(self, source: int, target: int, for_ms: int) -> None:
        """Cut one direction between two cells; it is whole again when all its cuts are over."""
        link = (source, target)
        self._cuts[link] += 1
        self.network.cut(source, target, both=False)

        def mend() -> None:
            self._cuts[link] -= 1
            if not self._cuts[link]:
                self.network.heal(source, target, both=False)

        self.while_it_lasts(for_ms, mend)

    def tap_for(self, cell: int, tap: Tap, for_ms: int) -> None:
        """Let a tap see and change the gossip of an honest cell for a while, on new connections."""
        if not self.cells[cell].is_honest:
            return  # it has a tap of its own
        self.network.tap(cell, tap)
        self._reconnect(cell)

        def mend() -> None:
            self.network.tap(cell, None)
            self._reconnect(cell)

        self.while_it_lasts(for_ms, mend)

    def start_later(self, cell: int, after_ms: int) -> None:
        """Start a cell after a while, or when the core heals."""
        self.while_it_lasts(after_ms, self.cells[cell].start)

    def overload(self, cell: int, per_s: int, for_ms: int) -> None:
        """Let clients of a cell submit so much for a while."""
        tasks = [
            self._spawn(self._client_of(self.cells[cell], pause_s=OVERLOAD_CLIENTS / per_s).run())
            for _ in range(OVERLOAD_CLIENTS)
        ]

        def mend() -> None:
            for task in tasks:
                task.cancel()

        self.while_it_lasts(for_ms, mend)

    def change_members(self, action: Action) -> None:
        """Have one cell propose a change of another's place, and the other members approve it."""
        self._spawn(Membership(self, action).run())

    def govern(self, action: Action) -> None:
        """Have one cell propose something for the whole network, and the others vote."""
        self._spawn(Motion(self, action).run())

    def rotate(self, cell: int) -> None:
        """Have a cell give its key up for another one."""
        if self.cells[cell].is_honest:
            self._spawn(Rotation(self, self.cells[cell]).run())

    def index_of_life(self) -> int | None:
        """Return whose code runs now, None for the world's own."""
        life = current_life.get()
        if life is not None:
            for cell in self.cells:
                if cell.life is life:
                    return cell.index
        return None

    def hit(self, name: str) -> None:
        """Somebody's code comes to a failpoint; for `core.failpoint.arm`."""
        index = self.index_of_life()
        if index is not None:
            self.cells[index].hit(name)

    def is_lying(self) -> bool:
        """Return whether a liar's code runs now: what it complains of is no wonder."""
        life = current_life.get()
        return any(life in (cell.life for cell in liar.cells) for liar in self.liars)

    def opened(self, cell: SimCell) -> None:
        """A cell lets clients in: some have waited for that, and ask at once."""
        chance = self._at_the_door
        if cell.is_honest and chance.random() < AT_THE_DOOR:
            for _ in range(chance.randint(1, AT_THE_DOOR_MAX)):
                self._spawn(self._client_of(cell, pause_s=1.0).ask_once())

    def soon(self, action: Callable[[], None]) -> None:
        """Do something of the world's own in the next turn."""
        self.loop.call_soon(action, context=self.context)

    def on_heal(self, mend: Callable[[], None]) -> int:
        """Call `mend` when the core heals; return its number among all mends."""
        self._count += 1
        self._mends[self._count] = mend
        return self._count

    def strike(self, action: Action) -> None:
        """Let one thing go wrong."""
        happenings = self.verdict.happenings
        happenings[action.kind] = happenings.get(action.kind, 0) + 1
        self.trace.note(
            action.kind,
            cells=list(action.cells),
            for_ms=action.for_ms,
            amount=action.amount,
            name=action.name,
        )
        FAULTS[action.kind](self, action)

    def stopped(self, cell: SimCell, error: MyceldError) -> None:
        """A cell's process ended by an error: a person looks after it."""
        pause_s = RESTART_PAUSE_MS / 1000
        self.loop.call_later(pause_s, cell.repair, error, context=self.context)

    def run(self) -> Verdict:
        """Run both phases, and check; raises nothing of the cells' own."""
        install(self.liars)
        for liar in self.liars:
            liar.attach()
        for cell in self.cells:
            cell.start()
        pause_s = len(self.cells) / self.scenario.load_per_s
        for cell in self.cells:
            if cell.is_honest:
                self._spawn(self._client_of(cell, pause_s=pause_s).run())
        wallet = Wallet(self, self._wallet_key, self.chance("wallet"), pause_s=WALLET_PAUSE_S)
        self._spawn(wallet.run())
        for action in self.scenario.actions:
            self.later(action.at_ms, lambda action=action: self.strike(action))  # type: ignore[misc]  # a bound default
        self.loop.run_until(self.scenario.troubled_ms / 1000)
        self._heal()
        if self.scenario.needs_those_down:
            self._wait_for_those_down()
        self._recover()
        self._check_end()
        return self.finished()

    @property
    def core(self) -> list[SimCell]:
        """The cells that follow the rules and are to be up when the core has healed."""
        return [one for one in self.cells if one.is_honest and not one.stays_down]

    def _client_of(self, cell: SimCell, *, pause_s: float) -> Client:
        self._count += 1
        return Client(self, cell, self.chance("client", cell.index, self._count), pause_s=pause_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task of the world's own, which ends when the core heals."""
        task = self.context.copy().run(self.loop.create_task, work)
        self._tasks.append(task)
        return task

    def _reconnect(self, cell: int) -> None:
        for other in range(len(self.cells)):
            if other != cell:
                self.network.break_streams(cell, other)

    def _heal(self) -> None:
        """End phase one: everybody who is to be up is, and all links are whole."""
        self.trace.note("heal", down=list(self.scenario.down))
        self.troubled = False
        mends, self._mends = self._mends, {}
        for mend in mends.values():
            mend()
        self.network.heal_all()
        for liar in self.liars:
            liar.healed()
        for cell in self.cells:
            if cell.stays_down:
                cell.kill()
            else:
                cell.come_back()

    def _wait_for_those_down(self) -> None:
        """Without a quorum nothing may be ordered; then those that are down come back after all."""
        self.loop.run_until((self.now_ms + NO_QUORUM_SETTLE_MS) / 1000)
        before = self.referee.newest
        self.loop.run_until((self.now_ms + NO_QUORUM_MS) / 1000)
        if self.referee.newest > before:
            detail = f"round {self.referee.newest} was decided without a quorum"
            self.referee.find("no order without a quorum", detail)
        self.verdict.outlook = "no quorum: the others wait, and go on when those are back"
        for cell in self.cells:
            cell.stays_down = False
            cell.start()

    def _recover(self) -> None:
        """Phase two: run until the core has ordered something new and agrees, or time is over."""
        begun_ms = self.now_ms
        for task in self._tasks:
            task.cancel()
        core = self.core
        asks = [
            self.context.run(self.loop.create_task, self._ask_until_certified(cell))
            for cell in core
        ]
        while self.now_ms - begun_ms < RECOVERY_MS_MAX:
            self.loop.run_until((self.now_ms + SETTLE_STEP_MS) / 1000)
            is_over = all(ask.done() for ask in asks) and self._agree(core)
            if is_over and self.referee.owed(self.scenario.down):
                continue  # such as what a former member has others put
            if is_over and not any(one.forkers for one in core):
                self.verdict.recovered_s = (self.now_ms - begun_ms) / 1000
                return
        waiting = [one.index for one, ask in zip(core, asks, strict=True) if not ask.done()]
        detail = f"{RECOVERY_MS_MAX} ms after the healing machines {waiting} got nothing certified"
        if not waiting:
            rounds = {one.index: (one.applied_round, one.forkers) for one in core}
            detail = f"the machines do not settle: rounds applied, forkers kept: {rounds}"
        self.referee.find("gets on after healing", detail)

    async def _ask_until_certified(self, cell: SimCell) -> None:
        client = self._client_of(cell, pause_s=1.0)
        while True:
            if await client.ask(Stage.CERTIFIED, RECOVERY_MS_MAX / 1000):
                return
            await asyncio.sleep(RESTART_PAUSE_MS / 1000)

    def _agree(self, core: list[SimCell]) -> bool:
        rounds = {cell.applied_round for cell in core}
        return len(rounds) == 1 and rounds == {self.referee.newest}

    def _check_end(self) -> None:
        closing = Closing(self, self.core)
        self.referee.check_kept(self.scenario.down)
        closing.run(settled=self.verdict.recovered_s is not None)

    def _tell_lies(self, lies: dict[str, int]) -> None:
        """Note what honest cells saw of the liars."""
        if not self.liars:
            return
        rosters = [
            cell.parts.consensus.roster
            for cell in self.cells
            if cell.is_honest and cell.parts is not None
        ]
        newest = max(rosters, key=lambda roster: roster.epoch, default=self.genesis.roster)
        gone = [one for one in self.liars if newest.index_of(one.cell.key.public_key) is None]
        lies["numbers with two events"] = len(self.referee.lies)
        lies["liars removed"] = len(gone)

    def finished(self) -> Verdict:
        """Return what the run has come to so far."""
        verdict = self.verdict
        verdict.findings = self.referee.findings
        self._tell_lies(verdict.lies)
        verdict.digest = self.trace.digest
        verdict.virtual_s = self.now_ms / 1000
        verdict.rounds = len(self.referee.headers)
        verdict.epochs = len(self.referee.rosters)
        rosters = self.referee.rosters
        rules = [rosters[epoch].rules for epoch in sorted(rosters)]
        verdict.rule_sets = [one.rule_set for one in rules]
        verdict.transaction_versions = [one.transaction_version for one in rules]
        verdict.new_builds = sum(cell.upgrades for cell in self.cells)
        verdict.transactions = len(self.referee.order)
        verdict.acknowledged = len(self.referee.acknowledged)
        verdict.starts = sum(cell.starts for cell in self.cells)
        verdict.jumps = sum(cell.jumps for cell in self.cells)
        return verdict


def on_error_of(world: World) -> Callable[[Life | None, dict[str, object]], None]:
    """Return what the loop is to tell of errors that nobody handles: each is a finding."""

    def note(life: Life | None, context: dict[str, object]) -> None:
        error = context.get("exception")
        where = f"{life}: {context.get('message')}: {type(error).__name__}: {error}"
        world.referee.find("no error goes unhandled", where)

    return note
