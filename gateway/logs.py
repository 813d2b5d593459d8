"""Logging of a daemon: structlog to standard error, to a file, and to the newest lines in memory.

Levels can be changed at any time, for everything or for one component. What other people's
libraries log goes the same way, as component `libraries`. Nothing here waits for a disk or a
terminal (`gateway.log_files`). Tracebacks are plain: the other formatters show the values of
variables, and some are secret.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.limits import LOG_FLUSH_S, LOG_LINE_LENGTH_MAX, LOG_RECENT_MAX
from gateway.log_files import Keeping, LineWriter, RotatingFile
from settings import LoggingConfig
from settings.components import COMPONENTS

_LIBRARIES: Final = "libraries"
_NUMBERS: Final = logging.getLevelNamesMapping()
_MIB: Final = 1 << 20
_STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log."""

    number: int
    """From 0, counting all lines since the start."""
    level: str
    component: str
    text: str
    """One JSON object."""


class _Component:
    """What structlog calls a logger: only its name is of use, the processors write."""

    def __init__(self, name: str = "cell") -> None:
        self.name = name

    def msg(self, _event: str = "") -> None:
        """Do nothing: the line is written."""

    debug = info = warning = error = critical = exception = msg


class Logs:
    """All that a process logs."""

    def __init__(
        self, config: LoggingConfig, home: Path, to_stderr: Callable[[bytes], None] | None = None
    ) -> None:
        self._home = home
        self._config = config
        self._levels: dict[str, int] = {}
        self._recent: deque[LogLine] = deque(maxlen=LOG_RECENT_MAX)
        self._count = 0
        self._stderr = LineWriter(to_stderr or _to_stderr, "log-stderr")
        self._file: LineWriter | None = None
        self._console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        self.configure(config)

    def take_all(self) -> None:
        """Take what libraries log too, and write what waits when the process ends."""
        logging.basicConfig(level=logging.WARNING, handlers=[_FromLibraries(self)], force=True)
        atexit.register(self.close)

    @property
    def dropped(self) -> int:
        """Return how many lines were lost, as nothing took them in time."""
        return self._stderr.dropped + (self._file.dropped if self._file is not None else 0)

    @property
    def config(self) -> LoggingConfig:
        """Return what is configured."""
        return self._config

    def configure(self, config: LoggingConfig) -> None:
        """Take over a configuration."""
        self._levels = {
            name: _NUMBERS[level.upper()] for name, level in config.levels_by_component().items()
        }
        self._usual = _NUMBERS[config.level.upper()]
        before, self._config = self._config, config
        if self._file is None or _file_of(before) != _file_of(config):
            self._open_file(config)
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                self._take,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(
                min(self._usual, *self._levels.values()) if self._levels else self._usual
            ),
            logger_factory=_Component,
        )

    def level_of(self, component: str) -> int:
        """Return the level from which on a component's lines are taken."""
        return self._levels.get(component, self._usual)

    def levels(self) -> dict[str, str]:
        """Return the level of each component."""
        return {name: logging.getLevelName(self.level_of(name)).lower() for name in COMPONENTS}

    def after(self, number: int, limit: int) -> tuple[list[LogLine], int]:
        """Return the first lines from `number` on that are still here, and the number after all."""
        lines = list(self._recent)
        first = lines[0].number if lines else 0
        return list(islice(lines, max(0, number - first), None))[:limit], self._count

    def close(self) -> None:
        """Write what waits, but wait no longer than a second."""
        self._stderr.flush(LOG_FLUSH_S)
        if self._file is not None:
            self._file.close(LOG_FLUSH_S)

    def take(self, component: str, event: MutableMapping[str, Any]) -> None:
        """Write one line: `event` has at least `event`, `level` and `timestamp`."""
        level = str(event["level"])
        exc_info = event.pop("exc_info", None)
        plain = {**event, "component": component}
        if exc_info:
            plain["exception"] = _traceback(exc_info)
        text = json.dumps(plain, default=repr, ensure_ascii=False)[:LOG_LINE_LENGTH_MAX]
        self._recent.append(LogLine(self._count, level, component, text))
        self._count += 1
        line = text.encode("utf-8", "replace") + b"\n"
        if self._file is not None:
            self._file.put(line)
        if self._config.format == "console":
            shown = dict(event) | ({"exc_info": exc_info} if exc_info else {})
            shown["event"] = f"{component}: {event.get('event', '')}"
            rendered = str(self._console(None, level, shown))
            line = rendered.encode("utf-8", "replace") + b"\n"
        self._stderr.put(line)

    def _take(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        component = logger.name if isinstance(logger, _Component) else _LIBRARIES
        level = "error" if method == "exception" else method
        if _NUMBERS.get(level.upper(), logging.INFO) >= self.level_of(component):
            self.take(component, event)
        raise structlog.DropEvent

    def _open_file(self, config: LoggingConfig) -> None:
        before, self._file = self._file, None
        if before is not None:
            before.close(LOG_FLUSH_S)
        if config.file:
            path = self._home / Path(config.file).expanduser()
            keeping = Keeping(config.file_mib_max * _MIB, config.files_kept, config.days_kept)
            self._file = LineWriter(RotatingFile(path, keeping).write, "log-file")


class _FromLibraries(logging.Handler):
    """Takes what is logged by the standard library's way."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < max(self._logs.level_of(_LIBRARIES), logging.WARNING):
            return
        try:
            event = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit
            event = str(record.msg)
        content = {
            "event": event,
            "level": record.levelname.lower(),
            "timestamp": structlog.processors.TimeStamper(fmt="iso")(None, "", {})["timestamp"],
            "logger": record.name,
        }
        if record.exc_info:
            content["exc_info"] = record.exc_info
        self._logs.take(_LIBRARIES, content)


def _traceback(exc_info: object) -> str:
    """Return a traceback without the values of variables."""
    given = sys.exc_info() if exc_info is True else exc_info
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    if not isinstance(given, tuple) or given[0] is None:
        return ""
    return str(structlog.processors.format_exc_info(None, "", {"exc_info": given})["exception"])


def _file_of(config: LoggingConfig) -> tuple[object, ...]:
    return config.file, config.file_mib_max, config.files_kept, config.days_kept


def _to_stderr(data: bytes) -> None:
    while data:
        data = data[os.write(_STDERR, data) :]
