"""`myceld query`: ask another cell for a value of the agreed state, with its proof."""

from __future__ import annotations

import click

from cli.options import Common, common_options


@click.command()
@click.argument("to", metavar="CELL")
@click.argument("key")
@common_options
def query(common: Common, to: str, key: str) -> None:
    """Ask CELL (its id, or a member's name) for the value at KEY, and print it.

    The answer carries a proof to a state that more than 2/3 of the weight has signed; this cell
    checks it before it takes the answer, so the other one can not lie.

    \b
    Example:
      myceld query grace hello
    """
    from cli.state_question import ask_and_show  # noqa: PLC0415 - loads the whole ledger

    ask_and_show(common, to, key)
