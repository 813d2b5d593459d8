"""`myceld round` and `myceld journal`: what a cell has on record."""

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


@click.group()
def journal() -> None:
    """List and read the cell's journals."""


@journal.command(name="list")
@common_options
def list_journals(common: Common) -> None:
    """List the journals with their length and root."""
    with common.client() as cell:
        answer = cell.journals()
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [show.safe(item["name"]), show.number(item["length"]), show.safe(item["root"])]
        for item in answer["items"]
    ]
    show.table(["journal", "blocks", "root"], rows)


@journal.command(name="show")
@click.argument("name")
@page_options
@common_options
def show_journal(common: Common, name: str, start: int, limit: int) -> None:
    """Show blocks of the journal NAME.

    \b
    Examples:
      myceld journal show consensus --start 10 --limit 5
      myceld journal show consensus --json | jq -r '.items[].leaf_hash'
    """
    with common.client() as cell:
        answer = cell.journal_blocks(name, start=start, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            str(item["index"]),
            show.size(item["size_bytes"]),
            show.brief(item["leaf_hash"]),
            show.safe(item["summary"]),
        ]
        for item in answer["items"]
    ]
    show.table(["block", "size", "leaf hash", "holds"], rows)
    show_more(answer["next"])
