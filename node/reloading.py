"""Taking over a changed configuration while the cell runs.

The files are read again and checked as at a start; a mistake changes nothing. What a running cell
can take over it takes over, all at once; what needs a restart is named, and stays as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from core.errors import MyceldError
from gateway.logs import Logs
from node.home import Home
from node.parts import Parts
from settings import Config, commands_of, inspect
from settings.showing import changes_between

_LOG = structlog.get_logger("cell")
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a changed configuration: names of keys."""

    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloading:
    """Owner of the configuration of a running cell."""

    def __init__(self, home: Home, config: Config, logs: Logs | None = None) -> None:
        """`config` was read from the directory with this process's environment."""
        self._home = home
        self._logs = logs
        self._parts: Parts | None = None
        self.config = config
        """What is in force."""

    @property
    def logs(self) -> Logs | None:
        """Return where the process logs."""
        return self._logs

    def attach(self, parts: Parts) -> None:
        """Go on with these parts, which may be new ones after a jump."""
        self._parts = parts
        self._apply(_APPLIERS)

    def reload(self) -> Reloaded:
        """Read the configuration again and take it over; raises BadConfig, and changes nothing."""
        new = inspect(self._home.config, os.environ, Config).must()
        changes = changes_between(self.config, new)
        applied = [one.place for one in changes if one.place.key.reload]
        waiting = [one.place for one in changes if not one.place.key.reload]
        config = self.config
        for place in applied:
            config = place.put(config, place.of(new))
        self.config = config
        sections = {place.section for place in applied}
        self._apply({name: how for name, how in _APPLIERS.items() if name in sections})
        if self._logs is not None and "logging" in sections:
            self._logs.configure(config.logging)
        told = Reloaded(tuple(map(str, applied)), tuple(map(str, waiting)))
        _LOG.info("configuration read again", applied=told.applied, waiting=told.needs_restart)
        if self._parts is not None:
            self._parts.audit.local("config.reload", ", ".join(told.applied)[:160])
        return told

    def hang_up(self) -> None:
        """Do the same for SIGHUP: nobody is there to be told of a mistake but the log."""
        try:
            self.reload()
        except MyceldError as error:
            _LOG.error("the configuration stays as it was", reason=str(error))
            if self._parts is not None:
                self._parts.audit.local("config.refused", reason=type(error).__name__)

    def _apply(self, appliers: Mapping[str, Callable[[Parts, Config], None]]) -> None:
        if self._parts is not None:
            for apply in appliers.values():
                apply(self._parts, self.config)


def _apply_cell(parts: Parts, config: Config) -> None:
    parts.work.declare(commands_of(config.cell.commands))


def _apply_trust(parts: Parts, config: Config) -> None:
    parts.trust.take_policy(config.trust.policy())


def _apply_storage(parts: Parts, config: Config) -> None:
    parts.contents.keep_at_most(config.storage.content_mib * _MIB)
    parts.audit.rows_kept = config.storage.audit_rows


_APPLIERS: Final[dict[str, Callable[[Parts, Config], None]]] = {
    "cell": _apply_cell,
    "trust": _apply_trust,
    "storage": _apply_storage,
}
