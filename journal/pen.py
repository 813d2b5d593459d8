"""The right to append to one journal, held by one part of a program.

As long as a pen is out, nothing else appends to its journal or cuts it off: `Store.transaction`,
`Store.commit`, `Journal.append` and `Journal.truncate` refuse. It is checked by identity once a
commit, so a pen costs nothing. It keeps parts of one program from writing each other's journals; it
is no wall against code that looks into this one's objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from journal.errors import PenVoid
from journal.statements import Statement
from journal.writer import Batch

if TYPE_CHECKING:
    from journal.store import Store


class Pen:
    """Made by `Store.pen`."""

    __slots__ = ("is_void", "name", "store")

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.is_void = False
        """Whether it writes no more."""

    async def write(
        self,
        blocks: Sequence[bytes],
        statements: Sequence[Statement] = (),
        durable: bool | None = None,  # noqa: FBT001 - as in `Store.transaction`
    ) -> tuple[int, int]:
        """Append and run statements, all or nothing; return as `Journal.append`.

        Raises PenVoid, or what `Store.commit` does.
        """
        if self.is_void:
            raise PenVoid(f"the pen of journal {self.name} was taken back")
        positions = await self.store.commit(Batch({self.name: blocks}, statements, durable, self))
        return positions[self.name]

    def give_back(self) -> None:
        """Write no more: the journal can be had by others. Safe to repeat."""
        if not self.is_void:
            self.store.take_back(self)
            self.is_void = True
