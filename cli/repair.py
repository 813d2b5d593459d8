"""`myceld repair`: take over the certified state where the cell's own one differs from it."""

from __future__ import annotations

import time

import click

from cli import show
from cli.errors import WaitedInVain
from cli.limits import REPAIR_STEP_S
from cli.options import Common, common_options
from myceld.errors import CellUnreachable


@click.command()
@common_options
def repair(common: Common) -> None:
    """Replace the state of a cell that computed another one than the network certified.

    `myceld status` says that there is something to repair, and where it first differs. The
    certified state is fetched from the others and put in place in one step; what came after it
    is applied again. The wrong state stays as a file beside the store, for whoever looks into it.

    \b
    Example:
      myceld repair --timeout 300
    """
    until_s = time.monotonic() + common.timeout_s
    with common.client() as cell:
        before = cell.repair()
        while True:
            time.sleep(REPAIR_STEP_S)
            try:
                now = cell.divergence()
            except CellUnreachable:
                now = {**before, "repairing": True}
            if not now["diverged"] and not now["repairing"]:
                break
            if time.monotonic() > until_s:
                raise WaitedInVain("the certified state is not in place yet; the cell goes on")
    if common.as_json:
        show.as_json({"repaired": True, "was": before})
    else:
        where = "" if before["first_round"] is None else f" from round {before['first_round']} on"
        show.line(f"repaired: the state is the certified one again; it differed{where}")
        if before["report"]:
            show.line(f"report    {show.safe(before['report'])}")
