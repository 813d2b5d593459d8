"""`myceld explorer`: open the web explorer of a cell in a browser, signed in.

The address holds a token behind its `#`, which browsers send to nobody, and the id of the network
out of the cell's own genesis, so that proofs are checked against what this machine trusts. A
browser is started with a file that leads there, and not with the address: other users of the
machine see the arguments of programs.
"""

from __future__ import annotations

import html
import webbrowser
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import click

from cli import show
from cli.errors import BadInput, NoBrowser
from cli.options import expand, home_option, json_option
from identity.private_file import write_private
from ledger.genesis import from_json
from myceld.home import RunFile, read_token

FILE: Final = "explorer.html"
"""In the cell's home: leads a browser to the explorer. As private as gateway.token beside it."""

_TOKEN_SIZE_BYTES_MAX: Final = 4096


@click.command()
@click.option("--print", "only_print", is_flag=True, help="Print the address; open no browser.")
@click.option(
    "--token-file",
    metavar="FILE",
    help="Use the token in FILE, one of `myceld token create --scope read`, not the owner's.",
)
@home_option
@json_option
def explorer(home: str, token_file: str | None, *, only_print: bool, as_json: bool) -> None:
    """Open the web explorer of the cell, signed in.

    Whoever has the printed address can do in the explorer what its token is good for: do not pass
    it on. The page keeps the token until its tab is closed.

    \b
    Examples:
      myceld explorer
      myceld explorer --print
    """
    place = expand(home)
    run = RunFile.read(place)
    token = read_token(place) if token_file is None else _token_in(expand(token_file))
    fields = {"token": token, "network": _network(place)}
    url = f"{run.url}/explorer/#{urlencode({name: text for name, text in fields.items() if text})}"
    if not only_print:
        _open(place / FILE, url)
    if as_json:
        show.as_json({"url": url, "opened": not only_print})
    elif only_print:
        show.line(url)
    else:
        show.line(f"opened {run.url}/explorer/")


def _open(page: Path, url: str) -> None:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>myceld explorer</title>'
        f'<meta http-equiv="refresh" content="0; url={html.escape(url)}">\n'
    )
    try:
        write_private(page, text, replace=True)
    except OSError as error:
        raise BadInput(f"can not write {page}: {error.strerror}") from error
    if not webbrowser.open(page.as_uri()):
        raise NoBrowser("no browser was found on this machine")


def _token_in(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            token = file.read(_TOKEN_SIZE_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"can not read a token from {path}") from error
    if not token or not token.isprintable():
        raise BadInput(f"{path} holds no token")
    return token


def _network(home: Path) -> str:
    """Return the network's id, out of the genesis in the home; empty if there is none."""
    try:
        return from_json((home / "genesis.json").read_bytes()).network_id.hex()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(f"can not read the genesis in {home}: {error.strerror}") from error
