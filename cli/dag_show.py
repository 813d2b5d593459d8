"""`myceld dag show`, `round` and `why`: the hashgraph of a running cell, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import show
from cli.errors import BadUsage
from cli.options import Common, common_options

_EVENTS_DEFAULT = 20
_EVENTS_MAX = 1000


@click.command("show")
@click.option(
    "--events",
    "count",
    type=click.IntRange(1, _EVENTS_MAX),
    default=_EVENTS_DEFAULT,
    show_default=True,
    help="How many, at most.",
)
@click.option("--round", "number", type=click.IntRange(0), help="Those made in this round.")
@click.option("--start", type=click.IntRange(0), help="From this arrival on; default: the newest.")
@common_options
def show_events(common: Common, count: int, number: int | None, start: int | None) -> None:
    """List events of the present epoch, in the order in which they came to this cell.

    A witness is its creator's first event of a round; * is a famous one, ? one whose fame is not
    decided, - one that is not famous.

    \b
    Examples:
      myceld dag show
      myceld dag show --round 40
    """
    with common.client() as cell:
        answer = cell.dag(start=start, from_round=number, to_round=number, limit=count)
    if common.as_json:
        show.as_json(answer)
        return
    members = answer["members"]
    rows = [
        (
            str(one["arrival"]),
            f"{show.safe(members[one['creator']])}/{one['sequence']}",
            str(one["round"]),
            {True: "*", False: "-", None: "?"}[one["famous"]] if one["witness"] else "",
            show.safe(one["received"]),
            show.safe(one["position"]),
            str(one["transactions"]),
            show.safe(one["id"]),
        )
        for one in answer["items"]
    ]
    head = ("ARRIVAL", "EVENT", "ROUND", "WITNESS", "RECEIVED", "POSITION", "TX", "ID")
    show.table(head, rows)
    show.line(f"{show.number(answer['events'])} events of epoch {answer['epoch']} are here")


@click.command("round")
@click.argument("number", type=click.IntRange(0), required=False)
@common_options
def show_round(common: Common, number: int | None) -> None:
    """Show the witnesses of a round, the votes on them, and what it waits for.

    Without NUMBER: the rounds that are not decided, and what each waits for.

    \b
    Examples:
      myceld dag round
      myceld dag round 40
    """
    with common.client() as cell:
        answer: Mapping[str, Any] = cell.consensus() if number is None else cell.witnesses(number)
        members = cell.consensus()["members"] if number is not None else answer["members"]
    if common.as_json:
        show.as_json(answer)
        return
    if number is None:
        show.line(f"epoch {answer['epoch']}: {show.safe(answer['words'])}")
        show.line(f"rounds up to {answer['round_decided']} are decided")
        for one in answer["undecided"]:
            show.line(f"round {one['round']}: {show.safe(one['words'])}")
        return
    show.line(f"round {answer['round']}: {show.safe(answer['words'])}")
    fame = {True: "famous", False: "not famous", None: "not decided"}
    rows = [
        (
            f"{show.safe(members[one['creator']])}/{one['sequence']}",
            fame[one["famous"]] + (", judge" if one["judge"] else ""),
            str(one["votes_yes"]),
            str(one["votes_no"]),
            show.safe(one["id"]),
        )
        for one in answer["witnesses"]
    ]
    show.table(("WITNESS", "FAME", "YES", "NO", "ID"), rows)


@click.command("why")
@click.argument("event_id", metavar="ID")
@common_options
def show_why(common: Common, event_id: str) -> None:
    """Say why an event is where it is in the order, or what it still waits for.

    ID is the event's id, as `myceld dag show` and `myceld tx list` tell it.

    \b
    Example:
      myceld dag why 3fa2…
    """
    if len(event_id) != 64 or set(event_id) - set("0123456789abcdef"):
        raise BadUsage("ID is 64 hex digits; `myceld dag show` lists events")
    with common.client() as cell:
        answer = cell.why_event(event_id)
        members = cell.consensus()["members"]
    if common.as_json:
        show.as_json(answer)
        return
    for words in answer["words"]:
        show.line(show.safe(words))
    if not answer["judges"]:
        return

    def label(ref: Mapping[str, Any]) -> str:
        return f"{show.safe(members[ref['creator']])}/{ref['sequence']}"

    show.line()
    rows = [
        (
            label(one["judge"]),
            label(one["first"]),
            show.moment(one["time_ns"]),
            " > ".join(map(label, one["path"])) or "–",
        )
        for one in sorted(answer["judges"], key=lambda judge: int(judge["time_ns"]))
    ]
    show.table(("JUDGE", "FIRST HAD IT WITH", "AT", "BY WAY OF"), rows)
    show.line()
    show.pairs(
        [
            ("consensus time", show.moment(answer["consensus_time_ns"])),
            ("position", show.safe(answer["position"])),
            ("before it", label(answer["before"]["event"]) if answer["before"] else ""),
            ("after it", label(answer["after"]["event"]) if answer["after"] else ""),
        ]
    )
