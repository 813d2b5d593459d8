"""Section `logging`: how much is logged, in which form, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from settings.checks import levels_of, wrong_log_levels
from settings.components import COMPONENTS, LEVELS
from settings.keys import key
from settings.limits import LOG_DAYS_MAX, LOG_FILE_MIB_MAX, LOG_FILES_MAX


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """The values of the section."""

    level: str = key(
        "info",
        "how much is logged",
        words=LEVELS,
        reload=True,
        celluler="CELLULER_LOGGING_LEVEL",
    )
    levels: tuple[str, ...] = key(
        (),
        "of single components instead, as `COMPONENT=LEVEL`, such as `consensus=debug`; components"
        f" are {', '.join(f'`{name}`' for name in COMPONENTS)}",
        items="COMPONENT=LEVEL",
        most=len(COMPONENTS),
        reload=True,
        check=wrong_log_levels,
    )
    format: str = key(
        "console",
        "how it looks on standard error: `console` for people, `json` for programs, one object a"
        " line",
        words=("console", "json"),
        reload=True,
        celluler="CELLULER_LOGGING_FORMAT",
    )
    file: str = key(
        "",
        "a file to log to besides, relative to the cell's directory, always as JSON, one object a"
        " line; empty: none. `myceld logs` reads it, also when the cell does not run",
        reload=True,
    )
    file_mib_max: int = key(
        16,
        "size at which the file is put aside and begun anew: `NAME.1` is the newest of those",
        unit="MiB",
        least=1,
        most=LOG_FILE_MIB_MAX,
        reload=True,
    )
    files_kept: int = key(
        5,
        "files that are kept beside the one that is written",
        unit="files",
        most=LOG_FILES_MAX,
        reload=True,
    )
    days_kept: int = key(
        30,
        "age at which files that were put aside are deleted",
        unit="days",
        least=1,
        most=LOG_DAYS_MAX,
        reload=True,
    )

    def levels_by_component(self) -> dict[str, str]:
        """Return the levels that differ."""
        return levels_of(self.levels)
