"""`scripts/bench`: how many transactions a fresh local network orders, and how fast.

Prints a table; the JSON has everything. Exit status 1 when a transaction was lost, ordered twice,
or the cells disagree.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from measure import Load, loaded, parameters, quiet
from network import BenchFailed, fresh_network
from report import heading, quiet_text, surroundings, table

KINDS = ("opaque", "put", "pay")
LOADS_DEFAULT = "10,100,500,1000,2000,opaque,put,pay"
LOADS_QUICK = "20,200,opaque,put"
PREPARE_OPAQUE_RATE = 3000.0
PREPARE_PUT_RATE = 800.0
RATE_MAX = 1e6


@click.command()
@click.option("--quick", is_flag=True, help="A short run to see that it works; 2 s a load.")
@click.option(
    "--loads",
    metavar="LIST",
    help="Rates in transactions a second over all cells (open loop; put:100, pay:100: signed), "
    f"and `opaque`, `put` and `pay`: as fast as it goes (closed loop). Default: {LOADS_DEFAULT}",
)
@click.option("--seconds", type=click.FloatRange(0.5), help="Length of each load. Default: 10")
@click.option("--warm-up", type=click.FloatRange(0), help="Seconds before that. Default: 3")
@click.option("--idle-seconds", type=click.FloatRange(0), help="Quiet time; 0: none. Default: 30")
@click.option("--cells", type=click.IntRange(1, 16), default=4, show_default=True)
@click.option(
    "--clients",
    type=click.IntRange(1, 32),
    default=2,
    show_default=True,
    help="Closed loop: clients a cell.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 1000),
    default=250,
    show_default=True,
    help="Closed loop: transactions that a client hands in together.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all here.")
def main(
    *,
    quick: bool,
    loads: str | None,
    seconds: float | None,
    warm_up: float | None,
    idle_seconds: float | None,
    cells: int,
    clients: int,
    batch: int,
    json_file: Path | None,
) -> None:
    """Measure a fresh devnet, which is stopped and removed afterwards.

    Latencies are p50/p99 in milliseconds from accepted, by the receipts of the cell that took the
    transaction; CPU is in percent of one core. See docs/performance.md.

    \b
    Examples:
      scripts/bench --json result.json
      scripts/bench --loads 500,put:200,put --seconds 30
    """
    length_s = seconds or (2.0 if quick else 10.0)
    warm_s = (0.5 if quick else 3.0) if warm_up is None else warm_up
    idle_s = (1.0 if quick else 30.0) if idle_seconds is None else idle_seconds
    base = Load("", seconds=length_s, warm_up_s=warm_s, clients=clients, batch=batch)
    names = (loads or (LOADS_QUICK if quick else LOADS_DEFAULT)).split(",")
    plan = [_load(name, base) for name in names]
    around = surroundings()
    result: dict[str, Any] = {
        **around,
        "cells": cells,
        "parameters": parameters(base),
        "quiet": None,
        "loads": [],
    }
    click.echo(heading(around))
    try:
        with fresh_network(cells) as network:
            if idle_s:
                result["quiet"] = quiet(network, idle_s, repeats=2 if quick else 5)
                click.echo(quiet_text(result["quiet"]))
            for load in plan:
                result["loads"].append(loaded(network, load))
                click.echo(f"{load.name}: done", err=True)
    except BenchFailed as error:
        click.echo(f"error {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(130)
    finally:
        if result["loads"]:
            click.echo(table(result["loads"]))
        if json_file is not None:
            json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if any(line["lost"] or line["twice"] for line in result["loads"]):
        click.echo("error transactions were lost or ordered twice", err=True)
        sys.exit(1)


def _load(name: str, base: Load) -> Load:
    if name in KINDS:
        prepare_rate = PREPARE_OPAQUE_RATE if name == "opaque" else PREPARE_PUT_RATE
        return replace(base, name=f"{name} max", kind=name, prepare_rate=prepare_rate)
    kind, _, number = name.rpartition(":")
    try:
        rate = float(number)
    except ValueError as error:
        raise click.BadParameter(f"{name!r} is no rate, nor one of {', '.join(KINDS)}") from error
    if kind not in ("", *KINDS) or not 0 < rate < RATE_MAX:
        raise click.BadParameter(f"{name!r} is no rate, nor one of {', '.join(KINDS)}")
    return replace(base, name=f"{name} /s", kind=kind or "opaque", rate=rate)


if __name__ == "__main__":
    main()
