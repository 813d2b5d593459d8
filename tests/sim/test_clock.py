"""Clock and chance of the process while a simulation runs: nothing real comes through."""

from __future__ import annotations

import os
import random
import secrets
import time
import uuid

from sim.chance import chance
from sim.clock import WALL_START_NS, installed
from sim.life import Life
from sim.loop import SimLoop


def test_every_clock_is_the_virtual_one_and_comes_back() -> None:
    loop = SimLoop()
    real = (time.time, time.monotonic_ns, os.urandom, random.random)
    with installed(loop, 1):
        loop.run_until(90.5)
        assert time.time_ns() == WALL_START_NS + 90_500_000_000
        assert time.time() == WALL_START_NS / 1e9 + 90.5
        assert time.monotonic() == time.perf_counter() == 90.5
        assert time.monotonic_ns() == time.perf_counter_ns() == 90_500_000_000
    assert real == (time.time, time.monotonic_ns, os.urandom, random.random)
    assert abs(time.time() - WALL_START_NS / 1e9) > 1e6


def test_the_wall_clock_has_the_skew_of_whose_code_asks() -> None:
    loop, seen = SimLoop(), dict[str, tuple[int, int]]()
    used: list[float] = []
    ahead, behind = loop.life("ahead", skew_ns=3_600 * 10**9), loop.life("behind")

    def look(life: Life) -> None:
        seen[life.name] = time.time_ns() - WALL_START_NS, time.monotonic_ns()

    with installed(loop, 1):
        for life in (ahead, behind):
            loop.call_at(1.0, look, life, context=life.context)
        loop.run_until(2)
        assert seen == {"ahead": (3_601 * 10**9, 10**9), "behind": (10**9, 10**9)}
        behind.skew_ns = -(10**9)
        loop.call_soon(look, behind, context=behind.context)
        loop.run_until(2)
        ahead.cpu_s = 1.5
        loop.call_soon(lambda: used.append(time.process_time()), context=ahead.context)
        loop.call_soon(lambda: used.append(time.process_time()), context=behind.context)
        loop.run_until(2)
        assert used == [1.5, 0.0]
        assert seen["behind"] == (10**9, 2 * 10**9)


def drawn(seed: int, *, extra: bool = False) -> list[object]:
    """Draw by all means that the daemon uses, in the context of two lives."""
    loop, got = SimLoop(), list[object]()
    lives = [loop.life("a"), loop.life("b")]

    def draw() -> None:
        got.extend([os.urandom(8), secrets.token_bytes(8), secrets.token_urlsafe(8)])
        got.extend([random.uniform(0, 1), uuid.uuid4()])
        got.extend([secrets.randbelow(10**9), secrets.token_hex(4), random.SystemRandom().random()])

    with installed(loop, seed):
        if extra:
            loop.call_soon(os.urandom, 1, context=lives[0].context)
        for life in lives:
            loop.call_later(1, draw, context=life.context)
        loop.run_until(1)
    return got


def test_chance_comes_from_the_seed() -> None:
    assert drawn(7) == drawn(7)
    assert not set(drawn(7)) & set(drawn(8))


def test_one_more_draw_of_one_cell_shifts_no_other_cells() -> None:
    plain, shifted = drawn(7), drawn(7, extra=True)
    half = len(plain) // 2
    assert plain[:half] != shifted[:half]
    assert plain[half:] == shifted[half:]


def test_each_purpose_has_chance_of_its_own() -> None:
    assert chance(1, "network").random() == chance(1, "network").random()
    assert chance(1, "network").random() != chance(1, "disk").random()
    assert chance(1, "network").random() != chance(2, "network").random()
