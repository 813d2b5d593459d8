"""Which cell a key belongs to, by what this cell has applied: the line of its keys.

A cell that rotates goes on as another cell id. What is kept about it over time (conversations, what
a relay holds, trust) is kept under the *first* id of its line, which never changes; what goes over
the network goes to the *present* one. Both are read from the state and remembered until a round
rotates a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from core.ids import CellId, PublicKey, Round, cell_id_of, public_key_of
from ledger.machine import Applied
from ledger.roster import Roster
from ledger.succession import (
    ROTATED_PREFIX,
    Read,
    current_key,
    decode_succession,
    first_key,
    origin_of,
    rotated_key,
)
from node.limits import LINE_IDS_MAX, LINES_KNOWN_MAX

_K = TypeVar("_K")
_V = TypeVar("_V")

Rotated: TypeAlias = Callable[[PublicKey, PublicKey], None]
"""Told the old key and the new one, once that is in the state."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The two ends of the line of a cell's keys, and their ids."""

    first_key: PublicKey
    present_key: PublicKey
    first: CellId
    present: CellId


class Lines:
    """Answers for one cell.

    `read` reads the state as it is on disk. `gave_up` knows of rotations that are applied, and on
    their way there: until they are, nobody can say yet who has such a key's place.
    """

    def __init__(self, read: Read, gave_up: Callable[[PublicKey], bool] = lambda _: False) -> None:
        self._read = read
        self._gave_up = gave_up
        self._known: dict[CellId, _Line] = {}
        self._since: dict[PublicKey, Round] = {}
        self._members: tuple[Roster, frozenset[CellId]] | None = None
        self._listeners: list[Rotated] = []

    def first(self, cell: CellId) -> CellId:
        """Return the first id of a cell; raises NotACellId."""
        return self._line(cell).first

    def present(self, cell: CellId) -> CellId:
        """Return the id that a cell has by now; raises NotACellId."""
        return self._line(cell).present

    def present_key(self, cell: CellId) -> PublicKey:
        """Return the key that a cell has by now; raises NotACellId."""
        return self._line(cell).present_key

    def ids(self, cell: CellId) -> list[CellId]:
        """Return a cell's id with those that it had before, the newest LINE_IDS_MAX."""
        ids, key = [cell], public_key_of(cell)
        while len(ids) < LINE_IDS_MAX:
            origin = origin_of(self._read, key)
            if origin is None:
                break
            key = origin.before
            ids.append(cell_id_of(key))
        return ids

    def first_key(self, key: PublicKey) -> PublicKey:
        """Return the first key of the cell that has or had a key."""
        return self._line(cell_id_of(key)).first_key

    def since(self, key: PublicKey) -> Round:
        """Return the round in which a key followed another one, 0 for a first key."""
        found = self._since.get(key)
        if found is None:
            origin = origin_of(self._read, key)
            found = Round(0) if origin is None else origin.round
            _remember(self._since, key, found)
        return found

    def round_given_up(self, key: PublicKey) -> Round | None:
        """Return the round in which a key was given up, None for a present one."""
        value = self._read(rotated_key(key))
        return None if value is None else decode_succession(value).round

    def is_present(self, key: PublicKey) -> bool:
        """Return whether a key was not given up, as far as anything was applied here."""
        cell = cell_id_of(key)
        return self.present(cell) == cell and not self._gave_up(key)

    def is_member(self, cell: CellId, roster: Roster) -> bool:
        """Return whether a cell has a seat in a roster, under whichever of its keys."""
        if self._members is None or self._members[0] is not roster:
            firsts = frozenset(self.first(member.cell_id) for member in roster.members)
            self._members = roster, firsts
        return self.first(cell) in self._members[1]

    def listen(self, rotated: Rotated) -> None:
        """Have rotations told from now on."""
        self._listeners.append(rotated)

    def applied(self, applied: Applied) -> None:
        """Take in what a round changed, after that is in the state."""
        self.changed(applied.changes)

    def changed(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take in changes of the state."""
        rotations = [
            (PublicKey(key[len(ROTATED_PREFIX) :]), decode_succession(value).successor)
            for key, value in changes
            if value is not None and key.startswith(ROTATED_PREFIX)
        ]
        if not rotations:
            return
        self.forget()
        for old, new in rotations:
            for listener in self._listeners:
                listener(old, new)

    def forget(self) -> None:
        """Read all from the state again."""
        self._known.clear()
        self._since.clear()
        self._members = None

    def _line(self, cell: CellId) -> _Line:
        found = self._known.get(cell)
        if found is None:
            key = public_key_of(cell)
            first, present = first_key(self._read, key), current_key(self._read, key)
            found = _Line(first, present, cell_id_of(first), cell_id_of(present))
            _remember(self._known, cell, found)
        return found


def _remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    if len(known) >= LINES_KNOWN_MAX:
        known.clear()
    known[key] = value
