"""Making the proofs of `ledger.map_proof`: of keys, of ranges, of pieces to be fetched.

Each of them shows some entries that are there and hides the rest. Which ones is found first, with
one look at each page on the way; then the trie is written out once, from the top. A key that is not
there is proven by the one entry to which its bits lead; a range by all entries in it, the last one
before and the first one behind it, side by side.

Values come from the owner: `fetch` returns those of keys, as they are in the map that is proven.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.errors import InvariantBroken
from ledger.errors import NoStateProof
from ledger.limits import PIECE_ENTRIES_MAX
from ledger.map_proof import (
    BARE,
    EMPTY,
    ENTRY,
    HIDDEN,
    INNER,
    PROOF_VERSION,
    Place,
    is_at,
    value_hash_of,
)
from ledger.page import Page
from ledger.tree import Inner, Node, Snapshot, Stub
from ledger.trie import bit, entry_digest, first_difference

Fetch: TypeAlias = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]
"""Keys -> their values, without those that have none."""

_Runs: TypeAlias = "Sequence[tuple[bytes | None, bytes | None]]"
"""Runs of entries to be shown, each from one key to another that are there, in order; None for the
end of the subtree in question."""
_ALL: Final[_Runs] = ((None, None),)
_NOTHING: Final = bytes((PROOF_VERSION, EMPTY))


@dataclass(frozen=True, slots=True)
class _Leaves:
    """The leaves [low, high) of a page, which are a subtree."""

    page: Page
    low: int
    high: int


_Part: TypeAlias = "Inner | Stub | _Leaves"
_Way: TypeAlias = "list[tuple[Inner, int]]"
"""Branchings from the top down to a page, and to which side it lies of each."""


def prove_keys(snapshot: Snapshot, keys: Sequence[bytes], fetch: Fetch) -> bytes:
    """Return a proof of the values of keys, or that there are none.

    Raises NoStateProof when the values are of another moment than the map.
    """
    top = snapshot.top
    if top is None:
        return _NOTHING
    stubs = [_slot(top, key)[1] for key in keys]
    pages = snapshot.pages.load(stubs)
    shown = sorted({_reached(page, key) for page, key in zip(pages, keys, strict=True)})
    runs = [(key, key) for key in shown]
    return _written(snapshot, top, runs, fetch(shown), set(shown).difference(keys))


def prove_range(
    snapshot: Snapshot,
    start: bytes,
    end: bytes | None,
    fetch: Fetch,
    *,
    count_max: int,
    size_bytes_max: int,
) -> bytes:
    """Return a proof of the entries with start ≤ key < end, of the first ones if they are many.

    Raises NoStateProof when the values are of another moment than the map.
    """
    top = snapshot.top
    if top is None:
        return _NOTHING
    way, stub, number = _seek(snapshot, top, start)
    (page,) = snapshot.pages.load([stub])
    before = page.keys[number - 1] if number else _last_left_of(snapshot, way)
    keys = _keys_from(snapshot, way, page, number)
    values, behind = _taken(keys, end, fetch, count_max, size_bytes_max)
    last = behind
    if behind is not None and (end is None or behind < end):
        last = next(reversed(values))
    bare = {key for key in (before, last) if key is not None and key not in values}
    values |= fetch(sorted(bare))
    return _written(snapshot, top, [(before, last)], values, bare)


def prove_piece(snapshot: Snapshot, place: Place, fetch: Fetch, *, size_bytes_max: int) -> bytes:
    """Return the first entries of the subtree at a place, and the digests of what else is there.

    It leads to the subtree's digest; to EMPTY_ROOT if nothing is there. Cut where the subtrees
    that are left out are large, so that few others have to be asked for.
    """
    part = _subtree(snapshot, place)
    if part is None:
        return _NOTHING
    keys = _keys_below(snapshot, part)
    values, behind = _taken(keys, None, fetch, PIECE_ENTRIES_MAX, size_bytes_max)
    runs = _ALL if behind is None else [(None, _cut([*values, behind]))]
    return _written(snapshot, part, runs, values, ())


def _taken(
    runs: Iterator[Sequence[bytes]],
    end: bytes | None,
    fetch: Fetch,
    count_max: int,
    size_bytes_max: int,
) -> tuple[dict[bytes, bytes], bytes | None]:
    """Return the first entries below `end`, at least one, and the first key that is left out."""
    values: dict[bytes, bytes] = {}
    size_bytes = 0
    for run in runs:
        part = [key for key in run[: count_max - len(values)] if end is None or key < end]
        found = fetch(part) if part and size_bytes <= size_bytes_max else {}
        for key in run:
            is_behind = end is not None and key >= end
            if is_behind or len(values) >= count_max or size_bytes > size_bytes_max:
                return values, key
            value = found.get(key)
            if value is None:
                raise NoStateProof("the values are of another moment")
            values[key] = value
            size_bytes += len(key) + len(value)
    return values, None


def _cut(keys: Sequence[bytes]) -> bytes:
    """Return the last key to show, of those before the last: behind it is a high branching."""
    half = len(keys) // 2
    positions = [first_difference(keys[at - 1], keys[at]) for at in range(half, len(keys))]
    return keys[half + positions.index(min(positions)) - 1]


def _slot(top: Inner | Stub, key: bytes) -> tuple[_Way, Stub]:
    """Return where the bits of a key lead."""
    way: _Way = []
    node: Node = top
    while type(node) is Inner:
        side = bit(key, node.position)
        way.append((node, side))
        node = node.right if side else node.left
    return way, _stub(node)


def _seek(snapshot: Snapshot, top: Inner | Stub, key: bytes) -> tuple[_Way, Stub, int]:
    """Return the page, and the number in it, of the first entry that is not below a key.

    The number may be that behind the page's last entry.
    """
    way, stub = _slot(top, key)
    if key != stub.first:
        position = first_difference(key, stub.first)
        if way and position < way[-1][0].position:
            # The key lies beside all of a subtree: it was led through by bits of no meaning.
            while way and way[-1][0].position > position:
                way.pop()
            inner, side = way[-1] if way else (None, 0)
            node: Node = top if inner is None else inner.right if side else inner.left
            is_behind = bit(key, position)
            stub = _down(way, node, is_behind)
            return way, stub, stub.count if is_behind else 0
    (page,) = snapshot.pages.load([stub])
    return way, stub, page.find(key)


def _down(way: _Way, node: Node, side: int) -> Stub:
    """Go down on one side to a page."""
    while type(node) is Inner:
        way.append((node, side))
        node = node.right if side else node.left
    return _stub(node)


def _beside(way: _Way, side: int) -> Stub | None:
    """Go to the next page, side 1, or the one before; None if there is none."""
    while way and way[-1][1] == side:
        way.pop()
    if not way:
        return None
    inner, _ = way.pop()
    way.append((inner, side))
    return _down(way, inner.right if side else inner.left, 1 - side)


def _last_left_of(snapshot: Snapshot, way: _Way) -> bytes | None:
    stub = _beside(list(way), 0)
    return None if stub is None else snapshot.pages.load([stub])[0].keys[-1]


def _keys_from(snapshot: Snapshot, way: _Way, page: Page, number: int) -> Iterator[Sequence[bytes]]:
    """Yield the keys from an entry on, page by page."""
    yield page.keys[number:]
    while (stub := _beside(way, 1)) is not None:
        yield snapshot.pages.load([stub])[0].keys


def _keys_below(snapshot: Snapshot, part: _Part) -> Iterator[Sequence[bytes]]:
    """Yield the keys of a subtree, page by page."""
    if isinstance(part, _Leaves):
        return iter([part.page.keys[part.low : part.high]])
    way: _Way = []
    stub = _down(way, part, 0)
    return _keys_from(snapshot, way, snapshot.pages.load([stub])[0], 0)


def _subtree(snapshot: Snapshot, place: Place) -> _Part | None:
    """Return what lies at a place, None for nothing."""
    node = snapshot.top
    while type(node) is Inner and node.position < place.depth:
        node = node.right if bit(place.low, node.position) else node.left
    if node is None:
        return None
    if type(node) is Inner:
        return node if is_at(_down([], node, 0).first, place) else None
    stub = _stub(node)
    (page,) = snapshot.pages.load([stub])
    low, high = 0, page.count
    while high - low > 1:
        middle = page.branch(low, high)
        if page.positions[middle] >= place.depth:
            break
        low, high = (
            (middle + 1, high) if bit(place.low, page.positions[middle]) else (low, middle + 1)
        )
    return _Leaves(page, low, high) if is_at(page.keys[low], place) else None


def _reached(page: Page, key: bytes) -> bytes:
    """Return the key of the leaf to which a key's bits lead."""
    low, high = 0, page.count
    while high - low > 1:
        middle = page.branch(low, high)
        if bit(key, page.positions[middle]):
            low = middle + 1
        else:
            high = middle + 1
    return page.keys[low]


