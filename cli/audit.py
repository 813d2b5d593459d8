"""`myceld audit`: who did what with which key, what was refused, and that no row was changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.errors import BadInput
from cli.journal import audit_whole, proven_in
from cli.options import LIMIT, START, Common, common_options
from identity.audit import AUDIT_JOURNAL, decode_act

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SINCE_S_MAX: Final = 10 * 366 * 86_400


class Since(click.ParamType[int]):
    """A time span such as 90s, 15m, 24h or 7d, in seconds."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the seconds in a text."""
        text = str(value)
        number, unit = text[:-1], _UNITS_S.get(text[-1:])
        if unit is None or not number.isascii() or not number.isdigit() or len(number) > 9:
            self.fail("give a number and s, m, h or d, such as 15m", param, ctx)
        return min(int(number) * unit, _SINCE_S_MAX)


@click.group()
def audit() -> None:
    """Show who did what with which key, and what was refused; check that no row was changed.

    Rows are the cell's own acts, those of clients with its token, and what other cells were refused
    or asked it to prove. Many alike within a minute make one row with their number.
    """


@audit.command(name="show")
@click.option("--since", "since_s", type=Since(), metavar="SPAN", help="Such as 15m, 24h or 7d.")
@click.option("--refused", is_flag=True, help="Only what was refused, or failed.")
@click.option("--before", type=START, default=None, help="Only rows before this one.")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="Most rows to show.")
@common_options
def show_acts(
    common: Common, since_s: int | None, before: int | None, limit: int, *, refused: bool
) -> None:
    """Show rows of the audit journal, the newest first.

    \b
    Examples:
      myceld audit show --refused --since 24h
      myceld audit show --json | jq -r '.items[].action'
    """
    since_ms = 0 if since_s is None else max(0, int((time.time() - since_s) * 1000))
    with common.client() as cell:
        answer = cell.acts(limit=limit, before=before, since_ms=since_ms, refused=refused)
    if common.as_json:
        show.as_json(answer)
        return
    head = ["row", "time", "actor", "action", "subject", "outcome", "times", "why"]
    show.table(head, [_row(item) for item in answer["items"]], empty="no rows")
    if answer["next"] is not None:
        show.line(f"more with --before {answer['next']}")


@audit.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Check one row offline, in a file of `myceld journal export audit ROW`.",
)
@click.option("--cell", "cell_id", metavar="CELL_ID", help="With --file: whose row it must be.")
@common_options
def verify(common: Common, file: Path | None, cell_id: str | None) -> None:
    """Check every row against the head that the cell signed; or with --file one row, offline.

    \b
    Examples:
      myceld audit verify
      myceld audit verify --file audit-7.tlog-proof --cell 12D3KooW…
    """
    if file is None:
        audit_whole(common, AUDIT_JOURNAL)
        return
    proven = proven_in(file, cell_id)
    if proven.head.journal != AUDIT_JOURNAL:
        raise BadInput(f"{file} has a block of the journal {show.safe(proven.head.journal)}")
    act = decode_act(proven.block)
    item: dict[str, Any] = {
        "index": proven.index,
        "time_ms": act.time_ms,
        "actor": act.actor,
        "key": act.key.hex() or None,
        "action": act.action,
        "subject": act.subject,
        "outcome": act.outcome.value,
        "code": act.code,
        "reason": act.reason,
        "count": act.count,
    }
    if common.as_json:
        show.as_json({"valid": True, "cell_id": proven.head.cell_id, **item})
        return
    show.pairs(
        [
            ("proven", f"row {proven.index} of {show.number(proven.head.size)}"),
            ("cell", proven.head.cell_id),
            ("time", show.moment(act.time_ms * 1_000_000)),
            ("actor", show.safe(act.actor)),
            ("key", act.key.hex()),
            ("action", f"{show.safe(act.action)}  {show.safe(act.subject)}"),
            ("outcome", f"{act.outcome.value}  {show.safe(act.code)} {show.safe(act.reason)}"),
            ("times", show.number(act.count)),
        ]
    )


def _row(item: Mapping[str, Any]) -> list[str]:
    return [
        str(item["index"]),
        show.moment(item["time_ms"] * 1_000_000),
        show.safe(item["actor"]),
        show.safe(item["action"]),
        show.safe(item["subject"]),
        show.safe(item["outcome"]),
        show.number(item["count"]),
        f"{show.safe(item['code'])} {show.safe(item['reason'])}".strip(),
    ]
