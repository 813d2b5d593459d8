"""What is logged of pages makes of their rows what they are, and goes once they are written."""

from __future__ import annotations

from random import Random

import pytest

from core.ids import Epoch
from core.limits import HASH_SIZE_BYTES
from ledger import page, patches
from ledger.errors import PageLogLost, StatePageLost
from ledger.page import PATCHED_BYTES
from ledger.patches import HeadRow, decode_log, encode_log, stored_map
from ledger.prover import prove_keys
from ledger.tree import StateTree
from tests.ledger.map_world import fetcher, map_of
from tests.ledger.pages import PageDisk

PATCH = bytes(HASH_SIZE_BYTES + PATCHED_BYTES)
TWICE = PATCH + bytes(PATCHED_BYTES)
STATE = {b"key/%03d" % number: b"at first" for number in range(600)}


def _filled() -> tuple[PageDisk, StateTree]:
    disk = PageDisk()
    tree = StateTree(disk.read)
    disk.write(tree.update(STATE.items()))
    return disk, tree


def _again(disk: PageDisk) -> StateTree:
    tree = StateTree(disk.read)
    tree.restore(disk.heads(), Epoch(0))
    return tree


def test_a_changed_value_is_logged_and_no_page_is_written() -> None:
    disk, tree = _filled()
    writes = tree.update([(b"key/007", b"later"), (b"key/500", b"later")])
    assert (writes.put, writes.folded, writes.died, writes.gone) == ((), (), (), ())
    assert len(list(decode_log(writes.log))) == 2
    assert len(writes.log) < 2 * 4 * PATCHED_BYTES
    disk.write(writes)
    changed = {**STATE, b"key/007": b"later", b"key/500": b"later"}
    for map_now in (tree, _again(disk)):
        assert map_now.root() == map_of(changed).root
        prove_keys(map_now.present(), sorted(changed), fetcher(changed))


def test_the_sweep_writes_all_pages_and_lets_the_log_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCHES_SIZE_BYTES_MAX", 60 * PATCHED_BYTES)
    disk, tree = _filled()
    state, random = dict(STATE), Random(1)  # noqa: S311 - chance of a test
    folded: set[int] = set()
    for number in range(120):
        changes = dict.fromkeys(random.sample(sorted(state), 4), b"%d" % number)
        writes = tree.update(changes.items())
        folded |= {fold.id for fold in writes.folded}
        disk.write(writes)
        state |= changes
        assert _again(disk).root() == tree.root() == map_of(state).root
    assert folded == set(disk.rows)
    assert 0 < len(disk.log) < 60
    assert min(disk.log) > 40


def test_without_room_a_patched_page_is_written_whole_at_once() -> None:
    disk, tree = _filled()
    tree.present().pages.patches.room_bytes = 0
    for value in (b"later", b"last"):
        writes = tree.update([(b"key/007", value), (b"key/500", value)])
        assert (writes.put, writes.log, len(writes.folded)) == ((), b"", 2)
        disk.write(writes)
        assert _again(disk).root() == tree.root()


def test_a_number_that_another_page_has_now_takes_nothing_of_what_was_logged_before() -> None:
    disk, tree = _filled()
    last = max(STATE)
    disk.write(tree.update([(last, b"later")]))
    ((patched, _),) = decode_log(disk.log[max(disk.log)])
    disk.write(tree.update([(key, None) for key in sorted(STATE)[1:]]))
    assert patched not in disk.rows
    again = _again(disk)
    disk.write(again.update((key, b"new") for key in STATE))
    assert patched in disk.rows
    third = _again(disk)
    assert third.root() == again.root()
    prove_keys(third.present(), sorted(STATE), lambda keys: dict.fromkeys(keys, b"new"))


def test_what_a_row_has_already_is_not_put_over_it_again() -> None:
    rows = [HeadRow(1, 0, b"a", 2, b"own", saved=5), HeadRow(2, 0, b"b", 2, b"own", saved=3)]
    log = [(number, encode_log({1: PATCH, 2: PATCH, 3: PATCH})) for number in (4, 5)]
    found = stored_map(rows, {2: Epoch(1)}, log)
    assert [(head.patch, head.died) for head in found.heads] == [(b"", None), (TWICE, 1)]
    assert [head.digest for head in found.heads] == [b"own", bytes(32)]
    assert found.number == 5


def test_a_log_that_is_not_as_it_was_written_is_refused() -> None:
    log = encode_log({7: PATCH, 8: TWICE})
    assert dict(decode_log(log)) == {7: PATCH, 8: TWICE}
    for at in range(len(log)):
        for spoiled in (log[:at], log[:at] + bytes((log[at] ^ 1,)) + log[at + 1 :]):
            with pytest.raises(PageLogLost):
                list(decode_log(spoiled))


def test_a_key_that_is_the_end_of_a_page_or_between_its_keys_is_none_of_it() -> None:
    disk = PageDisk()
    state = {bytes((at, at + 1, at, at + 1)): b"v" for at in range(0, 40, 2)}
    disk.write(StateTree(disk.read).update(state.items()))
    (row,) = disk.rows.values()
    keys = b"".join(sorted(state))
    for key in (row.body[-4:], keys[1:5], keys[2:6], keys[6:10]):
        tree = _again(disk)
        tree.update([(key, b"w")])
        assert tree.root() == map_of({**state, key: b"w"}).root


def test_a_page_whose_digest_is_not_that_of_its_leaves_proves_nothing() -> None:
    disk, tree = _filled()
    for number, row in disk.rows.items():
        leaf = page.decode_page(row.body).entries()[0][1]
        other = page.decode_page(row.body, row.digest + bytes(2) + bytes(reversed(leaf)))
        disk.rows[number] = row._replace(body=other.sealed())
    with pytest.raises(StatePageLost):
        prove_keys(_again(disk).present(), [b"key/007"], fetcher(STATE))
    assert tree.root() == map_of(STATE).root
