"""What must hold over the ends of epochs: on virtual time, with faults drawn from a seed."""

from __future__ import annotations

import pytest

from core.ids import TransactionId
from tests.node.test_world import _load
from tests.node.world import World


def _world(seed: int, cells: int = 4) -> World:
    return World(seed, cells=cells, epoch_rounds=16)


def _stored(world: World) -> set[TransactionId]:
    return set().union(*(cell.stored for cell in world.cells))


def _epochs(world: World) -> set[int]:
    return {cell.consensus.epoch for cell in world.cells}


@pytest.mark.parametrize("cells", [1, 2, 4, 7])
@pytest.mark.parametrize("seed", range(2))
def test_epochs_follow_each_other_and_nothing_is_lost_or_twice(seed: int, cells: int) -> None:
    world = _world(seed, cells)
    world.start()
    sent = _load(world, 250, range(cells), every_ms=8)
    world.run(4_000)
    world.check_settled(sent)
    (epoch,) = _epochs(world)
    assert epoch >= 2
    header = world.cells[0].headers[-1]
    assert header.round == len(world.cells[0].headers)
    assert header.epoch in (epoch, epoch - 1)


@pytest.mark.parametrize("seed", range(2))
def test_crashes_around_the_ends_of_epochs_lose_nothing_and_never_fork(seed: int) -> None:
    world = _world(100 + seed)
    world.start()
    for _ in range(12):
        _load(world, 30, range(4), every_ms=8)
        victim = world.cells[world.random.randrange(4)]
        victim.crash(power=world.random.random() < 0.5)
        _load(world, world.random.randint(0, 30), range(4), every_ms=8)
        victim.start()
        world.connect_all()
    world.run(8_000)
    world.check_settled(_stored(world))
    assert min(_epochs(world)) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_all_cells_crashing_at_once_go_on_in_their_epoch(seed: int) -> None:
    world = _world(200 + seed)
    world.start()
    for _ in range(8):
        _load(world, 40, range(4), every_ms=8)
        for cell in world.cells:
            cell.crash(power=True)
        for cell in world.cells:
            cell.start()
        world.connect_all()
    world.run(8_000)
    world.check_settled(_stored(world))
    assert min(_epochs(world)) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_a_cell_one_epoch_behind_is_served_what_it_lacks(seed: int) -> None:
    world = _world(300 + seed)
    world.start()
    sent = _load(world, 20, range(4), every_ms=8)
    world.partition({0, 1, 2}, {3})
    behind = world.cells[3].consensus.epoch
    while world.cells[0].consensus.epoch == behind:
        sent |= _load(world, 10, range(3), every_ms=8)
    sent |= _load(world, 5, range(4), every_ms=8)
    world.connect_all()
    world.run(8_000)
    world.check_settled(sent)
    assert _epochs(world) == {world.cells[0].consensus.epoch}


@pytest.mark.parametrize("seed", range(2))
def test_partitions_over_the_ends_of_epochs_heal_by_themselves(seed: int) -> None:
    world = _world(400 + seed)
    world.start()
    for _ in range(8):
        _load(world, 25, range(4), every_ms=8)
        world.partition(*world.random.choice([({0, 1}, {2, 3}), ({0}, {1}, {2}, {3})]))
        _load(world, 10, range(4), every_ms=8)
        world.run(world.random.randint(0, 1_000))
        world.connect_all()
        world.run(world.random.randint(0, 500))
    world.run(8_000)
    world.check_settled(_stored(world))


@pytest.mark.parametrize("seed", range(2))
def test_an_old_copy_from_the_epoch_before_never_forks_its_cell(seed: int) -> None:
    world = _world(500 + seed)
    world.start()
    _load(world, 20, range(4), every_ms=8)
    copy, epoch = list(world.cells[1].disk.log), world.cells[1].consensus.epoch
    while world.cells[1].consensus.epoch == epoch:
        _load(world, 5, range(4), every_ms=8)
    _load(world, world.random.randint(0, 30), range(4), every_ms=8)
    # What it sent arrives: of an event that nobody got, nobody can tell.
    world.cells[1].crash(power=False, flush=True)
    world.cells[1].restore(copy)
    world.cells[1].start()
    world.connect_all()
    sent = _load(world, 60, range(4), every_ms=8)
    world.run(8_000)
    world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_cell_stored_alone_survives_crashes_while_it_catches_up(seed: int) -> None:
    world = _world(900 + seed)
    world.start()
    _load(world, 20, range(4), every_ms=8)
    world.partition({0, 1, 2}, {3})
    alone = world.submit(3, "seen by nobody")
    world.run(100)
    behind = world.cells[3].consensus.epoch
    assert alone in world.cells[3].stored
    while world.cells[0].consensus.epoch < behind + 4:
        _load(world, 10, range(3), every_ms=8)
    world.connect_all()
    for epochs in (1, 2, 3, 4):
        while world.cells[3].consensus.epoch < behind + epochs:
            world.run(1)
        world.cells[3].crash(power=True)
        world.cells[3].start()
        world.connect_all()
    world.run(8_000)
    world.check_settled(_stored(world))


def test_a_quiet_network_stays_quiet_after_the_end_of_an_epoch() -> None:
    world = _world(6)
    world.start()
    while world.cells[0].consensus.epoch == 0:
        _load(world, 1, range(4))
    world.run(5_000)
    entries, frames = len(world.cells[0].disk.log), world.frames
    world.run(60_000)
    assert (len(world.cells[0].disk.log), world.frames) == (entries, frames)


RING = ({0, 1}, {1, 2}, {2, 3}, {3, 0}, {3, 4})


@pytest.mark.parametrize("seed", range(2))
def test_cells_that_are_not_all_connected_hear_the_end_of_every_epoch(seed: int) -> None:
    """Four members in a ring, and one cell without a vote that knows only one of them."""
    world = World(600 + seed, cells=5, members=4, epoch_rounds=16)
    world.start()
    world.partition(*RING)
    sent: set[TransactionId] = set()
    for epoch in (1, 2, 3):
        while max(_epochs(world)) < epoch:
            sent |= _load(world, 1, range(4), every_ms=100)
        world.run(10_000)
        assert _epochs(world) == {epoch}
        world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_a_cell_that_begins_many_epochs_later_gets_there_from_the_genesis(seed: int) -> None:
    world = World(700 + seed, cells=5, epoch_rounds=16, members=4)
    for cell in world.cells[:4]:
        cell.start()
    world.connect_all()
    sent = set()
    while world.cells[0].consensus.epoch < 6:
        sent |= _load(world, 20, range(4), every_ms=8)
    world.cells[4].start()
    world.connect_all()
    sent |= _load(world, 30, range(4), every_ms=8)
    world.run(10_000)
    world.check_settled(sent)
    assert world.cells[4].consensus.epoch == world.cells[0].consensus.epoch
