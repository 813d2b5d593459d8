"""`myceld prana token`: tokens of markets, by the rules that their creators gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.options import LIMIT, STAGE, Common, common_options
from cli.receipt import finish, show_receipt
from ledger.amounts import format_amount, parse_amount
from myceld.client import Client

_wait: Final = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)
_MINTABLE, _BURNABLE, _FIXED = 1, 2, 4


@click.group()
def token() -> None:
    """Make tokens, and pass them on.

    Amounts are decimal numbers with as many places as the token has.
    """


@token.command()
@click.argument("symbol")
@click.argument("name")
@click.option("--decimals", type=click.IntRange(0, 18), default=0, show_default=True)
@click.option("--amount", default="0", show_default=True, help="Minted for this cell at once.")
@click.option("--cap", default="0", show_default=True, help="There are never more; 0 for no cap.")
@click.option("--mintable", is_flag=True, help="This cell can mint more later.")
@click.option("--burnable", is_flag=True, help="Holders can burn their own.")
@click.option("--fixed", is_flag=True, help="Only this cell passes it on.")
@_wait
@common_options
def create(  # noqa: PLR0913 - options of a command
    common: Common,
    symbol: str,
    name: str,
    *,
    decimals: int,
    amount: str,
    cap: str,
    mintable: bool,
    burnable: bool,
    fixed: bool,
    wait: str,
) -> None:
    """Claim SYMBOL (A to Z, 0 to 9) for a token called NAME. Its rules hold for ever.

    \b
    Example:
      myceld prana token create GOLD "Gold of the valley" --decimals 2 --amount 1000 --burnable
    """
    arguments = {
        "symbol": symbol,
        "name": name,
        "decimals": decimals,
        "rules": mintable * _MINTABLE + burnable * _BURNABLE + fixed * _FIXED,
        "cap": parse_amount(cap, decimals),
        "amount": parse_amount(amount, decimals),
    }
    with common.client() as client:
        _act(common, client, "token-create", arguments, wait)


@token.command()
@click.argument("symbol")
@click.argument("to", metavar="ACCOUNT")
@click.argument("amount")
@_wait
@common_options
def mint(common: Common, symbol: str, to: str, amount: str, wait: str) -> None:
    """Make AMOUNT more of SYMBOL, for ACCOUNT.

    \b
    Example:
      myceld prana token mint GOLD grace 20.5
    """
    with common.client() as client:
        arguments = {"symbol": symbol, "to": to, "amount": units_of(client, symbol, amount)}
        _act(common, client, "token-mint", arguments, wait)


@token.command()
@click.argument("symbol")
@click.argument("amount")
@_wait
@common_options
def burn(common: Common, symbol: str, amount: str, wait: str) -> None:
    """Destroy AMOUNT of this cell's own SYMBOL.

    \b
    Example:
      myceld prana token burn GOLD 3
    """
    with common.client() as client:
        arguments = {"symbol": symbol, "amount": units_of(client, symbol, amount)}
        _act(common, client, "token-burn", arguments, wait)


@token.command()
@click.argument("symbol")
@click.argument("to", metavar="ACCOUNT")
@click.argument("amount")
@click.option("--memo", default="", help="What it is for: one line, 256 bytes.")
@_wait
@common_options
def send(common: Common, symbol: str, to: str, amount: str, *, memo: str, wait: str) -> None:
    """Pass AMOUNT of this cell's SYMBOL on to ACCOUNT.

    \b
    Example:
      myceld prana token send GOLD grace 3 --memo "for the wood"
    """
    with common.client() as client:
        units = units_of(client, symbol, amount)
        arguments = {"symbol": symbol, "to": to, "amount": units, "memo": memo}
        _act(common, client, "token-send", arguments, wait)


@token.command(name="list")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def list_(common: Common, limit: int) -> None:
    """List the tokens, and what this cell has of each.

    \b
    Example:
      myceld prana token list
    """
    with common.client() as client:
        answer = client.tokens(limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            show.safe(one["symbol"]),
            show.safe(one["name"]),
            format_amount(one["supply"], one["decimals"]),
            format_amount(one["held"], one["decimals"]),
        ]
        for one in answer["items"]
    ]
    show.table(["symbol", "name", "supply", "here"], rows)


@token.command(name="show")
@click.argument("symbol")
@click.argument("account", metavar="[ACCOUNT]", default="")
@common_options
def show_(common: Common, symbol: str, account: str) -> None:
    """Show the rules of SYMBOL, and what ACCOUNT, or this cell, has of it.

    \b
    Example:
      myceld prana token show GOLD grace
    """
    with common.client() as client:
        answer = client.token(symbol, account=account)
    if common.as_json:
        show.as_json(answer)
        return
    decimals = answer["decimals"]
    show.pairs(
        [
            ("symbol", show.safe(answer["symbol"])),
            ("name", show.safe(answer["name"])),
            ("supply", format_amount(answer["supply"], decimals)),
            ("cap", format_amount(answer["cap"], decimals) if answer["cap"] else "none"),
            ("held", format_amount(answer["held"], decimals)),
            ("decimals", str(decimals)),
            ("mintable", "yes, by its issuer" if answer["is_mintable"] else "no"),
            ("burnable", "yes, by holders" if answer["is_burnable"] else "no"),
            ("passed on", "by its issuer" if answer["is_fixed"] else "by holders"),
            ("issuer", show.safe(answer["issuer"])),
        ]
    )


def units_of(client: Client, symbol: str, amount: str) -> int:
    """Return base units of a token, which the cell knows the decimals of."""
    return parse_amount(amount, client.token(symbol)["decimals"])


def _act(
    common: Common, client: Client, kind: str, arguments: Mapping[str, Any], wait: str
) -> None:
    answer = client.act(kind, arguments, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])
