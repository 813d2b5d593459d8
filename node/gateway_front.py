"""The HTTP gateway of a cell, as its daemon opens, changes and closes it."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from gateway.callers import Trusts
from gateway.door import DoorRules
from gateway.grants import Grants
from gateway.places import Places
from gateway.server import Gateway, Security
from gateway.tls import Tls, TlsFiles
from myceld import VERSION
from node.cell import RunningCell
from node.clock import wall_ns
from node.home import Home
from node.limits import STOP_TIMEOUT_MS
from node.parts import Parts
from node.reloading import Reloading
from node.services.nucleus import wall_ms
from settings import GatewayConfig

if TYPE_CHECKING:
    from node.tracing import Tracing

_LOG = structlog.get_logger("gateway")


class GatewayFront:
    """The HTTP gateway, and the file that says where it is."""

    def __init__(
        self,
        home: Home,
        reloading: Reloading,
        tell: Callable[[str], None],
        tracing: Tracing | None,
    ) -> None:
        self._tracing = tracing
        self._home = home
        self._reloading = reloading
        self._tell = tell
        self._gateway: Gateway | None = None
        self._grants: Grants | None = None
        self._parts: Parts | None = None
        self._url = ""

    async def open(self, cell: RunningCell, parts: Parts) -> None:
        """Serve the cell if nobody does yet, and say that it is ready."""
        cell.reloading = self._reloading
        self._reloading.attach(parts, self)
        if self._tracing is not None:
            parts.receipts.trace = self._tracing.note
        self._parts = parts
        if self._gateway is None:
            self._grants = Grants.open(self._home.grants, now_ms=wall_ms, random=os.urandom)
            told = self._reloading.config.cell
            self._gateway = Gateway(
                cell,
                host=told.gateway_host,
                port=told.gateway_port,
                token=self._home.read_or_make_token(),
                light_token=self._home.read_or_make_light_token(),
                security=self._security(self._reloading.config.gateway, self._grants),
            )
            self._url = await self._gateway.start()
        parts.gateway_url, parts.comings = self._url, self._gateway.comings
        _leave_out_what_stays()
        self._announce(parts)

    async def close(self) -> None:
        """Let nobody in any more; safe to repeat."""
        self._home.run_file.unlink(missing_ok=True)
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            try:
                async with asyncio.timeout(STOP_TIMEOUT_MS / 1000):
                    await gateway.stop()
            except TimeoutError:  # nothing is lost by what is not answered
                _LOG.warning("the gateway did not stop in time")
        grants, self._grants = self._grants, None
        if grants is not None:
            await grants.close()

    def renewed_tls(self) -> Tls | None:
        """See `node.reloading.Front`."""
        return None if self._gateway is None else self._gateway.renewed_tls()

    def take(self, config: GatewayConfig, tls: Tls | None) -> None:
        """See `node.reloading.Front`."""
        if self._gateway is not None:
            self._gateway.take(_rules(config), self._trust(config), tls)

    def _security(self, set_: GatewayConfig, grants: Grants) -> Security:
        tls = None
        if set_.tls_certificate or set_.tls_key:
            tls = TlsFiles(self._home.path / set_.tls_certificate, self._home.path / set_.tls_key)
        return Security(
            grants,
            _rules(set_),
            self._trust(set_),
            tls,
            insecure=set_.insecure_public_gateway_without_tls,
        )

    def _trust(self, set_: GatewayConfig) -> Trusts | None:
        return self._trusts if set_.trusted_cells else None

    def _trusts(self, public_key: bytes, request: str) -> bool:
        parts = self._parts
        return parts is not None and parts.access.allows_signed(request, public_key)

    def _announce(self, parts: Parts) -> None:
        addresses = list(parts.peers.host.addresses)
        certificate = self._reloading.config.gateway.tls_certificate
        self._home.write_run_file(
            {
                "pid": os.getpid(),
                "url": parts.gateway_url,
                "cell_id": parts.cell_id,
                "addresses": addresses,
                "started_ns": wall_ns(),
                "certificate": str(self._home.path / certificate) if certificate else "",
            }
        )
        self._tell(f"myceld {VERSION}")
        self._tell(f"cell      {parts.cell_id}")
        self._tell(f"network   {parts.genesis.name} {parts.genesis.network_id.hex()}")
        for address in addresses:
            self._tell(f"address   {address}")
        self._tell(f"gateway   {parts.gateway_url}")
        self._tell("ready")


def _rules(set_: GatewayConfig) -> DoorRules:
    return DoorRules(
        Places(set_.hosts, set_.origins, set_.proxies),
        rate_open=set_.rate_open,
        rate_token=set_.rate_token,
    )


def _leave_out_what_stays() -> None:
    """Take what a start made out of the garbage collector's rounds.

    Most of it stays, and the upper nodes of a large state are many: each full round would hold the
    event loop for 0.2 s a million keys. What a cell before a jump left behind is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
