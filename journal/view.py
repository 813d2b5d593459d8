"""Reading a journal: what the live journal and a snapshot of it have in common.

Everything read is checked against the signed head of the state it is read at. Blocks are decrypted
unless they are asked for `raw`: as stored, hashed, and passed on to others.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from core.ids import Hash
from journal.errors import (
    BlockCleared,
    EncryptionKeyMissing,
    JournalTruncated,
    NoSuchBlock,
    StoreCorrupt,
)
from journal.layout import JournalState, Slot
from journal.reader import Reader
from journal.sealing import Seal

_T = TypeVar("_T")


class View(ABC):
    """A journal as it can be read."""

    name: str

    @property
    def length(self) -> int:
        """Number of blocks, cleared ones included."""
        return self._state.size

    @property
    def byte_length(self) -> int:
        """Bytes of the contents of all blocks, cleared ones included."""
        state = self._state
        return state.size_bytes - state.overhead_bytes * state.size

    @property
    def fork(self) -> int:
        """How often the journal was truncated, or went on after a conflict."""
        return self._state.fork

    @property
    def min_index(self) -> int:
        """All blocks before this one were pruned."""
        return self._state.pruned

    @property
    def is_encrypted(self) -> bool:
        """Whether blocks are stored and hashed encrypted."""
        return bool(self._state.key_check)

    def root(self, size: int | None = None) -> Hash:
        """Return the root over the first `size` blocks (all)."""
        state = self._state
        return state.root if size is None else self._reader().hashes.root(state, size)

    async def get(self, index: int, *, raw: bool = False, timeout_s: float | None = None) -> bytes:
        """Return block `index`.

        Raises NoSuchBlock, BlockCleared, EncryptionKeyMissing, StoreCorrupt or ReadFailed. Waits
        only for an edit of the journal that is just being written.
        """
        while True:
            state = self._state
            try:
                block = self._reader().block(state, index)
                break
            except StoreCorrupt as error:
                await self._await_edit(state, error, timeout_s)
        return self._content(state, index, block) if state.key_check and not raw else block

    async def get_many(
        self, indexes: Iterable[int], *, raw: bool = False, timeout_s: float | None = None
    ) -> list[bytes]:
        """Return the blocks at `indexes`, in that order; raises what `get` does."""
        return [await self.get(index, raw=raw, timeout_s=timeout_s) for index in indexes]

    async def has(self, index: int, *, timeout_s: float | None = None) -> bool:
        """Tell whether block `index` can be read: it was appended, and not cleared."""
        return await self._read(
            lambda reader, state: (
                0 <= index < state.size and isinstance(reader.slot(state, index), bytes)
            ),
            timeout_s,
        )

    async def seek(self, byte_offset: int, *, timeout_s: float | None = None) -> tuple[int, int]:
        """Return the index of the block in which that byte of all contents lies, and where in it.

        The end is (length, 0). Raises NoSuchBlock, StoreCorrupt or ReadFailed.
        """
        return await self._read(lambda reader, state: reader.seek(state, byte_offset), timeout_s)

    async def read(
        self,
        start: int = 0,
        end: int | None = None,
        *,
        live: bool = False,
        raw: bool = False,
        timeout_s: float | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield blocks [start, end), `end` being the present length unless given.

        `live`: go on with blocks as they are appended, without end unless it is given; waits at
        most `timeout_s` for each. Raises what `get` does, TimedOut, and JournalTruncated if the
        journal goes on as another fork meanwhile.
        """
        fork = self._state.fork
        if not live:
            end = self.length if end is None else end
            if not 0 <= start <= end <= self.length:
                raise NoSuchBlock(f"journal {self.name} has {self.length} blocks, not all to {end}")
        at = start
        while end is None or at < end:
            state = self._state
            if state.fork != fork:
                raise JournalTruncated(f"journal {self.name} goes on as fork {state.fork}")
            if at >= state.size:
                await self._longer(timeout_s)
                continue
            stop = state.size if end is None else min(end, state.size)
            try:
                part = next(self._reader().slots(state, at, stop))
            except StoreCorrupt as error:
                await self._await_edit(state, error, timeout_s)
                continue
            for slot in part:
                yield self._block_of(state, at, slot, raw=raw)
                at += 1
            await asyncio.sleep(0)

    async def prove_inclusion(
        self, index: int, size: int | None = None, *, timeout_s: float | None = None
    ) -> list[bytes]:
        """Return the inclusion proof of block `index` in the tree of `size` (present length)."""
        return await self._read(
            lambda reader, state: reader.hashes.prove_inclusion(
                state, index, state.size if size is None else size
            ),
            timeout_s,
        )

    async def prove_consistency(
        self, size1: int, size2: int | None = None, *, timeout_s: float | None = None
    ) -> list[bytes]:
        """Return the proof that the first `size1` blocks begin the first `size2`."""
        return await self._read(
            lambda reader, state: reader.hashes.prove_consistency(
                state, size1, state.size if size2 is None else size2
            ),
            timeout_s,
        )

    async def prove_range(
        self, start: int, end: int, size: int | None = None, *, timeout_s: float | None = None
    ) -> tuple[Hash, list[bytes]]:
        """Return the root of the subtree [start, end), and the proof of it in the tree of `size`.

        For `merkle.verify_subtree_consistency`; a single block's place in the subtree is checked
        by `merkle.verify_subtree_inclusion`. Raises NoSuchBlock, or ProofRefused unless `start`
        is a multiple of the power of two at or above the length.
        """
        return await self._read(
            lambda reader, state: reader.hashes.prove_range(
                state, start, end, state.size if size is None else size
            ),
            timeout_s,
        )

    async def _read(
        self, read: Callable[[Reader, JournalState], _T], timeout_s: float | None
    ) -> _T:
        while True:
            state = self._state
            try:
                return read(self._reader(), state)
            except StoreCorrupt as error:
                await self._await_edit(state, error, timeout_s)

    def _block_of(self, state: JournalState, index: int, slot: Slot, *, raw: bool) -> bytes:
        if isinstance(slot, int):
            raise BlockCleared(f"journal {self.name}: block {index} was cleared")
        return self._content(state, index, slot) if state.key_check and not raw else slot

    def _content(self, state: JournalState, index: int, block: bytes) -> bytes:
        seal = self._seal()
        if seal is None:
            raise EncryptionKeyMissing(f"journal {state.name} is encrypted")
        return seal.open(index, block)

    @property
    @abstractmethod
    def _state(self) -> JournalState:
        """The state that is read."""

    @abstractmethod
    def _reader(self) -> Reader:
        """The reader, or StoreClosed."""

    @abstractmethod
    def _seal(self) -> Seal | None:
        """The key of the journal."""

    @abstractmethod
    async def _await_edit(
        self, state: JournalState, error: StoreCorrupt, timeout_s: float | None
    ) -> None:
        """Return once the edit that made a read fail is known; raise `error` if none did.

        The next one may be on disk by then, so who reads again may have to wait again.
        """

    @abstractmethod
    async def _longer(self, timeout_s: float | None) -> None:
        """Return once the journal may have changed."""
