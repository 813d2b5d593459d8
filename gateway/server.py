"""The gateway as the daemon runs it: one HTTP server on loopback, in the daemon's own loop.

Installs no signal handlers, starts no task of its own and does nothing while nobody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import time_ns

from core.errors import MyceldError
from gateway.callers import Callers, Trusts
from gateway.cell import Cell
from gateway.door import Door, DoorRules
from gateway.grants import Grants
from gateway.listener import Listener
from gateway.routes import Routes
from gateway.service_routes import note_turned_away
from gateway.static_files import ExplorerFiles
from gateway.tls import Tls, TlsFiles


@dataclass(frozen=True, slots=True)
class Security:
    """What the owner of a cell can set about who gets in."""

    grants: Grants | None = None
    """Tokens and keys of others; None: only the owner gets in."""
    rules: DoorRules = field(default_factory=DoorRules)
    trusts: Trusts | None = None
    """Whether other cells may ask some of it by being trusted; None: they may not."""
    tls: TlsFiles | None = None
    insecure: bool = False
    """Whether it may listen on a public address without TLS."""


class Gateway(Listener):
    """Serves `cell` over HTTP between `start` and `stop`.

    `port` 0 means any free one. `token` is the owner's, `light_token` one that opens only what
    hyphae ask; only their hashes are kept. `security` is what the owner can set. `statuses` adds
    HTTP statuses of error classes that packages above or beside the gateway declare.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str,
        light_token: str | None = None,
        security: Security | None = None,
        statuses: Mapping[type[MyceldError], int] | None = None,
        now_ns: Callable[[], int] = time_ns,
    ) -> None:
        security = security or Security()
        routes = Routes(cell, statuses=statuses, now_ns=now_ns, grants=security.grants)
        callers = Callers(
            token,
            light_token,
            security.grants,
            who_we_are=partial(_who_we_are, cell),
            trusts=security.trusts,
            now_ms=lambda: now_ns() // 1_000_000,
        )
        self._callers, self._now_ns = callers, now_ns
        self._guard = door = Door(
            ExplorerFiles(routes.app),
            callers,
            turned_away=partial(note_turned_away, cell),
            rules=security.rules,
            now_ms=lambda: now_ns() // 1_000_000,
        )
        if security.grants is not None:
            security.grants.on_end = door.end_grant
        self._pair = None if security.tls is None else Tls(security.tls, now_ns() / 1e9)
        self.streams = routes.streams
        super().__init__(
            door,
            routes.stop_waiting,
            host=host,
            port=port,
            tls=self._pair,
            insecure=security.insecure,
        )

    def renewed_tls(self) -> Tls | None:
        """Return what serves with the files of TLS if they were renewed; raises BadCertificate."""
        return None if self._pair is None else self._pair.renewed(self._now_ns() / 1e9)

    def take(self, rules: DoorRules, trusts: Trusts | None, tls: Tls | None) -> None:
        """Go by other rules from the next request on; with `tls` serve with what was renewed."""
        self._guard.rules, self._callers.trusts = rules, trusts
        if self._pair is not None and tls is not None:
            self._pair.take(tls)


def _who_we_are(cell: Cell) -> tuple[bytes, str]:
    status = cell.status()
    return bytes.fromhex(status.network_id), status.cell_id
