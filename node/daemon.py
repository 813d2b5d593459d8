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

from gateway.logs import Logs
from identity.passphrase import Passphrase
from journal import Store
from ledger.epoch_rules import supported
from ledger.genesis import Genesis
from myceld import VERSION
from node.assembly import Setup
from node.faults import faults_of, support_of
from node.founding import read_genesis
from node.gateway_front import GatewayFront
from node.home import Home
from node.keyring import KeyRing, open_as_present, reader_of
from node.limits import COLLECTOR_YOUNG_MAX, THREAD_SWITCH_S
from node.reloading import Reloading
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
        gc.set_threshold(COLLECTOR_YOUNG_MAX)
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
            setup = Setup(key, genesis, lambda: self.reloading.config, earlier, ring)
            return await self._supervise(setup, store)
        finally:
            await store.close()

    async def _supervise(self, setup: Setup, store: Store) -> bool:
        tracing = _tracing(setup)
        front = GatewayFront(self._home, self.reloading, self._tell, tracing)
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
