"""Members take new keys while the network works: on virtual time, with faults from a seed."""

from __future__ import annotations

import pytest

from core.ids import Epoch
from identity.keys import KeyPair
from tests.node.test_world_members import Town


def _key(number: int) -> KeyPair:
    return KeyPair(bytes([200 + number]) * 32)


def _rotated(town: Town, cell: int) -> bool:
    return bool(town.cells[cell].earlier)


def _settle(town: Town) -> None:
    for cell in town.cells:
        if not cell.up:
            cell.start()
    town.connect_all()
    town.run(4_000)


@pytest.mark.parametrize("seed", range(3))
def test_a_member_goes_on_with_its_new_key_in_its_old_place(seed: int) -> None:
    town = Town(seed)
    sent = town.load(30)
    cell = town.cells[1]
    old = cell.key
    rotation = cell.rotate(_key(seed))
    sent |= town.load(30)
    town.until(lambda: _rotated(town, 1))
    town.together()
    roster = town.roster_now()
    assert roster.members[1].public_key == cell.key.public_key == _key(seed).public_key
    assert roster.index_of(old.public_key) is None
    sent |= town.load(60)
    town.run(3_000)
    town.check_settled(sent | {rotation})
    assert town.made(1) > 0
    # What it signed in the epoch that the rotation ended, it signed with the key of that epoch.
    assert any(epoch == 0 for epoch, _ in cell.signed)
    certificate = town.link_of(Epoch(0)).certificate
    assert town.roster(Epoch(0)).members[1].public_key == old.public_key
    assert len(certificate.signatures) == 4


@pytest.mark.parametrize("seed", range(6))
def test_crashes_around_a_rotation_leave_one_order_and_no_fork(seed: int) -> None:
    town = Town(50 + seed, epoch_rounds=24)
    sent = town.load(20)
    who = town.random.randrange(4)
    town.cells[who].rotate(_key(seed))
    for _ in range(12):
        sent |= town.load(4)
        victim = town.random.choice([who, who, town.random.randrange(4)])
        if town.cells[victim].up:
            town.cells[victim].crash(power=town.random.random() < 0.5)
            town.run(town.random.randint(1, 60))
            town.cells[victim].start()
            town.connect_all()
        town.run(town.random.randint(1, 120))
    _settle(town)
    if not _rotated(town, who):  # a power cut took the transaction, which was only accepted
        town.cells[who].nonces += 8
        town.cells[who].rotate(_key(seed))
        town.until(lambda: _rotated(town, who))
    sent |= town.load(30)
    last = town.submit(who, "by the new key")
    _settle(town)
    stored = set().union(*(cell.stored for cell in town.cells))
    town.check_settled(sent & stored | {last})
    assert town.roster_now().members[who].public_key == _key(seed).public_key


@pytest.mark.parametrize("seed", range(3))
def test_all_members_rotate_one_after_the_other_and_at_once(seed: int) -> None:
    town = Town(80 + seed)
    sent = town.load(20)
    for number in (0, 1):
        town.cells[number].rotate(_key(number))
    sent |= town.load(20)
    town.until(lambda: _rotated(town, 0) and _rotated(town, 1))
    town.together()
    for number in (2, 3):
        town.cells[number].rotate(_key(number))
        town.until(lambda number=number: _rotated(town, number))  # type: ignore[misc]  # a bound default
    town.together()
    sent |= town.load(40)
    town.run(3_000)
    town.check_settled(sent)
    assert [m.public_key for m in town.roster_now().members] == [
        _key(number).public_key for number in range(4)
    ]


@pytest.mark.parametrize("seed", range(2))
def test_an_old_copy_of_a_directory_learns_of_its_new_key_and_goes_on_with_it(seed: int) -> None:
    town = Town(120 + seed, epoch_rounds=32)
    sent = town.load(20)
    cell = town.cells[2]
    copy = list(cell.disk.log)
    old = cell.key
    cell.rotate(_key(seed))
    town.until(lambda: _rotated(town, 2))
    sent |= town.load(20)
    town.run(2_000)
    # The copy has both keys in its file, and no idea that the rotation was ever ordered.
    cell.crash(power=False, flush=True)
    cell.key, cell.earlier, cell.next_key = old, (), cell.key
    cell.restore(copy)
    town.run(100)
    cell.start()
    town.connect_all()
    town.until(lambda: _rotated(town, 2))
    town.together()
    sent |= town.load(30)
    town.run(3_000)
    town.check_settled(sent)
    assert town.made(2) > 0


def test_a_copy_without_the_new_key_follows_without_a_vote() -> None:
    town = Town(140)
    town.load(20)
    cell = town.cells[3]
    old = cell.key
    cell.rotate(_key(9))
    town.until(lambda: _rotated(town, 3))
    cell.crash(power=False, flush=True)
    cell.key, cell.earlier = old, ()
    cell.start()
    town.connect_all()
    town.run(2_000)
    assert cell.consensus.me is None
    assert cell.execution.gave_up_key
    assert cell.consensus.epoch == town.cells[0].consensus.epoch
