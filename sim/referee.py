"""The checkers: told what every cell commits, at once, they note each promise that does not hold.

The referee believes no cell. It has the order from whoever committed it first, and holds all others
to it; it knows which machines are honest, and what clients were told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from core.ids import Epoch, EventId, MemberIndex, PublicKey, Round, TransactionId
from gateway.views import Stage
from ledger.genesis import Genesis
from ledger.header import APPLIED, RoundHeader
from ledger.roster import Roster
from node.tables import OrderedRow
from sim.limits import FINDINGS_MAX
from sim.trace import Trace
from sim.verdict import Finding


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a client was told of a transaction."""

    transaction: TransactionId
    cell: int
    stage: Stage
    at_ms: int
    nonce: tuple[bytes, int] | None = None
    """Sender and nonce, if the sender may use that nonce for other transactions too."""


@dataclass(slots=True)
class _Newest:
    """The newest event of a member, and which machines have it."""

    place: tuple[Epoch, int]
    journaled: set[int]
    durable: set[int] = field(default_factory=set)


class Referee:
    """Holds all cells to one history. `findings` is empty as long as all is well."""

    def __init__(
        self,
        genesis: Genesis,
        honest: dict[PublicKey, int],
        now_ms: Callable[[], int],
        trace: Trace,
    ) -> None:
        """`honest` has the machines that follow the rules, by their keys."""
        self.findings: list[Finding] = []
        self.headers: dict[Round, RoundHeader] = {}
        self.order: dict[int, OrderedRow] = {}
        self.acknowledged: dict[TransactionId, Acknowledged] = {}
        self.rosters: dict[Epoch, Roster] = {Epoch(0): genesis.roster}
        self._honest = honest
        self._now_ms = now_ms
        self._trace = trace
        self._events: dict[tuple[Epoch, MemberIndex, int], EventId] = {}
        self._elsewhere: dict[PublicKey, tuple[Epoch, int]] = {}
        self._newest_own: dict[PublicKey, _Newest] = {}
        self._applied: dict[bytes, int] = {}
        self._epoch_of: dict[bytes, Epoch] = {}
        """By transaction: when it was listed; without a sender, when it was last."""
        self._newest_time_ns = genesis.roster.last_time_ns
        self._began_ns = genesis.time_ns
        self._ahead_ns = 0
        self.lies: set[tuple[Epoch, MemberIndex, int]] = set()
        """Numbers of liars' events of which honest cells journaled more than one."""

    @property
    def newest(self) -> Round:
        """The highest round that any cell has applied."""
        return max(self.headers, default=Round(0))

    def note_skew(self, skew_ns: int) -> None:
        """An honest machine's clock was set so far ahead of the time."""
        self._ahead_ns = max(self._ahead_ns, skew_ns)

    def find(self, promise: str, detail: str, cell: int | None = None) -> None:
        """Note that a promise does not hold."""
        self._trace.note("FOUND", cell, promise=promise, detail=detail)
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(promise, detail, self._now_ms(), cell))

    def saw_roster(self, cell: int, roster: Roster) -> None:
        """A cell began an epoch."""
        known = self.rosters.setdefault(roster.epoch, roster)
        if known != roster:
            self.find("one roster", f"epoch {roster.epoch} begins with two rosters", cell)

    def saw_header(
        self, cell: int, header: RoundHeader, rows: Callable[[], list[OrderedRow]]
    ) -> None:
        """A cell applied a round durably; `rows` are its lines of the order."""
        known = self.headers.get(header.round)
        if known is None:
            self.headers[header.round] = header
            self._trace.note("round", cell, round=header.round, hash=header.hash.hex()[:16])
            self._take_order(cell, header, rows())
        elif known.hash != header.hash:
            what = [
                name
                for name in ("epoch", "previous", "state_root", "receipts_root", "roster")
                if getattr(known, name) != getattr(header, name)
            ]
            self.find("one order", f"round {header.round} differs in {', '.join(what)}", cell)

    def saw_event(
        self, cell: int, epoch: Epoch, creator: MemberIndex, sequence: int, event: EventId
    ) -> None:
        """A cell journaled an event."""
        roster = self.rosters.get(epoch)
        author = None if roster is None else roster.members[creator].public_key
        if author is not None:
            self._note_newest(cell, author, epoch, sequence)
            if self._honest.get(author) != cell:
                place = (epoch, sequence)
                self._elsewhere[author] = max(place, self._elsewhere.get(author, place))
        known = self._events.setdefault((epoch, creator, sequence), event)
        honest = None if author is None else self._honest.get(author)
        if known != event and author is not None and honest is None:
            self.lies.add((epoch, creator, sequence))
        if known != event and honest is not None:
            detail = f"cell {honest} signed two events {sequence} of epoch {epoch}"
            self.find("no self-fork", detail, cell)

    def newest_elsewhere(self, author: PublicKey) -> tuple[Epoch, int] | None:
        """Return epoch and sequence of a member's newest event that another machine journaled."""
        return self._elsewhere.get(author)

    def is_known_without(self, machines: Collection[int], author: PublicKey) -> bool:
        """Whether a member's newest event is held durably by enough honest others than these.

        By more than a third of the weight: any two thirds of all have one of those among them.
        """
        newest = self._newest_own.get(author)
        if newest is None:
            return True
        holders = newest.durable.difference(machines)
        rosters = (self.rosters[max(self.rosters)], self.rosters.get(newest.place[0]))
        for roster in filter(None, rosters):
            weights = [
                member.weight
                for member in roster.members
                if self._honest.get(member.public_key) in holders
            ]
            if 3 * sum(weights) <= sum(member.weight for member in roster.members):
                return False
        return True

    def lost(self, cell: int) -> None:
        """A machine has another disk, or a damaged one: it may not hold what it held."""
        for newest in self._newest_own.values():
            newest.journaled.discard(cell)
            newest.durable.discard(cell)

    def _note_newest(self, cell: int, author: PublicKey, epoch: Epoch, sequence: int) -> None:
        if self._honest.get(author) == cell:
            for known in self._newest_own.values():
                if cell in known.journaled:
                    known.durable.add(cell)  # an own event is fsynced with all before it
        newest = self._newest_own.get(author)
        if newest is None or newest.place < (epoch, sequence):
            self._newest_own[author] = _Newest((epoch, sequence), {cell})
        elif newest.place == (epoch, sequence):
            newest.journaled.add(cell)

    def told(
        self,
        transaction: TransactionId,
        cell: int,
        stage: Stage,
        nonce: tuple[bytes, int] | None = None,
    ) -> None:
        """A client of a cell was told, now, that its transaction reached a stage."""
        told = Acknowledged(transaction, cell, stage, self._now_ms(), nonce)
        self.acknowledged.setdefault(transaction, told)

    def owed(self, gone: Collection[int] = ()) -> list[Acknowledged]:
        """Return what was acknowledged and is not in the order, applied or refused by rule.

        What only the disks of `gone` machines hold may be lost with them. What a cell without a
        vote holds gets no place once its sender used the nonce for something else.
        """
        roster = self.rosters[max(self.rosters)]
        voting = {self._honest.get(member.public_key) for member in roster.members}
        used = {(row.sender, row.nonce) for row in self.order.values()}
        return [
            told
            for told in self.acknowledged.values()
            if told.transaction not in self._applied
            and not (told.cell in gone and told.stage == Stage.STORED)
            and not (told.cell not in voting and told.nonce in used)
        ]

    def check_kept(self, gone: Collection[int] = ()) -> None:
        """In the end nothing is owed."""
        for told in self.owed(gone):
            at_s = told.at_ms / 1000
            detail = f"{told.transaction.hex()[:12]} was {told.stage.word} after {at_s:.3f} s"
            self.find("acknowledged stays", detail, told.cell)

    def _take_order(self, cell: int, header: RoundHeader, rows: list[OrderedRow]) -> None:
        before = self.headers.get(Round(header.round - 1))
        if before is not None and header.previous != before.hash:
            self.find("one order", f"round {header.round} does not follow the one before", cell)
        if len(rows) != header.transactions:
            # A jump has the receipts of the window only: the rows come from somebody else.
            detail = f"round {header.round} has {len(rows)} lines, not {header.transactions}"
            self.find("one order", detail, cell)
        roster = self.rosters.get(header.epoch)
        self._check_times(cell, rows)
        for row in rows:
            self._take_row(cell, row, header, roster)

    def _take_row(
        self, cell: int, row: OrderedRow, header: RoundHeader, roster: Roster | None
    ) -> None:
        if self.order.setdefault(row.position, row).id != row.id:
            self.find("one order", f"position {row.position} was given twice", cell)
        creator = row.creator
        if roster is not None and creator is not None and roster.index_of(creator) is None:
            self.find("signed by a member", f"position {row.position} is a stranger's", cell)
        first = self._applied.get(row.id)
        epoch = self._epoch_of.setdefault(row.id, header.epoch)
        if first is None:
            self._applied[row.id] = row.position
        elif row.sender is None and header.epoch > epoch + 1:
            self._epoch_of[row.id] = header.epoch  # without a nonce it may come again by then
        elif row.outcome == APPLIED and self.order[first].outcome == APPLIED:
            detail = f"{row.id.hex()[:12]} at positions {first} and {row.position}"
            self.find("each transaction once", detail, cell)

    def _check_times(self, cell: int, rows: list[OrderedRow]) -> None:
        """Each event of a round has a time of its own, later than all before the round.

        Positions need not follow the times: one sender's transactions take effect by their nonces.
        """
        times = {row.event: row.time_ns for row in rows}
        if len(set(times.values())) < len(times):
            self.find("times grow", f"two events of round {rows[0].round} have one time", cell)
        if any(row.time_ns != times[row.event] for row in rows):
            self.find("times grow", f"one event of round {rows[0].round} has two times", cell)
        if rows and min(times.values()) <= self._newest_time_ns:
            self.find("times grow", f"round {rows[0].round} is not later than those before", cell)
        self._newest_time_ns = max(self._newest_time_ns, *times.values(), 0)
        now_ns = self._began_ns + (self._now_ms() + 1) * 10**6 + self._ahead_ns
        if rows and self._newest_time_ns > now_ns + len(rows):
            self.find("times are honest", f"round {rows[0].round} is in the future", cell)
