"""`myceld services` and `challenge`: how the parts of a cell are, and who another cell is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import show
from cli.options import Common, common_options


@click.command()
@click.option("--of", "other", metavar="CELL", help="What another cell says of itself.")
@common_options
def services(common: Common, other: str | None) -> None:
    """Show what the cell is, its services in the order of their start, and how each is.

    With --of it asks another cell (a member's name, or a cell id), which tells cells that it
    trusts.

    \b
    Examples:
      myceld services
      myceld services --of grace
    """
    with common.client() as cell:
        answer: Mapping[str, Any] = cell.services() if other is None else cell.describe(other)
    if common.as_json:
        show.as_json(answer)
        return
    if other is not None:
        show.pairs(_described(answer))
        return
    show.pairs(_described(answer["cell"]))
    rows = [
        [
            show.safe(item["name"]),
            show.safe(item["status"]),
            show.safe(item["journal"]),
            show.number(item["blocks"]),
            ", ".join(show.safe(need) for need in item["needs"]),
            show.moment(item["since_ms"] * 1_000_000) if item["since_ms"] else "start",
            show.safe(item["why"]),
        ]
        for item in answer["items"]
    ]
    show.table(["service", "health", "journal", "blocks", "needs", "since", "why"], rows)


def _described(cell: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a cell says of itself in lines; whatever it is, it is shown safely."""
    stopped = cell["stopped_ms"]
    return [
        ("cell", show.safe(cell["cell_id"])),
        ("name", show.safe(cell["name"])),
        ("version", show.safe(cell["version"])),
        ("role", show.safe(cell["role"])),
        ("started", show.moment(cell["started_ms"] * 1_000_000)),
        ("stopped before", show.moment(stopped * 1_000_000) if stopped else "never"),
        ("services", ", ".join(show.safe(one) for one in cell["services"])),
        *((show.safe(key), show.safe(value)) for key, value in cell["metadata"].items()),
    ]


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
