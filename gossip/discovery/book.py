"""The address book: which cells are known, where they listen, and how well that worked.

A cell's own signed word (`Announcement`) beats what anybody else says; addresses that worked are
kept when they are announced no longer; unsigned hints (mDNS, the DHT) are a few more to try. An
address is only ever dialled with the cell id that must be proven there, so a wrong one costs a
dial and nothing else. Bounded in all, per cell, and per peer that tells: whoever invents ten
thousand cells pushes out none but its own.

Pure: the owner passes the time in, and makes durable what `take_changes` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from core.codec import NotCanonical, Value, WrongShape, as_array, as_bytes, as_int, as_text, decode
from core.codec import encode as encode_value
from core.errors import MyceldError
from core.ids import CellId, NetworkId
from gossip.discovery.address import Reach, parse_peer_address
from gossip.discovery.announcement import Announcement, decode_announcement, join
from gossip.discovery.limits import (
    BOOK_ADDRESSES_MAX,
    BOOK_CELLS_MAX,
    BOOK_HINTS_MAX,
    BOOK_KEPT_MAX,
    BOOK_TOLD_BY_ONE_MAX,
    CELL_ADDRESS_LENGTH_MAX,
    FAILURES_COUNTED_MAX,
    TRUST_ABSENT,
    TRUST_AT_FIRST,
    TRUST_MAX,
    TRUST_RIGHT,
    TRUST_WRONG,
)
from gossip.discovery.spore import Node

_DOMAIN: Final = "myceld/known-cell/1"


class Source(IntEnum):
    """Who vouches for an address; the greater one is tried first, all else being equal."""

    HINT = 0
    """Nobody: mDNS, the DHT, or a peer that was told so."""
    FORMER = 1
    """It worked once, though the cell does not announce it, or no longer."""
    ANNOUNCED = 2
    """The cell itself, by its signature."""
    CONFIGURED = 3
    """Whoever runs this cell."""


@dataclass(slots=True)
class AddressRecord:
    """How it went with one address of a cell."""

    source: Source
    last_success_ns: int = 0
    last_failure_ns: int = 0
    failures: int = 0
    """In a row, since the last success."""


@dataclass(slots=True)
class Entry:
    """What is known of one cell."""

    teller: str
    """Who told of it first: a cell id, or the name of a finder."""
    announcements: tuple[Announcement, ...] = ()
    addresses: dict[str, AddressRecord] = field(default_factory=dict)
    last_seen_ns: int = 0
    """When it was last connected to us, or seen by somebody whose spore we took."""
    reached_ns: int = 0
    """When it last proved its key to us; 0: never, so it may be invented."""
    trust: int = TRUST_AT_FIRST


class AddressBook:
    """Entries by cell id, at most `cells_max`. `own` is this cell: it has no entry."""

    def __init__(
        self,
        own: CellId,
        bootstrap: Iterable[str] = (),
        known: Mapping[CellId, Entry] | None = None,
        *,
        can_dial: Callable[[str], bool] = lambda _: True,
        cells_max: int = BOOK_CELLS_MAX,
    ) -> None:
        """Start with configured addresses, which must be valid, and with remembered entries."""
        self._own = own
        self._can_dial = can_dial
        self._cells_max = cells_max
        self._entries: dict[CellId, Entry] = dict(known or {})
        self._entries.pop(own, None)
        self._members: frozenset[CellId] = frozenset()
        self._changed: set[CellId] = set()
        configured = [parse_peer_address(address) for address in bootstrap]
        self._bootstrap = frozenset(address.cell_id for address in configured) - {own}
        for address in configured:
            if address.cell_id != own:
                entry = self._entries.setdefault(address.cell_id, Entry("configuration"))
                entry.addresses.setdefault(address.text, AddressRecord(Source.CONFIGURED))
                entry.addresses[address.text].source = Source.CONFIGURED

    @property
    def bootstrap_cells(self) -> frozenset[CellId]:
        """The cells that the configuration names."""
        return self._bootstrap

    def protect(self, members: Collection[CellId]) -> None:
        """Keep these, whoever else is told of: the members of the present roster."""
        self._members = frozenset(members)

    def cells(self) -> list[CellId]:
        """Return the known cells, in order."""
        return sorted(self._entries)

    def entry(self, cell_id: CellId) -> Entry | None:
        """Return what is known of a cell; not to be changed by the caller."""
        return self._entries.get(cell_id)

    def addresses(self, cell_id: CellId) -> tuple[str, ...]:
        """Return where a cell may be dialled by this one, the likeliest first."""
        entry = self._entries.get(cell_id)
        if entry is None:
            return ()
        ranked = sorted(
            entry.addresses.items(),
            key=lambda item: (
                item[1].failures,
                -item[1].last_success_ns,
                -item[1].source,
                item[0],
            ),
        )
        return tuple(text for text, _ in ranked if self._can_dial(text))

    def all(self) -> list[tuple[CellId, tuple[str, ...]]]:
        """Return all cells with their addresses, in order of their ids."""
        return [(cell_id, self.addresses(cell_id)) for cell_id in self.cells()]

    def holds(self, announcement: Announcement) -> bool:
        """Return whether exactly this was learned before, and so its signature checked."""
        entry = self._entries.get(announcement.cell_id)
        return entry is not None and announcement in entry.announcements

    def learn(self, announcements: Iterable[Announcement], teller: str) -> list[Announcement]:
        """Take verified announcements that a peer or finder told; return those that were news.

        Older ones than known, of this cell itself, and of more cells than there is room for are
        left out.
        """
        news: list[Announcement] = []
        for item in announcements:
            entry = self._admit(item.cell_id, teller)
            if entry is None or item in entry.announcements:
                continue
            joined = join(entry.announcements, (item,))
            if joined != entry.announcements:
                entry.announcements = joined
                self._take_addresses(entry)
                self._changed.add(item.cell_id)
                news.append(item)
        return news

    def hint(self, cell_id: CellId, addresses: Iterable[str], teller: str) -> bool:
        """Take addresses that nobody signed for, and return whether any was news.

        Those that make no sense, or that this cell can not dial, are left out.
        """
        news = False
        for text in list(addresses)[:BOOK_HINTS_MAX]:
            try:
                if parse_peer_address(text).cell_id != cell_id or not self._can_dial(text):
                    continue
            except MyceldError:
                continue
            entry = self._admit(cell_id, teller)
            if entry is not None and text not in entry.addresses:
                entry.addresses[text] = AddressRecord(Source.HINT)
                _trim(entry)
                news = True
        return news

    def seen(self, cell_id: CellId, at_ns: int) -> None:
        """Take when somebody else saw a cell, which must not be later than now."""
        entry = self._entries.get(cell_id)
        if entry is not None:
            entry.last_seen_ns = max(entry.last_seen_ns, at_ns)

    def worked(self, cell_id: CellId, address: str | None, now_ns: int) -> None:
        """Note that the cell proved its key, at this address if we dialled it."""
        entry = self._admit(cell_id, cell_id)
        if entry is None:
            return
        record = None if address is None else entry.addresses.get(address)
        if record is not None:
            record.last_success_ns, record.failures = now_ns, 0
            record.source = max(record.source, Source.FORMER)
            _trim(entry)
        entry.last_seen_ns = entry.reached_ns = now_ns
        entry.trust = min(TRUST_MAX, entry.trust + TRUST_RIGHT)
        self._changed.add(cell_id)

    def failed(self, cell_id: CellId, address: str, now_ns: int) -> None:
        """Note that a dial failed."""
        entry = self._entries.get(cell_id)
        record = None if entry is None else entry.addresses.get(address)
        if entry is None or record is None:
            return
        record.last_failure_ns = now_ns
        record.failures = min(record.failures + 1, FAILURES_COUNTED_MAX)
        # Durable at 1, 2, 4, 8, …: a cell that is away for long must not keep our disk awake.
        if record.failures & (record.failures - 1) == 0:
            entry.trust = max(0, entry.trust - TRUST_ABSENT)
            if record.source <= Source.FORMER and record.failures >= _FORMER_FAILURES_MAX:
                del entry.addresses[address]
            self._changed.add(cell_id)

    def misbehaved(self, cell_id: CellId) -> None:
        """Note that a cell broke the protocol."""
        entry = self._entries.get(cell_id)
        if entry is not None:
            entry.trust = max(0, entry.trust - TRUST_WRONG)
            self._changed.add(cell_id)

    def nodes(self, reach: Reach) -> list[Node]:
        """Return the cells that a peer this far away may be told of, the best first.

        Members, then those that were reached, then hearsay; only with announcements that make
        sense to that peer.
        """
        found: list[tuple[tuple[bool, bool, int, CellId], Node]] = []
        for cell_id, entry in self._entries.items():
            told = tuple(item for item in entry.announcements if item.reach >= reach)
            if told:
                key = (
                    cell_id not in self._members,
                    not entry.reached_ns,
                    -entry.trust,
                    cell_id,
                )
                found.append((key, Node(told, entry.last_seen_ns, entry.trust)))
        return [node for _, node in sorted(found, key=lambda item: item[0])]

    def take_changes(self) -> dict[CellId, bytes | None]:
        """Return the entries that changed since the last call, encoded; None: gone."""
        changed, self._changed = self._changed, set()
        return {
            cell_id: encode_entry(self._entries[cell_id]) if cell_id in self._entries else None
            for cell_id in sorted(changed)
        }

    def _admit(self, cell_id: CellId, teller: str) -> Entry | None:
        """Return the entry of a cell, a new one if there is room for it."""
        entry = self._entries.get(cell_id)
        if entry is not None or cell_id == self._own:
            return entry
        entry = Entry(teller)
        if not self._is_kept(cell_id):
            told = Counter(known.teller for known in self._entries.values() if not known.reached_ns)
            if teller != cell_id and told[teller] >= BOOK_TOLD_BY_ONE_MAX:
                return None
        if len(self._entries) >= self._cells_max:
            victim = self._victim(reached=teller == cell_id or self._is_kept(cell_id))
            if victim is None:
                return None
            del self._entries[victim]
            self._changed.add(victim)
        self._entries[cell_id] = entry
        return entry

    def _victim(self, *, reached: bool) -> CellId | None:
        """Return the cell to forget for a new one: the least trusted, the longest unseen.

        Those that were never reached go first, and make room for anybody; others only for a cell
        that was `reached`.
        """
        candidates = [
            (bool(entry.reached_ns), entry.trust, entry.last_seen_ns, cell_id)
            for cell_id, entry in self._entries.items()
            if not self._is_kept(cell_id) and (reached or not entry.reached_ns)
        ]
        return min(candidates)[-1] if candidates else None

    def _is_kept(self, cell_id: CellId) -> bool:
        return cell_id in self._members or cell_id in self._bootstrap

    def _take_addresses(self, entry: Entry) -> None:
        """Bring the addresses of an entry in line with its announcements."""
        announced = {text for item in entry.announcements for text in item.addresses}
        for text in sorted(announced):
            record = entry.addresses.setdefault(text, AddressRecord(Source.ANNOUNCED))
            record.source = max(record.source, Source.ANNOUNCED)
        for text, record in list(entry.addresses.items()):
            if record.source is Source.ANNOUNCED and text not in announced:
                if record.last_success_ns:
                    record.source = Source.FORMER
                else:
                    del entry.addresses[text]
        _trim(entry)


_FORMER_FAILURES_MAX: Final = 16
"""Failures in a row after which an address that nobody announces is forgotten."""


def encode_entry(entry: Entry) -> bytes:
    """Return an entry's bytes for the disk."""
    addresses: list[Value] = [
        [text, int(item.source), item.last_success_ns, item.last_failure_ns, item.failures]
        for text, item in sorted(entry.addresses.items())
        if item.source is not Source.CONFIGURED or item.last_success_ns
    ]
    return encode_value(
        [
            _DOMAIN,
            entry.teller,
            [item.encoded for item in entry.announcements],
            addresses[:BOOK_ADDRESSES_MAX],
            entry.last_seen_ns,
            entry.reached_ns,
            entry.trust,
        ]
    )


