"""`myceld round`: the rounds a cell has on record."""

from __future__ import annotations

import click

from cli import show
from cli.options import Common, common_options, page_options
from cli.tx import show_more


@click.group()
def rounds() -> None:
    """List decided rounds."""


@rounds.command(name="list")
@page_options
@common_options
def list_rounds(common: Common, start: int, limit: int) -> None:
    """List decided rounds with the state after each.

    \b
    Examples:
      myceld round list --start 100
      myceld round list --json
    """
    with common.client() as cell:
        answer = cell.rounds(start=start, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            str(item["round"]),
            show.moment(item["consensus_time_ns"]),
            show.number(item["transactions"]),
            show.number(item["transactions_total"]),
            "yes" if item["certified"] else "no",
            show.safe(item["state_root"]),
        ]
        for item in answer["items"]
    ]
    show.table(["round", "decided at", "new", "total", "certified", "state root"], rows)
    show_more(answer["next"])
