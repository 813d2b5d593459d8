"""`myceld watch`: what happens, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import show
from cli.errors import BadUsage
from cli.options import START, Common, common_options


@click.command()
@click.argument("what", default="transactions")
@click.option("--since", "after_round", type=START, metavar="ROUND",
              help="From behind a round on; from now on without this.")  # fmt: skip
@click.option("--after", metavar="CURSOR", help="From behind the item with this cursor on.")
@click.option("--sender", metavar="KEY", help="Only transactions of this public key.")
@click.option("--kind", help="Only transactions of this kind.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many items.")
@common_options
def watch(common: Common, what: str, count: int | None, **wish: Any) -> None:  # noqa: ANN401 - options, as the client takes them
    """Show transactions, rounds, messages, peers or state:PREFIX as they come, until Ctrl-C.

    With --json one frame a line, with its cursor: who was away goes on with --after and the last
    one. A connection that is lost is made again, and nothing is missed.

    \b
    Examples:
      myceld watch rounds
      myceld watch state:club/ --since 1200 --json | jq -r .item.key
    """
    if wish["after"] is not None and wish["after_round"] is not None:
        raise BadUsage("--since and --after exclude each other")
    with common.client() as cell, cell.subscribe(what, **wish) as items:
        for number, frame in enumerate(items, 1):
            if common.as_json:
                show.as_json(frame)
            else:
                show.line("  ".join(show.safe(part) for part in _row(frame)))
            show.flush()
            if number == count:
                return


def _row(frame: Mapping[str, Any]) -> list[str]:
    item = frame["item"]
    match frame["kind"]:
        case "transactions":
            row = [f"{item['position']}", f"round {item['round']}", item["kind"], item["outcome"]]
            return [*row, item["id"], item["sender"] or ""]
        case "rounds":
            moment = show.moment(item["consensus_time_ns"])
            return [f"round {item['round']}", moment, f"{item['transactions']} transactions"]
        case "messages":
            text = item["text"] if item["text"] is not None else item["type"]
            return [f"{item['id']}", item["way"], item["cell"], item["status"], text]
        case "state":
            value = item["value"] if item["value"] is not None else item["value_hex"]
            return [item["key"], f"{item['round']}", "taken away" if value is None else value]
    return [item["cell_id"], item["name"], "connected" if item["connected"] else "not connected"]
