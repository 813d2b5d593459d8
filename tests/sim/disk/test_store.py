"""The whole store on a virtual disk: what it acknowledged as durable is there after every crash."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from core.errors import MyceldError
from journal import Store
from journal.errors import DiskFull, WriteFailed
from sim.disk import NO_LATENCY, Latency, Operation, SimDisk, seed_sqlite
from sim.disk.files import CHANGES, Kind
from sim.errors import DiskMisused
from sim.loop import SimLoop
from tests.journal.world import CELL_ID, check_head, read_all, sign

_T = TypeVar("_T")
_PATH = Path("/cell.db")
_DISK_FAULTS = {"MYC-JOURNAL-012", "MYC-JOURNAL-013", "MYC-JOURNAL-015"}


@dataclass
class _Promised:
    """Blocks in the order of their appends, and how many of them are promised to be there."""

    blocks: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    durable: int = 0
    codes: set[str] = field(default_factory=set)

    def survivors(self, *, power: bool) -> int:
        return self.durable if power else self.acknowledged


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run it on virtual time, where no stall of the machine is seen."""
    return SimLoop().run_until_complete(work)  # type: ignore[no-any-return]  # it is one


async def _open(disk: SimDisk) -> Store:
    return await Store.open(_PATH, signer=sign, cell_id=CELL_ID, disk=disk.mount())


async def _append(store: Store, promised: _Promised, count: int, *, durable: bool) -> None:
    journal = await store.journal("a")
    at = len(promised.blocks)
    blocks = [b"block %d " % (at + n) * 20 for n in range(count)]
    promised.blocks += blocks
    assert await journal.append(blocks, durable=durable) == (at, at + count)
    promised.acknowledged = at + count
    if durable:
        promised.durable = at + count


async def _work(disk: SimDisk, promised: _Promised, seed: int) -> None:
    """Append in every way there is, with the log copied and cut now and then, twice opened."""
    random = Random(seed)
    for _ in range(2):
        store: Store | None = None
        try:
            store = await _open(disk)
            copier = store._committer._copier
            copier._step = copier._start_at = 30
            for _ in range(16):
                kind = random.choice(("durable", "not durable", "sync"))
                count = random.choice((1, 3, 40))
                await _append(store, promised, count, durable=kind == "durable")
                if kind == "sync":
                    await store.sync()
                    promised.durable = promised.acknowledged
        except MyceldError as error:
            promised.codes.add(error.code)
            return
        finally:
            if store is not None:
                await store.close()


async def _check(disk: SimDisk, promised: _Promised, *, power: bool) -> None:
    """Reopen: a prefix of what was appended, with all that was promised, and its signed head."""
    async with await _open(disk) as store:
        journal = await store.journal("a")
        blocks = await read_all(journal)
        assert blocks == promised.blocks[: len(blocks)]
        assert len(blocks) >= promised.survivors(power=power)
        check_head(journal, blocks)
        await store.audit()
        await store.transaction({"a": [b"goes on"]}, durable=True)


def _crash_at(at: int, *, power: bool, seed: int = 5) -> bool:
    """Crash before or after one operation, check, and tell whether it was reached."""
    disk = SimDisk(Random(at), latency=NO_LATENCY)
    disk.watch(lambda operation: operation.number == at and operation.is_done == bool(at % 2))
    promised = _Promised()

    async def crash() -> bool:
        await _work(disk, promised, seed)
        reached = disk.operations >= at
        disk.watch(None)
        disk.crash(power=power)
        await _check(disk, promised, power=power)
        return reached

    reached = _run(crash())
    assert promised.codes <= _DISK_FAULTS
    return reached


@pytest.mark.parametrize("power", [True, False], ids=["power cut", "kill"])
def test_a_crash_at_any_operation_loses_nothing_that_was_promised(*, power: bool) -> None:
    """SIM_DISK=all crashes at every operation, not at every third."""
    step = 1 if os.environ.get("SIM_DISK") == "all" else 3
    at = 1
    while _crash_at(at, power=power):
        at += step
    assert at > 200


