"""What must hold when cells far behind jump to a checkpoint: virtual time, faults from a seed."""

from __future__ import annotations

import pytest

from core.ids import TransactionId
from tests.node.test_world import _load
from tests.node.test_world_epochs import _epochs, _stored
from tests.node.world import World


def _behind(seed: int, epochs: int) -> tuple[World, set[TransactionId]]:
    """Four members that are several epochs on, and a fifth cell that never ran."""
    world = World(seed, cells=5, epoch_rounds=16, members=4, jumps=True)
    for cell in world.cells[:4]:
        cell.start()
    world.connect_all()
    sent: set[TransactionId] = set()
    while world.cells[0].consensus.epoch < epochs:
        sent |= _load(world, 20, range(4), every_ms=8)
    return world, sent


@pytest.mark.parametrize("seed", range(2))
def test_a_new_cell_jumps_to_the_newest_checkpoint_under_load(seed: int) -> None:
    world, sent = _behind(900 + seed, 4)
    world.cells[4].start()
    world.connect_all()
    sent |= _load(world, 60, range(4), every_ms=8)
    world.run(15_000)
    world.check_settled(sent)
    assert world.cells[4].jumps >= 1
    assert len(world.cells[4].order) < len(world.cells[0].order)
    assert len(_epochs(world)) == 1


@pytest.mark.parametrize("seed", range(2))
def test_a_crash_after_any_write_of_a_jump_loses_nothing(seed: int) -> None:
    world, sent = _behind(950 + seed, 3)
    newcomer, step = world.cells[4], seed + 1
    while newcomer.jumps == 0:
        newcomer.crash_after = step
        newcomer.start()
        world.connect_all()
        world.run(3_000)
        if newcomer.up:
            newcomer.crash_after = None
            break
        step += 4
    if not newcomer.up:
        newcomer.start()
        world.connect_all()
    sent |= _load(world, 20, range(4), every_ms=8)
    world.run(10_000)
    world.check_settled(sent)
    assert newcomer.disk.rounds()
    assert _epochs(world) == {world.cells[0].consensus.epoch}


@pytest.mark.parametrize("seed", range(2))
def test_a_member_away_for_many_epochs_jumps_and_all_it_acknowledged_has_one_place(
    seed: int,
) -> None:
    world = World(1000 + seed, epoch_rounds=16, jumps=True)
    world.start()
    for _ in range(2):
        _load(world, 30, range(4), every_ms=8)
        if world.random.random() < 0.5:
            world.cells[3].crash(power=world.random.random() < 0.5)
        else:
            world.partition({0, 1, 2}, {3})
        end = world.cells[0].consensus.epoch + 4
        while world.cells[0].consensus.epoch < end:
            _load(world, 20, range(3), every_ms=8)
        if not world.cells[3].up:
            world.cells[3].start()
        world.connect_all()
        _load(world, 20, range(4), every_ms=8)
        world.run(5_000)
    world.run(8_000)
    world.check_settled(_stored(world))
    assert _epochs(world) == {world.cells[0].consensus.epoch}


@pytest.mark.parametrize("seed", range(2))
def test_who_jumped_serves_who_comes_after_and_restarts_as_any_other(seed: int) -> None:
    world, sent = _behind(1100 + seed, 4)
    fifth = world.cells[4]
    fifth.start()
    world.connect_all()
    world.run(5_000)
    jumps = fifth.jumps
    assert jumps >= 1
    fifth.crash(power=True)
    fifth.start()
    world.connect_all()
    world.run(3_000)
    assert fifth.jumps == jumps
    # A member that lost its disk hears of the checkpoint from the one that jumped only.
    world.cells[3].crash(power=False)
    world.cells[3].restore([])
    world.cells[3].start()
    world.link(3, 4)
    world.run(5_000)
    world.connect_all()
    sent |= _load(world, 20, range(4), every_ms=8)
    world.run(10_000)
    world.check_settled(sent)
    assert world.cells[3].jumps >= 1
