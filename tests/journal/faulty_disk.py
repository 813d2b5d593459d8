"""Run in a process of its own by test_faults: a disk that fails a store at every call in turn.

    python faulty_disk.py FOLDER ERRNO STICKY STEP

Prints one line of JSON: what was tried, how often which error came, and how often none did.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import MyceldError
from journal import Journal, Store
from tests.journal.world import check_head, open_store, read_all

_DISK: Any = ctypes.CDLL(None)


@dataclass
class _Expected:
    """What was acknowledged, and what may be there instead after the process is gone.

    A commit or truncation that failed by a fault of the disk may turn up: its frames may be in
    the log. Nothing is written after it then, so it is one of those, not a mixture.
    """

    blocks: list[bytes] = field(default_factory=list)
    instead: list[list[bytes]] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)


async def _attempt(expected: _Expected, call: Awaitable[object]) -> bool:
    try:
        await call
    except MyceldError as error:
        expected.codes[error.code] += 1
        return False
    return True


async def _append(expected: _Expected, journal: Journal, count: int, *, durable: bool) -> None:
    blocks = [b"%d of %d" % (n, len(expected.blocks)) * 30 for n in range(count)]
    wanted = expected.blocks + blocks
    if await _attempt(expected, journal.append(blocks, durable=durable)):
        expected.blocks, expected.instead = wanted, []
    else:
        expected.instead.append(wanted)


async def _use(path: Path, expected: _Expected) -> None:
    store: Store | None = None
    try:
        store = await open_store(path, "process")
        copier = store._committer._copier
        copier._step = copier._start_at = 6
        await store.create_tables("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
        journal = await store.journal("a")
    except MyceldError as error:
        expected.codes[error.code] += 1
        if store is not None:
            await store.close()
        return
    for turn in range(3):
        await _append(expected, journal, 1, durable=False)
        await _append(expected, journal, 40, durable=True)
        await _append(expected, journal, 120, durable=False)
        if turn == 1:
            wanted = expected.blocks[:-30]
            # A fork: it was written, and giving its space back failed.
            if await _attempt(expected, journal.truncate(len(wanted))) or journal.fork:
                expected.blocks, expected.instead = wanted, []
            else:
                expected.instead.append(wanted)
            await _attempt(expected, journal.sync())
        assert await read_all(journal) == expected.blocks, "reads go on"
        check_head(journal, expected.blocks)
    await store.close()


async def _check(path: Path, expected: _Expected) -> None:
    """Reopen without a fault: nothing acknowledged is lost, and what is there is signed."""
    async with await open_store(path) as store:
        if store.journals():
            journal = await store.journal("a")
            blocks = await read_all(journal)
            assert blocks in (expected.blocks, *expected.instead)
            check_head(journal, blocks)
            await store.audit()
        else:
            assert not expected.blocks
        await store.transaction({"a": [b"goes on"]}, durable=True)


def main(folder: Path, error: int, sticky: int, step: int) -> None:
    """Fail at the first call, the one `step` later, and so on until none is reached."""
    codes: Counter[str] = Counter()
    at, unnoticed = 1, 0
    while True:
        expected = _Expected()
        shutil.rmtree(folder, ignore_errors=True)
        _DISK.disk_fail(at, error, sticky)
        asyncio.run(_use(folder / "s.db", expected))
        calls = _DISK.disk_calls()
        _DISK.disk_fail(0, 0, 0)
        asyncio.run(_check(folder / "s.db", expected))
        codes += expected.codes
        unnoticed += not expected.codes
        if calls < at:
            break
        at += step
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    sys.stdout.write(json.dumps({"calls": calls, "unnoticed": unnoticed, "codes": codes}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
