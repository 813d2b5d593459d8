"""`myceld dag`: the hashgraph of a running cell, and as a file that can be replayed anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.dag_show import show_events, show_round, show_why
from cli.errors import BadInput, BadUsage
from cli.journal import progress
from cli.options import START, Common, common_options
from core.ids import NetworkId
from hashgraph.event import Event, decode_any_event
from hashgraph.export import vector_of
from hashgraph.places import Places
from myceld.client import Client

_EVENTS_JOURNAL: Final = "consensus"
_PAGE: Final = 1000


@click.group()
def dag() -> None:
    """Show the hashgraph of a cell, say why events are where they are, export it."""


dag.add_command(show_events)
dag.add_command(show_round)
dag.add_command(show_why)


@dag.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--epoch", type=START, help="Which epoch; default: the present one.")
@click.option("--events", "count_max", type=click.IntRange(1), help="Only the first so many.")
@common_options
def export(common: Common, file: Path, epoch: int | None, count_max: int | None) -> None:
    """Write the events of an epoch, as far as this cell has them, to FILE (hashgraph-vector/1).

    Contents are left out: who made which event, when, on which parents, and its signature. The
    file also says what the rules give for it: `python -m hashgraph check FILE` compares that with
    the brute-force oracle, `python -m hashgraph explain FILE ID` says why an event is where it is.

    \b
    Example:
      myceld dag export graph.json --epoch 0
    """
    with common.client() as cell:
        status = cell.status()
        number = status["epoch"] if epoch is None else epoch
        items = cell.epochs(start=number, limit=1)["items"]
        if not items:
            raise BadUsage(f"epoch {number} has not begun: the cell is in {status['epoch']}")
        rules = items[0]
        events = _events(common, cell, rules, NetworkId(bytes.fromhex(status["network_id"])))
    events = events[:count_max]
    vector = vector_of(
        events,
        [member["weight"] for member in rules["members"]],
        coin_period=rules["coin_period"],
        first_round=rules["first_round"],
        rule_set=rules["rule_set"],
        name=f"{status['network_name']}/{number}",
        source=f"myceld {status['version']}, cell {status['cell_id']}",
    )
    try:
        show.to_file(file, json.dumps(vector) + "\n")
    except OSError as error:
        raise BadInput(f"can not write {file}: {error.strerror}") from error
    answer = {"file": str(file), "epoch": number, "events": len(events)}
    if common.as_json:
        show.as_json(answer)
    else:
        show.line(
            f"{show.number(len(events))} events of epoch {number} are in {show.safe(str(file))}"
        )


def _events(
    common: Common, cell: Client, rules: Mapping[str, Any], network_id: NetworkId
) -> list[Event]:
    """Return the events of one epoch from the cell's journal, which keeps parents first."""
    length = next(
        item["length"] for item in cell.journals()["items"] if item["name"] == _EVENTS_JOURNAL
    )
    events: list[Event] = []
    places = Places(len(rules["members"]))
    at: int | None = rules["first_block"]
    with progress(common, "reading") as advance:
        while at is not None and at < length:
            answer = cell.journal_blocks(_EVENTS_JOURNAL, start=at, limit=_PAGE)
            for item in answer["items"]:
                event, epoch = decode_any_event(bytes.fromhex(item["data_hex"]), network_id)
                if epoch > rules["epoch"]:
                    return events
                if epoch == rules["epoch"]:
                    events.append(places.resolve_stored(event))
                    places.add(events[-1])
            at = answer["next"]
            advance(length if at is None else at, length)
    return events
