"""Seeds: spore files that somebody put on this disk or on a web server; read, never written.

An operator who configures a seed trusts it to name cells, and nothing more: each of them has
signed where it listens, and proves its key when it is dialled.
"""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Final

import structlog

from core.errors import MyceldError
from gossip.discovery.spore import NetworkIdentity, Spore, Variant
from gossip.discovery.spore_file import from_json
from node.discovery.finders import SEED, Findings
from node.discovery.limits import SEED_READ_TIMEOUT_S, SEED_SIZE_BYTES_MAX, SEED_TIMEOUT_S
from node.discovery.locations import check_location
from node.errors import SeedRefused, SeedUnreachable

_LOG = structlog.get_logger("seeds")
_READ_SIZE_BYTES: Final = 65536


class SeedFinder:
    """Reads all configured seeds, each with its own deadline; one that fails hides no other."""

    name = SEED

    def __init__(self, locations: Sequence[str], network: NetworkIdentity, home: Path) -> None:
        """`home` is what paths are relative to."""
        self._locations = tuple(locations)
        self._network = network
        self._home = home

    async def find(self) -> Findings:
        """Return the spores of the seeds that could be read."""
        found = await asyncio.gather(*(self._read(location) for location in self._locations))
        return Findings(spores=[spore for spore in found if spore is not None])

    async def announce(self, addresses: Sequence[str]) -> None:
        """Do nothing: seeds are read only."""

    async def close(self) -> None:
        """Do nothing: a download that is under way ends at its deadline."""

    async def _read(self, location: str) -> Spore | None:
        try:
            spore = from_json(await read_seed(location, self._home), self._network)
            if spore.variant is Variant.LATENT:
                raise SeedRefused(f"{location} holds a spore that is for peers only")
        except MyceldError as error:
            _LOG.warning("seed not used", seed=location, reason=str(error))
            return None
        return spore


async def read_seed(location: str, home: Path) -> bytes:
    """Return the bytes of one seed; raises SeedUnreachable, SeedRefused."""
    check_location(location)
    read = _download if "://" in location else _read_file
    try:
        async with asyncio.timeout(SEED_TIMEOUT_S):
            return await asyncio.to_thread(read, location, home)
    except TimeoutError as error:
        raise SeedUnreachable(f"{location}: not read in {SEED_TIMEOUT_S:g} s") from error


def _read_file(location: str, home: Path) -> bytes:
    try:
        with (home / Path(location).expanduser()).open("rb") as file:
            return _bounded(file.read(SEED_SIZE_BYTES_MAX + 1), location)
    except OSError as error:
        raise SeedUnreachable(f"{location}: {error.strerror}") from error


class _SameRules(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to where a seed may be."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Check the new location first."""
        try:
            check_location(newurl)
        except SeedRefused:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(location: str, _home: Path) -> bytes:
    """Read a URL; TLS certificates are checked as the standard library does by default.

    Runs on a thread: its own deadline ends it even when nobody waits any more.
    """
    opener = urllib.request.build_opener(_SameRules)
    deadline = time.monotonic() + SEED_TIMEOUT_S
    data = bytearray()
    try:
        with opener.open(location, timeout=SEED_READ_TIMEOUT_S) as answer:
            while piece := answer.read1(_READ_SIZE_BYTES):
                data += piece
                if len(data) > SEED_SIZE_BYTES_MAX or time.monotonic() > deadline:
                    break
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise SeedUnreachable(f"{location}: {error}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise SeedUnreachable(f"{location}: {error}") from error
    if time.monotonic() > deadline:
        raise SeedUnreachable(f"{location}: not read in {SEED_TIMEOUT_S:g} s")
    return _bounded(bytes(data), location)


def _bounded(data: bytes, location: str) -> bytes:
    if len(data) > SEED_SIZE_BYTES_MAX:
        raise SeedRefused(f"{location} has more than {SEED_SIZE_BYTES_MAX} bytes")
    return data
