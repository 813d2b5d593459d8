"""`myceld state`: read the agreed key-value state."""

from __future__ import annotations

import sys

import click

from cli import show
from cli.errors import BadUsage
from cli.options import Common, common_options


@click.group()
def state() -> None:
    """Read the agreed state."""


@state.command()
@click.argument("key")
@click.option("--hex", "as_hex", is_flag=True, help="Print the value in hex.")
@click.option("--raw", is_flag=True, help="Print exactly the bytes of the value.")
@common_options
def get(common: Common, key: str, *, as_hex: bool, raw: bool) -> None:
    """Print the value of KEY after the last applied round.

    A value that is not text is printed in hex. --json also tells who put it, in which round, and
    the state root.

    \b
    Examples:
      myceld state get hello
      myceld state get photo --raw > cat.jpg
    """
    if as_hex + raw + common.as_json > 1:
        raise BadUsage("--hex, --raw and --json exclude each other")
    with common.client() as cell:
        answer = cell.state_value(key)
    if common.as_json:
        show.as_json(answer)
    elif raw:
        sys.stdout.buffer.write(bytes.fromhex(answer["value_hex"]))
    elif as_hex or answer["value"] is None:
        show.line(answer["value_hex"])
    else:
        text: str = answer["value"]
        show.line(_safe_lines(text) if sys.stdout.isatty() else text)


def _safe_lines(text: str) -> str:
    """Keep line breaks, and take everything else that could steer a terminal out."""
    return "\n".join(show.safe(part) for part in text.split("\n"))
