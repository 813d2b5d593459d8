"""What must hold of a whole network, on virtual time, with faults drawn from a seed."""

from __future__ import annotations

import pytest

from core.ids import TransactionId
from tests.node.world import World


def _load(world: World, count: int, cells: range, *, every_ms: int = 3) -> set[TransactionId]:
    sent = set()
    for number in range(count):
        cell = world.random.choice([index for index in cells if world.cells[index].up])
        sent.add(world.submit(cell, f"{cell}/{number}/{world.now_ms}"))
        world.run(every_ms)
    return sent


@pytest.mark.parametrize("seed", range(2))
def test_a_healthy_network_orders_everything_equally(seed: int) -> None:
    world = World(seed, cells=4)
    world.start()
    sent = _load(world, 100, range(4))
    world.run(3_000)
    world.check_settled(sent)


def test_a_quiet_network_makes_no_events_and_sends_nothing() -> None:
    world = World(1, cells=4)
    world.start()
    _load(world, 10, range(4))
    world.run(3_000)
    events, frames = len(world.cells[0].disk.log), world.frames
    world.run(60_000)
    assert (len(world.cells[0].disk.log), world.frames) == (events, frames)


def test_without_quorum_creation_stops_by_itself_and_resumes_when_one_returns() -> None:
    world = World(2, cells=4)
    world.start()
    before = _load(world, 20, range(4))
    world.run(2_000)
    for cell in world.cells[2:]:
        cell.crash(power=False)
    waiting = _load(world, 20, range(2))
    world.run(5_000)
    events = len(world.cells[0].disk.log)
    ordered = len(world.cells[0].order)
    world.run(600_000)
    assert len(world.cells[0].disk.log) == events
    assert len(world.cells[0].order) == ordered
    world.cells[2].start()
    world.connect_all()
    world.run(10_000)
    world.check_settled(before | waiting)


@pytest.mark.parametrize("cells", [1, 2, 3, 5, 7])
def test_networks_of_any_size_order_everything(cells: int) -> None:
    world = World(cells, cells=cells)
    world.start()
    sent = _load(world, 40, range(cells))
    world.run(4_000)
    world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_crashes_of_any_cell_lose_nothing_acknowledged_and_never_fork(seed: int) -> None:
    world = World(100 + seed, cells=4)
    world.start()
    for _ in range(8):
        _load(world, 15, range(4))
        victim = world.cells[world.random.randrange(4)]
        victim.crash(power=world.random.random() < 0.5)
        world.run(world.random.randint(0, 400))
        victim.start()
        world.connect_all()
        world.run(world.random.randint(0, 300))
    world.run(5_000)
    world.check_settled(set().union(*(cell.stored for cell in world.cells)))


@pytest.mark.parametrize("seed", range(2))
def test_all_cells_crashing_at_once_lose_nothing_acknowledged(seed: int) -> None:
    world = World(200 + seed, cells=4)
    world.start()
    for _ in range(4):
        _load(world, 20, range(4))
        for cell in world.cells:
            cell.crash(power=True)
        for cell in world.cells:
            cell.start()
        world.connect_all()
    world.run(6_000)
    world.check_settled(set().union(*(cell.stored for cell in world.cells)))


@pytest.mark.parametrize("seed", range(2))
def test_partitions_never_give_two_orders_and_heal_by_themselves(seed: int) -> None:
    world = World(300 + seed, cells=4)
    world.start()
    for _ in range(5):
        _load(world, 10, range(4))
        groups = world.random.choice([({0, 1}, {2, 3}), ({0, 1, 2}, {3}), ({0}, {1}, {2}, {3})])
        world.partition(*groups)
        _load(world, 10, range(4))
        world.run(world.random.randint(0, 2_000))
        world.connect_all()
        world.run(world.random.randint(0, 500))
    world.run(8_000)
    world.check_settled(set().union(*(cell.stored for cell in world.cells)))


@pytest.mark.parametrize("seed", range(2))
def test_an_old_copy_of_a_directory_never_forks_its_cell(seed: int) -> None:
    world = World(400 + seed, cells=4)
    world.start()
    _load(world, 20, range(4))
    copy = list(world.cells[1].disk.log)
    _load(world, 30, range(4))
    world.run(2_000)
    world.cells[1].crash(power=False)
    world.cells[1].restore(copy)
    world.cells[1].start()
    world.connect_all()
    sent = _load(world, 20, range(4))
    world.run(5_000)
    world.check_settled(sent)
