"""One hypha as a process: its directory, its gateways, and its own gateway on loopback.

Start: lock, genesis, the newest head (checked again), key; then the gateway, and a task for each
gateway that is followed. The token of a gateway is read once, here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from core.errors import MyceldError
from gateway.callers import Callers
from gateway.door import Door
from gateway.listener import Listener
from hypha.cell import HyphaCell
from hypha.config import addresses_in
from hypha.errors import BadGateway, HeadUnreadable
from hypha.gateway_address import GatewayAddress
from hypha.handing import HandingOn
from hypha.heads import Heads
from hypha.home import HyphaHome
from hypha.limits import STOP_TIMEOUT_S
from hypha.line import Line
from hypha.network import Network
from hypha.routes import HyphaRoutes
from identity.keys import KeyPair
from myceld import VERSION
from settings import HyphaConfig


class HyphaDaemon:
    """One hypha. `run` returns after `stop` was called and everything is closed."""

    def __init__(
        self, home: HyphaHome, config: HyphaConfig, key: KeyPair, tell: Callable[[str], None]
    ) -> None:
        """`tell` gets the lines for the person who started it."""
        self._home = home
        self._config = config
        self._key = key
        self._tell = tell
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Ask it to stop cleanly."""
        self._stopped.set()

    async def run(self) -> None:
        """Run the hypha; raises MyceldError when it can not start, or has to stop by itself."""
        with self._home.locked():
            heads = open_heads(self._home)
            lines = open_lines(self._home, self._config)
            network = Network(self._home, heads, lines)
            handing = HandingOn(network, self._home, self._key)
            cell = HyphaCell(
                network,
                handing,
                cell_id=self._key.cell_id,
                name=self._config.name,
                stale_after_s=self._config.stale_after_s,
            )
            try:
                await self._serve(cell)
            finally:
                network.close()

    async def _serve(self, cell: HyphaCell) -> None:
        routes = HyphaRoutes(cell)
        token = self._home.read_or_make_token()
        callers = Callers(token, now_ms=_now_ms)
        door = Door(routes.app, callers, turned_away=_ignore, now_ms=_now_ms)
        listener = Listener(
            door, routes.stop_waiting, host="127.0.0.1", port=self._config.gateway_port
        )
        cell.url = await listener.start()
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(cell.network.follow())
                self._announce(cell)
                await self._stopped.wait()
                following.cancel()
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from errors
        finally:
            self._home.run_file.unlink(missing_ok=True)
            with contextlib.suppress(TimeoutError):  # nothing is lost by what is not answered
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await listener.stop()

    def _announce(self, cell: HyphaCell) -> None:
        genesis = cell.network.heads.genesis
        self._home.write_run_file(
            {
                "pid": os.getpid(),
                "url": cell.url,
                "cell_id": self._key.cell_id,
                "addresses": [],
                "started_ns": time.time_ns(),
            }
        )
        self._tell(f"myceld {VERSION}")
        self._tell(f"hypha     {self._key.cell_id}")
        self._tell(f"network   {genesis.name} {genesis.network_id.hex()}")
        self._tell(f"head      {cell.network.heads.round}")
        self._tell(f"gateway   {cell.url}")
        self._tell("ready")


def open_heads(home: HyphaHome) -> Heads:
    """Return what is believed in a directory, checked again; raises HeadUnreadable, BadGenesis."""
    heads = Heads(home.read_genesis())
    proof = home.read_head()
    if proof is None:
        return heads
    try:
        taken = heads.consider(proof)
    except MyceldError as error:
        raise HeadUnreadable(f"{home.head}: {error.detail}") from error
    if taken.news is not None:
        heads.adopt(taken.news)
    return heads


def open_lines(home: HyphaHome, config: HyphaConfig) -> list[Line]:
    """Return lines to the configured gateways; raises TokenFileUnusable, BadGateway."""
    system: ssl.SSLContext | None = None
    lines = []
    for address in addresses_in(config):
        trust = None
        if address.is_secure and address.ca_file:
            trust = _trust(home.path, address)
        elif address.is_secure:
            system = system or ssl.create_default_context()
            trust = system
        lines.append(Line(address, address.read_token(home.path), trust))
    return lines


def _trust(home: Path, address: GatewayAddress) -> ssl.SSLContext:
    path = home / Path(address.ca_file).expanduser()
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise BadGateway(f"{path}: not certificates that can be read") from error


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ended the tasks."""
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _ignore(_actor: str, _action: str, _error: MyceldError) -> None:
    """Requests without a token leave no trace: a hypha has no audit journal."""
