"""One machine of the simulated network: a key, a disk, and the process of a cell now and then.

It starts the same parts as the daemon does, in the same order (`node.supervisor`). A person is
there too: who starts a cell again that stopped by a fault of its disk, and puts an empty directory
where the store is damaged.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from core.errors import InvariantBroken, MyceldError
from core.ids import Epoch, MemberIndex, Round
from identity.keys import KeyPair
from journal import Appended, Store
from journal.errors import HeadRefused, NotAStore, ReadFailed, StoreCorrupt, SubscriptionLost
from ledger.epoch_rules import FIRST_TRANSACTION_VERSION, supported
from ledger.header import decode_header
from node.assembly import Setup
from node.cell import RunningCell
from node.errors import UpgradeNeeded
from node.keyring import open_as_present, reader_of
from node.parts import Parts
from node.supervisor import Supervisor
from node.surroundings import Surroundings
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL, OrderedRow, ordered_from, roster_of_epoch
from settings import CellConfig, Config, DiscoveryConfig
from sim.disk import MountedDisk, Operation, SimDisk, VirtualFiles
from sim.errors import CellDown
from sim.keys import SimKeyRing
from sim.life import Life
from sim.limits import PUT_BACK_AGAIN_MS
from sim.once import decoded_event
from sim.own_events import OwnEvents

if TYPE_CHECKING:
    from sim.world import World

_T = TypeVar("_T")
DAMAGED: Final = (StoreCorrupt, NotAStore, ReadFailed, HeadRefused)
"""Errors after which a person gives the cell an empty disk."""
_ERROR_LENGTH_MAX: Final = 2_000
STORE: Final = Path("/store.db")


class _Deadly(NamedTuple):
    """A failpoint that ends the process: at which hit, how much later, and for how long."""

    name: str
    hits: int
    operations: int
    """Of the disk after the hit; 0: at once."""
    down_ms: int


class SimCell:
    """A machine. `life` is the cell's process while it is up, `running` once it answers clients."""

    def __init__(self, world: World, index: int, key: KeyPair, name: str) -> None:
        self.world = world
        self.index = index
        self.key = key
        """The first one: it may have another by now."""
        self.keys = SimKeyRing(key, self._has_key)
        self.address = f"/ip4/{world.network.machine(index).address}/tcp/4710/p2p/{key.cell_id}"
        self.disk = SimDisk(world.chance("disk", index))
        self.life: Life | None = None
        self.running: RunningCell | None = None
        self.parts: Parts | None = None
        self.skew_ns = 0
        self.starts = 0
        self.jumps = 0
        self.rotations = 0
        self.support = supported("sim")
        """What its build knows; after an upgrade that it lacks a person installs another one."""
        if index in world.scenario.old_builds:
            self.support = replace(
                self.support,
                rule_sets=(world.genesis.rule_set,),
                transactions=(FIRST_TRANSACTION_VERSION,),
            )
        self.upgrades = 0
        self.stays_down = index in world.scenario.down
        self.is_honest = all(liar.cell != index for liar in world.scenario.liars)
        self.disk_was_bad = False
        """Whether faults of its disk may have stopped it, or damaged what it holds."""
        self._name = name
        self._seen = {EVENTS_JOURNAL: 0, HEADERS_JOURNAL: 0}
        self._own = OwnEvents()
        self._asking: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0
        self._deadly: _Deadly | None = None

    @property
    def applied_round(self) -> Round:
        """The newest round that it has applied; 0 while it is down."""
        return Round(0) if self.parts is None else self.parts.execution.ledger.applied_round

    @property
    def forkers(self) -> tuple[MemberIndex, ...]:
        """Members of its epoch that it knows to have forked: they are to leave."""
        return () if self.parts is None else self.parts.consensus.engine.forked_creators

    @property
    def may_lack_events(self) -> bool:
        """Whether its disk may lack own events that others have."""
        return self._own.may_lack

    @property
    def is_up(self) -> bool:
        """Whether its process runs, or is only held up."""
        return self.life is not None and self.life.alive

    # -- power switch ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the cell's process; without effect when it runs."""
        if self.is_up:
            return
        self.starts += 1
        if not self.world.network.machine(self.index).up:
            self.world.network.power_on(self.index)
        life = self.life = self.world.loop.life(f"cell-{self.index + 1}", skew_ns=self.skew_ns)
        life.on_death.append(self._died)
        self.world.trace.note("start", self.index)
        life.run(self._main)

    def kill(self, *, power: bool = False) -> None:
        """End the process as kill -9 does, or with the machine's power."""
        if self.life is None or not self.life.alive:
            return
        self.world.trace.note("power cut" if power else "kill", self.index)
        self._end(power=power)

    def come_back(self) -> None:
        """Be up from now on, whatever was: the core heals."""
        if self.life is not None and self.life.alive:
            self.life.resume()
        self.start()

    def repair(self, error: MyceldError) -> None:
        """Do what a person would after the cell stopped by an error; then start it."""
        if self.is_up:
            return
        if isinstance(error, UpgradeNeeded):
            self.world.trace.note("new build", self.index)
            self.support = supported("sim")
            self.upgrades += 1
        if isinstance(error, DAMAGED) and self.disk_was_bad:
            self.world.trace.note("wipe", self.index)
            self._replace_disk(VirtualFiles())
        self.start()

    # -- what happens to it ----------------------------------------------------------------------

    def crash_at(self, operations: int, *, power: bool, down_ms: int) -> None:
        """Lose power, or be killed, at an operation of the disk from now; start again after."""

        left = operations

        def count(_: Operation) -> bool:
            nonlocal left
            left -= 1
            if left == 0:
                self.disk.watch(None)
                self.world.soon(lambda: self._crashed(power=power, down_ms=down_ms))
            return left <= 0

        if self.is_up:
            self.disk.watch(count)
            self.world.on_heal(lambda: self.disk.watch(None))

    def crash_at_failpoint(
        self, name: str, hits: int, *, operations: int = 0, down_ms: int
    ) -> None:
        """Lose power at a hit of a failpoint from now, or so many operations after; start again."""
        self._deadly = _Deadly(name, hits, operations, down_ms)
        self.world.on_heal(lambda: setattr(self, "_deadly", None))

    def hit(self, name: str) -> None:
        """The cell's code comes to a failpoint."""
        deadly = self._deadly
        if deadly is None or deadly.name != name:
            return
        if deadly.hits > 1:
            self._deadly = deadly._replace(hits=deadly.hits - 1)
            return
        self._deadly = None
        self.world.trace.note("crash at failpoint", self.index, name=name)
        if deadly.operations:
            self.crash_at(deadly.operations, power=True, down_ms=deadly.down_ms)
            return
        self._end(power=True)
        self.world.start_later(self.index, deadly.down_ms)

    def _crashed(self, *, power: bool, down_ms: int) -> None:
        """The disk ended the process in the middle of an operation."""
        self.world.trace.note("crash at write", self.index)
        self._end(power=power)
        self.world.start_later(self.index, down_ms)

    def put_back(self, copy: VirtualFiles, down_ms: int) -> None:
        """Put an old copy of the disk in place, once others know all that was signed since."""
        if not self._is_known_by_others():
            self.world.later(PUT_BACK_AGAIN_MS, partial(self.put_back, copy, down_ms))
            return
        self.world.trace.note("put back", self.index)
        self.kill()
        self._replace_disk(copy)
        self.world.start_later(self.index, down_ms)

    def rot(self, bits: int, down_ms: int) -> None:
        """Flip bits of what the disk holds, while the cell is down."""
        if not self._is_known_by_others():
            self.world.trace.note("no rot", self.index)
            return
        self.disk_was_bad = True
        self.kill()
        self._lose()
        self.disk.rot(bits)
        self.world.start_later(self.index, down_ms)

    def fill_disk(self, left_bytes: int, for_ms: int) -> None:
        """Leave little room on the disk for a while."""
        self.disk_was_bad = True
        files = self.disk.files
        files.capacity_bytes = files.used_bytes + left_bytes
        self.world.while_it_lasts(for_ms, lambda: setattr(files, "capacity_bytes", None))

    def fail_disk(self, after: int, for_ms: int) -> None:
        """Let operations of the disk fail for a while."""
        self.disk_was_bad = True
        files = self.disk.files
        files.fail(None, after=after)
        self.world.while_it_lasts(for_ms, lambda: files.fail(0))

    def jump_clock(self, by_ns: int) -> None:
        """Set the wall clock forward or back."""
        self.skew_ns += by_ns
        if self.is_honest:
            self.world.referee.note_skew(self.skew_ns)
        if self.life is not None:
            self.life.skew_ns = self.skew_ns

    def _end(self, *, power: bool) -> None:
        """End the process, if it has not ended: peers hear of a kill, but not of a power cut."""
        if power:
            self.world.network.power_off(self.index)
        if self.life is not None:
            self.life.kill()
        self.disk.crash(power=power)

    def _replace_disk(self, files: VirtualFiles) -> None:
        self._lose()
        self.disk.put_back(files)
        self._seen = dict.fromkeys(self._seen, 0)

    def _lose(self) -> None:
        """Note that what the disk held may not be on it any more."""
        self._own.forget()
        self.world.referee.lost(self.index)

    def _is_known_by_others(self) -> bool:
        """Whether others can tell this cell of its own events, and those that lack theirs too."""
        others = [one for one in self.world.cells if one is not self and one.may_lack_events]
        return all(
            self.world.referee.is_known_without((self.index, one.index), pair.public_key)
            for one in (self, *others)
            for pair in one.keys.pairs
        )

    # -- clients ---------------------------------------------------------------------------------

    def ask(self, make: Callable[[RunningCell], Coroutine[Any, Any, _T]]) -> asyncio.Future[_T]:
        """Let the cell's process answer; raises CellDown, also in the future when it dies."""
        life, cell, loop = self.life, self.running, self.world.loop
        if life is None or not life.running or cell is None:
            raise CellDown(f"machine {self.index}")
        self._asked += 1
        number, answer = self._asked, loop.create_future()
        self._asking[number] = answer
        outside = self.world.context

        def settle(result: _T | None, error: BaseException | None) -> None:
            self._asking.pop(number, None)
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        async def serve() -> None:
            try:
                result = await make(cell)
            except MyceldError as error:
                loop.call_soon(settle, None, error, context=outside)
            else:
                loop.call_soon(settle, result, None, context=outside)

        life.context.copy().run(loop.create_task, serve())
        return answer

    async def audit(self) -> None:
        """Check every byte of its journals against their signed heads; in its process only."""
        assert self.parts is not None  # noqa: S101 - for the type checker: it answers
        try:
            await self.parts.store.audit()
        except StoreCorrupt as error:
            if not self.disk_was_bad:
                self.world.referee.find("journals are what was signed", str(error), self.index)

    def _died(self) -> None:
        self.running = self.parts = None
        self._turn_away()

    def _turn_away(self) -> None:
        """Tell who waits for an answer that there will be none."""
        asking, self._asking = self._asking, {}
        for answer in asking.values():
            if not answer.done():
                answer.set_exception(CellDown(f"machine {self.index} died"))

    # -- the process -----------------------------------------------------------------------------

    async def _main(self) -> None:
        life = self.life
        assert life is not None  # noqa: S101 - for the type checker: it is the one that runs this
        try:
            await self._run(life)
        except MyceldError as error:
            self._ended_by(error)
        except Exception as error:  # noqa: BLE001 - supervisor of the process: it is found, not hidden
            detail = "".join(traceback.format_exception(error))[-_ERROR_LENGTH_MAX:]
            self.world.referee.find("no error goes unhandled", detail, self.index)
        finally:
            if life.alive:
                self._end(power=False)

    async def _run(self, life: Life) -> None:
        disk = self.disk.mount(life)
        while await self._run_as_present(life, disk):
            self.rotations += 1
            self.world.trace.note("new key", self.index)

    async def _run_as_present(self, life: Life, disk: MountedDisk) -> bool:
        """Run as who the cell is by its state; return whether it is somebody else now."""
        world = self.world
        store, key = await open_as_present(STORE, self.keys, disk)
        read = reader_of(store)
        self.keys.settle(key.public_key, read)
        earlier = self.keys.earlier(key.public_key, read)
        # What a liar's journal says proves nothing.
        watch = self._observe(store) if self.is_honest else asyncio.sleep(0)
        observer = asyncio.create_task(watch, name="observer")
        try:
            surroundings = Surroundings(
                Path("/"),
                make_host=world.network.host_of(life, self.index),
                tell_progress=_say_nothing,
                support=self.support,
                patches_bytes_max=world.scenario.patches_bytes_max,
            )
            setup = Setup(key, world.genesis, self._config, earlier, self.keys)
            return await Supervisor(setup, self, surroundings, _say_nothing).run(store)
        finally:
            observer.cancel()
            await store.close()

    def _has_key(self, pair: KeyPair) -> None:
        """It has another key in its file, which may sign from now on."""
        if self.is_honest:
            self.world.honest[pair.public_key] = self.index

    def _config(self) -> Config:
        return Config(
            CellConfig(
                name=self._name,
                listen=(self.address.rpartition("/p2p/")[0],),
                bootstrap=self.world.bootstrap(self),
            ),
            discovery=DiscoveryConfig(mdns=False, dht=False),
        )

    async def open(self, cell: RunningCell, parts: Parts) -> None:
        """Let clients in (`node.supervisor.Front`)."""
        if self.parts is not None and self.running is not None:
            self.jumps += 1
            self.world.trace.note("jump", self.index)
        self.running, self.parts = cell, parts
        self.world.opened(self)

    async def close(self) -> None:
        """Let nobody in any more, and turn away who waits, as the gateway does."""
        self.running = None
        self.world.soon(self._turn_away)

    def _ended_by(self, error: MyceldError) -> None:
        self.world.trace.note("stopped", self.index, code=error.code, detail=error.detail)
        is_old = isinstance(error, UpgradeNeeded) and self.support != supported("sim")
        excused = is_old or (self.disk_was_bad and not isinstance(error, InvariantBroken))
        if self.is_honest and not excused:
            self.world.referee.find("no cell stops by itself", str(error), self.index)
        self.world.stopped(self, error)

    # -- what it commits -------------------------------------------------------------------------

    async def _observe(self, store: Store) -> None:
        """Show the referee everything that the cell commits, from where it was seen last."""
        with store.events() as events:
            for name in (EVENTS_JOURNAL, HEADERS_JOURNAL):
                if name in store.journals():
                    await self._show(store, name)
            self._check_own_events()
            while True:
                try:
                    event = await events.next()
                except StopAsyncIteration:
                    return
                except SubscriptionLost:
                    continue  # what was missed is shown with the next
                if isinstance(event, Appended) and event.journal in self._seen:
                    await self._show(store, event.journal)

    async def _show(self, store: Store, name: str) -> None:
        journal = await store.journal(name)
        show = self._show_event if name == EVENTS_JOURNAL else self._show_header
        self._seen[name] = min(self._seen[name], journal.length)
        if name == EVENTS_JOURNAL:
            self._own.cut(journal.length)
        async for block in journal.read(self._seen[name]):
            show(store, block)
            self._seen[name] += 1

    def _show_event(self, store: Store, block: bytes) -> None:
        event, epoch = decoded_event(block, self.world.genesis.network_id)
        self._show_roster(store, epoch)
        self.world.referee.saw_event(self.index, epoch, event.creator, event.sequence, event.id)
        roster = self.world.referee.rosters.get(epoch)
        if roster is not None and self.keys.owns(roster.members[event.creator].public_key):
            self._own.shown(self._seen[EVENTS_JOURNAL], (epoch, event.sequence))

    def _check_own_events(self) -> None:
        """A crash takes no own event that was sent; at a start, once all is shown."""
        newest = self.world.referee.newest_elsewhere
        found = [newest(pair.public_key) for pair in self.keys.pairs]
        lost = self._own.lacks(max((one for one in found if one is not None), default=None))
        if lost is not None and self.is_honest:
            detail = f"its event {lost[1]} of epoch {lost[0]} is known elsewhere, and lost here"
            self.world.referee.find("persist before send", detail, self.index)

    def _show_header(self, store: Store, block: bytes) -> None:
        header = decode_header(block)
        self._show_roster(store, header.epoch)

        def rows() -> list[OrderedRow]:
            start = header.transactions_total - header.transactions
            return ordered_from(store, start, header.transactions)

        self.world.referee.saw_header(self.index, header, rows)

    def _show_roster(self, store: Store, epoch: Epoch) -> None:
        if epoch not in self.world.referee.rosters:
            roster = roster_of_epoch(store, self.world.genesis, epoch)
            if roster is not None:
                self.world.referee.saw_roster(self.index, roster)


def _say_nothing(_: object) -> None:
    """Nobody watches."""
