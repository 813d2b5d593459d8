"""Draws a scenario from a seed: how many cells, what goes wrong, who lies.

Each profile names the faults that may strike. Safety has to hold whatever strikes, so faults come
as often and as close together as chance wants; what is limited is what no rules could bear: liars
and machines that stay down are fewer than a third together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from core.failpoint import FAILPOINTS
from ledger.limits import PATCHES_SIZE_BYTES_MAX
from sim.adversaries import ADVERSARIES
from sim.chance import chance
from sim.errors import BadScenario
from sim.scenario import Action, Liar, Scenario

_NETWORK: Final = (
    "cut", "cut one way", "partition", "flap", "swizzle", "slow", "lossy", "break", "shuffle",
)  # fmt: skip
_CRASHES: Final = (
    "pause", "kill", "power cut", "crash at write", "crash at failpoint", "crash after failpoint",
    "restart all",
)  # fmt: skip
_DISKS: Final = ("bit rot", "disk full", "disk error", "crash at write", "power cut")
_STRANGE: Final = ("skew", "old copy", "old copy", "other version", "overload", "member", "rotate")

PROFILES: Final[Mapping[str, tuple[str, ...]]] = {
    "calm": (),
    "network": _NETWORK,
    "crashes": _CRASHES,
    "disks": _DISKS,
    "mixed": _NETWORK + _CRASHES + _DISKS + _STRANGE,
    "governance": _NETWORK + _CRASHES + ("govern",) * 12 + ("member", "rotate"),
    "liars": _NETWORK + _CRASHES + ("skew", "overload", "old copy"),
}
"""What may strike. Only `liars` has members that break the rules, as many as there may be."""

_ELSEWHERE: Final = frozenset({"file", "invites", "message", "replication", "audit"})
"""Failpoints of what no cell does here."""

_OVERLOAD_MS_MAX: Final = 1_000
"""A thousand transactions cost ten seconds of a core."""

_MANY_MEMBERS: Final = 6
"""What a transaction costs grows with the square of the members."""

_LOADS: Final = (0.5, 1.5, 4.0)

_EPOCHS: Final = (16, 16, 24, 48, 96, 2048)

_PATCHES: Final = (PATCHES_SIZE_BYTES_MAX, PATCHES_SIZE_BYTES_MAX, 0, 250, 800)
"""A run logs no more than some kilobytes: with little room the sweep comes often."""

_OLD_BUILDS: Final = 0.3
"""Of the machines, where upgrades are voted on."""

_UPGRADE_MS: Final = 4_000
"""How much longer such a run takes: two epochs, until an upgrade begins."""

_SLEEPS: Final = ("partition", "kill", "power cut")
"""What keeps a cell away until the others are epochs ahead: it has to fetch a checkpoint."""

_SLEEP_SHARE: Final = 0.15
"""Of all runs: they cost three times as much as others."""

_SLEEP_MS: Final = (4_500, 8_000)
_SLEEP_DELAY_MS: Final = 10
_SLEEP_LOAD_PER_S: Final = 6.0
"""Some twelve rounds a second, so that epochs go by."""

_SWAP_SHARE: Final = 0.6
_SWAP_OPERATIONS: Final = (25, 50)
"""Of the disk, from the failpoint on: the transaction that puts it in place takes some forty."""

_JUMPS: Final = tuple(
    name for name in FAILPOINTS if name.startswith(("install.", "transfer.keep."))
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is not left to chance."""

    profile: str = "mixed"
    cells: int | None = None
    minutes: float | None = None
    liars: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    """Only these faults."""


