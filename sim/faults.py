"""What can go wrong in a simulated network: each kind by its name, and how it is done to the world.

An action's `cells` are whom it strikes, `for_ms` how long it lasts, `amount` and `name` as the kind
says. All that lasts is put right when the core heals, however long it was to last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from sim.scenario import Action
from sim.shuffling import shuffling_tap
from sim.versions import other_version_tap

if TYPE_CHECKING:
    from sim.world import World

Fault: TypeAlias = Callable[["World", Action], None]

_FLAP_MS_MIN: Final = 50


def cut(world: World, action: Action) -> None:
    """Links between the first cell and the others are cut, both ways."""
    one, *others = action.cells
    _cut_all(
        world, [*((one, other) for other in others), *((other, one) for other in others)], action
    )


def cut_one_way(world: World, action: Action) -> None:
    """What the first cell sends to the others does not arrive."""
    one, *others = action.cells
    _cut_all(world, [(one, other) for other in others], action)


def partition(world: World, action: Action) -> None:
    """The named cells are cut off from all others, but not from each other."""
    inside = set(action.cells)
    outside = [other for other in range(len(world.cells)) if other not in inside]
    links = [(one, other) for one in sorted(inside) for other in outside]
    _cut_all(world, [*links, *((other, one) for one, other in links)], action)


def flap(world: World, action: Action) -> None:
    """A partition that comes and goes, every `amount` ms."""
    period_ms = max(action.amount, _FLAP_MS_MIN)
    for at_ms in range(0, action.for_ms, 2 * period_ms):
        world.later(at_ms, partial(partition, world, Action(0, "", action.cells, period_ms)))


def swizzle(world: World, action: Action) -> None:
    """All links of some cells are cut one after the other, and heal in another order."""
    chance = world.chance("swizzle", world.now_ms)
    everybody = range(len(world.cells))
    links = [(one, other) for one in action.cells for other in everybody if one != other]
    chance.shuffle(links)
    step_ms = max(action.for_ms // (2 * len(links)), 1)
    for number, link in enumerate(links):
        lasting = Action(0, "", link, chance.randint(step_ms, action.for_ms + step_ms))
        world.later(number * step_ms, partial(cut, world, lasting))


def slow(world: World, action: Action) -> None:
    """All links of the cells take `amount` ms longer."""
    for one, other in _links_of(world, action):
        link = world.network.link(one, other)
        link.spike_s += action.amount / 1000

        def mend(link: object = link) -> None:
            link.spike_s = max(0.0, link.spike_s - action.amount / 1000)  # type: ignore[attr-defined]  # a bound default

        world.while_it_lasts(action.for_ms, mend)


def lossy(world: World, action: Action) -> None:
    """All links of the cells lose `amount` percent of their packets."""
    for one, other in _links_of(world, action):
        link = world.network.link(one, other)
        link.loss = max(link.loss, action.amount / 100)
        world.while_it_lasts(action.for_ms, partial(setattr, link, "loss", world.scenario.loss))


def break_links(world: World, action: Action) -> None:
    """All connections of the cells are reset."""
    for one, other in _links_of(world, action):
        if one < other:
            world.network.break_streams(one, other)


def shuffle_frames(world: World, action: Action) -> None:
    """`amount` percent of the cells' gossip frames are delayed, overtaken, or come twice."""
    for cell in action.cells:
        tap = shuffling_tap(world.chance("shuffle", cell, world.now_ms), action.amount / 100)
        world.tap_for(cell, tap, action.for_ms)


def other_version(world: World, action: Action) -> None:
    """The cells speak another wire version (`name` is "wire") or rule set ("rules") for a while."""
    for cell in action.cells:
        world.tap_for(cell, other_version_tap(action.name), action.for_ms)


def pause(world: World, action: Action) -> None:
    """The processes are held up."""
    for cell in action.cells:
        life = world.cells[cell].life
        if life is not None and life.alive:
            life.pause()
            world.while_it_lasts(action.for_ms, life.resume)


def kill(world: World, action: Action) -> None:
    """The processes die, and are started again after `for_ms`."""
    for cell in action.cells:
        world.cells[cell].kill()
        world.start_later(cell, action.for_ms)


def power_cut(world: World, action: Action) -> None:
    """The machines lose their power, and with it, in part or all, what no fsync covers."""
    for cell in action.cells:
        world.cells[cell].kill(power=True)
        world.start_later(cell, action.for_ms)


