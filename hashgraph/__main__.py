"""`python -m hashgraph replay FILE`: what the rules say about a graph, as JSON."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from core.errors import MyceldError
from hashgraph.oracle import oracle
from hashgraph.replay import replay
from hashgraph.vector import outcome_as_json, read_vector


@click.group()
def main() -> None:
    """Hashgraph on files, without a network."""


@main.command("replay")
@click.argument("file", type=click.File("rb"))
@click.option("--oracle", "by_oracle", is_flag=True, help="Answer by brute force.")
@click.option("--shuffle", "seed", help="Feed the events in another topological order.")
def replay_command(file: BinaryIO, *, by_oracle: bool, seed: str | None) -> None:
    """Read hashgraph-vector/1 from FILE (- for standard input) and print its outcome."""
    try:
        vector = read_vector(file.read())
        answer = oracle if by_oracle else replay
        outcome = answer(
            vector.events if seed is None else vector.shuffled(seed),
            vector.weights,
            coin_period=vector.coin_period,
            first_round=vector.first_round,
            coin=vector.coin,
        )
    except MyceldError as error:
        raise click.ClickException(f"{error}\n{error.remedy}") from error
    click.echo(json.dumps(outcome_as_json(outcome, vector)))


if __name__ == "__main__":
    main()
