"""`myceld prana multisig`: accounts from which several keys pay together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.amount import in_prana
from cli.limits import MULTISIG_ROUNDS_DEFAULT
from cli.options import LIMIT, STAGE, Common, common_options
from cli.prana_token import units_of
from cli.receipt import finish, show_receipt
from ledger.amounts import format_amount, parse_amount
from ledger.limits import DECIMALS

_wait: Final = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)


@click.group()
def multisig() -> None:
    """Pay together with others, from an account that several keys share.

    Its id comes of its keys, threshold and name: `create` shows it, and it can be paid at once.
    """


@multisig.command()
@click.argument("name")
@click.argument("threshold", type=click.IntRange(1, 16))
@click.argument("keys", metavar="CELL...", nargs=-1, required=True)
@_wait
@common_options
def create(common: Common, name: str, threshold: int, keys: tuple[str, ...], wait: str) -> None:
    """Make an account NAME from which THRESHOLD of the CELLs pay together.

    \b
    Example:
      myceld prana multisig create savings 2 ada grace alan
    """
    arguments = {"threshold": threshold, "keys": list(keys), "name": name}
    with common.client() as client:
        answer = client.act("multisig-create", arguments, wait=wait, timeout_s=common.timeout_s)
    _finish(common, answer)


@multisig.command()
@click.argument("account", metavar="ID")
@click.argument("to", metavar="ACCOUNT")
@click.argument("amount")
@click.option("--token", "symbol", metavar="SYMBOL", default="", help="Pay this, not PRANA.")
@click.option("--memo", default="", help="What it is for: one line, 256 bytes.")
@click.option(
    "--rounds",
    type=click.IntRange(1, MULTISIG_ROUNDS_DEFAULT),
    default=MULTISIG_ROUNDS_DEFAULT,
    show_default=True,
    help="For so many rounds from now on it can be approved.",
)
@_wait
@common_options
def propose(
    common: Common,
    account: str,
    to: str,
    amount: str,
    *,
    symbol: str,
    memo: str,
    rounds: int,
    wait: str,
) -> None:
    """Propose to pay AMOUNT of PRANA, or of a token, from the account ID to ACCOUNT.

    It is this cell's approval too.

    The transaction's id is that of the spend, by which others approve it.

    \b
    Example:
      myceld prana multisig propose 3fa2… grace 20 --memo "new roof"
      myceld prana multisig propose 3fa2… grace 3 --token GOLD
    """
    units = 0 if symbol else parse_amount(amount, DECIMALS)
    with common.client() as client:
        last = client.status()["round_applied"] + rounds
        arguments = {
            "account": account,
            "to": to,
            "amount": units_of(client, symbol, amount) if symbol else units,
            "symbol": symbol,
            "memo": memo,
            "expires_round": last,
        }
        answer = client.act("multisig-propose", arguments, wait=wait, timeout_s=common.timeout_s)
    _finish(common, answer)


@multisig.command()
@click.argument("account", metavar="ID")
@click.argument("spend", metavar="SPEND")
@_wait
@common_options
def approve(common: Common, account: str, spend: str, wait: str) -> None:
    """Approve the open SPEND of the account ID; the last approval that it takes pays.

    \b
    Example:
      myceld prana multisig approve 3fa2… 91bc…
    """
    _vote(common, "multisig-approve", account, spend, wait)


@multisig.command()
@click.argument("account", metavar="ID")
@click.argument("spend", metavar="SPEND")
@_wait
@common_options
def cancel(common: Common, account: str, spend: str, wait: str) -> None:
    """Take back a SPEND that this cell proposed.

    \b
    Example:
      myceld prana multisig cancel 3fa2… 91bc…
    """
    _vote(common, "multisig-cancel", account, spend, wait)


@multisig.command(name="list")
@click.argument("cell", metavar="[CELL]", default="")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def list_(common: Common, cell: str, limit: int) -> None:
    """List the accounts of which CELL, or this cell, is one of the keys.

    \b
    Example:
      myceld prana multisig list
    """
    with common.client() as client:
        answer = client.multisigs(cell, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            show.safe(one["name"]),
            f"{one['threshold']} of {len(one['keys'])}",
            in_prana(one["balance"]),
            str(len(one["spends"])),
            show.safe(one["account"]),
        ]
        for one in answer["items"]
    ]
    show.table(["name", "pay", "PRANA", "open", "id"], rows)


@multisig.command(name="show")
@click.argument("account", metavar="ID")
@common_options
def show_(common: Common, account: str) -> None:
    """Show an account, and what waits for approvals.

    \b
    Example:
      myceld prana multisig show 3fa2…
    """
    with common.client() as client:
        answer = client.multisig(account)
        symbols = {one["symbol"] for one in answer["spends"] if one["symbol"]}
        decimals = {symbol: client.token(symbol)["decimals"] for symbol in symbols}
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs(
        [
            ("account", show.safe(answer["account"])),
            ("name", show.safe(answer["name"])),
            ("pay together", f"{answer['threshold']} of {len(answer['keys'])}"),
            ("PRANA", in_prana(answer["balance"])),
        ]
    )
    for key in answer["keys"]:
        show.line(f"key              {show.safe(key)}")
    rows = [
        [
            _amount(one, decimals),
            show.safe(one["to"]),
            f"{len(one['approvals'])} of {answer['threshold']}",
            str(one["expires_round"]),
            show.safe(one["memo"]),
            show.safe(one["id"]),
        ]
        for one in answer["spends"]
    ]
    if rows:
        show.table(["amount", "to", "approved", "up to round", "memo", "spend"], rows)


def _amount(spend: Mapping[str, Any], decimals: dict[str, int]) -> str:
    symbol = spend["symbol"]
    if not symbol:
        return f"{in_prana(spend['amount'])} PRANA"
    return f"{format_amount(spend['amount'], decimals[symbol])} {show.safe(symbol)}"


def _vote(common: Common, kind: str, account: str, spend: str, wait: str) -> None:
    arguments = {"account": account, "spend": spend}
    with common.client() as client:
        answer = client.act(kind, arguments, wait=wait, timeout_s=common.timeout_s)
    _finish(common, answer)


def _finish(common: Common, answer: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])
