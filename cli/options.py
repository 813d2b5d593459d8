"""Options that every command has, and the one way to a cell from them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from cli.errors import BadInput
from cli.limits import INPUT_SIZE_BYTES_MAX, TIMEOUT_S_DEFAULT
from myceld.client import Client
from myceld.home import HOME_DEFAULT

STAGE: Final = click.Choice(["accepted", "stored", "ordered", "applied", "certified"])
SECONDS: Final = click.FloatRange(min=0, min_open=True, max=86_400)
START: Final = click.IntRange(min=0, max=2**63 - 1)
LIMIT: Final = click.IntRange(min=1, max=1000)


@dataclass(frozen=True, slots=True)
class Common:
    """The options every command has."""

    home: Path
    as_json: bool
    timeout_s: float

    def client(self) -> Client:
        """Return a client of the cell in `home`; raises CellUnreachable, HomeUnreadable."""
        return Client.from_home(self.home, timeout_s=self.timeout_s)


def home_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --home."""
    return click.option(
        "--home",
        metavar="DIR",
        envvar="MYCELD_HOME",
        default=HOME_DEFAULT,
        show_default=True,
        help="Directory of the cell (environment: MYCELD_HOME).",
    )(command)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")(
        command
    )


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --home, --json and --timeout; the command takes them as one Common, first."""

    @functools.wraps(command)
    def with_common(home: str, timeout_s: float, *, as_json: bool, **rest: object) -> None:
        command(Common(expand(home), as_json, timeout_s), **rest)

    timed = click.option(
        "--timeout",
        "timeout_s",
        type=SECONDS,
        metavar="S",
        default=TIMEOUT_S_DEFAULT,
        show_default=True,
        help="Give up after this many seconds.",
    )(with_common)
    return home_option(json_option(timed))


def page_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --start and --limit."""
    limited = click.option(
        "--limit", type=LIMIT, default=100, show_default=True, help="Most items to show."
    )(command)
    return click.option(
        "--start", type=START, default=0, show_default=True, help="First item to show."
    )(limited)


def expand(path: str) -> Path:
    """Return `path` with ~ and made absolute, so that messages and daemons name one place."""
    return Path(path).expanduser().absolute()


def read_value(value: str) -> bytes:
    """Return the bytes that an argument means: text, `@file`, or `-` for standard input."""
    if value == "-":
        return _limited(sys.stdin.buffer.read(INPUT_SIZE_BYTES_MAX + 1), "standard input")
    if value.startswith("@"):
        path = Path(value[1:])
        try:
            with path.open("rb") as file:
                return _limited(file.read(INPUT_SIZE_BYTES_MAX + 1), str(path))
        except OSError as error:
            raise BadInput(f"can not read {path}: {error.strerror}") from error
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise BadInput("the value is not valid Unicode; give it as @file") from error


def _limited(data: bytes, source: str) -> bytes:
    if len(data) > INPUT_SIZE_BYTES_MAX:
        raise BadInput(f"{source} has more than {INPUT_SIZE_BYTES_MAX} bytes")
    return data
