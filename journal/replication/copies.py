"""Copies of other cells' journals in this cell's store, and the evidence of their conflicts.

A copy is a journal of the store, `follow-<number>`, whose blocks are those of the other cell; a row
of `followed` says whose it is, with two heads signed by that cell: the newest one that was
checked, and the newest one of which every block is here (`whole`), which may be shown to others.
Each fork has a copy of its own, and no copy is ever overwritten.

Invariant: blocks and heads are committed together, after the follower's machine checked them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.errors import check
from core.failpoint import hit
from core.ids import CellId, Hash, NotACellId, public_key_of
from journal.checkpoint import check_journal_name, verify_checkpoint
from journal.errors import HeadRefused, StoreCorrupt
from journal.merkle import EMPTY_ROOT
from journal.replication.errors import TooManyFollowed
from journal.replication.follower import Conflict, Held, SignedHead, Stored
from journal.replication.limits import CONFLICTS_KEPT_MAX, FOLLOWED_MAX
from journal.replication.ranges import Tail
from journal.statements import Statement
from journal.store import Store

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS followed (
  number INTEGER PRIMARY KEY, cell_id TEXT NOT NULL, journal TEXT NOT NULL, fork INTEGER NOT NULL,
  head TEXT NOT NULL, whole TEXT NOT NULL, UNIQUE (cell_id, journal, fork));
CREATE TABLE IF NOT EXISTS followed_conflict (
  id INTEGER PRIMARY KEY, number INTEGER NOT NULL, known TEXT NOT NULL, other TEXT NOT NULL,
  proof BLOB NOT NULL, found_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS following (
  cell_id TEXT NOT NULL, journal TEXT NOT NULL, PRIMARY KEY (cell_id, journal)) WITHOUT ROWID;
"""

