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

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import islice, pairwise
from typing import Final, TypeAlias

from core.errors import check
from core.ids import Epoch, Hash
from core.limits import HASH_SIZE_BYTES
from ledger.errors import StatePageLost
from ledger.limits import (
    PAGE_LEAVES_MAX,
    PAGE_LEAVES_MERGED,
    PAGES_CACHED_MAX,
    PATCH_SIZE_BYTES_MAX,
)
from ledger.page import Page, decode_page, folded, pages_of
from ledger.page_rows import PageFold, PageRow, PageWrites
from ledger.patches import Patches, StoredMap, encode_log
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
    """A page, as the nodes above it know it.

    Changed by the map that made it and until the epoch of that ends, in its digest only.
    """

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
        self.digest = b""
        """Empty while a batch changes what is below."""


Node: TypeAlias = "Inner | Stub | None"


class Pages:
    """Pages that were read or just made: the newest ones, and all that are not on the disk."""

    def __init__(self, read: ReadPages | None, below: Pages | None = None) -> None:
        """Without `read` all pages stay here, those of `below` there."""
        self._read = read
        self._below = below
        self._kept: dict[int, Page] = {}
        self._kept_before: dict[int, Page] = {}
        self._unsaved: dict[int, Page] = {}
        self._folded: dict[int, bytes] = {}
        self.patches = Patches()

    def load(self, stubs: Sequence[Stub]) -> list[Page]:
        """Return pages; raises StatePageLost, or what reading raises."""
        here = [self._here(one.id) for one in stubs]
        missing = [one for one, page in zip(stubs, here, strict=True) if page is None]
        fetched = iter(self._fetched(missing) if missing else ())
        pages: list[Page] = []
        for one, found in zip(stubs, here, strict=True):
            page = found or next(fetched)
            if page is None or page.root != one.digest or page.count != one.count:
                raise StatePageLost(f"page {one.id} of the state is not that of its digest")
            pages.append(page)
        return pages

    def takes(self, page: Page) -> bool:
        """Return whether what is put over a page may be logged, instead of writing it whole."""
        return self._read is not None and len(page.patch) <= PATCH_SIZE_BYTES_MAX

    def renew(
        self, made: dict[int, Page], patches: Mapping[int, bytes], gone: Sequence[int], update: int
    ) -> list[PageFold]:
        """Take pages that a batch made; those of the batch before are on the disk by now.

        `patches` make some of them of what they were, the others are written whole. Returns which
        pages are to be written whole beside these.
        """
        if self._read is None:
            self._unsaved |= made
            return []
        for number in (*gone, *(made.keys() - patches.keys())):
            self.patches.drop(number)
        self.patches.put([(number, made[number].patch) for number in patches])
        due = self.patches.due(update)
        self._folded = self._due(made, due)
        for number in (*made, *self._folded):
            self._kept.pop(number, None)
            self._kept_before.pop(number, None)
            self._unsaved.pop(number, None)
        self._keep(self._unsaved)
        # Until they are on the disk, what is read there lacks what is patched no more.
        self._unsaved = made
        return [
            PageFold(due[number][:HASH_SIZE_BYTES], body, update, number)
            for number, body in self._folded.items()
        ]

    def _here(self, number: int) -> Page | None:
        page = self._unsaved.get(number) or self._kept.get(number) or self._kept_before.get(number)
        if page is None and number in self._folded:
            page = decode_page(self._folded[number])
        return page

    def _due(self, made: dict[int, Page], due: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return bodies of pages with their patches, of those that are still there."""
        bodies: dict[int, bytes] = {}
        missing: list[int] = []
        for number in due:
            page = made[number] if number in made else self._here(number)
            if page is None:
                missing.append(number)
            else:
                bodies[number] = page.sealed()
                if number in made:
                    made[number] = page.whole()
        if missing and self._read is not None:
            for number, body in self._read(missing).items():
                bodies[number] = folded(body, due[number])
        return bodies

    def _fetched(self, stubs: Sequence[Stub]) -> list[Page | None]:
        if self._read is None:
            return [None] * len(stubs) if self._below is None else [*self._below.load(stubs)]
        bodies, patches = self._read([one.id for one in stubs]), self.patches
        found = {number: decode_page(body, patches.of(number)) for number, body in bodies.items()}
        self._keep(found)
        return [found.get(one.id) for one in stubs]

    def _keep(self, pages: Mapping[int, Page]) -> None:
        """Keep these, and as many of those before as there is room for."""
        room = PAGES_CACHED_MAX // 2
        if len(self._kept) + len(pages) > room:
            self._kept, self._kept_before = {}, self._kept
        self._kept.update(islice(pages.items(), room))


class Snapshot:
    """The map as it was at a moment, whatever is written later."""

    def __init__(self, top: Node, pages: Pages) -> None:
        self.top = top
        self.pages = pages

    @property
    def root(self) -> Hash:
        """The 32-byte root over all entries."""
        digest = EMPTY_ROOT if self.top is None else self.top.digest
        check(digest != b"", "digests are computed with each batch")
        return Hash(digest)

    def fork(self) -> StateTree:
        """Return a map that starts as this one, and is written nowhere.

        Of the present map it is good until the next change of that.
        """
        return StateTree(origin=self)


_Change: TypeAlias = "tuple[bytes, bytes | None]"
"""A key and the digest of its new entry, None for none."""
_Group: TypeAlias = "tuple[Inner, int, list[_Change]]"
"""Where a page is in its parent, and the changes that it gets."""


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
        self._number = 0
        self._made: dict[int, tuple[Stub, Page]] = {}
        self._patches: dict[int, bytes] = {}
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
        keyed: list[_Change] = []
        removes = False
        for key, value in changes:
            if value is None:
                removes = True
                keyed.append((key, None))
            else:
                keyed.append((key, entry_digest(key, value)))
        longest = max([len(key) for key, _ in keyed], default=0)
        check(longest <= KEY_SIZE_BYTES_MAX, "a state key is longer than any")
        groups: dict[Stub, _Group] = {}
        touched, beside = self._sort_in(keyed, groups)
        if removes or beside:
            for node in touched:
                node.digest = b""
        for change in beside:
            self._sort_in_beside(change, groups)
        stored = [stub for stub in groups if stub.count]
        pages = iter(self._pages.load(stored))
        for stub, group in groups.items():
            self._rewrite(stub, next(pages) if stub.count else None, group)
        if removes or beside:
            self._settle()
        else:
            _rehash(touched)
        return self._writes()

    def _writes(self) -> PageWrites:
        """Return what a batch changed, and begin the next one."""
        update = self._number = self._number + 1
        made, patches, gone = self._made, self._patches, self._gone
        pages = {number: page for number, (_, page) in made.items()}
        folds = self._pages.renew(pages, patches, gone, update)
        rows: list[PageRow] = []
        for number in sorted(made.keys() - patches.keys()):
            stub, page = made[number]
            head = (number, stub.born, stub.first, stub.count, stub.digest)
            rows.append(PageRow(*head, page.sealed(), update))
        for fold in folds:
            patches.pop(fold.id, None)
        writes = PageWrites(
            put=tuple(rows),
            died=tuple([(number, Epoch(self._epoch)) for number in self._died]),
            gone=tuple(gone),
            folded=tuple(folds),
            number=update,
            log=encode_log(patches),
            log_done=self._pages.patches.done,
        )
        self._made, self._patches, self._died, self._gone = {}, {}, [], []
        return writes

    def restore(
        self, stored: StoredMap, epoch: Epoch, sealed: Sequence[Epoch] = ()
    ) -> dict[Epoch, Snapshot]:
        """Start from what is on the disk, in the middle of an epoch.

        Returns the map at the ends of the `sealed` epochs.
        """
        heads = stored.heads
        self._pages.patches.put((head.id, head.patch) for head in heads if head.patch)
        self._number = stored.number
        known: dict[bytes, Inner] = {}
        in_order = sorted(heads, key=lambda head: head.first)
        stubs = [
            (one, Stub(one.id, one.born, one.first, one.leaves, one.digest)) for one in in_order
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

    def _sort_in(
        self, changes: list[_Change], groups: dict[Stub, _Group]
    ) -> tuple[list[Inner], list[_Change]]:
        """Give changes to the pages that they belong to; all above these is ours from now on.

        Returns what is above, from the top down, and the changes of keys that lie beside all that
        is there: each of them takes a new branching, or is of nothing.
        """
        touched: list[Inner] = []
        beside: list[_Change] = []
        stamp, byte_of, mask_of = self._stamp, BYTE_OF, MASK_OF
        todo = [(self._head, 0, changes)] if changes else []
        while todo:
            parent, side, some = todo.pop()
            node = parent.right if side else parent.left
            key = some[0][0]
            is_one, size = len(some) == 1, len(key)
            while type(node) is Inner:
                if node.stamp != stamp:
                    node = Inner(node.position, node.left, node.right, stamp)
                    _put(parent, side, node)
                touched.append(node)
                parent, at, mask = node, byte_of[node.position], mask_of[node.position]
                if is_one:
                    side = 1 if at < size and (mask == 0 or key[at] & mask) else 0
                else:
                    left, right = _divided(some, at, mask)
                    side = 1 if right else 0
                    if left and right:
                        todo.append((node, 0, left))
                        some = right
                        key = some[0][0]
                        is_one, size = len(some) == 1, len(key)
                node = node.right if side else node.left
            if type(node) is not Stub:
                beside += some
            elif is_one and _fits(key, node.first, parent.position):
                groups[node] = (parent, side, some)
            else:
                mine: list[_Change] = []
                for one in some:
                    fits = _fits(one[0], node.first, parent.position)
                    (mine if fits else beside).append(one)
                if mine:
                    groups[node] = (parent, side, mine)
        return touched, beside

    def _sort_in_beside(self, change: _Change, groups: dict[Stub, _Group]) -> None:
        """Make a page for a new key that lies beside all that is there, or join one just made."""
        key, digest = change
        if digest is None:
            return
        parent, side, node = self._head, 0, self._head.left
        while type(node) is Inner:
            node.digest = b""
            parent, side = node, bit(key, node.position)
            node = node.right if side else node.left
        if type(node) is Stub:
            where = parent.position + 1
            if key != node.first:
                where = first_difference(key, node.first)
            if where > parent.position:
                groups[node][2].append(change)
                return
            parent, side = self._branched(key, where)
        draft = Stub(0, self._epoch, key, 0, b"")
        _put(parent, side, draft)
        groups[draft] = (parent, side, [change])

    def _branched(self, key: bytes, position: int) -> tuple[Inner, int]:
        """Make a branching on the way of a key, above some other; return where the key goes."""
        parent, side, node = self._head, 0, self._head.left
        while type(node) is Inner and node.position < position:
            parent, side = node, bit(key, node.position)
            node = node.right if side else node.left
        inner = Inner(position, node, node, self._stamp)
        _put(parent, side, inner)
        return inner, bit(key, position)

    def _rewrite(self, stub: Stub, page: Page | None, group: _Group) -> None:
        """Put what a page is with its changes in its place, cut if that is too much for one."""
        parent, side, changes = group
        if page is None:
            new = sorted((key, digest) for key, digest in changes if digest is not None)
            made = pages_of(new, PAGE_LEAVES_MAX)
        else:
            made, patch = page.changed(changes, PAGE_LEAVES_MAX)
            if made and made[0] is page:
                return
            if patch and stub.born == self._epoch and self._pages.takes(made[0]):
                stub.digest = made[0].root
                self._patches[stub.id] = patch
                self._made[stub.id] = stub, made[0]
                return
            made = [part.whole() for part in made]
        number, stubs = self._retire(stub), []
        for part in made:
            stubs.append(self._stored(part, number))
            number = None
        if number is not None:
            self._gone.append(number)
        node = stubs[0] if len(stubs) == 1 else _built(stubs, self._stamp, None)
        _put(parent, side, node)

    def _settle(self) -> None:
        """Compute the digests that changed, from below; leave out what branches no more."""
        order, todo = [], [self._head]
        while todo:
            node = todo.pop()
            order.append(node)
            sides = (node.left, node.right)
            todo += [one for one in sides if type(one) is Inner and not one.digest]
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
                pair = left.digest + right.digest
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
        self._patches.pop(stub.id, None)
        return stub.id

    def _stored(self, page: Page, number: int | None) -> Stub:
        if number is None:
            number = self._next_id
            self._next_id += self._id_step
        stub = Stub(number, self._epoch, page.first, page.count, page.root)
        self._made[number] = stub, page
        return stub


def _divided(changes: list[_Change], at: int, mask: int) -> tuple[list[_Change], list[_Change]]:
    """Return the changes of keys without and with a bit of a byte; a mask of 0 is for the byte."""
    left: list[_Change] = []
    right: list[_Change] = []
    for one in changes:
        key = one[0]
        (right if at < len(key) and (mask == 0 or key[at] & mask) else left).append(one)
    return left, right


def _fits(key: bytes, first: bytes, position: int) -> bool:
    """Return whether two keys agree in all bits up to a position."""
    if position < 0:
        return True
    at, mask = BYTE_OF[position], MASK_OF[position]
    if key[:at] != first[:at]:
        return False
    if at < len(key) and at < len(first):
        # Both have this byte; of it the bits from that position up are to be the same.
        return mask == 0 or key[at] ^ first[at] < mask
    return len(key) <= at and len(first) <= at


def _put(parent: Inner, side: int, node: Node) -> None:
    if side:
        parent.right = node
    else:
        parent.left = node


def _rehash(nodes: Sequence[Inner]) -> None:
    """Compute the digests of nodes below which nothing went away, given from the top down."""
    heads, hashed = INNER_HEAD, sha256
    for node in reversed(nodes):
        left, right = node.left, node.right
        if left is not None and right is not None:
            node.digest = hashed(heads[node.position] + left.digest + right.digest).digest()


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
    left = inner.left.digest if inner.left is not None else b""
    pair = left + right.digest
    digest = inner.digest = sha256(INNER_HEAD[inner.position] + pair).digest()
    return inner if known is None else known.setdefault(digest, inner)
