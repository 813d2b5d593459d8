"""`myceld member`: who votes, and how that changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.completing import complete_members
from cli.options import STAGE, Common, common_options
from cli.receipt import finish, show_receipt

_WEIGHT: Final = click.IntRange(1, 2**32)
_wait = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)


@click.group()
def member() -> None:
    """Show and change who votes.

    Changes need the approval of members with more than 2/3 of the weight, and hold from the next
    epoch on, which begins at once. Proposing is approving.
    """


@member.command(name="list")
@common_options
def list_members(common: Common) -> None:
    """List the members of the present epoch, and the proposals.

    \b
    Example:
      myceld member list --json | jq '.proposals[] | select(.state == "open")'
    """
    with common.client() as cell:
        answer = cell.members()
    if common.as_json:
        show.as_json(answer)
        return
    show.line(f"epoch {answer['epoch']}")
    rows = [
        [str(number), show.safe(item["name"]), show.number(item["weight"]), item["cell_id"]]
        for number, item in enumerate(answer["members"])
    ]
    show.table(["no.", "member", "weight", "cell id"], rows)
    if answer["proposals"]:
        show.line()
        head = ["proposal", "change", "approved", "state"]
        show.table(head, [_proposal_row(item) for item in answer["proposals"]])
    if answer["forks"]:
        show.line()
        rows = [
            [str(i["epoch"]), str(i["round"]), show.safe(i["cell_id"])] for i in answer["forks"]
        ]
        show.table(["forked in epoch", "proven in round", "cell id"], rows)


@member.command()
@click.argument("cell_id")
@click.option("--name", required=True, help="What the member will be called.")
@click.option("--weight", type=_WEIGHT, default=1, show_default=True, help="Weight of its vote.")
@_wait
@common_options
def propose(common: Common, cell_id: str, name: str, weight: int, wait: str) -> None:
    """Propose the cell CELL_ID as a member.

    The transaction's id is the proposal's. The cell should be running and following the network
    by then: its weight counts from the next epoch on.

    \b
    Example:
      myceld member propose 12D3KooW… --name dora
    """
    _change(common, "add", wait, cell=cell_id, name=name, weight=weight)


@member.command()
@click.argument("cell", metavar="MEMBER", shell_complete=complete_members)
@_wait
@common_options
def remove(common: Common, cell: str, wait: str) -> None:
    """Propose to remove MEMBER (its name, or cell id).

    \b
    Example:
      myceld member remove dora
    """
    _change(common, "remove", wait, cell=cell)


@member.command()
@click.argument("cell", metavar="MEMBER", shell_complete=complete_members)
@click.argument("weight", type=_WEIGHT)
@_wait
@common_options
def weight(common: Common, cell: str, weight: int, wait: str) -> None:
    """Propose another WEIGHT for MEMBER (its name, or cell id).

    \b
    Example:
      myceld member weight alice 3
    """
    _change(common, "weight", wait, cell=cell, weight=weight)


@member.command()
@click.argument("proposal", metavar="ID")
@_wait
@common_options
def approve(common: Common, proposal: str, wait: str) -> None:
    """Approve the proposal ID, which `myceld member list` shows.

    \b
    Example:
      myceld member approve 3fa2…
    """
    _change(common, "approve", wait, proposal=proposal)


@member.command()
@_wait
@common_options
def leave(common: Common, wait: str) -> None:
    """Leave the members: this cell goes on as a full copy without a vote.

    \b
    Example:
      myceld member leave
    """
    _change(common, "leave", wait)


def _change(common: Common, action: str, wait: str, **fields: object) -> None:
    with common.client() as cell:
        answer = cell.change_members(action, wait=wait, timeout_s=common.timeout_s, **fields)
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


def _proposal_row(item: Mapping[str, Any]) -> list[str]:
    who = show.safe(item["name"] or item["cell_id"])
    words = {
        "add": f"add {who}, weight {show.number(item['weight'])}",
        "remove": f"remove {who}",
        "weight": f"weight of {who} to {show.number(item['weight'])}",
    }
    share = f"{show.number(item['weight_approved'])} of {show.number(item['weight_total'])}"
    return [item["id"], words[item["action"]], share, item["state"]]