def _written(
    snapshot: Snapshot,
    top: _Part,
    runs: _Runs,
    values: Mapping[bytes, bytes],
    bare: Collection[bytes],
) -> bytes:
    """Return the proof that shows these runs of a subtree and hides the rest."""
    plan: list[bytes | tuple[Stub | _Leaves, _Runs]] = []
    todo: list[tuple[Node | _Leaves, _Runs]] = [(top, runs)]
    while todo:
        node, shown = todo.pop()
        if isinstance(node, _Leaves):
            plan.append((node, shown))
        elif not shown:
            plan.append(_hidden(node))
        elif type(node) is Inner:
            plan.append(bytes((INNER,)) + node.position.to_bytes(2, "big"))
            left, right = _divided(shown, node.position)
            todo += [(node.right, right), (node.left, left)]
        else:
            plan.append((_stub(node), shown))
    stubs = [one[0] for one in plan if isinstance(one, tuple) and isinstance(one[0], Stub)]
    pages = dict(zip(stubs, snapshot.pages.load(stubs), strict=True))
    out = [bytes((PROOF_VERSION,))]
    for one in plan:
        if isinstance(one, bytes):
            out.append(one)
            continue
        leaves, shown = one
        if isinstance(leaves, Stub):
            leaves = _Leaves(pages[leaves], 0, leaves.count)
        out += _written_leaves(leaves, shown, values, bare)
    return b"".join(out)


