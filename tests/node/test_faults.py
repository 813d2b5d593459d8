"""Links are cut only when asked for, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.ids import CellId
from gossip.host import DialFailed, ReadTimedOut, WriteTimedOut
from node.faults import FAULTS_FILE, FAULTS_VARIABLE, FaultyStream, LinkFaults, faults_of

PEER, OTHER = CellId("peer"), CellId("other")


class Pipe:
    """A stream that always has bytes, and takes all."""

    cell_id = PEER
    initiator = True
    remote_address: str | None = None

    def __init__(self) -> None:
        self.written = b""

    async def read(self, size_max: int, *, timeout_s: float) -> bytes:
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
    assert not asyncio.run(faults.healed(PEER, 0.01))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version":2,"cut":[]}', '{"version":1,"cut":[1]}', "[" * 9999]
)
def test_a_file_that_is_not_understood_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / FAULTS_FILE
    path.write_text(json.dumps({"version": 1, "cut": [PEER]}))
    faults = LinkFaults(path)
    faults.read()
    path.write_text(text)
    faults.read()
    assert not asyncio.run(faults.healed(PEER, 0.01))
    path.unlink()
    faults.read()
    assert asyncio.run(faults.healed(PEER, 0.01))


def test_a_cut_link_carries_nothing_and_what_was_under_way_arrives_once_it_heals(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        faults, pipe = LinkFaults(tmp_path / FAULTS_FILE), Pipe()
        stream = FaultyStream(pipe, faults)
        assert await stream.read(3, timeout_s=1) == b"xxx"
        faults.cut(frozenset({PEER}))
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
        faults.cut(frozenset({OTHER}))
        await writing
        assert pipe.written == b"late"

    asyncio.run(main())