@pytest.mark.parametrize(
    "call",
    ["sim.disk.files.VirtualFile.sync", "journal.syncer.Syncer._call_fsync"],
    ids=["all", "beside the writer"],
)
def test_a_store_that_skips_fsyncs_is_found(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """So that the test above can fail."""
    monkeypatch.setattr(call, lambda _: None)
    for at in range(30, 300, 3):
        try:
            _crash_at(at, power=True)
        except (AssertionError, MyceldError):
            return
    pytest.fail("not found")


def test_what_rots_is_refused_or_the_end_of_a_journal_is_missing_and_nothing_else() -> None:
    """Damage in the log hides what follows, as an old copy does; in the database it is seen."""
    outcomes = Counter[str]()
    for seed in range(24):
        outcomes[_run(_rot(seed))] += 1
    assert outcomes["MYC-JOURNAL-016"] > 8


async def _rot(seed: int) -> str:
    """Flip bits, read all, and tell what came of it."""
    disk, promised = SimDisk(Random(seed), latency=NO_LATENCY), _Promised()
    await _work(disk, promised, seed)
    if seed % 2:
        store = await _open(disk)
        await _append(store, promised, 40, durable=True)
        disk.crash(power=False)
        await store.close()
    disk.rot(bits=seed % 7 + 1)
    try:
        async with await _open(disk) as store:
            await store.audit()
            blocks = await read_all(await store.journal("a"))
    except MyceldError as error:
        disk.crash(power=False)
        return error.code
    assert blocks == promised.blocks[: len(blocks)]
    return "harmless" if len(blocks) == len(promised.blocks) else "shorter"


def test_a_full_disk_is_told_as_such_and_loses_nothing() -> None:
    _run(_fill_up())


async def _fill_up() -> None:
    disk, promised = SimDisk(Random(1), latency=NO_LATENCY), _Promised()
    store = await _open(disk)
    await _append(store, promised, 40, durable=True)
    disk.files.capacity_bytes = disk.files.used_bytes + 100_000
    with pytest.raises(DiskFull):
        await _append_for_ever(store, promised)
    del promised.blocks[promised.durable :]
    journal = await store.journal("a")
    assert await read_all(journal) == promised.blocks
    disk.files.capacity_bytes = None
    await _append(store, promised, 3, durable=True)
    await store.close()
    await _check(disk, promised, power=False)


async def _append_for_ever(store: Store, promised: _Promised) -> None:
    while True:
        await _append(store, promised, 40, durable=True)


def test_an_error_of_the_disk_has_a_code_and_the_next_opening_finds_all_promised() -> None:
    for after in range(0, 200, 9):
        _run(_fail(after))


async def _fail(after: int) -> None:
    disk, promised = SimDisk(Random(after), latency=NO_LATENCY), _Promised()
    disk.files.fail(1 + after % 3, after=after)
    await _work(disk, promised, 5)
    assert promised.codes <= _DISK_FAULTS
    disk.files.fail(0)
    disk.crash(power=True)
    await _check(disk, promised, power=True)


def test_what_a_failed_call_dropped_is_not_missing_below_what_comes_after_the_restart() -> None:
    """Of the log, the next opening sees what the failed fsync forgot, and builds on it."""
    for after in range(0, 60, 2):
        _run(_fail_restart_and_cut(after, "sync"))
    for after in range(0, 200, 9):
        _run(_fail_restart_and_cut(after))


async def _fail_restart_and_cut(after: int, *kinds: Kind) -> None:
    disk, promised = SimDisk(Random(after), latency=NO_LATENCY), _Promised()
    disk.files.fail(None, after=after, kinds=kinds or CHANGES)  # the closing fails too
    await _work(disk, promised, 5)
    disk.files.fail(0)
    disk.crash(power=False)
    async with await _open(disk) as store:
        promised.blocks = await read_all(await store.journal("a"))
        assert len(promised.blocks) >= promised.acknowledged
        for _ in range(3):
            await _append(store, promised, 2, durable=True)
        disk.crash(power=True)
    await _check(disk, promised, power=True)


def test_an_old_copy_that_is_put_back_opens_as_it_was() -> None:
    _run(_put_back())


async def _put_back() -> None:
    disk, promised = SimDisk(Random(1), latency=NO_LATENCY), _Promised()
    store = await _open(disk)
    await _append(store, promised, 40, durable=True)
    copy, old = disk.copy(), _Promised(promised.blocks[:], promised.acknowledged, promised.durable)
    await _append(store, promised, 3, durable=True)
    with pytest.raises(DiskMisused):
        disk.put_back(copy)
    with pytest.raises(DiskMisused):
        disk.mount()
    await store.close()
    disk.put_back(copy)
    await _check(disk, old, power=True)


def test_an_fsync_takes_virtual_time_and_the_loop_goes_on_meanwhile() -> None:
    async def main() -> None:
        disk, promised = SimDisk(Random(1), latency=Latency((0.0, 0.0), (20.0, 20.0))), _Promised()
        store = await _open(disk)
        await store.journal("a")
        loop = asyncio.get_running_loop()
        began, turns = loop.time(), 0
        append = asyncio.create_task(_append(store, promised, 1, durable=True))
        while not append.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert loop.time() - began >= 0.02
        assert turns > 3
        await store.close()

    _run(main())


def test_a_store_on_a_virtual_disk_starts_no_thread_and_touches_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    promised, opened = _Promised(), list[object]()
    monkeypatch.setattr(threading.Thread, "start", opened.append)
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    _run(_work(SimDisk(Random(1), latency=NO_LATENCY), promised, 5))
    assert promised.durable > 100
    assert opened == []
    assert list(tmp_path.iterdir()) == []


def test_the_process_is_killed_where_the_watcher_says_and_nothing_comes_after() -> None:
    class Life:
        killed = 0

        def kill(self) -> None:
            self.killed += 1

    async def main() -> None:
        disk, life, seen = SimDisk(Random(1), latency=NO_LATENCY), Life(), list[Operation]()

        def watch(operation: Operation) -> bool:
            seen.append(operation)
            return len(seen) == 80

        disk.watch(watch)
        store = await Store.open(_PATH, signer=sign, cell_id=CELL_ID, disk=disk.mount(life))
        promised = _Promised()
        with pytest.raises(WriteFailed):
            await _append_for_ever(store, promised)
        await store.close()
        assert life.killed == 1
        assert len(seen) == 80
        assert [one.is_done for one in seen] == [False, True] * 40
        assert [one.number for one in seen] == [at // 2 + 1 for at in range(80)]

    _run(main())


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert _bytes_of(1) == _bytes_of(1)
    assert _bytes_of(1) != _bytes_of(2)


def _bytes_of(seed: int) -> dict[str, bytes]:
    seed_sqlite(seed)
    disk = SimDisk(Random(seed), latency=NO_LATENCY)
    disk.watch(lambda operation: operation.number == 120)
    _run(_work(disk, _Promised(), 5))
    disk.crash(power=True)
    return {path: bytes(disk.files.create(path).content) for path in disk.files.paths()}
