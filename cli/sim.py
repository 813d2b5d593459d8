"""`myceld sim`: runs whole networks of cells on virtual time, with faults drawn from a seed.

Needs no cell. With --like it takes the members and weights of a live one, to ask what would happen
if some of them died together. The options are here; what loads whole daemons is `cli.sim_runs`.
"""

from __future__ import annotations

from typing import Any, Final

import click

from cli.limits import SIM_CELLS_MAX, SIM_MINUTES_MAX, SIM_SEEDS_MAX
from cli.options import json_option

PROFILE_NAMES: Final = ("calm", "network", "crashes", "disks", "mixed", "governance", "liars")
"""Those of `sim.drawing`, which is not loaded for a --help."""
_KINDS_HELP: Final = (
    f"A profile ({', '.join(PROFILE_NAMES)}) or kinds of faults, separated by commas."
)


@click.command()
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Chance.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1, max=SIM_SEEDS_MAX),
    default=1,
    show_default=True,
    help="How many seeds to run, from --seed on.",
)
@click.option(
    "--cells", type=click.IntRange(4, SIM_CELLS_MAX), help="Members (drawn if not given)."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True, max=SIM_MINUTES_MAX),
    help="Virtual minutes in which things go wrong (2 to 5 s if not given).",
)
@click.option("--faults", metavar="WHAT", default="mixed", show_default=True, help=_KINDS_HELP)
@click.option("--liar", "liars", multiple=True, metavar="KIND", help="Members that lie like this.")
@click.option(
    "--kill", metavar="CELLS", help="These die together and stay down: names, or how many."
)
@click.option("--partition", metavar="CELLS", help="These are cut off from all others meanwhile.")
@click.option(
    "--like", metavar="DIR", help="As many members, with their weights, as this cell has."
)
@click.option("--scenario", metavar="FILE", help="Run this instead of drawing one.")
@click.option("--write", metavar="FILE", help="Write the scenario of --seed, to be run or changed.")
@click.option("--trace", metavar="FILE", help="Write what happened, one JSON line each.")
@click.option("--shrink", is_flag=True, help="Look for a smaller scenario that fails the same way.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Runs at once (default: one a core).")
@json_option
def sim(**options: Any) -> None:  # noqa: ANN401 - click's
    """Run real cells on virtual time, network and disk, and look for broken promises.

    \b
    Everything in a cell is the real program; only clock, wire and disk are not. One seed draws all
    that goes wrong, and the same seed gives the same run on every machine. The exit status is 1
    when anything was found.

    \b
    Examples:
      myceld sim --seed 7                                  one run
      myceld sim --seed 1 --seeds 200 --faults liars       many, with members that lie
      myceld sim --cells 7 --minutes 5 --faults "kill,partition,lossy"
      myceld sim --like ~/.myceld --kill ada,grace         what if these two die together?
      myceld sim --seed 7 --trace run.jsonl --write run.json
      myceld sim --scenario run.json --shrink
    """
    from cli.sim_runs import run  # noqa: PLC0415 - loads whole daemons

    run(options)
