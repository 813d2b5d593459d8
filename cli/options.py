"""Options that every command has, and the one way to a cell from them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from cli import show
from cli.errors import BadInput
from cli.limits import INPUT_SIZE_BYTES_MAX, TIMEOUT_S_DEFAULT
from identity.passphrase import PassphraseSource
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
    as_curl: bool = False

    def client(self) -> Client:
        """Return a client of the cell in `home`; raises CellUnreachable, HomeUnreadable."""
        if self.as_curl:
            from cli.curl import CurlClient  # noqa: PLC0415 - seldom wanted

            return CurlClient.from_home(self.home, timeout_s=self.timeout_s)
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
    """Add --home, --json, --timeout and --as-curl; the command takes them as one Common, first."""

    @functools.wraps(command)
    def with_common(
        home: str, timeout_s: float, *, as_json: bool, as_curl: bool, **rest: object
    ) -> None:
        common = Common(expand(home), as_json, timeout_s, as_curl)
        with show.only_calls() if as_curl else nullcontext():
            command(common, **rest)

    timed = click.option(
        "--timeout",
        "timeout_s",
        type=SECONDS,
        metavar="S",
        default=TIMEOUT_S_DEFAULT,
        show_default=True,
        help="Give up after this many seconds.",
    )(with_common)
    shown = click.option(
        "--as-curl", is_flag=True, help="Print the HTTP calls as curl commands instead."
    )(timed)
    return home_option(json_option(shown))


def passphrase_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --passphrase-fd and --passphrase-file; the command takes them as one source."""
    return _passphrase(
        command, "passphrase", "Passphrase", "Read the passphrase of the cell's key from"
    )


def protecting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the same and --encrypt, which has a new key protected."""
    return _encrypt(passphrase_options, command)


def new_passphrase_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the same for the key file that the command writes, as `new_passphrase`."""
    return _passphrase(
        command, "new_passphrase", "New passphrase", "Read that of the key file to write from"
    )


def new_protecting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the same and --encrypt."""
    return _encrypt(new_passphrase_options, command)


def _encrypt(
    options: Callable[[Callable[..., None]], Callable[..., None]], command: Callable[..., None]
) -> Callable[..., None]:
    @functools.wraps(command)
    def with_wish(*, encrypt: bool, **rest: object) -> None:
        for name, value in rest.items():
            if name in {"passphrase", "new_passphrase"} and isinstance(value, PassphraseSource):
                rest[name] = replace(value, is_wanted=encrypt)
        command(**rest)

    text = "Protect the key with a passphrase: the given one, or asked for."
    return options(click.option("--encrypt", is_flag=True, help=text)(with_wish))


def _passphrase(
    command: Callable[..., None], name: str, prompt: str, text: str
) -> Callable[..., None]:
    descriptor, file = f"{name}_fd", f"{name}_file"

    @functools.wraps(command)
    def with_source(**rest: object) -> None:
        number, path = rest.pop(descriptor), rest.pop(file)
        if number is not None and path is not None:
            raise BadInput("the passphrase comes from a descriptor or a file, not from both")
        source = PassphraseSource(
            number if isinstance(number, int) else None,
            expand(path) if isinstance(path, str) else None,
            prompt,
        )
        command(**rest, **{name: source})

    option = f"--{name.replace('_', '-')}"
    from_file = click.option(
        f"{option}-file", file, metavar="FILE", help=f"{text} the first line of FILE."
    )(with_source)
    return click.option(
        f"{option}-fd",
        descriptor,
        type=click.IntRange(0),
        metavar="N",
        help=f"{text} the open descriptor N.",
    )(from_file)


def passphrase_arguments(source: PassphraseSource) -> list[str]:
    """Return the same options for the daemon's program."""
    wish = ["--encrypt"] if source.is_wanted else []
    if source.descriptor is not None:
        return [*wish, "--passphrase-fd", str(source.descriptor)]
    return wish if source.file is None else [*wish, "--passphrase-file", str(source.file)]


def passphrase_descriptors(source: PassphraseSource) -> tuple[int, ...]:
    """Return the descriptors that the daemon's program needs for them."""
    return () if source.descriptor is None else (source.descriptor,)


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
