"""Faults of a cell's surroundings, on purpose, for tests. Off unless MYCELD_FAULTS is 1.

Then the cell reads `faults.json` in its own directory, which only its owner can write:

    {"version": 1, "cut": ["CELL_ID", …], "deaf": […], "mute": […], "delay_ms": {"CELL_ID": 80},
     "skew_ms": -3600000, "disk_full": false, "misjudge": false, "miscount": false}

Every key but the version may be left out. A cut link does what a network does that drops packets:
nothing arrives and nothing leaves, dials get no answer, sessions end when their patience does; what
was under way arrives if the link heals before that. `deaf` cuts what comes from a cell only, `mute`
what goes to it. Both ends have to be told. All streams between cells of a network are cut or slow:
gossip, messages, contents, journals and the rest; only those of a newcomer that joins are not.
A cell that misjudges takes every signature of a transaction that another cell took in for wrong, so
it computes another state; one that miscounts, that none of the members took part in a round, which
no transaction is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import structlog

from core.errors import MyceldError
from core.ids import CellId
from core.json_text import NotJson, parse_json
from gossip.host import DialFailed, PeerStream, ReadTimedOut, WriteTimedOut
from gossip.host.limits import READ_CHUNK_BYTES
from ledger.epoch_rules import Support
from node.clock import skew_by
from node.failpoints import fill_disk
from node.limits import (
    FAULTS_DELAY_MS_MAX,
    FAULTS_FILE_SIZE_BYTES_MAX,
    FAULTS_HELD_MAX,
    FAULTS_INTERVAL_S,
    FAULTS_SKEW_MS_MAX,
)

FAULTS_VARIABLE: Final = "MYCELD_FAULTS"
FAULTS_FILE: Final = "faults.json"
RULE_SETS_VARIABLE: Final = "MYCELD_FAULTS_RULE_SETS"
"""With MYCELD_FAULTS: the rule sets that this build is to know, such as `1,2`, as another one."""

_VERSION: Final = 1
_LOG = structlog.get_logger("faults")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong around a cell; nothing, unless told. Cells are named by their ids."""

    cut: frozenset[str] = frozenset()
    deaf: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()
    delay_ms: Mapping[str, int] = field(default_factory=dict)
    skew_ms: int = 0
    disk_full: bool = False
    misjudge: bool = False
    miscount: bool = False


class Faults:
    """What is wrong around this cell now."""

    def __init__(
        self,
        path: Path,
        *,
        skew: Callable[[int], None] = skew_by,
        fill: Callable[[bool], None] = lambda full: fill_disk(full=full),
    ) -> None:
        """`skew` puts the clock wrong by so many ns, `fill` makes the disk full or not."""
        self._path = path
        self._skew = skew
        self._fill = fill
        self._now = Fault()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            self.read()
            await asyncio.sleep(FAULTS_INTERVAL_S)

    def read(self) -> None:
        """Read the file once; without one nothing is wrong, and a bad one changes nothing."""
        try:
            with self._path.open("rb") as file:
                data = file.read(FAULTS_FILE_SIZE_BYTES_MAX + 1)
        except FileNotFoundError:
            self.have(Fault())
            return
        except OSError as error:
            _LOG.warning("faults not readable", reason=str(error))
            return
        fault = _parse(data)
        if fault is None:
            _LOG.warning("faults not understood", file=str(self._path))
        else:
            self.have(fault)

    def have(self, fault: Fault) -> None:
        """Have these faults, and no others."""
        if fault == self._now:
            return
        before, self._now = self._now, fault
        wrong = {f.name: _shown(getattr(fault, f.name)) for f in fields(fault)}
        wrong = {name: value for name, value in wrong.items() if value}
        _LOG.warning("faults" if wrong else "no faults", **wrong)
        if fault.skew_ms != before.skew_ms:
            self._skew(fault.skew_ms * 1_000_000)
        if fault.disk_full != before.disk_full:
            self._fill(fault.disk_full)
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def misjudges(self) -> bool:
        """Whether good signatures are to be taken for wrong when a round is applied."""
        return self._now.misjudge

    @property
    def miscounts(self) -> bool:
        """Whether a round is to be applied as if nobody had taken part in it."""
        return self._now.miscount

    def delay_s(self, cell_id: CellId) -> float:
        """Return how long what comes from a cell takes more than by itself."""
        return self._now.delay_ms.get(cell_id, 0) / 1000

    async def hears(self, cell_id: CellId, timeout_s: float | None) -> bool:
        """Wait until what a cell sends arrives; False when it still does not after the time."""
        return await self._whole(lambda now: cell_id in now.cut | now.deaf, timeout_s)

    async def reaches(self, cell_id: CellId, timeout_s: float) -> bool:
        """Wait until a cell can be sent to; False when it still can not after the time."""
        return await self._whole(lambda now: cell_id in now.cut | now.mute, timeout_s)

    async def before_dial(self, cell_id: CellId, timeout_s: float) -> None:
        """Hold a dial up as a cut link does; raises DialFailed."""
        if not await self._whole(lambda now: cell_id in now.cut | now.deaf | now.mute, timeout_s):
            raise DialFailed(f"{cell_id}: the link is cut")

    async def _whole(self, is_cut: Callable[[Fault], bool], timeout_s: float | None) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while is_cut(self._now):
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


