"""A cell that was asked to stop does, whatever takes too long, and notes that it stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.cell import RunningCell
from node.gateway_front import GatewayFront
from node.home import Home
from node.parts import Parts
from node.reloading import Reloading
from tests.node.test_requests import whole_cell


class _Hanging:
    """A gateway that never stops by itself."""

    def __init__(self) -> None:
        self.was_cancelled = False

    async def stop(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled = True


@pytest.mark.usefixtures("patient")
def test_a_cell_that_can_not_leave_the_network_in_time_stops_and_notes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_ms: list[int] = []

    async def look(_: RunningCell, parts: Parts) -> None:
        stopped_ms.append(parts.nucleus.life.stopped_ms)
        leave = parts.peers.stop

        async def leave_late() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await leave()

        monkeypatch.setattr(parts.peers, "stop", leave_late)

    async def look_again(_: RunningCell, parts: Parts) -> None:
        stopped_ms.append(parts.nucleus.life.stopped_ms)

    with monkeypatch.context() as once:
        once.setattr("node.supervisor.STOP_TIMEOUT_MS", 1)
        whole_cell(tmp_path, look)
    whole_cell(tmp_path, look_again)
    before, after = stopped_ms
    assert before == 0
    assert after > 0


def test_a_gateway_that_does_not_stop_in_time_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.gateway_front.STOP_TIMEOUT_MS", 1)
    home, gateway = Home(tmp_path), _Hanging()
    front = GatewayFront(home, Reloading.__new__(Reloading), lambda _: None, None)
    monkeypatch.setattr(front, "_gateway", gateway)
    home.run_file.write_text("{}")
    asyncio.run(front.close())
    assert gateway.was_cancelled
    assert not home.run_file.exists()
