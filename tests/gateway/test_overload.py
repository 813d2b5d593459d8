"""A gateway that is crowded: honest clients are answered, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.connections import Crowd
from gateway.door import DoorRules
from gateway.limits import CROWD_MIN
from gateway.places import Places
from gateway.server import Gateway, Security
from gateway.turns import Turns
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.working_loop import WorkingLoop, run
from tests.waiting import PATIENCE_S, until

HALF_OPEN, SLOW, FLOODING = 400, 100, 20
ASKED = 60


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[int, Crowd]]:
    gateway = Gateway(
        FakeCell(), token=TOKEN, security=Security(rules=DoorRules(Places(), rate_open=10))
    )
    url = await gateway.start()
    try:
        yield int(url.rsplit(":", 1)[1]), gateway.crowd
    finally:
        await gateway.stop()


async def ask(port: int, path: str, token: str = "") -> int:
    """Ask once over a new connection; return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n".encode())
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


async def hold(port: int, said: bytes) -> None:
    """Keep connections that never finish a head; another one for each that is closed."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(said)
                await reader.read()
            finally:
                writer.close()
        await asyncio.sleep(0.5)


async def flood(port: int) -> None:
    while True:
        with contextlib.suppress(OSError, IndexError):
            await ask(port, "/api/public/health")


def test_honest_clients_are_answered_while_others_crowd() -> None:
    async def talk() -> None:
        async with served() as (port, crowd):
            crowd_of = [
                *(hold(port, b"") for _ in range(HALF_OPEN)),
                *(hold(port, b"GET / HT") for _ in range(SLOW)),
                *(flood(port) for _ in range(FLOODING)),
            ]
            tasks = [asyncio.create_task(one) for one in crowd_of]
            await until(lambda: len(crowd) > HALF_OPEN // 2)
            for _ in range(ASKED):
                # How quickly, scripts/bench-gateway measures.
                assert await ask(port, "/api/v1/status", TOKEN) == 200
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with asyncio.timeout(PATIENCE_S):
                while len(crowd) > 1:
                    await ask(port, "/api/v1/status", TOKEN)
                    await asyncio.sleep(0.02)

    asyncio.run(talk())


class Held:
    """A connection of which only its end matters."""

    def __init__(self) -> None:
        self.ended = False

    def give_way(self) -> None:
        self.ended = True


def test_the_oldest_silent_one_of_the_busiest_address_gives_way() -> None:
    crowd = Crowd(connections_max=6, silent_max=4)
    held = [Held() for _ in range(5)]
    for connection, address in zip(held, ("a", "b", "b", "a", "b"), strict=True):
        crowd.came(connection, address)
    assert [one.ended for one in held] == [False, True, False, False, False]
    assert len(crowd) == 4


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60))
def test_whoever_gives_way_is_of_an_address_with_most_silent_ones(
    comings: list[tuple[int, bool]],
) -> None:
    crowd, here = Crowd(silent_max=6), list[tuple[int, Held]]()
    for address, goes in comings:
        if goes and here:
            crowd.went(here.pop(address % len(here))[1])
            continue
        here.append((address, Held()))
        most = Counter(of for of, _ in here)
        crowd.came(here[-1][1], f"{address}")
        gone = [of for of, one in here if one.ended]
        assert len(gone) == (len(here) > 6)
        assert all(most[of] == max(most.values()) for of in gone)
        here = [(of, one) for of, one in here if not one.ended]
        assert len(crowd) == len(here)


def test_those_at_work_never_give_way_while_there_is_an_idle_one() -> None:
    crowd = Crowd(connections_max=2, silent_max=2)
    held = [Held() for _ in range(4)]
    for connection in held:
        crowd.came(connection, "a")
        crowd.works(connection)
        if connection is held[1]:
            crowd.rests(connection)
    assert [one.ended for one in held] == [False, True, False, True]
    assert len(crowd) == 2


def test_a_crowd_of_one_waits_for_itself() -> None:
    async def talk(_loop: WorkingLoop) -> None:
        turns, order = Turns(per_round_max=1), list[str]()

        async def come(whom: str) -> None:
            await turns.wait(whom)
            order.append(whom)

        await asyncio.gather(*(come(whom) for whom in ["crowd"] * 20 + ["other"]))
        assert order.index("other") <= 3
        assert len(order) == 21

    run(talk)


def test_the_owner_and_who_is_alone_wait_for_no_pause_of_a_crowd() -> None:
    async def talk(loop: WorkingLoop) -> None:
        turns, order = Turns(per_round_max=1), list[str]()

        async def come(whom: str) -> None:
            await turns.wait(whom, is_owner=whom == "owner", is_alone=whom == "alone")
            order.append(whom)
            loop.work(0.01)  # which is what makes for pauses

        crowd = [asyncio.create_task(come("crowd")) for _ in range(2 * CROWD_MIN)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        before, begun_s = len(order), loop.time()
        await asyncio.gather(come("owner"), come("alone"))
        assert len(order) <= before + 4
        assert loop.time() - begun_s == pytest.approx(0.01 * (len(order) - before))
        await asyncio.gather(*crowd)
        assert order.count("crowd") == 2 * CROWD_MIN

    run(talk)


def test_a_crowd_leaves_most_of_the_loop_to_others() -> None:
    async def talk(loop: WorkingLoop) -> None:
        turns, work_s = Turns(), 0.0

        async def come() -> None:
            nonlocal work_s
            await turns.wait("crowd")
            work_s += 0.001
            loop.work(0.001)

        tasks = [asyncio.create_task(come()) for _ in range(4 * CROWD_MIN)]
        await asyncio.wait(tasks[: 2 * CROWD_MIN])
        assert work_s < 0.3 * loop.time()  # a quarter, but for the first round
        await asyncio.gather(*tasks)

    run(talk)