_PREFIX: Final = "follow-"
_COLUMNS: Final = "number, cell_id, journal, fork, head, whole"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A conflict as it is kept: two head texts, and the hashes of a prefix proof, joined."""

    known: str
    other: str
    proof: bytes
    found_ns: int


@dataclass(slots=True)
class Copy:
    """One fork of one journal of another cell. `whole` is None until all of a head is here."""

    number: int
    cell_id: CellId
    journal: str
    fork: int
    head: SignedHead
    whole: SignedHead | None

    @property
    def name(self) -> str:
        """The journal of the store that holds the blocks."""
        return f"{_PREFIX}{self.number}"


class Copies:
    """All copies of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._copies: dict[tuple[str, str, int], Copy] = {}

    @classmethod
    async def open(cls, store: Store) -> Copies:
        """Create the tables or load them; raises StoreCorrupt if a head is not what it was."""
        await store.create_tables(SCHEMA)
        copies = cls(store)
        rows = store.query(f"SELECT {_COLUMNS} FROM followed ORDER BY number")  # noqa: S608 - constant columns
        for number, cell_id, journal, fork, head, whole in rows:
            copy = Copy(
                number,
                CellId(cell_id),
                journal,
                fork,
                _loaded(head, cell_id),
                _loaded(whole, cell_id) if whole else None,
            )
            copies._check(copy)
            copies._copies[cell_id, journal, fork] = copy
        return copies

    def all(self) -> list[Copy]:
        """Return every copy, in the order they were begun."""
        return list(self._copies.values())

    def newest(self, cell_id: str, journal: str) -> Copy | None:
        """Return the copy of the highest fork of a journal."""
        found = [
            copy
            for copy in self._copies.values()
            if (copy.cell_id, copy.journal) == (cell_id, journal)
        ]
        return max(found, key=lambda copy: copy.fork, default=None)

    def length(self, copy: Copy) -> int:
        """Return how many blocks of a copy are here."""
        return self._store.state_of(copy.name).size

    def held(self, cell_id: CellId, journal: str) -> Held:
        """Return what a follower of this journal resumes from."""
        copy = self.newest(cell_id, journal)
        if copy is None:
            return Held(cell_id, journal, None, None, Tail(0, ()), lambda _: EMPTY_ROOT)
        state = self._store.state_of(copy.name)
        tail = Tail(state.size, state.frontier.hashes)
        return Held(
            cell_id, journal, copy.fork, copy.head, tail, lambda size: self._root(copy, size)
        )

    async def commit(self, stored: Stored) -> Copy:
        """Append what a follower's machine checked; the first head of a fork begins its copy.

        Raises TooManyFollowed or a write's fault.
        """
        said = stored.head.checkpoint
        key = (said.cell_id, said.journal, said.fork)
        copy = self._copies.get(key)
        if copy is None:
            copy = self._begun(stored)
        whole = stored.head if stored.whole else copy.whole
        held = self._store.state_of(copy.name).size if copy.name in self._store.journals() else 0
        check(held == stored.start, "a copy grows from where it ends")
        texts = (stored.head.text, "" if whole is None else whole.text)
        put: Statement
        if key in self._copies:
            put = (
                "UPDATE followed SET head = ?, whole = ? WHERE number = ?",
                [(*texts, copy.number)],
            )
        else:
            row = (copy.number, copy.cell_id, copy.journal, copy.fork, *texts)
            put = (f"INSERT INTO followed ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", [row])  # noqa: S608 - constant columns
        hit("replication.copy.before")
        await self._store.transaction({copy.name: stored.blocks}, [put], durable=False)
        hit("replication.copy.after")
        copy.head, copy.whole = stored.head, whole
        self._copies[key] = copy
        return copy

    async def keep_conflict(self, conflict: Conflict, found_ns: int) -> None:
        """Keep both heads and the proof, durably; beyond CONFLICTS_KEPT_MAX the first ones stay."""
        said = conflict.known.checkpoint
        copy = self._copies[said.cell_id, said.journal, said.fork]
        kept = self.evidence(copy)
        texts = [(item.known, item.other) for item in kept]
        new = (conflict.known.text, conflict.other.text)
        if new in texts or len(kept) >= CONFLICTS_KEPT_MAX:
            return
        row = (copy.number, *new, b"".join(conflict.proof), found_ns)
        put = (
            "INSERT INTO followed_conflict (number, known, other, proof, found_ns) "
            "VALUES (?, ?, ?, ?, ?)"
        )
        await self._store.transaction({}, [(put, [row])], durable=True)

    def evidence(self, copy: Copy) -> list[Evidence]:
        """Return the conflicts of a journal, the first one first."""
        rows = self._store.query(
            "SELECT known, other, proof, found_ns FROM followed_conflict WHERE number = ? "
            "ORDER BY id LIMIT ?",
            (copy.number, CONFLICTS_KEPT_MAX),
        )
        return [Evidence(*row) for row in rows]

    def wanted(self) -> list[tuple[CellId, str]]:
        """Return the journals that are to be followed."""
        rows = self._store.query(
            "SELECT cell_id, journal FROM following ORDER BY cell_id, journal LIMIT ?",
            (FOLLOWED_MAX,),
        )
        return [(CellId(cell_id), journal) for cell_id, journal in rows]

    async def want(self, cell_id: CellId, journal: str) -> None:
        """Remember that a journal is to be followed; raises TooManyFollowed, NotAJournalName."""
        public_key_of(cell_id)
        check_journal_name(journal)
        wanted = self.wanted()
        if (cell_id, journal) in wanted:
            return
        if len(wanted) >= FOLLOWED_MAX:
            raise TooManyFollowed(f"{len(wanted)} journals are followed")
        await self._change("INSERT OR IGNORE INTO following VALUES (?, ?)", (cell_id, journal))

    async def unwant(self, cell_id: CellId, journal: str) -> None:
        """Follow a journal no longer; its copy stays."""
        await self._change(
            "DELETE FROM following WHERE cell_id = ? AND journal = ?", (cell_id, journal)
        )

    async def _change(self, sql: str, row: Iterable[str]) -> None:
        statement: Statement = (sql, [tuple(row)])
        await self._store.transaction({}, [statement], durable=True)

    def _begun(self, stored: Stored) -> Copy:
        if len(self._copies) >= FOLLOWED_MAX:
            raise TooManyFollowed(f"{len(self._copies)} copies are kept, forks included")
        said = stored.head.checkpoint
        number = 1 + max((copy.number for copy in self._copies.values()), default=0)
        return Copy(number, CellId(said.cell_id), said.journal, said.fork, stored.head, None)

    def _root(self, copy: Copy, size: int) -> Hash:
        return self._store.reader().hashes.root(self._store.state_of(copy.name), size)

    def _check(self, copy: Copy) -> None:
        """Check that the blocks here are those of the head that covers all of them."""
        if copy.name not in self._store.journals():
            raise StoreCorrupt(f"the copy {copy.name} has no journal")
        whole = copy.whole
        if whole is not None and (
            self.length(copy) < whole.size or self._root(copy, whole.size) != whole.root
        ):
            raise StoreCorrupt(f"the copy {copy.name} is not what its head says")


def _loaded(text: str, cell_id: str) -> SignedHead:
    origin = text.partition("\n")[0]
    try:
        return SignedHead(text, verify_checkpoint(text, origin, public_key_of(cell_id)))
    except (HeadRefused, NotACellId) as error:
        raise StoreCorrupt(f"a stored head of {origin[:120]} fails") from error
