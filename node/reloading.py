"""Taking over a changed configuration while the cell runs.

The files are read again and checked as at a start; a mistake changes nothing. What a running cell
can take over it takes over, all at once; what needs a restart is named, and stays as it was.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from core.errors import MyceldError
from gateway.logs import Logs
from gateway.tls import Tls
from journal.errors import PenVoid
from ledger.spore_authority import network_identity
from node.discovery.setup import seed_finders
from node.home import Home
from node.parts import Parts
from settings import Config, GatewayConfig, Reading, commands_of, inspect, metadata_of
from settings.showing import Shown, changes_between, shown_values

_LOG = structlog.get_logger("cell")
_MIB: Final = 1 << 20
_CERTIFICATE: Final = "gateway.tls_certificate"


class Front(Protocol):
    """The gateway, as far as a changed configuration is about it."""

    def renewed_tls(self) -> Tls | None:
        """Return what serves with renewed files of TLS, if they are; raises BadCertificate."""
        ...

    def take(self, config: GatewayConfig, tls: Tls | None) -> None:
        """Go by these values, and with `tls` by what was renewed."""
        ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a changed configuration: names of keys, and of a file that was renewed."""

    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloading:
    """Owner of the configuration of a running cell."""

    def __init__(self, home: Home, config: Config, logs: Logs | None = None) -> None:
        """`config` was read from the directory with this process's environment."""
        self._home = home
        self._logs = logs
        self._parts: Parts | None = None
        self._front: Front | None = None
        self._lock = asyncio.Lock()
        self._found = {name: dict(keys) for name, keys in self._read().found.items()}
        self._waiting: tuple[str, ...] = ()
        self.config = config
        """What is in force."""

    @property
    def logs(self) -> Logs | None:
        """Return where the process logs."""
        return self._logs

    def attach(self, parts: Parts, front: Front) -> None:
        """Go on with these parts, which may be new ones after a jump."""
        self._parts, self._front = parts, front
        self._apply(_APPLIERS)

    async def reload(self) -> Reloaded:
        """Read the configuration again and take it over.

        Raises BadConfig or BadCertificate, and changes nothing then.
        """
        async with self._lock:
            return await self._reload()

    async def _reload(self) -> Reloaded:
        reading = self._read()
        new = reading.must()
        tls = None if self._front is None else self._front.renewed_tls()
        changes = changes_between(self.config, new)
        applied = [one.place for one in changes if one.place.key.reload]
        waiting = [one.place for one in changes if not one.place.key.reload]
        config = self.config
        for place in applied:
            config = place.put(config, place.of(new))
            self._found[place.section].pop(place.name, None)
            if place.name in reading.found[place.section]:
                self._found[place.section][place.name] = reading.found[place.section][place.name]
        self.config = config
        sections = {place.section for place in applied}
        self._apply({name: how for name, how in _APPLIERS.items() if name in sections})
        if self._logs is not None and "logging" in sections:
            self._logs.configure(config.logging)
        if self._front is not None:
            self._front.take(config.gateway, tls)
        if self._parts is not None:
            await _describe(self._parts, config)
        renewed = [] if tls is None else [_CERTIFICATE]
        self._waiting = tuple(map(str, waiting))
        told = Reloaded((*map(str, applied), *renewed), self._waiting)
        _LOG.info("configuration read again", applied=told.applied, waiting=told.needs_restart)
        if self._parts is not None:
            self._parts.audit.local("config.reload", ", ".join(told.applied)[:160])
        return told

    def shown(self) -> tuple[list[Shown], tuple[str, ...]]:
        """Return all keys with what is in force, and those that wait for a restart."""
        return [*shown_values(Reading(self.config, self._found))], self._waiting

    async def hang_up(self) -> None:
        """Do the same for SIGHUP: nobody is there to be told of a mistake but the log."""
        try:
            await self.reload()
        except MyceldError as error:
            _LOG.error("the configuration stays as it was", reason=str(error))
            if self._parts is not None:
                self._parts.audit.local("config.refused", reason=type(error).__name__)

    def _read(self) -> Reading[Config]:
        return inspect(self._home.config, os.environ, Config)

    def _apply(self, appliers: Mapping[str, Callable[[Parts, Config], None]]) -> None:
        if self._parts is not None:
            for apply in appliers.values():
                apply(self._parts, self.config)


async def _describe(parts: Parts, config: Config) -> None:
    # While a jump exchanges the parts nobody may write; the next ones begin with what is in force.
    with suppress(PenVoid):
        await parts.nucleus.describe(metadata_of(config.cell.metadata))


def _apply_cell(parts: Parts, config: Config) -> None:
    parts.work.declare(commands_of(config.cell.commands))


def _apply_trust(parts: Parts, config: Config) -> None:
    parts.trust.take_policy(config.trust.policy())


def _apply_storage(parts: Parts, config: Config) -> None:
    parts.contents.keep_at_most(config.storage.content_mib * _MIB)
    parts.audit.rows_kept = config.storage.audit_rows


def _apply_discovery(parts: Parts, config: Config) -> None:
    network = network_identity(parts.genesis)
    parts.discovery.use_seeds(seed_finders(config.discovery.seeds, network, parts.directory))


_APPLIERS: Final[dict[str, Callable[[Parts, Config], None]]] = {
    "cell": _apply_cell,
    "discovery": _apply_discovery,
    "trust": _apply_trust,
    "storage": _apply_storage,
}
