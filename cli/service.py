"""`myceld services` and `challenge`: how the parts of a cell are, and who another cell is."""

from __future__ import annotations

import click

from cli import show
from cli.options import Common, common_options


@click.command()
@common_options
def services(common: Common) -> None:
    """List the services of the cell in the order of their start, and how each is.

    \b
    Example:
      myceld services
    """
    with common.client() as cell:
        answer = cell.services()
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            show.safe(item["name"]),
            show.safe(item["status"]),
            show.safe(item["journal"]),
            show.number(item["blocks"]),
            ", ".join(show.safe(need) for need in item["needs"]),
            show.safe(item["why"]),
        ]
        for item in answer["items"]
    ]
    show.table(["service", "health", "journal", "blocks", "needs", "why"], rows)


@click.command()
@click.argument("cell", metavar="CELL")
@common_options
def challenge(common: Common, cell: str) -> None:
    """Have CELL (a member's name, or a cell id) prove now that it holds its key.

    It signs a nonce that was drawn for this, together with the network and both cells. What it
    proved counts for an hour.

    \b
    Example:
      myceld challenge grace
    """
    with common.client() as client:
        answer = client.verify_identity(cell)
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs(
        [
            ("proven", show.safe(answer["cell_id"])),
            ("key", show.safe(answer["public_key"])),
            ("until", show.moment(answer["until_ms"] * 1_000_000)),
        ]
    )
