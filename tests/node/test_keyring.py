"""The key file around a rotation: the next key is there first, and the state says which it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.ids import PublicKey
from gossip.discovery.book import AddressBook
from identity import keystore
from identity.errors import KeyFileChanged, UnreadableKeyFile, WrongPassphrase
from identity.keystore import Lock, LockedKey, OpenKeys, PlainKey
from identity.passphrase import Passphrase
from identity.sealed_seed import Cost
from ledger.succession import Read
from node.keyring import KeyRing, rotation_of
from node.successors import keep_reachable, with_present_key
from tests.ledger.world import KEYS, NETWORK, NEWCOMERS, Cell, rotation

SEED = bytes([1]) * 32
A, B = KEYS[:2]
E, F = NEWCOMERS[:2]
PHRASE, OTHER = Passphrase("the passphrase"), Passphrase("another passphrase")
CHEAP = Cost(2, 64)

pytestmark = pytest.mark.usefixtures("cheap")


def nothing(_: bytes) -> bytes | None:
    return None


@pytest.fixture(name="path", params=["plain", "locked"])
def _path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "key.json"
    keystore.create(path, SEED, Lock(PHRASE, CHEAP) if request.param == "locked" else None)
    return path


def opened(path: Path) -> KeyRing:
    return KeyRing.open(path, lambda: PHRASE)


def state_after(ring: KeyRing, old: PublicKey) -> Read:
    """Return the state once the ring's next key followed."""
    cell = Cell()
    pair = next(pair for pair in ring.pairs if pair.public_key == old)
    new = ring.make_next(old, nothing)
    assert cell.act((pair, rotation_of(NETWORK, pair, new))) == ["applied"]
    return cell.state.get


def test_the_next_key_is_in_the_file_before_anybody_hears_of_it(path: Path) -> None:
    ring = opened(path)
    first = ring.pairs[0].public_key
    new = ring.make_next(first, nothing)
    again = opened(path)
    assert [pair.public_key for pair in again.pairs] == [first, new.public_key]
    # One that was made and came to nothing serves again: no key is lost by a second try.
    assert again.make_next(first, nothing).seed == new.seed
    assert again.successor(first, nothing) is None
    assert again.earlier(first, nothing) == ()


def test_the_state_says_which_key_the_cell_is(path: Path) -> None:
    ring = opened(path)
    old = ring.pairs[0].public_key
    read = state_after(ring, old)
    for held in (ring, opened(path)):
        following = held.successor(old, read)
        assert following is not None
        assert held.successor(following.public_key, read) is None
        assert [one.public_key for one in held.earlier(following.public_key, read)] == [old]


def test_the_file_is_settled_once_and_keeps_the_key_before(path: Path) -> None:
    ring = opened(path)
    old = ring.pairs[0].public_key
    read = state_after(ring, old)
    following = ring.successor(old, read)
    assert following is not None
    ring.settle(following.public_key, read)
    assert keystore.load(path, lambda: PHRASE).seed == following.seed
    assert [pair.public_key for pair in opened(path).pairs] == [following.public_key, old]
    before = path.read_bytes()
    ring.settle(following.public_key, read)
    assert path.read_bytes() == before


def test_a_third_key_finds_room_and_the_oldest_goes(path: Path) -> None:
    ring = opened(path)
    first = ring.pairs[0]
    cell = Cell()
    second = ring.make_next(first.public_key, cell.state.get)
    cell.act((first, rotation_of(NETWORK, first, second)))
    ring.settle(second.public_key, cell.state.get)
    third = ring.make_next(second.public_key, cell.state.get)
    assert len(opened(path).pairs) == 3
    for _ in range(64):
        cell.apply([])
    assert cell.act((second, rotation_of(NETWORK, second, third))) == ["applied"]
    ring.settle(third.public_key, cell.state.get)
    assert opened(path).pairs[0].public_key == third.public_key
    assert [pair.seed for pair in opened(path).pairs] == [third.seed, second.seed]


