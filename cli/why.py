"""`myceld why`: why a transaction, a cell or the network is where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.completing import complete_members
from cli.errors import NothingToExplain
from cli.options import Common, common_options
from myceld.errors import CellRefused

_TRANSACTION: Final = re.compile(r"[0-9a-fA-F]{64}")
_MARKS: Final = {True: "ok", False: "NO", None: ""}


@click.command()
@click.argument("subject", metavar="ID|CELL|stall", shell_complete=complete_members)
@common_options
def why(common: Common, subject: str) -> None:
    """Say why something is as it is, with what that follows from.

    ID is a transaction: its stages, what it waits for, or why it was refused. CELL is the id of a
    cell, or the name of a member or of who came by a ticket of this cell: whether it is connected,
    banned, trusted, and what it may ask. `stall` is the network: who is missing, the sum of the
    weights, clocks, upgrades.

    \b
    Examples:
      myceld why stall
      myceld why grace
      myceld why 5f3c…
    """
    with common.client() as cell:
        try:
            if subject == "stall":
                answer = cell.why_stall()
            elif _TRANSACTION.fullmatch(subject):
                answer = cell.why_transaction(subject.lower())
            else:
                answer = cell.why_cell(subject)
        except CellRefused as error:
            if error.status == 404:
                raise NothingToExplain(error.detail) from error
            raise
    if common.as_json:
        show.as_json(answer)
    else:
        _show(answer)


def _show(answer: Mapping[str, Any]) -> None:
    show.line(show.safe(answer["answer"]))
    show.line()
    reasons = answer["reasons"]
    width = max((len(show.safe(one["what"])) for one in reasons), default=0)
    for one in reasons:
        mark = _MARKS[one["ok"]]
        show.line(f"  {mark:<2}  {show.safe(one['what']):<{width}}  {show.safe(one['detail'])}")
    if answer["remedy"]:
        show.line()
        show.line(f"→ {show.safe(answer['remedy'])}")
