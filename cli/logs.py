"""`myceld logs`: the newest lines of the cell's log, out of its file or its memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.errors import BadInput
from cli.limits import LOG_LINE_SIZE_BYTES_MAX, LOG_POLL_S
from cli.options import Common, common_options
from gateway.log_files import aside_files
from settings import Config, inspect
from settings.components import COMPONENTS, LEVELS

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PLAIN: Final = ("timestamp", "level", "component", "event", "exception")


@dataclass(frozen=True, slots=True)
class _Wanted:
    level: str
    component: str | None
    since: datetime | None

    def takes(self, line: dict[str, Any]) -> bool:
        """Return whether a line is asked for; what says no time is."""
        level = str(line.get("level"))
        if level in LEVELS and LEVELS.index(level) < LEVELS.index(self.level):
            return False
        if self.component is not None and line.get("component") != self.component:
            return False
        return self.since is None or _time_of(line) >= self.since


@click.group(invoke_without_command=True)
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="This level and above.")
@click.option("--component", type=click.Choice(COMPONENTS), metavar="NAME", help="Of one part.")
@click.option("--since", metavar="TIME", help="For 90s, 10m, 2h or 7d, or since a time as in ISO.")
@common_options
@click.pass_context
def logs(
    context: click.Context,
    common: Common,
    *,
    follow: bool,
    level: str,
    component: str | None,
    since: str | None,
) -> None:
    """Show the log of the cell.

    With a `file` in section `logging` of the configuration, what the files hold, also of a cell
    that does not run; without one, the newest 2,000 lines that the running cell has in memory.

    \b
    Examples:
      myceld logs --follow --level warning
      myceld logs --component consensus --since 10m --json
      myceld logs level consensus=debug
    """
    if context.invoked_subcommand is not None:
        return
    wanted = _Wanted(level, component, None if since is None else _since(since))
    for line in _lines(common, follow=follow):
        if not wanted.takes(line):
            continue
        if common.as_json:
            show.as_json(line)
        else:
            show.line(_shown(line))
            show.flush()


@logs.command("level")
@click.argument("levels", nargs=-1, metavar="[[COMPONENT=]LEVEL...]")
@common_options
def set_level(common: Common, levels: tuple[str, ...]) -> None:
    """Change how much the running cell logs, until it is restarted or reads its configuration.

    Without a level, show those that hold.

    \b
    Examples:
      myceld logs level
      myceld logs level debug
      myceld logs level consensus=debug peers=error
    """
    with common.client() as client:
        told = client.set_log_levels(levels) if levels else client.log_levels()
    if common.as_json:
        show.as_json(told)
        return
    rows = [(show.safe(name), show.safe(level)) for name, level in told["levels"].items()]
    show.pairs(rows)


def _lines(common: Common, *, follow: bool) -> Iterator[dict[str, Any]]:
    path = common.home / "config.yaml"
    file = inspect(path, os.environ, Config).document.logging.file if path.exists() else ""
    if file:
        texts = _from_files(common.home / Path(file).expanduser(), follow=follow)
    else:
        texts = _from_cell(common, follow=follow)
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:  # cut off by a crash
            line = {"event": text}
        yield line if isinstance(line, dict) else {"event": text}


def _from_cell(common: Common, *, follow: bool) -> Iterator[str]:
    number = 0
    with common.client() as client:
        while True:
            page = client.log_lines(number)
            for item in page["items"]:
                yield item["text"]
            is_end = number == page["next"] or not page["items"]
            number = page["next"]
            if is_end and not follow:
                return
            if is_end:
                time.sleep(LOG_POLL_S)


def _from_files(path: Path, *, follow: bool) -> Iterator[str]:
    """Yield the lines of the files that were put aside, the oldest first, then the present ones."""
    for _, aside in reversed(aside_files(path)):
        yield from _whole(aside)
    at, inode = 0, 0
    while True:
        try:
            with path.open("rb") as file:
                present = os.fstat(file.fileno())
                if present.st_ino != inode:
                    at, inode = 0, present.st_ino  # it was put aside, and begun anew
                file.seek(at)
                while (line := file.readline(LOG_LINE_SIZE_BYTES_MAX)).endswith(b"\n"):
                    at = file.tell()
                    yield line.decode("utf-8", "replace").rstrip("\n")
        except FileNotFoundError:
            pass  # between two files, or nothing was logged yet
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}") from error
        if not follow:
            return
        time.sleep(LOG_POLL_S)


def _whole(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            while line := file.readline(LOG_LINE_SIZE_BYTES_MAX):
                yield line.decode("utf-8", "replace").rstrip("\n")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error


def _shown(line: dict[str, Any]) -> str:
    rest = " ".join(f"{key}={value}" for key, value in line.items() if key not in _PLAIN)
    head = f"{line.get('timestamp', '')} {line.get('level', ''):<7} {line.get('component', '')}"
    text = show.safe(f"{head}: {line.get('event', '')} {rest}".strip())
    trace = str(line.get("exception", "")).splitlines()
    return "\n".join([text, *(f"    {show.safe(one)}" for one in trace)])


def _time_of(line: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(line.get("timestamp")))
    except ValueError:
        return datetime.now(UTC)


def _since(text: str) -> datetime:
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdecimal() and len(number) < 7:
        return datetime.now(UTC) - timedelta(seconds=int(number) * _UNITS[unit])
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"--since {text[:40]!r}: expected 90s, 10m, 2h, 7d or a time") from error
    return found if found.tzinfo is not None else found.astimezone()
