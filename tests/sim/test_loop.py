"""The loop on virtual time: order, deadlines, lives that end or wait, the same run each time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sim.errors import LifeMisused, Livelock, LoopMisused, NothingLeft
from sim.life import Life
from sim.loop import SimLoop

Log = list[tuple[float, object]]


def ticking(loop: SimLoop, log: Log, name: object, every_s: float) -> Callable[[], Any]:
    """Return a main that notes its name every so often, and its end in a `finally`."""

    async def main() -> None:
        try:
            while True:
                await asyncio.sleep(every_s)
                log.append((loop.time(), name))
        finally:
            log.append((loop.time(), f"{name} ended"))

    return main


def test_sleepers_wake_in_order_of_time_and_no_real_time_passes() -> None:
    loop, log = SimLoop(), list[float]()

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        log.append(loop.time())

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds in (86_400.0, 0.5, 3.0, 0.25):
                group.create_task(sleep(seconds))

    loop.run_until_complete(main())
    assert log == [0.25, 0.5, 3.0, 86_400.0]


def test_a_run_until_a_time_runs_what_is_due_by_then_and_goes_on_later() -> None:
    loop, log = SimLoop(), Log()
    loop.life("a").run(ticking(loop, log, "a", 2))
    loop.run_until(5)
    assert (log, loop.time()) == ([(2, "a"), (4, "a")], 5)
    loop.run_until(6)
    assert log[2:] == [(6, "a")]


def test_what_asyncio_is_made_of_works() -> None:
    loop = SimLoop()

    async def value(result: int, delay_s: float) -> int:
        await asyncio.sleep(delay_s)
        return result

    async def main() -> None:
        assert list(await asyncio.gather(value(1, 2), value(2, 1))) == [1, 2]
        done, pending = await asyncio.wait(
            [asyncio.ensure_future(value(n, n)) for n in (1, 5)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert ([task.result() for task in done], len(pending)) == ([1], 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(*pending), 0.5)
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        putting = asyncio.create_task(_put_all(queue, 3))
        assert [await queue.get() for _ in range(3)] == [0, 1, 2]
        await putting
        lock = asyncio.Lock()
        async with lock:
            waiting = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
        assert await waiting
        assert await asyncio.to_thread(pow, 2, 10) == 1024
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        with pytest.raises(ExceptionGroup, match="unhandled errors"):
            await _group_that_fails()
        assert [n async for n in _numbers()] == [0, 1]
        for task in pending:
            assert await task == 5

    loop.run_until_complete(main())
    assert loop.time() == 2 + 5  # the last to end began its sleep of 5 s at 2
    assert not asyncio.all_tasks(loop)


async def _put_all(queue: asyncio.Queue[int], count: int) -> None:
    for number in range(count):
        await queue.put(number)


async def _group_that_fails() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(9))
        group.create_task(asyncio.to_thread(divmod, 1, 0))


async def _numbers() -> AsyncIterator[int]:
    for number in range(2):
        await asyncio.sleep(0)
        yield number


def test_a_call_in_an_executor_takes_the_time_it_is_told_to() -> None:
    loop = SimLoop(executor_delay_s=lambda: 0.25)

    async def main() -> int:
        return await loop.run_in_executor(None, pow, 2, 3)

    assert (loop.run_until_complete(main()), loop.time()) == (8, 0.25)


def test_a_killed_life_never_runs_again_not_even_its_ends() -> None:
    loop, log = SimLoop(), Log()
    a, b = loop.life("a"), loop.life("b")
    a.run(ticking(loop, log, "a", 2))
    b.run(ticking(loop, log, "b", 2))
    loop.run_until(3)
    a.kill()
    loop.run_until(5)
    assert log == [(2, "a"), (2, "b"), (4, "b")]
    assert (a.alive, b.alive) == (False, True)
    with pytest.raises(LifeMisused):
        a.run(ticking(loop, log, "a", 2))


def test_a_life_that_is_killed_by_its_own_callback_goes_on_to_its_next_await_only() -> None:
    loop, log, told = SimLoop(), list[str](), list[str]()
    life = loop.life("a")
    life.on_death.append(lambda: told.append("dead"))

    async def main() -> None:
        life.kill()
        life.kill()
        loop.call_soon(log.append, "soon")
        log.append("after")
        try:
            await asyncio.to_thread(log.append, "thread")
        finally:
            log.append("finally")

    life.run(main)
    loop.run_until(9)
    assert (log, told) == (["after", "thread"], ["dead"])


def test_a_paused_life_is_held_up_and_then_does_all_that_was_due_in_order() -> None:
    loop, log = SimLoop(), Log()
    life = loop.life("a")
    life.run(ticking(loop, log, "fast", 2))
    loop.run_until(3)
    life.pause()
    loop.call_at(4.5, lambda: log.append((loop.time(), "other")))
    for at_s in (4.5, 5.5):
        loop.call_at(at_s, log.append, (at_s, "late"), context=life.context)
    loop.run_until(9)
    assert log == [(2, "fast"), (4.5, "other")]
    life.resume()
    loop.run_until(12)
    assert log[2:] == [(4.5, "late"), (5.5, "late"), (9, "fast"), (11, "fast")]
    life.pause()
    life.kill()
    life.resume()
    loop.run_until(20)
    assert len(log) == 6


def test_errors_nobody_handles_are_told_with_their_life() -> None:
    told: list[tuple[Life | None, str]] = []
    loop = SimLoop(on_error=lambda life, context: told.append((life, repr(context["exception"]))))

    async def fail(name: str) -> None:
        raise ValueError(name)

    async def spawn() -> None:
        asyncio.create_task(fail("task"))  # noqa: RUF006 - nobody looks at it
        asyncio.get_running_loop().call_later(1, divmod, 1, 0)
        await asyncio.sleep(2)

    a, b, dead = loop.life("a"), loop.life("b"), loop.life("dead")
    a.run(lambda: fail("main"))
    b.run(spawn)
    dead.run(lambda: _die_failing(dead))
    loop.run_until(3)
    loop.call_soon(divmod, 1, 0)
    loop.run_until(4)
    zero = "ZeroDivisionError('integer division or modulo by zero')"
    assert sorted(told, key=str) == sorted(
        [(a, "ValueError('main')"), (b, "ValueError('task')"), (b, zero), (None, zero)], key=str
    )


async def _die_failing(life: Life) -> None:
    life.kill()
    raise ValueError("too late")


def test_without_a_hook_an_error_ends_the_run() -> None:
    loop = SimLoop()
    loop.call_later(1, divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        loop.run_until(2)


def test_a_livelock_is_found_and_named() -> None:
    loop = SimLoop(callbacks_at_one_time_max=1000)

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - the mistake that is to be found
            await asyncio.sleep(0)

    loop.life("a").run(spin)
    with pytest.raises(Livelock, match="a step of main a"):
        loop.run_until(1)


def test_a_deadlock_is_found() -> None:
    loop = SimLoop()

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeft):
        loop.run_until_complete(main())
    loop.close()
    with pytest.raises(LoopMisused):
        loop.run_until(1)


def test_cancelled_deadlines_do_not_pile_up() -> None:
    loop = SimLoop()

    async def main() -> None:
        for _ in range(5_000):
            async with asyncio.timeout(1000):
                await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    assert len(loop._timers) < 2_100


def test_sets_of_tasks_and_futures_have_the_order_of_their_making() -> None:
    loop = SimLoop()

    async def main() -> None:
        tasks = {asyncio.create_task(asyncio.sleep(1)) for _ in range(5)}
        hashes = [hash(task) for task in tasks]
        assert hashes == sorted(hashes)
        assert max(map(hash, {loop.create_future() for _ in range(5)})) < 1_000
        await asyncio.wait(tasks)

    loop.run_until_complete(main())


_ORDER: str = """
import asyncio
from sim.loop import SimLoop

loop, log = SimLoop(), []

async def work(name, group):
    try:
        await asyncio.sleep(hash(name) % 3 * 0)
        await asyncio.get_running_loop().create_future()
    finally:
        log.append(name)

async def main():
    names = [f"n{i}" for i in range(40)]
    try:
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(work(name, group))
            await asyncio.sleep(1)
            raise ValueError
    except* ValueError:
        pass
    tasks = [asyncio.create_task(asyncio.sleep(1, name)) for name in names]
    done, _ = await asyncio.wait(tasks)
    log.extend(task.result() for task in done)
    waiting = {asyncio.create_task(work(name, None)) for name in names}
    await asyncio.sleep(1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

keep = [object() for _ in range(hash("x") % 1000)]
loop.run_until_complete(main())
print(log, loop.callbacks)
"""


def test_a_run_is_the_same_whatever_the_hash_seed() -> None:
    def output(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", _ORDER]
        root = Path(__file__).parents[2]
        return subprocess.run(
            command, check=True, capture_output=True, env=environment, cwd=root
        ).stdout

    first = output("1")
    assert first.count(b"n39") == 3
    assert first == output("2")
