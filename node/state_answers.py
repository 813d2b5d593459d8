"""What a running cell answers about the state service, and the way to write to it."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from core.ids import Hash, PublicKey, Round, cell_id_of, public_key_of
from gateway.errors import NoNamespace, NoSuchKey
from gateway.state_views import (
    ChangesQuery,
    ChangesView,
    DifferencesView,
    DifferenceView,
    NamespaceView,
    NamespaceWish,
    StateEntryView,
    StateHistoryView,
    StateListView,
    WriteWish,
)
from gateway.views import ReceiptView, Stage, StateValueView
from ledger.batch import Batch
from ledger.kinds import Arguments
from ledger.limits import BATCH_ITEMS_MAX
from ledger.namespaces import (
    NAMESPACE_PREFIX,
    Access,
    Namespace,
    NamespaceClaim,
    NamespaceRelease,
    NamespaceSet,
    Rules,
    decode_namespace,
    namespace_key,
    namespace_of,
)
from ledger.values import (
    VALUE_PREFIX,
    Condition,
    Delete,
    IfAbsent,
    IfHash,
    IfRound,
    Put,
    PutIf,
    Stored,
    decode_stored,
    value_key,
)
from node.errors import NothingToRollBack, TooMuchToRollBack
from node.journal_answers import JournalAnswers
from node.keyring import reader_of
from node.limits import WAIT_S_MAX
from node.snapshots import Difference, differences, entries_at, history_of, value_at
from node.state_pages import ChangesPage, changes_after, end_of, entries, fitting
from node.state_tables import told_from

_HEX: Final = re.compile("[0-9a-f]{64}")
_START: Final = len(VALUE_PREFIX)


class StateAnswers(JournalAnswers, ABC):
    """The part of `gateway.cell.Cell` that is about the state service."""

    async def state_value(self, key: str, at: int | None = None) -> StateValueView:
        """See `gateway.state_views.StateCell.state_value`."""
        parts = self._parts
        applied = parts.headers.last_round
        number = applied if at is None else Round(at)
        value = value_at(parts.store, applied, value_key(key), number)
        if value is None:
            raise NoSuchKey(f"no value at {key!r} after round {number}")
        stored, header = decode_stored(value), await parts.headers.get(number)
        return StateValueView(
            key=key,
            value=as_text(stored.value),
            value_hex=stored.value.hex(),
            updated_round=stored.round,
            updated_by=stored.sender.hex(),
            round=header.round,
            state_root=header.state_root.hex(),
            certified_round=parts.execution.certified_round,
        )

    async def write_state(
        self, wishes: Sequence[WriteWish], *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.state_views.StateCell.write_state`."""
        writes = [_write(wish) for wish in wishes]
        return await self._submit_writes(writes, wait, timeout_s)

    async def roll_back(
        self, prefix: str, to_round: int, *, exact: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.state_views.StateCell.roll_back`."""
        rounds = to_round, self._parts.headers.last_round
        written = self._changed(rounds, prefix, exact=exact, limit=BATCH_ITEMS_MAX + 1)
        changed = [one for one in written if _content(one.before) != _content(one.after)]
        if len(written) > BATCH_ITEMS_MAX:
            raise TooMuchToRollBack(f"more than {BATCH_ITEMS_MAX} keys were written since")
        if not changed:
            raise NothingToRollBack(f"nothing differs from what it was after round {to_round}")
        writes = [_undone(one) for one in changed]
        return await self._submit_writes(writes, wait, timeout_s)

    async def state_entries(
        self, prefix: str, after: str, limit: int, at: int | None = None
    ) -> StateListView:
        """See `gateway.state_views.StateCell.state_entries`."""
        if at is not None:
            return self._entries_at(prefix, after, limit, Round(at))
        begin, behind = VALUE_PREFIX + prefix.encode(), VALUE_PREFIX + after.encode()
        rows = entries(self._parts.store, begin, behind, limit)
        fits = fitting(rows, lambda row: len(row[1]))
        items = [_entry(key_name(key), decode_stored(value)) for key, value in fits]
        is_cut = len(rows) == limit or len(fits) < len(rows)
        following = items[-1].key if is_cut else None
        return StateListView(items, following, self._parts.headers.last_round)

    def _entries_at(self, prefix: str, after: str, limit: int, at: Round) -> StateListView:
        place = VALUE_PREFIX + prefix.encode(), VALUE_PREFIX + after.encode()
        store, applied = self._parts.store, self._parts.headers.last_round
        page = entries_at(store, applied, at, place, limit)
        fits = fitting(page.items, lambda row: len(row[1]))
        items = [_entry(key_name(key), decode_stored(value)) for key, value in fits]
        behind = fits[-1][0] if len(fits) < len(page.items) else page.behind
        return StateListView(items, None if behind is None else key_name(behind), at)

    async def state_history(self, key: str, before: int, limit: int) -> StateHistoryView:
        """See `gateway.state_views.StateCell.state_history`."""
        store = self._parts.store
        rows = history_of(store, value_key(key), before=before, limit=limit)
        fits = fitting(rows, lambda one: len(one.value or b""))
        items = [written_view(key, one.round, one.value) for one in fits]
        is_cut = len(rows) == limit or len(fits) < len(rows)
        following = items[-1].round if is_cut else None
        return StateHistoryView(items, following, told_from(store))

    async def state_differences(
        self, rounds: tuple[int, int], prefix: str, after: str, limit: int
    ) -> DifferencesView:
        """See `gateway.state_views.StateCell.state_differences`."""
        found = self._changed(rounds, prefix, after=after, limit=limit + 1)
        fits = fitting(found[:limit], lambda one: len(one.before or b"") + len(one.after or b""))
        items = [
            DifferenceView(key_name(one.key), _side(one.key, one.before), _side(one.key, one.after))
            for one in fits
        ]
        return DifferencesView(items, items[-1].key if len(found) > len(fits) else None)

    async def state_changes(self, query: ChangesQuery, timeout_s: float) -> ChangesView:
        """See `gateway.state_views.StateCell.state_changes`."""
        newest = self._parts.headers.last_round
        begin = query.after_round
        place = Round(newest if begin is None else begin), _encoded(query.after_key)
        page = ChangesPage([], *place)
        try:
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                while not page.items:
                    page = await self._next_page(query, page)
        except TimeoutError:
            pass  # nothing changed: the answer says up to where
        items = [written_view(key_name(one.key), one.round, one.value) for one in page.items]
        return ChangesView(items, page.round, key_name(page.key) if page.key else "")

    async def set_namespace(
        self, wish: NamespaceWish, *, claims: bool, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.state_views.StateCell.set_namespace`."""
        owners = tuple(map(self._key_named, wish.owners)) or (self._key.public_key,)
        writers = tuple(map(self._key_named, wish.writers))
        rules = Rules(owners, Access(wish.access), writers)
        kind = NamespaceClaim if claims else NamespaceSet
        return await self._submit_own(kind(wish.name, rules), None, wait, timeout_s)

    async def release_namespace(self, name: str, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """See `gateway.state_views.StateCell.release_namespace`."""
        return await self._submit_own(NamespaceRelease(name), None, wait, timeout_s)

    async def namespaces(self, prefix: str, after: str, limit: int) -> list[NamespaceView]:
        """See `gateway.state_views.StateCell.namespaces`."""
        begin, behind = namespace_key(prefix), namespace_key(after)
        return [
            _namespace_view(key[len(NAMESPACE_PREFIX) :].decode(), decode_namespace(value))
            for key, value in entries(self._parts.store, begin, behind, limit)
        ]

    async def namespace(self, key: str) -> NamespaceView:
        """See `gateway.state_views.StateCell.namespace`."""
        found = namespace_of(reader_of(self._parts.store), f"{key}/")
        if found is None:
            raise NoNamespace(f"no namespace around {key!r} was claimed: anybody may write there")
        return _namespace_view(*found)

    @abstractmethod
    async def _submit_own(
        self, arguments: Arguments, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a transaction with the cell's key, queue it, and wait until it reached a stage."""

    async def _submit_writes(
        self, writes: Sequence[Arguments], wait: Stage, timeout_s: float
    ) -> ReceiptView:
        one = writes[0] if len(writes) == 1 else Batch(tuple(writes))
        return await self._submit_own(one, None, wait, timeout_s)

    async def _next_page(self, query: ChangesQuery, page: ChangesPage) -> ChangesPage:
        """Wait for what comes behind a page, or for a jump, after which that may not be kept."""
        news, headers = self._parts.news, self._parts.headers
        with news.watching():
            while not page.items and not news.has_ended:
                page = self._page(query, (page.round, page.key))
                if not page.items and page.round >= headers.last_round:
                    await news.after(page.round)
        return page

    def _page(self, query: ChangesQuery, place: tuple[Round, bytes]) -> ChangesPage:
        prefix = VALUE_PREFIX + query.prefix.encode()
        parts = self._parts
        return changes_after(parts.store, parts.headers.last_round, prefix, place, query.limit)

    def _changed(
        self,
        rounds: tuple[int, int],
        prefix: str,
        *,
        exact: bool = False,
        after: str = "",
        limit: int,
    ) -> list[Difference]:
        """Return what differs after two rounds, of keys with a prefix or of one key."""
        begin = VALUE_PREFIX + prefix.encode()
        end = begin + b"\x00" if exact else end_of(begin)
        behind = max(VALUE_PREFIX + after.encode(), _before(begin)) if after else _before(begin)
        found: list[Difference] = []
        while len(found) < limit:
            pair = Round(rounds[0]), Round(rounds[1])
            store, applied = self._parts.store, self._parts.headers.last_round
            page = differences(store, applied, pair, after=behind, limit=limit)
            inside = [one for one in page if one.key < end]
            found += [one for one in inside if one.key >= begin and one.before != one.after]
            if len(inside) < len(page) or len(page) < limit:
                break
            behind = page[-1].key
        return found[:limit]

    def _key_named(self, text: str) -> PublicKey:
        """Return the key that a text names; raises NoSuchCell."""
        if _HEX.fullmatch(text):
            return PublicKey(bytes.fromhex(text))
        return public_key_of(self._cell_id(text))


def as_text(value: bytes) -> str | None:
    """Return the text that bytes are, if they are some."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def written_view(key: str, number: Round, value: bytes | None) -> StateEntryView:
    """Return what a round made of a key; None: it took the value away."""
    if value is None:
        return StateEntryView(key, None, None, number, None)
    return _entry(key, decode_stored(value))


def key_name(key: bytes) -> str:
    """Return the name that a state key of a value is for."""
    return key[_START:].decode()


def _write(wish: WriteWish) -> Arguments:
    condition: Condition = IfAbsent() if wish.if_absent else None
    if wish.if_round is not None:
        condition = IfRound(Round(wish.if_round))
    elif wish.if_hash is not None:
        condition = IfHash(Hash(wish.if_hash))
    if wish.value is None:
        return Delete(wish.key, condition)
    if condition is None:
        return Put(wish.key, wish.value)
    return PutIf(wish.key, wish.value, condition)


def _undone(one: Difference) -> Arguments:
    """Return what puts a key back, if it is still what it is now."""
    key = key_name(one.key)
    held: Condition = IfAbsent() if one.after is None else IfRound(decode_stored(one.after).round)
    if one.before is None:
        return Delete(key, held)
    return PutIf(key, decode_stored(one.before).value, held)


def _content(value: bytes | None) -> bytes | None:
    return None if value is None else decode_stored(value).value


def _before(key: bytes) -> bytes:
    """Return what comes before all keys that begin so, and after what comes before them."""
    return key[:-1] + bytes([key[-1] - 1]) + b"\xff" * 8


def _encoded(key: str) -> bytes:
    return VALUE_PREFIX + key.encode() if key else b""


def _entry(key: str, stored: Stored) -> StateEntryView:
    value = stored.value
    return StateEntryView(key, as_text(value), value.hex(), stored.round, stored.sender.hex())


def _side(key: bytes, value: bytes | None) -> StateEntryView | None:
    return None if value is None else _entry(key_name(key), decode_stored(value))


def _namespace_view(name: str, found: Namespace) -> NamespaceView:
    return NamespaceView(
        name=name,
        owners=[cell_id_of(key) for key in found.rules.owners],
        access=found.rules.access.value,
        writers=[cell_id_of(key) for key in found.rules.writers],
        round=found.round,
    )
