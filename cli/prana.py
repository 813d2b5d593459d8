"""`myceld prana`: what accounts have, and paying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from cli import show
from cli.amount import PRANA, in_prana
from cli.options import LIMIT, STAGE, Common, common_options
from cli.prana_multisig import multisig
from cli.prana_token import token
from cli.receipt import finish, show_receipt

_wait: Final = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)
_memo: Final = click.option("--memo", default="", help="What it is for: one line, 256 bytes.")
_ROUND: Final = click.IntRange(0, 2**63 - 1)


@click.group()
def prana() -> None:
    """See what accounts have, and pay.

    Amounts are decimal numbers with up to nine places, such as 12 or 0.5. An ACCOUNT is a member's
    name, a cell id, a key or an account's id in hex, or `treasury`.
    """


@prana.command()
@click.argument("account", metavar="[ACCOUNT]", default="")
@common_options
def balance(common: Common, account: str) -> None:
    """Show what ACCOUNT has; this cell's unless one is named.

    \b
    Examples:
      myceld prana balance
      myceld prana balance grace --json | jq .balance
    """
    with common.client() as client:
        answer = client.purse(account)
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs(
        [
            ("account", show.safe(answer["cell_id"] or answer["account"])),
            ("PRANA", show.safe(answer["amount"])),
            ("given up for", show.safe(answer["successor"])),
        ]
    )
    _show_allowances(answer["allowances"])


@prana.command()
@click.argument("to", metavar="ACCOUNT")
@click.argument("amount", type=PRANA)
@_memo
@_wait
@common_options
def send(common: Common, to: str, amount: int, memo: str, wait: str) -> None:
    """Pay AMOUNT from this cell's account to ACCOUNT.

    \b
    Examples:
      myceld prana send grace 1.5 --memo "rent of May"
      myceld prana send 12D3KooW… 20 --wait certified
    """
    with common.client() as client:
        answer = client.pay(to, amount, memo=memo, wait=wait, timeout_s=common.timeout_s)
    show_act(common, answer)


@prana.command()
@click.argument("account", metavar="[ACCOUNT]", default="")
@click.option("--before", type=click.IntRange(1, 2**63 - 1), help="Only rounds before this one.")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def history(common: Common, account: str, before: int | None, limit: int) -> None:
    """Show what rounds made of ACCOUNT, or of this cell's, the newest first.

    Everything that a round moved is in one line, with the fees. `myceld tx list` has the
    transactions.

    \b
    Example:
      myceld prana history grace --limit 20
    """
    with common.client() as client:
        answer = client.moves(account, before=before, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            str(one["round"]),
            "" if one["change"] is None else in_prana(one["change"]),
            in_prana(one["balance"]),
        ]
        for one in answer["items"]
    ]
    show.table(["round", "change", "PRANA"], rows)
    if answer["next"] is not None:
        show.line(f"(there is more: --before {answer['next']})")


@prana.command()
@common_options
def supply(common: Common) -> None:
    """Show how much PRANA there is, and what transactions cost.

    \b
    Example:
      myceld prana supply
    """
    with common.client() as client:
        answer = client.supply()
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs(
        [
            ("there are", f"{in_prana(answer['total'])} PRANA"),
            ("issued", in_prana(answer["issued"])),
            ("burned", in_prana(answer["burned"])),
            ("treasury", in_prana(answer["treasury"])),
            ("a unit of cost", in_prana(answer["fee_per_cost"])),
            ("opens an account", in_prana(answer["account_minimum"])),
        ]
    )


@prana.group()
def allow() -> None:
    """Let others pay from this cell's account."""


@allow.command(name="set")
@click.argument("spender", metavar="CELL")
@click.argument("amount", type=PRANA)
@click.option(
    "--expires",
    "expires_round",
    type=_ROUND,
    default=0,
    show_default=True,
    help="Last round in which it holds; 0 for no end.",
)
@_wait
@common_options
def set_(common: Common, spender: str, amount: int, expires_round: int, wait: str) -> None:
    """Let CELL pay up to AMOUNT in all, in place of what was allowed; 0 takes it back.

    \b
    Example:
      myceld prana allow set grace 5
    """
    arguments = {"spender": spender, "amount": amount, "expires_round": expires_round}
    with common.client() as client:
        answer = client.act("allow", arguments, wait=wait, timeout_s=common.timeout_s)
    show_act(common, answer)


@allow.command(name="list")
@click.argument("account", metavar="[ACCOUNT]", default="")
@common_options
def list_(common: Common, account: str) -> None:
    """List what others may pay from ACCOUNT; this cell's unless one is named.

    \b
    Example:
      myceld prana allow list
    """
    with common.client() as client:
        answer = client.purse(account)
    if common.as_json:
        show.as_json(answer["allowances"])
    elif answer["allowances"]:
        _show_allowances(answer["allowances"])
    else:
        show.line("nobody may")


@allow.command()
@click.argument("owner", metavar="OWNER")
@click.argument("to", metavar="ACCOUNT")
@click.argument("amount", type=PRANA)
@_memo
@_wait
@common_options
def use(common: Common, owner: str, to: str, amount: int, memo: str, wait: str) -> None:
    """Pay AMOUNT to ACCOUNT from OWNER's account, who allowed this cell to.

    \b
    Example:
      myceld prana allow use grace shop 2.5
    """
    arguments = {"owner": owner, "to": to, "amount": amount, "memo": memo}
    with common.client() as client:
        answer = client.act("transfer-from", arguments, wait=wait, timeout_s=common.timeout_s)
    show_act(common, answer)


prana.add_command(multisig)
prana.add_command(token)


def show_act(common: Common, answer: Mapping[str, Any]) -> None:
    """Show the receipt of what was done, and end with its exit status."""
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


def _show_allowances(allowances: Sequence[Mapping[str, Any]]) -> None:
    if allowances:
        rows = [
            [
                show.safe(one["spender"]),
                in_prana(one["amount"]),
                str(one["expires_round"] or "-"),
            ]
            for one in allowances
        ]
        show.table(["may pay", "PRANA", "up to round"], rows)