def draw(seed: int, wishes: Wishes = Wishes()) -> Scenario:
    """Return the scenario of a seed; raises BadScenario for wishes that make none."""
    random = chance(seed, "scenario")
    kinds = wishes.kinds if wishes.kinds is not None else _kinds_of(wishes.profile)
    members = wishes.cells or random.choice((4, 4, 4, 4, 4, 4, 4, 5, 6, 7))
    followers = 0 if wishes.profile == "liars" else random.choice((0, 0, 1))
    weights = _draw_weights(random, members)
    faulty = _draw_faulty(random, weights)
    liars = _draw_liars(random, wishes, faulty)
    down = () if liars or random.random() < 0.6 else faulty
    minutes = wishes.minutes
    troubled_ms = random.randint(2_000, 5_000) if minutes is None else round(minutes * 60_000)
    honest = [at for at in range(members) if at not in {liar.cell for liar in liars}]
    count = random.randint(2, 5) if minutes is None else max(4, troubled_ms // 3_000)
    actions = [
        action
        for _ in range(count if kinds else 0)
        for action in _draw_action(
            random, random.choice(kinds), members + followers, honest, troubled_ms
        )
    ]
    if any(action.kind == "member" for action in actions):
        down = ()  # of fewer members, or with other weights, they might be too many
    if "power cut" in kinds and random.random() < 0.3:
        # All at the last moment: what was told then is told by the disks alone.
        everybody = tuple(range(members + followers))
        actions.append(Action(troubled_ms - 1, "power cut", everybody, 1))
    scenario = Scenario(
        seed,
        members,
        followers,
        weights=weights,
        epoch_rounds=random.choice(_EPOCHS),
        delay_ms=random.choice((5, 10, 25, 60)),
        loss=random.choice((0.0, 0.0, 0.01, 0.05)),
        load_per_s=random.choice(_LOADS) if members < _MANY_MEMBERS else 0.8,
        troubled_ms=troubled_ms,
        down=tuple(sorted(set(down) - {liar.cell for liar in liars})),
        liars=liars,
        coin_period=random.choice((3, 10)),
        patches_bytes_max=chance(seed, "patches").choice(_PATCHES),
        actions=_by_time(actions),
    )
    if "govern" in kinds:
        builds = chance(seed, "builds")
        old = tuple(at for at in honest if builds.random() < _OLD_BUILDS)
        scenario = replace(
            scenario,
            old_builds=old,
            epoch_rounds=min(_EPOCHS),
            load_per_s=_SLEEP_LOAD_PER_S,
            troubled_ms=troubled_ms + _UPGRADE_MS,
            delay_ms=min(scenario.delay_ms, _SLEEP_DELAY_MS),
        )
    if minutes is None and set(kinds).issuperset(_SLEEPS) and random.random() < _SLEEP_SHARE:
        return _with_sleeper(random, scenario, honest)
    return scenario


def _with_sleeper(random: Random, scenario: Scenario, honest: list[int]) -> Scenario:
    """Let one machine be away for some epochs, and come back while things still go wrong."""
    followers = list(range(scenario.members, scenario.machines))
    sleeper = random.choice(followers or honest)
    # A machine that is away from the beginning has no epoch of its own to finish first.
    at_ms, away_ms = random.choice((0, random.randint(200, 1_000))), random.randint(*_SLEEP_MS)
    sleep = Action(at_ms, random.choice(_SLEEPS), (sleeper,), away_ms)
    # Where it puts a checkpoint in place is the last of many places: it is given more weight.
    at_swap = random.random() < _SWAP_SHARE
    crash = Action(
        at_ms,
        "crash after failpoint",
        (sleeper,),
        random.choice((200, 1_000)),
        random.randint(*(_SWAP_OPERATIONS if at_swap else (1, 30))),
        "install.swap.before" if at_swap else random.choice(_JUMPS),
    )
    others = random.sample(scenario.actions, min(1, len(scenario.actions)))
    return replace(
        scenario,
        epoch_rounds=min(_EPOCHS),
        delay_ms=min(scenario.delay_ms, _SLEEP_DELAY_MS),
        load_per_s=_SLEEP_LOAD_PER_S,
        troubled_ms=at_ms + away_ms + random.randint(1_500, 4_000),
        actions=_by_time([*others, sleep, *random.choice(((), *[(crash,)] * 4))]),
    )


def _by_time(actions: Sequence[Action]) -> tuple[Action, ...]:
    return tuple(sorted(actions, key=lambda action: action.at_ms))


def _kinds_of(profile: str) -> tuple[str, ...]:
    if profile not in PROFILES:
        raise BadScenario(f"no profile {profile!r}; there are {', '.join(PROFILES)}")
    return PROFILES[profile]


def _draw_weights(random: Random, members: int) -> tuple[int, ...]:
    """Return the members' weights: mostly all the same."""
    if random.random() < 0.7:
        return (1,) * members
    return tuple(random.randint(1, 3) for _ in range(members))


def _draw_faulty(random: Random, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return as many members as there may be with less than a third of the weight together."""
    faulty: list[int] = []
    left = sum(weights)
    for member in random.sample(range(len(weights)), len(weights)):
        if 3 * (sum(weights) - left + weights[member]) < sum(weights):
            faulty.append(member)
            left -= weights[member]
    return tuple(sorted(faulty))


def _draw_liars(random: Random, wishes: Wishes, cells: tuple[int, ...]) -> tuple[Liar, ...]:
    if wishes.liars is None and wishes.profile != "liars":
        return ()
    kinds = wishes.liars or tuple(ADVERSARIES)
    unknown = [kind for kind in kinds if kind not in ADVERSARIES]
    if unknown:
        raise BadScenario(f"no adversary {unknown[0]!r}; there are {', '.join(ADVERSARIES)}")
    if random.random() < 0.5:
        kinds = (random.choice(kinds),)
    return tuple(Liar(cell, random.choice(kinds)) for cell in cells)


def _draw_action(
    random: Random, kind: str, machines: int, honest: list[int], troubled_ms: int
) -> list[Action]:
    at_ms = random.randrange(troubled_ms)
    for_ms = random.choice((200, 500, 1_000, 3_000, 6_000))
    some = tuple(random.sample(range(machines), random.randint(1, max(1, machines // 2))))
    one = (random.choice(honest),)
    if kind == "restart all":
        everybody = tuple(range(machines))
        power = random.choice(("kill", "power cut"))
        return [Action(at_ms, power, everybody, for_ms)]
    if kind == "govern":
        name = random.choice(("epochs", "text", "upgrade", "upgrade"))
        amount = random.choice((1, 1, 2)) if name == "upgrade" else random.randint(0, 32)
        return [Action(at_ms // 2, kind, one, 0, amount, name)]
    if kind == "member":
        return [_draw_member(random, at_ms, machines)]
    if kind == "overload":
        for_ms = min(for_ms, _OVERLOAD_MS_MAX)
    whom = some if kind in _MANY else one
    if kind in ("cut", "cut one way"):
        whom = tuple(random.sample(range(machines), random.randint(2, machines)))
    amount, name = _AMOUNTS[kind](random) if kind in _AMOUNTS else (0, "")
    return [Action(at_ms, kind, whom, for_ms, amount, name)]


_FAILPOINTS: Final = tuple(name for name in FAILPOINTS if name.partition(".")[0] not in _ELSEWHERE)

_MANY: Final = frozenset(
    {"partition", "flap", "swizzle", "slow", "lossy", "break", "shuffle", "pause", "kill",
     "power cut", "skew"}
)  # fmt: skip

_AMOUNTS: Final[Mapping[str, Callable[[Random], tuple[int, str]]]] = {
    "flap": lambda random: (random.choice((150, 400, 1_000)), ""),
    "slow": lambda random: (random.choice((50, 200, 800)), ""),
    "lossy": lambda random: (random.choice((5, 20, 50)), ""),
    "shuffle": lambda random: (random.choice((2, 10, 30)), ""),
    "crash at write": lambda random: (
        random.randint(1, 300),
        random.choice(("kill", "power cut")),
    ),
    "crash at failpoint": lambda random: (
        random.choice((1, 1, 2, 5, 20)),
        random.choice(_FAILPOINTS),
    ),
    "crash after failpoint": lambda random: (random.randint(1, 30), random.choice(_FAILPOINTS)),
    "old copy": lambda random: (random.choice((300, 1_000, 4_000)), ""),
    "bit rot": lambda random: (random.choice((1, 8, 64)), ""),
    "disk full": lambda random: (random.choice((0, 16, 256)), ""),
    "disk error": lambda random: (random.randint(1, 200), ""),
    "skew": lambda random: (random.choice((-3_600_000, -5_000, 5_000, 3_600_000)), ""),
    "other version": lambda random: (0, random.choice(("wire", "rules"))),
    "overload": lambda random: (random.choice((50, 150)), ""),
}
"""What the numbers of a kind are drawn from."""


def _draw_member(random: Random, at_ms: int, machines: int) -> Action:
    by, whom = random.sample(range(machines), 2)
    name = random.choice(("add", "add", "remove", "weight"))
    return Action(at_ms, "member", (by, whom), 0, random.randint(1, 3), name)
