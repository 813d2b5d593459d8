"""The authenticated map at one cell: the trie of `ledger.trie`, in pages, with its upper part here.

Keeps no values: the owner has those. Subtrees of few leaves are pages on the owner's disk, read
when they are needed; the inner nodes above them are in memory, some 300 bytes a page. A batch of
changes is made with one look at each page, and hashes each changed node once.

Whatever an end of an epoch or a fork still needs is never changed: nodes are copied first, a page
gets another number. `update` says what has to be written; the owner makes it durable together with
what the changes are of, before the next `update`.

Nothing here recurses: who chooses keys chooses how deep the trie is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final, TypeAlias

from core.errors import check
from core.ids import Epoch, Hash
from ledger.errors import StatePageLost
from ledger.limits import PAGE_LEAVES_MAX, PAGE_LEAVES_MERGED, PAGES_CACHED_MAX
from ledger.page import Page, PageHead, PageRow, PageWrites, decode_page, pages_of
from ledger.trie import (
    BYTE_OF,
    EMPTY_ROOT,
    INNER_HEAD,
    KEY_SIZE_BYTES_MAX,
    MASK_OF,
    bit,
    entry_digest,
    first_difference,
)

ReadPages: TypeAlias = Callable[[Sequence[int]], Mapping[int, bytes]]
"""Numbers of pages -> their bodies, as the last `update` before the present one left them."""

_FORKED: Final = -1
"""Stamp and epoch of a fork, which no node and no page on the disk has."""
_COLLAPSED: Final = -2
"""Position of a node that has no two sides any more: what is left of it is on the left."""


class Stub:
    """A page, as the nodes above it know it. Never changed."""

    __slots__ = ("born", "count", "digest", "first", "id")

    def __init__(self, number: int, born: int, first: bytes, count: int, digest: bytes) -> None:
        self.id = number
        self.born = born
        self.first = first
        self.count = count
        self.digest = digest


class Inner:
    """A branching above pages."""

    __slots__ = ("digest", "left", "position", "right", "stamp")

    def __init__(self, position: int, left: Node, right: Node, stamp: int) -> None:
        self.position = position
        self.left = left
        self.right = right
        self.stamp = stamp
        """Of the tree that may change it: any other copies it first."""
        self.digest: bytes | None = None


Node: TypeAlias = "Inner | Stub | None"


class Pages:
    """Pages that were read or just made: the newest ones, and all that are not on the disk."""

    def __init__(self, read: ReadPages | None, below: Pages | None = None) -> None:
        """Without `read` all pages stay here, those of `below` there."""
        self._read = read
        self._below = below
        self._kept: OrderedDict[int, Page] = OrderedDict()
        self._unsaved: dict[int, Page] = {}

    def load(self, stubs: Sequence[Stub]) -> list[Page]:
        """Return pages; raises StatePageLost, or what reading raises."""
        pages: dict[int, Page] = {}
        missing: list[Stub] = []
        for one in stubs:
            page = self._unsaved.get(one.id)
            if page is None:
                page = self._kept.get(one.id)
            if page is None:
                missing.append(one)
            else:
                pages[one.id] = page
        if missing:
            pages |= self._fetched(missing)
        found = [pages.get(one.id) for one in stubs]
        return [_checked(one, page) for one, page in zip(stubs, found, strict=True)]

    def renew(self, made: dict[int, Page]) -> None:
        """Take pages that a batch made; those of the batch before are on the disk by now."""
        if self._read is None:
            self._unsaved |= made
            return
        for number in made:
            self._kept.pop(number, None)
            self._unsaved.pop(number, None)
        self._keep(self._unsaved)
        self._unsaved = made

    def _fetched(self, stubs: Sequence[Stub]) -> dict[int, Page]:
        if self._read is None:
            below = [] if self._below is None else self._below.load(stubs)
            return {one.id: page for one, page in zip(stubs, below, strict=False)}
        bodies = self._read([one.id for one in stubs])
        found = {number: decode_page(body) for number, body in bodies.items()}
        self._keep(found)
        return found

    def _keep(self, pages: Mapping[int, Page]) -> None:
        self._kept.update(pages)
        while len(self._kept) > PAGES_CACHED_MAX:
            self._kept.popitem(last=False)


class Snapshot:
    """The map as it was at a moment, whatever is written later."""

    def __init__(self, top: Node, pages: Pages) -> None:
        self.top = top
        self.pages = pages

    @property
    def root(self) -> Hash:
        """The 32-byte root over all entries."""
        digest = EMPTY_ROOT if self.top is None else self.top.digest
        check(digest is not None, "digests are computed with each batch")
        return Hash(digest or b"")

    def fork(self) -> StateTree:
        """Return a map that starts as this one, and is written nowhere.

        Of the present map it is good until the next change of that.
        """
        return StateTree(origin=self)


class _Group:
    """Changes that one page gets, and where that is in its parent."""

    __slots__ = ("changes", "parent", "side")

    def __init__(self, parent: Inner, side: int) -> None:
        self.parent = parent
        self.side = side
        self.changes: dict[bytes, bytes | None] = {}


class StateTree:
    """The map as it is now."""

    def __init__(self, read: ReadPages | None = None, *, origin: Snapshot | None = None) -> None:
        """Start empty, or as a fork. Without `read` all pages are kept here."""
        self._pages = Pages(read, None if origin is None else origin.pages)
        self._head = Inner(-1, None if origin is None else origin.top, None, 0)
        """Has the whole map on its left."""
        # A fork's numbers are of no disk, and none of the pages it starts with may be replaced.
        self._stamp = self._epoch = 0 if origin is None else _FORKED
        self._next_id = self._id_step = 1 if origin is None else -1
        self._made: dict[int, tuple[Stub, Page]] = {}
        self._died: list[int] = []
        self._gone: list[int] = []

    def root(self) -> Hash:
        """Return the 32-byte root over all entries."""
        return self.present().root

    def present(self) -> Snapshot:
        """Return the map as it is; good until it is changed."""
        return Snapshot(self._head.left, self._pages)

    def seal(self, epoch: Epoch) -> Snapshot:
        """Return the map as it is at the end of an epoch; what comes belongs to the next one."""
        self._stamp += 1
        self._epoch = epoch + 1
        return self.present()

    def update(self, changes: Iterable[tuple[bytes, bytes | None]]) -> PageWrites:
        """Set the values of keys, each once, None to leave it out; return what is to be written.

        Raises StatePageLost, or what reading raises: then the map is of no use any more.
        """
        groups: dict[Stub, _Group] = {}
        for key, value in changes:
            check(len(key) <= KEY_SIZE_BYTES_MAX, "a state key is longer than any")
            self._sort_in(key, None if value is None else entry_digest(key, value), groups)
        stored = [stub for stub in groups if stub.count]
        pages = dict(zip(stored, self._pages.load(stored), strict=True))
        for stub, group in groups.items():
            self._rewrite(stub, pages.get(stub), group)
        self._settle()
        rows = [
            PageRow(stub.id, stub.born, stub.first, stub.count, stub.digest, page.body)
            for _, (stub, page) in sorted(self._made.items())
        ]
        epoch = Epoch(self._epoch)
        died = [(number, epoch) for number in self._died]
        writes = PageWrites(tuple(rows), tuple(died), tuple(self._gone))
        self._pages.renew({number: page for number, (_, page) in self._made.items()})
        self._made, self._died, self._gone = {}, [], []
        return writes

    def restore(
        self, heads: Sequence[PageHead], epoch: Epoch, sealed: Sequence[Epoch] = ()
    ) -> dict[Epoch, Snapshot]:
        """Start from what is on the disk, in the middle of an epoch.

        `heads` are those of all pages. Returns the map at the ends of the `sealed` epochs.
        """
        known: dict[bytes, Inner] = {}
        in_order = sorted(heads, key=lambda head: head.first)
        stubs = [
            (one, Stub(one.id, one.born, one.first, one.count, one.digest)) for one in in_order
        ]
        ends = {
            end: _built(
                [
                    stub
                    for head, stub in stubs
                    if head.born <= end and (head.died is None or head.died > end)
                ],
                self._stamp,
                known,
            )
            for end in sealed
        }
        self._head.left = _built(
            [stub for head, stub in stubs if head.died is None], self._stamp, known
        )
        self._stamp += 1
        self._epoch = epoch
        self._next_id = 1 + max((head.id for head in heads), default=0)
        return {end: Snapshot(top, self._pages) for end, top in ends.items()}

    def _sort_in(self, key: bytes, digest: bytes | None, groups: dict[Stub, _Group]) -> None:
        """Give a change to the page that it belongs to; all above that is ours from now on."""
        size, stamp = len(key), self._stamp
        parent, side, node = self._head, 0, self._head.left
        while type(node) is Inner:
            if node.stamp != stamp:
                node = Inner(node.position, node.left, node.right, stamp)
                _put(parent, side, node)
            node.digest = None
            at, mask = BYTE_OF[node.position], MASK_OF[node.position]
            parent = node
            if at < size and (mask == 0 or key[at] & mask):
                side, node = 1, node.right
            else:
                side, node = 0, node.left
        if type(node) is Stub:
            where = parent.position + 1
            if key != node.first:
                where = first_difference(key, node.first)
            if where > parent.position:
                group = groups.get(node)
                if group is None:
                    group = groups[node] = _Group(parent, side)
                group.changes[key] = digest
                return
            parent, side = self._branched(key, where, present=digest is not None)
        if digest is not None:
            draft = Stub(0, self._epoch, key, 0, b"")
            _put(parent, side, draft)
            group = groups[draft] = _Group(parent, side)
            group.changes[key] = digest

    def _branched(self, key: bytes, position: int, *, present: bool) -> tuple[Inner, int]:
        """Make a branching on the way of a key, above some other; return where the key goes."""
        parent, side, node = self._head, 0, self._head.left
        if not present:
            return parent, side
        while type(node) is Inner and node.position < position:
            parent, side = node, bit(key, node.position)
            node = node.right if side else node.left
        inner = Inner(position, node, node, self._stamp)
        _put(parent, side, inner)
        return inner, bit(key, position)

    def _rewrite(self, stub: Stub, page: Page | None, group: _Group) -> None:
        """Put what a page is with its changes in its place, cut if that is too much for one."""
        changes = group.changes
        if page is None:
            new = sorted((key, digest) for key, digest in changes.items() if digest is not None)
            made = pages_of(new, PAGE_LEAVES_MAX)
        else:
            made = page.changed(changes, PAGE_LEAVES_MAX)
            if made == [page]:
                return
        number, stubs = self._retire(stub), []
        for part in made:
            stubs.append(self._stored(part, number))
            number = None
        if number is not None:
            self._gone.append(number)
        node = stubs[0] if len(stubs) == 1 else _built(stubs, self._stamp, None)
        _put(group.parent, group.side, node)

    def _settle(self) -> None:
        """Compute the digests that changed, from below; leave out what branches no more."""
        order, todo = [], [self._head]
        while todo:
            node = todo.pop()
            order.append(node)
            sides = (node.left, node.right)
            todo += [one for one in sides if type(one) is Inner and one.digest is None]
        for node in reversed(order):
            left, right = node.left, node.right
            if type(left) is Inner and left.position == _COLLAPSED:
                left = node.left = left.left
            if type(right) is Inner and right.position == _COLLAPSED:
                right = node.right = right.left
            if node is self._head:
                return
            if left is None or right is None:
                node.position, node.left = _COLLAPSED, right if left is None else left
            elif (
                type(left) is Stub
                and type(right) is Stub
                and left.count + right.count <= PAGE_LEAVES_MERGED
            ):
                node.position, node.left = _COLLAPSED, self._merged(left, right)
            else:
                pair = (left.digest or b"") + (right.digest or b"")
                node.digest = sha256(INNER_HEAD[node.position] + pair).digest()

    def _merged(self, left: Stub, right: Stub) -> Stub:
        entries: list[tuple[bytes, bytes]] = []
        for stub in (left, right):
            made = self._made.get(stub.id)
            page = self._pages.load([stub])[0] if made is None else made[1]
            entries += page.entries()
        number = self._retire(left)
        other = self._retire(right)
        if other is not None:
            self._gone.append(other)
        (page,) = pages_of(entries, PAGE_LEAVES_MERGED)
        return self._stored(page, number)

    def _retire(self, stub: Stub) -> int | None:
        """Note that a page is no more; return its number if another one may have it."""
        if stub.count == 0:
            return None
        if stub.born != self._epoch:
            self._died.append(stub.id)
            return None
        self._made.pop(stub.id, None)
        return stub.id

    def _stored(self, page: Page, number: int | None) -> Stub:
        if number is None:
            number = self._next_id
            self._next_id += self._id_step
        stub = Stub(number, self._epoch, page.first, len(page), page.digest())
        self._made[number] = stub, page
        return stub


def _put(parent: Inner, side: int, node: Node) -> None:
    if side:
        parent.right = node
    else:
        parent.left = node


def _built(stubs: Sequence[Stub], stamp: int, known: dict[bytes, Inner] | None) -> Node:
    """Return what is above pages in order; a node that is `known` already is taken again."""
    if not stubs:
        return None
    open_: list[Inner] = []
    node: Inner | Stub = stubs[0]
    for before, stub in pairwise(stubs):
        position = first_difference(before.first, stub.first)
        while open_ and open_[-1].position > position:
            node = _closed(open_.pop(), node, known)
        open_.append(Inner(position, node, None, stamp))
        node = stub
    while open_:
        node = _closed(open_.pop(), node, known)
    return node


def _closed(inner: Inner, right: Inner | Stub, known: dict[bytes, Inner] | None) -> Inner:
    inner.right = right
    left = inner.left.digest if inner.left is not None else None
    pair = (left or b"") + (right.digest or b"")
    digest = inner.digest = sha256(INNER_HEAD[inner.position] + pair).digest()
    return inner if known is None else known.setdefault(digest, inner)


def _checked(stub: Stub, page: Page | None) -> Page:
    if page is None or len(page) != stub.count or page.digest() != stub.digest:
        raise StatePageLost(f"page {stub.id} of the state is not the one that its digest is of")
    return page
