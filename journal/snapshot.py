"""A journal as it was at one moment, whatever is appended, truncated or cleared afterwards.

Holds a read transaction of its own: while it is open the write-ahead log grows, and no space that
is freed comes back. So it is to be closed, and a store has only a few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from journal.audit import Audit, Progress, audit_state
from journal.errors import NoSuchBlock, StoreClosed, StoreCorrupt
from journal.layout import JournalState
from journal.reader import Reader
from journal.sealing import Seal
from journal.view import View


class Snapshot(View):
    """A journal at one length and fork. Made by `Journal.snapshot`."""

    def __init__(
        self,
        reader: Reader,
        state: JournalState,
        seal: Seal | None,
        sign: Callable[[JournalState], str],
        leave: Callable[[Snapshot], None],
    ) -> None:
        self.name = state.name
        self._pinned = state
        self._own_reader: Reader | None = reader
        self._key = seal
        self._sign = sign
        self._leave = leave

    def checkpoint(self) -> str:
        """Return the signed head, for use inside this cell; raises SignerFailed."""
        return self._sign(self._pinned)

    async def audit(
        self, progress: Progress | None = None, *, timeout_s: float | None = None
    ) -> Audit:
        """Check every byte of the journal against its signed head.

        `progress` is called with the blocks done and their number. Raises StoreCorrupt,
        ReadFailed, TimedOut, or StoreClosed if it is closed meanwhile.
        """
        try:
            return await audit_state(self._reader(), self._pinned, progress, timeout_s=timeout_s)
        except StoreCorrupt:
            self._reader()  # what was closed meanwhile cannot be read, and is not damaged
            raise

    def close(self) -> None:
        """Let go of the database. Later calls raise StoreClosed."""
        if self._own_reader is not None:
            self._own_reader.close()
            self._own_reader = None
            self._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _state(self) -> JournalState:
        return self._pinned

    def _reader(self) -> Reader:
        if self._own_reader is None:
            raise StoreClosed("the snapshot is closed")
        return self._own_reader

    def _seal(self) -> Seal | None:
        return self._key

    async def _await_edit(
        self,
        state: JournalState,  # noqa: ARG002 - nothing happens to a snapshot
        error: StoreCorrupt,
        timeout_s: float | None,  # noqa: ARG002 - nothing is waited for
    ) -> None:
        raise error

    async def _longer(self, timeout_s: float | None) -> None:  # noqa: ARG002 - nothing is waited for
        raise NoSuchBlock(f"a snapshot of journal {self.name} has {self.length} blocks")