def _written_leaves(
    leaves: _Leaves, runs: _Runs, values: Mapping[bytes, bytes], bare: Collection[bytes]
) -> Iterator[bytes]:
    page, keys = leaves.page, leaves.page.keys
    todo = [(leaves.low, leaves.high, runs)]
    while todo:
        low, high, shown = todo.pop()
        if not shown:
            yield bytes((HIDDEN,)) + page.digest(low, high)
        elif high - low == 1:
            key = keys[low]
            value = values.get(key)
            if value is None or entry_digest(key, value) != page.digest(low, high):
                raise NoStateProof("the values are of another moment")
            head = len(key).to_bytes(2, "big") + key
            if key in bare:
                yield bytes((BARE,)) + head + value_hash_of(value)
            else:
                yield bytes((ENTRY,)) + head + len(value).to_bytes(4, "big") + value
        else:
            middle = page.branch(low, high)
            position = page.positions[middle]
            yield bytes((INNER,)) + position.to_bytes(2, "big")
            left, right = _divided(shown, position)
            todo += [(middle + 1, high, right), (low, middle + 1, left)]


def _divided(runs: _Runs, position: int) -> tuple[_Runs, _Runs]:
    """Return what of runs lies on the left and on the right of a branching."""
    if runs is _ALL:
        return _ALL, _ALL
    left: list[tuple[bytes | None, bytes | None]] = []
    right: list[tuple[bytes | None, bytes | None]] = []
    for first, last in runs:
        begins = 0 if first is None else bit(first, position)
        ends = 1 if last is None else bit(last, position)
        if begins == ends:
            (right if ends else left).append((first, last))
        else:
            left.append((first, None))
            right.append((None, last))
    return left, right


def _hidden(node: Node) -> bytes:
    return bytes((HIDDEN,)) + (b"" if node is None else node.digest)


def _stub(node: Node) -> Stub:
    if not isinstance(node, Stub):
        raise InvariantBroken("below the inner nodes are pages")
    return node