def crash_at_write(world: World, action: Action) -> None:
    """At the `amount`-th operation of its disk from now a cell loses its power, or is killed."""
    for cell in action.cells:
        world.cells[cell].crash_at(
            action.amount, power=action.name != "kill", down_ms=action.for_ms
        )


def crash_at_failpoint(world: World, action: Action) -> None:
    """At the `amount`-th hit from now of the failpoint `name` a cell loses its power.

    A failpoint is a named place before or after a write, an fsync or a send (`core.failpoint`).
    """
    for cell in action.cells:
        world.cells[cell].crash_at_failpoint(action.name, action.amount, down_ms=action.for_ms)


def crash_after_failpoint(world: World, action: Action) -> None:
    """A cell loses its power `amount` operations of its disk after it came to a failpoint."""
    for cell in action.cells:
        world.cells[cell].crash_at_failpoint(
            action.name, 1, operations=action.amount, down_ms=action.for_ms
        )


def old_copy(world: World, action: Action) -> None:
    """The disk is copied now, and put back after `amount` ms, as from a backup.

    Only once what the cell signed meanwhile is known to others: nobody can keep a promise that
    nobody has heard of.
    """
    for index in action.cells:
        cell = world.cells[index]
        copy = cell.disk.copy()
        world.later(action.amount, partial(cell.put_back, copy, action.for_ms))


def bit_rot(world: World, action: Action) -> None:
    """The cell stops, `amount` bits of what its disk holds flip, and it is started again."""
    for index in action.cells:
        world.cells[index].rot(action.amount, action.for_ms)


def disk_full(world: World, action: Action) -> None:
    """The disk has `amount` KiB left."""
    for index in action.cells:
        world.cells[index].fill_disk(action.amount * 1024, action.for_ms)


def disk_error(world: World, action: Action) -> None:
    """The `amount`-th operation of the disk from now fails, and all that follow for a while."""
    for index in action.cells:
        world.cells[index].fail_disk(action.amount, action.for_ms)


def skew(world: World, action: Action) -> None:
    """The wall clocks jump by `amount` ms, and stay there."""
    for index in action.cells:
        world.cells[index].jump_clock(action.amount * 10**6)


def overload(world: World, action: Action) -> None:
    """Clients of the cells ask for `amount` transactions a second."""
    for index in action.cells:
        world.overload(index, action.amount, action.for_ms)


def member(world: World, action: Action) -> None:
    """The first cell proposes what `name` says for the second, and the others approve.

    `name` is add, remove or weight (`amount`).
    """
    world.change_members(action)


def govern(world: World, action: Action) -> None:
    """The cell proposes something that holds for all, and the others vote, not all of them yes.

    `name` is `epochs` (of 16 + `amount` rounds), `text` (which is refused), or `upgrade` (to the
    rule set `amount`, from the epoch after the next on).
    """
    world.govern(action)


def rotate(world: World, action: Action) -> None:
    """One cell gives its key up for another."""
    world.rotate(action.cells[0])


FAULTS: Final[dict[str, Fault]] = {
    "cut": cut,
    "cut one way": cut_one_way,
    "partition": partition,
    "flap": flap,
    "swizzle": swizzle,
    "slow": slow,
    "lossy": lossy,
    "break": break_links,
    "shuffle": shuffle_frames,
    "other version": other_version,
    "pause": pause,
    "kill": kill,
    "power cut": power_cut,
    "crash at write": crash_at_write,
    "crash at failpoint": crash_at_failpoint,
    "crash after failpoint": crash_after_failpoint,
    "old copy": old_copy,
    "bit rot": bit_rot,
    "disk full": disk_full,
    "disk error": disk_error,
    "skew": skew,
    "overload": overload,
    "member": member,
    "govern": govern,
    "rotate": rotate,
}
"""All kinds."""


def _links_of(world: World, action: Action) -> list[tuple[int, int]]:
    """Return the links from and to the cells, each once."""
    links: dict[tuple[int, int], None] = {}
    for one in action.cells:
        for other in range(len(world.cells)):
            if other != one:
                links[one, other] = links[other, one] = None
    return list(links)


def _cut_all(world: World, links: Iterable[tuple[int, int]], action: Action) -> None:
    for one, other in links:
        world.cut(one, other, action.for_ms)
