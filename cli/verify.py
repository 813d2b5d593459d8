"""`myceld verify`: check a proof file, without a cell and without a network."""

from __future__ import annotations

import click

from cli.errors import BadUsage
from cli.options import json_option


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--genesis", metavar="FILE", help="The genesis file of the network you trust.")
@click.option("--network", metavar="ID", help="Its network id (hex) instead: the genesis's hash.")
@json_option
def verify(file: str, genesis: str | None, network: str | None, *, as_json: bool) -> None:
    """Check the proof in FILE and say what it proves. Needs no cell and no network.

    A proof is made by `myceld receipt ID --proof FILE` or `myceld state get KEY --proof FILE`. It
    holds its network's genesis; the id that you give is the hash of that, so both options trust the
    same. What else is trusted: that at no time members with more than 2/3 of the weight signed what
    is not so. A proof can not say whether there is something newer. A file that proves nothing is
    refused with the code of what is wrong (exit status 1).

    \b
    Examples:
      myceld verify receipt.proof --genesis genesis.json
      myceld verify value.proof --network 7c0f…
    """
    if (genesis is None) == (network is None):
        raise BadUsage("give either --genesis FILE or --network ID: what you trust")
    from cli.proof_file import check_and_show  # noqa: PLC0415 - loads the whole ledger

    check_and_show(file, genesis, network, as_json=as_json)
