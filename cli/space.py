"""`myceld space`: what takes the room on the disk, and what can go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.daemon import ask_node
from cli.errors import CannotStart
from cli.limits import SPACE_TOLD_BYTES_MIN, SPACE_WORTH_BYTES_MIN
from cli.options import expand, home_option, json_option


@click.command()
@home_option
@json_option
def space(home: str, *, as_json: bool) -> None:
    """Say what takes the room of the cell on its disk, how fast that grows, and what can go.

    Works whether the cell runs or not, and changes nothing.

    \b
    Examples:
      myceld space
      myceld space --json | jq '.uses[] | select(.can_go)'
    """
    answer = space_of(expand(home))
    if as_json:
        show.as_json(answer)
    else:
        _show(answer)


def space_of(home: Path) -> dict[str, Any]:
    """Return what the daemon's program says of the room in a directory."""
    status, output = ask_node(["space", "--home", str(home)])
    if status != 0:
        raise CannotStart("the daemon's program could not look at the store")
    answer: dict[str, Any] = json.loads(output)
    return answer


def _show(answer: dict[str, Any]) -> None:
    rows = [
        [show.safe(use["what"]), show.size(use["size_bytes"]), show.safe(use["note"])]
        for use in answer["uses"]
        if use["size_bytes"] >= SPACE_TOLD_BYTES_MIN
    ]
    if (fewer := len(answer["uses"]) - len(rows)) > 0:
        below = show.size(SPACE_TOLD_BYTES_MIN)
        rows.append([f"{fewer} more", f"< {below}", "of each; --json lists them"])
    show.table(["what", "takes", "is"], rows)
    show.line()
    growth, days = answer["growth_bytes_a_day"], answer["days_left"]
    told = "not known yet: the network is young" if growth is None else f"{show.size(growth)} a day"
    show.pairs(
        [
            ("together", show.size(answer["total_bytes"])),
            ("free", show.size(answer["disk_free_bytes"])),
            ("grows by", told),
            ("full in", "" if days is None else f"{show.number(days)} days"),
            ("sizes", "estimated: the store is large" if answer["is_estimated"] else ""),
        ]
    )
    going = [
        use
        for use in answer["uses"]
        if use["can_go"] and use["size_bytes"] >= SPACE_WORTH_BYTES_MIN
    ]
    if going:
        show.line()
    for use in going:
        size = show.size(use["size_bytes"])
        show.line(f"{show.safe(use['what'])} ({size}): {show.safe(use['how'])}")