class FaultyStream(PeerStream):
    """A stream to a peer whose link may be cut or slow; in all that is public a `PeerStream`.

    A task reads ahead, so that a delay is one and not a rate; how far is bounded. Whoever makes one
    closes it, or calls `release`.
    """

    def __init__(self, stream: PeerStream, faults: Faults) -> None:
        # Not the base's: the port below is the other stream's.
        self.cell_id = stream.cell_id
        self.protocol = stream.protocol
        self.initiator = stream.initiator
        self.remote_address = stream.remote_address
        self.binding = stream.binding
        self.peer_key = stream.peer_key
        self._stream = stream
        self._faults = faults
        self._held: asyncio.Queue[tuple[float, bytes | MyceldError]] = asyncio.Queue(
            FAULTS_HELD_MAX
        )
        self._next: tuple[float, bytes | MyceldError] | None = None
        """What is read next: the end of the stream, or why it ended, for good."""
        self._reading: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """See `PeerStream`."""
        return self._stream.closed

    async def read(self, size_max: int = READ_CHUNK_BYTES, *, timeout_s: float | None) -> bytes:
        """Return what arrived, once the link is whole; raises ReadTimedOut, and as PeerStream."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_ahead(), name="read-ahead")
        try:
            async with asyncio.timeout(timeout_s):
                if self._next is None:
                    self._next = await self._held.get()
        except TimeoutError as error:
            raise ReadTimedOut(f"nothing from {self.cell_id} in {timeout_s} s") from error
        came_s, data = self._next
        delay_s = came_s + self._faults.delay_s(self.cell_id) - _now_s()
        await asyncio.sleep(max(0.0, delay_s))
        if not await self._faults.hears(self.cell_id, timeout_s):
            raise ReadTimedOut(f"nothing from {self.cell_id} in {timeout_s} s")
        if isinstance(data, MyceldError):
            raise data
        if len(data) > size_max:
            self._next = came_s, data[size_max:]
        elif data:
            self._next = None
        return data[:size_max]

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Write once the link is whole; raises WriteTimedOut, and as PeerStream does."""
        if not await self._faults.reaches(self.cell_id, timeout_s):
            raise WriteTimedOut(f"{self.cell_id} took no data for {timeout_s} s")
        await self._stream.write(data, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the stream."""
        await self.release()
        await self._stream.close()

    async def abort(self) -> None:
        """Drop the connection."""
        await self.release()
        await self._stream.abort()

    async def release(self) -> None:
        """Read ahead no more; the stream below is whoever's it was."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read_ahead(self) -> None:
        """Read until the stream ends or fails; that comes through like what was read."""
        item: bytes | MyceldError = b"-"
        while item and not isinstance(item, MyceldError):
            try:
                item = await self._stream.read(READ_CHUNK_BYTES, timeout_s=None)
            except MyceldError as error:
                item = error
            await self._held.put((_now_s(), item))


def faults_of(directory: Path, environment: Mapping[str, str]) -> Faults | None:
    """Return the faults of a cell, None unless they were asked for."""
    if environment.get(FAULTS_VARIABLE) != "1":
        return None
    faults = Faults(directory / FAULTS_FILE)
    faults.read()
    return faults


def support_of(support: Support, environment: Mapping[str, str]) -> Support:
    """Return what a build is to know: what it does know, unless a test says otherwise."""
    text = environment.get(RULE_SETS_VARIABLE, "")
    if environment.get(FAULTS_VARIABLE) != "1" or not text:
        return support
    return replace(support, rule_sets=tuple(sorted(int(number) for number in text.split(","))))


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _shown(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _parse(data: bytes) -> Fault | None:
    """Return the faults in the file's bytes; None for anything else."""
    if len(data) > FAULTS_FILE_SIZE_BYTES_MAX:
        return None
    try:
        content: Any = parse_json(data)
    except NotJson:
        return None
    if not isinstance(content, dict) or content.pop("version", None) != _VERSION:
        return None
    if not all(key in _PARSERS for key in content):
        return None
    values = {key: _PARSERS[key](value) for key, value in content.items()}
    return None if None in values.values() else Fault(**values)


def _cells(value: object) -> frozenset[str] | None:
    if isinstance(value, list) and all(isinstance(cell, str) for cell in value):
        return frozenset(value)
    return None


def _delays(value: object) -> dict[str, int] | None:
    if isinstance(value, dict) and all(
        type(delay) is int and 0 <= delay <= FAULTS_DELAY_MS_MAX for delay in value.values()
    ):
        return value
    return None


def _skew(value: object) -> int | None:
    is_skew = type(value) is int and abs(value) <= FAULTS_SKEW_MS_MAX
    return value if is_skew else None  # type: ignore[return-value]  # an int, see above


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_PARSERS: Final[dict[str, Callable[[object], Any]]] = {
    "cut": _cells,
    "deaf": _cells,
    "mute": _cells,
    "delay_ms": _delays,
    "skew_ms": _skew,
    "disk_full": _flag,
    "misjudge": _flag,
    "miscount": _flag,
}