def decode_entry(data: bytes, network_id: NetworkId) -> Entry:
    """Return the entry in `data`; raises WrongShape, NotCanonical or what announcements raise."""
    domain, teller, announcements, addresses, last_seen, reached, trust = as_array(
        decode(data), length=7
    )
    if domain != _DOMAIN:
        raise WrongShape("not an entry of this version")
    records = {}
    for item in as_array(addresses, length_max=BOOK_ADDRESSES_MAX):
        text, source, last_success, last_failure, failures = as_array(item, length=5)
        record = AddressRecord(
            Source(as_int(source, high=max(Source))),
            as_int(last_success),
            as_int(last_failure),
            as_int(failures, high=FAILURES_COUNTED_MAX),
        )
        if record.source is Source.CONFIGURED:
            record.source = Source.FORMER  # the configuration of today says it again, or not
        records[as_text(text, length_max=CELL_ADDRESS_LENGTH_MAX)] = record
    return Entry(
        as_text(teller, length_max=CELL_ADDRESS_LENGTH_MAX),
        tuple(
            decode_announcement(as_bytes(item), network_id)
            for item in as_array(announcements, length_max=len(Reach))
        ),
        records,
        as_int(last_seen),
        as_int(reached),
        as_int(trust, high=TRUST_MAX),
    )


def read_entries(rows: Iterable[tuple[str, bytes]], network_id: NetworkId) -> dict[CellId, Entry]:
    """Return the entries in stored rows; those that can not be read any more are left out."""
    found: dict[CellId, Entry] = {}
    for cell_id, data in rows:
        try:
            found[CellId(cell_id)] = decode_entry(data, network_id)
        except (NotCanonical, WrongShape, MyceldError):
            continue
    return found


def _trim(entry: Entry) -> None:
    """Keep within the bounds: the newest hints, and the former addresses that worked last."""
    hints = [text for text, item in entry.addresses.items() if item.source is Source.HINT]
    for text in hints[:-BOOK_HINTS_MAX]:
        del entry.addresses[text]
    former = sorted(
        (item.last_success_ns, text)
        for text, item in entry.addresses.items()
        if item.source is Source.FORMER
    )
    for _, text in former[:-BOOK_KEPT_MAX]:
        del entry.addresses[text]
