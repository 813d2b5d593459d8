"""Virtual time and seeded chance in place of this process's own, while a simulation runs.

Replaces the clocks of `time` (that of used processor time too: the daemon paces itself by it),
`os.urandom` (and so `secrets` and `uuid4`) and the functions of `random`, for all code that calls
them as attributes of their modules. Out of reach is what C code asks the system itself:
`datetime.now`, `time.strftime` without a time, libsodium's generator, `random.Random()` without a
seed; nothing that influences a cell uses them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sim.chance import chance
from sim.life import Life, current_life
from sim.loop import SimLoop

WALL_START_NS: Final = 1_700_000_000_000_000_000
"""2023-11-14T22:13:20Z: what the wall clock says at virtual time 0."""

_DRAWS: Final = (
    "betavariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random",
    "randrange", "sample", "seed", "shuffle", "triangular", "uniform", "vonmisesvariate",
    "weibullvariate",
)  # fmt: skip


@contextlib.contextmanager
def installed(loop: SimLoop, seed: int) -> Iterator[None]:
    """Replace clock and chance of this process until the end of the block.

    Wall time has the skew of the life whose code asks; each life draws from a generator of its own.
    """
    generators: dict[str, random.Random] = {}

    def drawn() -> random.Random:
        life = current_life.get()
        purpose = "world" if life is None else f"{life.name}.{life.incarnation}"
        if purpose not in generators:
            generators[purpose] = chance(seed, f"process {purpose}")
        return generators[purpose]

    def urandom(size: int, /) -> bytes:
        return drawn().randbytes(size)

    replaced: list[tuple[Any, str, Callable[..., Any]]] = [
        *((time, name, function) for name, function in _clocks(loop).items()),
        (os, "urandom", urandom),
        (random, "_urandom", urandom),  # what SystemRandom, and so `secrets`, draws from
        *((random, name, _drawing(drawn, name)) for name in _DRAWS),
    ]
    with contextlib.ExitStack() as restored:
        if gc.isenabled():
            gc.disable()  # the loop collects, at the same places in every run
            restored.callback(gc.enable)
        for module, name, function in replaced:
            restored.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, function)
        yield


def wall_ns(loop: SimLoop, life: Life | None) -> int:
    """Return what the wall clock of a life says now."""
    return WALL_START_NS + _virtual_ns(loop) + (0 if life is None else life.skew_ns)


def _clocks(loop: SimLoop) -> dict[str, Callable[[], float] | Callable[[], int]]:
    def now_ns() -> int:
        return wall_ns(loop, current_life.get())

    def passed_ns() -> int:
        return _virtual_ns(loop)

    def used_s() -> float:
        life = current_life.get()
        return 0.0 if life is None else life.cpu_s

    return {
        "time_ns": now_ns,
        "time": lambda: now_ns() / 1e9,
        "monotonic_ns": passed_ns,
        "perf_counter_ns": passed_ns,
        "monotonic": loop.time,
        "perf_counter": loop.time,
        "process_time": used_s,
        "process_time_ns": lambda: round(used_s() * 1e9),
        "thread_time": used_s,
        "thread_time_ns": lambda: round(used_s() * 1e9),
    }


def _drawing(drawn: Callable[[], random.Random], name: str) -> Callable[..., Any]:
    def draw(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - those of the function it stands for
        return getattr(drawn(), name)(*args, **options)

    return draw


def _virtual_ns(loop: SimLoop) -> int:
    return round(loop.time() * 1e9)
