"""`myceld state`: read the agreed key-value state."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli import show
from cli.errors import BadUsage, NoSuchValue
from cli.options import Common, common_options
from cli.verify import value_of, write_proof
from ledger.proof import StateClaim


@click.group()
def state() -> None:
    """Read the agreed state."""


@state.command()
@click.argument("key")
@click.option("--hex", "as_hex", is_flag=True, help="Print the value in hex.")
@click.option("--raw", is_flag=True, help="Print exactly the bytes of the value.")
@click.option("--proof", metavar="FILE", help="Write a proof of the value, or of none, to FILE.")
@common_options
def get(common: Common, key: str, proof: str | None, *, as_hex: bool, raw: bool) -> None:
    """Print the value of KEY after the last applied round.

    A value that is not text is printed in hex. --json also tells who put it, in which round, and
    the state root. --proof gives the value after the newest certified round, or says that there is
    none, and writes a file that `myceld verify` checks anywhere.

    \b
    Examples:
      myceld state get hello
      myceld state get photo --raw > cat.jpg
      myceld state get hello --proof hello.proof
    """
    if as_hex + raw + common.as_json > 1:
        raise BadUsage("--hex, --raw and --json exclude each other")
    if proof is not None:
        answer = _proven(common, key, proof)
    else:
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


def _proven(common: Common, key: str, path: str) -> dict[str, Any]:
    """Write the proof of a value, and return what it proves; raises NoSuchValue for no value."""
    with common.client() as cell:
        verified = write_proof(path, cell.state_proof(key), common.home)
    claim = verified.claim
    value = value_of(claim) if isinstance(claim, StateClaim) else None
    if value is None:
        raise NoSuchValue(
            f"no value at {key!r} after round {verified.header.round}: see the proof in {path}"
        )
    return {
        "key": key,
        "value": _text_or_none(value),
        "value_hex": value.hex(),
        "round": verified.header.round,
        "state_root": verified.header.state_root.hex(),
        "certified_round": verified.certified.round,
    }


def _text_or_none(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _safe_lines(text: str) -> str:
    """Keep line breaks, and take everything else that could steer a terminal out."""
    return "\n".join(show.safe(part) for part in text.split("\n"))
