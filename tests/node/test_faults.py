"""Faults are had only when asked for, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from core.ids import CellId
from gossip.host import DialFailed, PeerStream, ReadTimedOut, StreamLost, WriteTimedOut
from gossip.host.seam import PortInfo
from node.faults import FAULTS_FILE, FAULTS_VARIABLE, Fault, Faults, FaultyStream, faults_of
from sim.loop import SimLoop

PEER, OTHER = CellId("peer"), CellId("other")
_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on virtual time: only what it waits for takes any."""
    loop = SimLoop()
    try:
        return loop.run_until_complete(main)  # type: ignore[no-any-return]  # it is one
    finally:
        loop.close()


class Pipe(PeerStream):
    """A stream that always has bytes, and takes all."""

    def __init__(self) -> None:
        self.cell_id = PEER
        self.protocol = "/test/1"
        self.initiator = True
        self.remote_address = None
        self.binding = b"connection"
        self.peer_key = b"process"
        self.written = b""

    async def read(self, size_max: int = 9, *, timeout_s: float | None) -> bytes:
        del timeout_s
        return b"x" * size_max

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        del timeout_s
        self.written += data

    async def close(self) -> None:
        return None


def test_without_the_variable_there_are_no_faults_whatever_the_file_says(tmp_path: Path) -> None:
    (tmp_path / FAULTS_FILE).write_text(json.dumps({"version": 1, "cut": [PEER]}))
    assert faults_of(tmp_path, {}) is None
    assert faults_of(tmp_path, {FAULTS_VARIABLE: "0"}) is None
    faults = faults_of(tmp_path, {FAULTS_VARIABLE: "1"})
    assert faults is not None
    assert not run(faults.hears(PEER, 0.01))


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"version":2,"cut":[]}', '{"version":1,"cut":[1]}', "[" * 9999),
        *('{"version":1,"cuts":[]}', '{"version":1,"delay_ms":{"a":-1}}'),
        *('{"version":1,"skew_ms":1.5}', '{"version":1,"skew_ms":99999999999999}'),
        *('{"version":1,"disk_full":1}', '{"version":1,"deaf":null}'),
    ],
)
def test_a_file_that_is_not_understood_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / FAULTS_FILE
    path.write_text(json.dumps({"version": 1, "cut": [PEER]}))
    faults = Faults(path)
    faults.read()
    path.write_text(text)
    faults.read()
    assert not run(faults.hears(PEER, 0.01))
    path.unlink()
    faults.read()
    assert run(faults.hears(PEER, 0.01))


def test_a_faulty_stream_says_all_that_a_stream_says_of_itself(tmp_path: Path) -> None:
    pipe = Pipe()
    faulty = FaultyStream(pipe, Faults(tmp_path / FAULTS_FILE))
    for field in dataclasses.fields(PortInfo):
        assert getattr(faulty, field.name) == getattr(pipe, field.name), field.name


def test_a_cut_link_carries_nothing_and_what_was_under_way_arrives_once_it_heals(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        faults, pipe = Faults(tmp_path / FAULTS_FILE), Pipe()
        stream = FaultyStream(pipe, faults)
        assert await stream.read(3, timeout_s=1) == b"xxx"
        faults.have(Fault(cut=frozenset({PEER})))
        with pytest.raises(ReadTimedOut):
            await stream.read(3, timeout_s=0.01)
        with pytest.raises(WriteTimedOut):
            await stream.write(b"lost", timeout_s=0.01)
        with pytest.raises(DialFailed):
            await faults.before_dial(PEER, 0.01)
        await faults.before_dial(OTHER, 0.01)
        writing = asyncio.create_task(stream.write(b"late", timeout_s=5))
        await asyncio.sleep(0)
        assert pipe.written == b""
        faults.have(Fault(cut=frozenset({OTHER})))
        await writing
        assert pipe.written == b"late"
        await stream.close()

    run(main())


def test_a_link_can_be_cut_one_way(tmp_path: Path) -> None:
    async def main() -> None:
        faults, pipe = Faults(tmp_path / FAULTS_FILE), Pipe()
        stream = FaultyStream(pipe, faults)
        faults.have(Fault(deaf=frozenset({PEER})))
        await stream.write(b"out", timeout_s=1)
        with pytest.raises(ReadTimedOut):
            await stream.read(3, timeout_s=0.01)
        faults.have(Fault(mute=frozenset({PEER})))
        assert await stream.read(3, timeout_s=1) == b"xxx"
        with pytest.raises(WriteTimedOut):
            await stream.write(b"lost", timeout_s=0.01)
        with pytest.raises(DialFailed):
            await faults.before_dial(PEER, 0.01)
        assert pipe.written == b"out"
        await stream.close()

    run(main())


class SpacedPipe(Pipe):
    """A stream on which a byte comes every 10 ms, five in all; then it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 5

    async def read(self, size_max: int = 9, *, timeout_s: float | None) -> bytes:
        del size_max, timeout_s
        await asyncio.sleep(0.01)
        self.left -= 1
        return b"x" if self.left >= 0 else b""


def test_a_slow_link_delays_and_is_no_narrower_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        faults = Faults(tmp_path / FAULTS_FILE)
        faults.have(Fault(delay_ms={PEER: 500}))
        stream = FaultyStream(SpacedPipe(), faults)
        began_s = asyncio.get_running_loop().time()
        while await stream.read(9, timeout_s=5):
            pass
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s == pytest.approx(0.56), "one delay, and not one a read"
        await stream.close()

    run(main())


class Broken(Pipe):
    """A stream that breaks."""

    async def read(self, size_max: int = 9, *, timeout_s: float | None) -> bytes:
        raise StreamLost(f"{size_max} {timeout_s}")


def test_what_ends_a_stream_comes_through(tmp_path: Path) -> None:
    async def main() -> None:
        stream = FaultyStream(Broken(), Faults(tmp_path / FAULTS_FILE))
        for _ in range(2):
            with pytest.raises(StreamLost):
                await stream.read(9, timeout_s=5)
        await stream.close()

    run(main())


class Once(Pipe):
    """A stream on which five bytes come at once, after a while; then nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.left = [b"hello"]

    async def read(self, size_max: int = 9, *, timeout_s: float | None) -> bytes:
        del size_max, timeout_s
        await asyncio.sleep(0.05 if self.left else 3600)
        return self.left.pop()


def test_a_read_takes_no_more_than_was_asked_for_and_one_in_vain_loses_nothing(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        stream = FaultyStream(Once(), Faults(tmp_path / FAULTS_FILE))
        with pytest.raises(ReadTimedOut):
            await stream.read(2, timeout_s=0.01)
        assert await stream.read(2, timeout_s=5) == b"he"
        assert await stream.read(1, timeout_s=5) == b"l"
        assert await stream.read(9, timeout_s=5) == b"lo"
        with pytest.raises(ReadTimedOut):
            await stream.read(9, timeout_s=0.01)
        await stream.close()

    run(main())


def test_clock_and_disk_follow_the_file(tmp_path: Path) -> None:
    path = tmp_path / FAULTS_FILE
    skews: list[int] = []
    fills: list[bool] = []
    faults = Faults(path, skew=skews.append, fill=fills.append)
    path.write_text('{"version": 1, "skew_ms": -3600000}')
    faults.read()
    path.write_text('{"version": 1, "disk_full": true}')
    faults.read()
    faults.read()
    path.unlink()
    faults.read()
    assert (skews, fills) == ([-3600 * 10**9, 0], [True, False])
