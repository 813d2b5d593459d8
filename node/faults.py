"""Cuts links between cells on purpose, for tests of partitions. Off unless MYCELD_FAULTS is 1.

Then the cell reads `faults.json` in its own directory, which only its owner can write:
`{"version": 1, "cut": ["CELL_ID", …]}`. A cut link does what a network does that drops packets:
nothing arrives and nothing leaves, dials get no answer, sessions end when their patience does; what
was under way arrives if the link heals before that. Both ends have to be told. It cuts the gossip
between cells; other protocols of the host (journals, tickets) are left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from core.ids import CellId
from core.json_text import NotJson, parse_json
from gossip.host import DialFailed, ReadTimedOut, WriteTimedOut
from node.limits import FAULTS_FILE_SIZE_BYTES_MAX, FAULTS_INTERVAL_S
from node.session import SessionStream

FAULTS_VARIABLE: Final = "MYCELD_FAULTS"
FAULTS_FILE: Final = "faults.json"

_VERSION: Final = 1
_LOG = structlog.get_logger("faults")


class LinkFaults:
    """Which links of this cell are cut now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cut: frozenset[str] = frozenset()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            self.read()
            await asyncio.sleep(FAULTS_INTERVAL_S)

    def read(self) -> None:
        """Read the file once; without one nothing is cut, and a bad one changes nothing."""
        try:
            with self._path.open("rb") as file:
                data = file.read(FAULTS_FILE_SIZE_BYTES_MAX + 1)
        except FileNotFoundError:
            self.cut(frozenset())
            return
        except OSError as error:
            _LOG.warning("faults not readable", reason=str(error))
            return
        cells = _parse(data)
        if cells is None:
            _LOG.warning("faults not understood", file=str(self._path))
        else:
            self.cut(cells)

    def cut(self, cells: frozenset[str]) -> None:
        """Cut the links to these cells, and heal all others."""
        if cells == self._cut:
            return
        _LOG.warning("links cut", cells=sorted(cells))
        self._cut = cells
        self._changed.set()
        self._changed = asyncio.Event()

    async def healed(self, cell_id: CellId, timeout_s: float) -> bool:
        """Wait until a link is not cut; False when it still is after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while cell_id in self._cut:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def before_dial(self, cell_id: CellId, timeout_s: float) -> None:
        """Hold a dial up as a cut link does; raises DialFailed."""
        if not await self.healed(cell_id, timeout_s):
            raise DialFailed(f"{cell_id}: the link is cut")


class FaultyStream:
    """A stream to a peer whose link may be cut; the same methods as `PeerStream` has."""

    def __init__(self, stream: SessionStream, faults: LinkFaults) -> None:
        self.cell_id = stream.cell_id
        self.initiator = stream.initiator
        self.remote_address = stream.remote_address
        self._stream = stream
        self._faults = faults

    async def read(self, size_max: int, *, timeout_s: float) -> bytes:
        """Return what arrived, once the link is whole; raises ReadTimedOut, and as PeerStream."""
        data = await self._stream.read(size_max, timeout_s=timeout_s)
        if not await self._faults.healed(self.cell_id, timeout_s):
            raise ReadTimedOut(f"nothing from {self.cell_id} in {timeout_s} s")
        return data

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Write once the link is whole; raises WriteTimedOut, and as PeerStream does."""
        if not await self._faults.healed(self.cell_id, timeout_s):
            raise WriteTimedOut(f"{self.cell_id} took no data for {timeout_s} s")
        await self._stream.write(data, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the stream."""
        await self._stream.close()


def faults_of(directory: Path, environment: Mapping[str, str]) -> LinkFaults | None:
    """Return the faults of a cell, None unless they were asked for."""
    if environment.get(FAULTS_VARIABLE) != "1":
        return None
    faults = LinkFaults(directory / FAULTS_FILE)
    faults.read()
    return faults


def _parse(data: bytes) -> frozenset[str] | None:
    """Return the cells in the file's bytes; None for anything else."""
    if len(data) > FAULTS_FILE_SIZE_BYTES_MAX:
        return None
    try:
        content: Any = parse_json(data)
    except NotJson:
        return None
    cells = content.get("cut") if isinstance(content, dict) else None
    if not isinstance(cells, list) or content.get("version") != _VERSION:
        return None
    return frozenset(cells) if all(isinstance(cell, str) for cell in cells) else None
