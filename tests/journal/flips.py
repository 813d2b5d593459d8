"""Bits of a closed store's file flipped one at a time, and what a cell makes of each.

The file is opened, audited and read as a daemon does it. Each flip is undone before the next.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from core.errors import MyceldError
from tests.journal.world import open_store, read_all

Flip: TypeAlias = tuple[int, int]
"""Where in the file, and which bit of the byte."""

KEYS: Final = {"sealed": b"\x05" * 32}
"""The journal of this name is encrypted."""

Contents: TypeAlias = dict[str, tuple[bytes, list[bytes]]]
"""Root and blocks of each journal."""


@dataclass
class Survey:
    """What became of a number of flips."""

    refused: Counter[str] = field(default_factory=Counter)
    unchanged: list[Flip] = field(default_factory=list)
    wrong: list[tuple[Flip, str]] = field(default_factory=list)

    def add(self, other: Survey) -> None:
        """Take in what another process found."""
        self.refused += other.refused
        self.unchanged += other.unchanged
        self.wrong += other.wrong


async def read_everything(path: Path) -> Contents:
    """Open and audit a store, and return all that is in it."""
    async with await open_store(path, keys=KEYS) as store:
        await store.audit()
        journals = [await store.journal(name) for name in store.journals()]
        return {each.name: (each.root(), await read_all(each)) for each in journals}


async def write_and_read_everything(path: Path) -> Contents:
    """Append and truncate in each journal, then open the store again and return what is in it."""
    async with await open_store(path, keys=KEYS) as store:
        for name in store.journals():
            journal = await store.journal(name)
            await journal.append([b"goes on"] * 300)
            await journal.truncate(journal.length - 299)
            await journal.clear(0, 10)
            assert await journal.get(journal.length - 1) == b"goes on"
    async with await open_store(path, keys=KEYS) as store:
        await store.audit()
        return {name: (b"", [b"%d" % store.state_of(name).size]) for name in store.journals()}


def survey(data: bytes, groups: Sequence[Sequence[Flip]], write: bool) -> Survey:  # noqa: FBT001 - a pool maps by place
    """Make each group of flips in a file of `data` and say what opening and reading give.

    A group of several that does change something is looked at flip by flip. `write`: append,
    truncate and clear as well, before all is audited once more.
    """
    memory = "/dev/shm"  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as folder:
        surveyor = _Surveyor(Path(folder) / "flipped.db", data, write=write)
        return asyncio.run(surveyor.run(groups))


class _Surveyor:
    """Owns one file, which holds `data` between two groups of flips."""

    def __init__(self, path: Path, data: bytes, *, write: bool) -> None:
        self._path = path
        self._data = data
        self._use = write_and_read_everything if write else read_everything
        self._found = Survey()

    async def run(self, groups: Sequence[Sequence[Flip]]) -> Survey:
        self._path.write_bytes(self._data)
        honest = await self._use(self._path)
        self._path.write_bytes(self._data)
        with self._path.open("r+b", buffering=0) as file:
            for group in groups:
                if not await self._look(file.fileno(), group, honest):
                    for flip in group:
                        await self._look(file.fileno(), [flip], honest)
        return self._found

    async def _look(self, file: int, group: Sequence[Flip], honest: Contents) -> bool:
        """Try one group; return False if it has to be looked at flip by flip."""
        for at, bit in group:
            os.pwrite(file, bytes([self._data[at] ^ 1 << bit]), at)
        refused = wrong = ""
        try:
            contents = await self._use(self._path)
        except MyceldError as error:
            refused = error.code
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have had a code
            wrong = repr(error)
        else:
            if contents != honest:
                wrong = f"{[(name, root.hex()) for name, (root, _) in contents.items()]}"
        self._restore(file, group)
        if len(group) > 1 and (refused or wrong):
            return False
        if refused:
            self._found.refused[refused] += 1
        elif wrong:
            self._found.wrong.append((group[0], wrong))
        else:
            self._found.unchanged += group
        return True

    def _restore(self, file: int, group: Sequence[Flip]) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        for at, _ in group:
            os.pwrite(file, self._data[at : at + 1], at)
        if self._path.read_bytes() != self._data:
            os.ftruncate(file, len(self._data))
            os.pwrite(file, self._data, 0)
