"""`myceld repair`: take over the certified state, or make the map of the own one anew."""

from __future__ import annotations

import time

import click

from cli import show
from cli.daemon import ask_node
from cli.errors import WaitedInVain
from cli.limits import REPAIR_STEP_S
from cli.options import Common, common_options
from myceld.errors import CellUnreachable


@click.command()
@click.option(
    "--map", "is_map", is_flag=True, help="Make the map of the own state anew at the next start."
)
@common_options
def repair(common: Common, *, is_map: bool) -> None:
    """Replace the state of a cell that computed another one than the network certified.

    `myceld status` says that there is something to repair, and where it first differs. The
    certified state is fetched from the others and put in place in one step; what came after it
    is applied again. The wrong state stays as a file beside the store, for whoever looks into it.

    --map is for a damaged disk (MYC-LEDGER-502): the values are kept, and only what proves them is
    made anew from them at the next start. It asks nobody, and works whether the cell runs or not.

    \b
    Examples:
      myceld repair --timeout 300
      myceld repair --map
    """
    if is_map:
        _want_map(common)
        return
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


def _want_map(common: Common) -> None:
    status, _ = ask_node(["want-map", "--home", str(common.home)])
    if status != 0:
        raise click.exceptions.Exit(status)
    if common.as_json:
        show.as_json({"repaired": False, "at_next_start": True})
    else:
        show.line("the map of the state is made anew when the cell starts the next time")