def test_a_key_given_up_for_one_that_is_not_ours_has_no_successor_here(path: Path) -> None:
    ring = opened(path)
    cell = Cell()
    mine = ring.pairs[0]
    cell.act((mine, rotation(mine, E)))
    assert ring.successor(mine.public_key, cell.state.get) is None


def test_an_older_store_does_not_take_the_present_key_out_of_the_file(path: Path) -> None:
    ring = opened(path)
    old = ring.pairs[0].public_key
    read = state_after(ring, old)
    following = ring.successor(old, read)
    assert following is not None
    ring.settle(following.public_key, read)
    before = path.read_bytes()
    ring.settle(old, nothing)  # as of a state from before the rotation
    assert path.read_bytes() == before
    assert ring.successor(old, read) is following


def test_a_file_that_somebody_replaced_is_not_written_over(path: Path) -> None:
    ring = opened(path)
    keys = keystore.open_keys(path, lambda: PHRASE)
    keystore.rewrite(path, keys, Lock(OTHER, CHEAP))
    before = path.read_bytes()
    with pytest.raises(KeyFileChanged):
        ring.make_next(ring.pairs[0].public_key, nothing)
    assert path.read_bytes() == before


def test_all_keys_of_a_file_change_their_passphrase_together(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    keystore.create(path, SEED, Lock(PHRASE, CHEAP))
    opened(path).make_next(KEYS[0].public_key, nothing)
    keystore.rewrite(path, keystore.open_keys(path, lambda: PHRASE), Lock(OTHER, CHEAP))
    with pytest.raises(WrongPassphrase):
        opened(path)
    assert len(keystore.open_keys(path, lambda: OTHER).others) == 1
    stored = keystore.inspect(path)
    assert isinstance(stored, LockedKey)
    content = json.loads(path.read_text())
    content["others"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(UnreadableKeyFile):
        keystore.inspect(path)


def test_keys_in_a_file_without_a_passphrase_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    keystore.create(path, SEED)
    keystore.update(path, OpenKeys(A), OpenKeys(A, (B,)))
    stored = keystore.inspect(path)
    assert isinstance(stored, PlainKey)
    content = json.loads(path.read_text())
    content["others"][0]["seed"] = E.seed.hex()
    path.write_text(json.dumps(content))
    with pytest.raises(UnreadableKeyFile):
        keystore.inspect(path)


# -- where others look for it ------------------------------------------------------------------


def address(cell_id: str) -> str:
    return f"/ip4/192.0.2.7/tcp/4710/p2p/{cell_id}"


def test_a_member_with_a_new_key_is_looked_for_where_it_was() -> None:
    cell = Cell()
    cell.act((B, rotation(B, E)))
    book = AddressBook(A.cell_id, [address(B.cell_id)])
    keep_reachable(book, cell.ledger.roster, cell.state.get)
    assert book.addresses(E.cell_id) == (address(E.cell_id),)
    before = book.all()
    keep_reachable(book, cell.ledger.roster, cell.state.get)
    assert book.all() == before


def test_what_the_cell_said_itself_is_not_added_to() -> None:
    cell = Cell()
    cell.act((B, rotation(B, E)))
    other = f"/ip4/192.0.2.8/tcp/1/p2p/{E.cell_id}"
    book = AddressBook(A.cell_id, [address(B.cell_id), other])
    keep_reachable(book, cell.ledger.roster, cell.state.get)
    assert book.addresses(E.cell_id) == (other,)


def test_members_that_never_rotated_are_left_alone() -> None:
    book = AddressBook(A.cell_id)
    keep_reachable(book, Cell().ledger.roster, nothing)
    assert book.all() == []


def test_a_configured_address_leads_to_the_present_key() -> None:
    cell = Cell()
    cell.act((B, rotation(B, E)))
    assert with_present_key(address(B.cell_id), cell.state.get) == address(E.cell_id)
    assert with_present_key(address(A.cell_id), cell.state.get) == address(A.cell_id)
    assert with_present_key(address(F.cell_id), cell.state.get) == address(F.cell_id)
