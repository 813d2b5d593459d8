"""One cell as a process of its own: its directory, its store, and its gateway.

Start: lock, key, genesis, store; then everything that `node.supervisor` runs. Stop: the gateway
first (nothing new comes in), then the network, then what is under way is finished, then the store
is closed. A cell whose key was given up for another one of its own stops like that, and starts
again as the new one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.door import DoorRules
from gateway.grants import Grants
from gateway.logs import Logs
from gateway.places import Places
from gateway.server import Gateway, Security
from gateway.tls import TlsFiles
from identity.passphrase import Passphrase
from journal import Store
from ledger.epoch_rules import supported
from ledger.genesis import Genesis
from myceld import VERSION
from node.assembly import Setup
from node.cell import RunningCell
from node.clock import wall_ns
from node.faults import faults_of, support_of
from node.founding import read_genesis
from node.home import Home
from node.keyring import KeyRing, open_as_present, reader_of
from node.limits import STOP_TIMEOUT_MS, THREAD_SWITCH_S
from node.parts import Parts
from node.reloading import Reloading
from node.services.nucleus import wall_ms
from node.supervisor import Supervisor
from node.surroundings import Surroundings
from settings import Config

if TYPE_CHECKING:
    from node.tracing import Tracing


class Daemon:
    """One cell. `run` returns after `stop` was called and everything is closed."""

    def __init__(
        self,
        home: Home,
        config: Config,
        tell: Callable[[str], None],
        unlock: Callable[[], Passphrase] | None = None,
        logs: Logs | None = None,
    ) -> None:
        """`tell` gets the lines for the person who started the cell.

        `unlock` gives the passphrase of a key that has one.
        """
        self._home = home
        self.reloading = Reloading(home, config, logs)
        self._tell = tell
        self._unlock = unlock
        self._supervisor: Supervisor | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ask the cell to stop cleanly."""
        self._stopped = True
        if self._supervisor is not None:
            self._supervisor.stop()

    async def run(self) -> None:
        """Run the cell. Raises MyceldError when it can not start or has to stop by itself."""
        sys.setswitchinterval(THREAD_SWITCH_S)
        self._home.check_not_moved()
        with self._home.locked():
            ring = KeyRing.open(self._home.key, self._unlock)
            self._unlock = None
            genesis = read_genesis(self._home.genesis)
            while await self._run_as_present(ring, genesis):
                self._tell("going on with the new key")

    async def _run_as_present(self, ring: KeyRing, genesis: Genesis) -> bool:
        """Run the cell until it stops, or gave its key up: then it is to run again."""
        store, key = await open_as_present(self._home.database, ring)
        try:
            read = reader_of(store)
            ring.settle(key.public_key, read)
            earlier = ring.earlier(key.public_key, read)
            setup = Setup(key, genesis, self.reloading.config, earlier, ring)
            return await self._supervise(setup, store)
        finally:
            await store.close()

    async def _supervise(self, setup: Setup, store: Store) -> bool:
        tracing = _tracing(setup)
        front = _GatewayFront(self._home, self.reloading, self._tell, tracing)
        surroundings = Surroundings(
            self._home.path,
            faults=faults_of(self._home.path, os.environ),
            support=support_of(supported(f"myceld {VERSION}"), os.environ),
        )
        self._supervisor = Supervisor(setup, front, surroundings, self._tell)
        if self._stopped:
            self._supervisor.stop()
        try:
            return await self._supervisor.run(store)
        finally:
            if tracing is not None:
                await asyncio.to_thread(tracing.close)


def _tracing(setup: Setup) -> Tracing | None:
    """Return what tells of transactions, if it is switched on: only then the SDK is loaded."""
    configured = setup.config.tracing
    if not configured.endpoint:
        return None
    from node.tracing import Tracing, exporter_of  # noqa: PLC0415 - few want it

    return Tracing(
        exporter_of(configured.endpoint),
        cell_id=setup.key.cell_id,
        name=setup.config.cell.name,
        network=setup.genesis.name,
        percent=configured.percent,
    )


class _GatewayFront:
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
        self._config = reloading.config
        self._tell = tell
        self._gateway: Gateway | None = None
        self._grants: Grants | None = None
        self._parts: Parts | None = None
        self._url = ""

    async def open(self, cell: RunningCell, parts: Parts) -> None:
        """Serve the cell if nobody does yet, and say that it is ready."""
        cell.reloading = self._reloading
        self._reloading.attach(parts)
        if self._tracing is not None:
            parts.receipts.trace = self._tracing.note
        self._parts = parts
        if self._gateway is None:
            self._grants = Grants.open(self._home.grants, now_ms=wall_ms, random=os.urandom)
            self._gateway = Gateway(
                cell,
                host=self._config.cell.gateway_host,
                port=self._config.cell.gateway_port,
                token=self._home.read_or_make_token(),
                light_token=self._home.read_or_make_light_token(),
                security=self._security(self._grants),
            )
            self._url = await self._gateway.start()
        parts.gateway_url = self._url
        _leave_out_what_stays()
        self._announce(parts)

    async def close(self) -> None:
        """Let nobody in any more; safe to repeat."""
        self._home.run_file.unlink(missing_ok=True)
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            async with asyncio.timeout(STOP_TIMEOUT_MS / 1000):
                await gateway.stop()
        grants, self._grants = self._grants, None
        if grants is not None:
            await grants.close()

    def _security(self, grants: Grants) -> Security:
        set_ = self._config.gateway
        tls = None
        if set_.tls_certificate or set_.tls_key:
            tls = TlsFiles(self._home.path / set_.tls_certificate, self._home.path / set_.tls_key)
        return Security(
            grants,
            DoorRules(
                Places(set_.hosts, set_.origins, set_.proxies),
                rate_open=set_.rate_open,
                rate_token=set_.rate_token,
            ),
            self._trusts if set_.trusted_cells else None,
            tls,
            insecure=set_.insecure_public_gateway_without_tls,
        )

    def _trusts(self, public_key: bytes, request: str) -> bool:
        parts = self._parts
        return parts is not None and parts.access.allows_signed(request, public_key)

    def _announce(self, parts: Parts) -> None:
        addresses = list(parts.peers.host.addresses)
        certificate = self._config.gateway.tls_certificate
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


def _leave_out_what_stays() -> None:
    """Take what a start made out of the garbage collector's rounds.

    Most of it stays, and the upper nodes of a large state are many: each full round would hold the
    event loop for 0.2 s a million keys. What a cell before a jump left behind is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
