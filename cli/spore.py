"""`myceld spore`: show, export and check signed records from which cells find each other.

`check` needs no cell: the file and the genesis of the network are enough.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli import show
from cli.errors import BadInput
from cli.options import Common, common_options, expand, json_option
from gossip.discovery.limits import SPORE_FILE_SIZE_BYTES_MAX
from gossip.discovery.spore import Spore
from gossip.discovery.spore_file import from_json
from identity.keys import verify_all
from ledger.genesis import Genesis
from ledger.genesis import from_json as genesis_from_json
from ledger.roster import Roster
from ledger.spore_authority import check_spore, network_identity

if TYPE_CHECKING:
    from myceld.views import SporeView

_GENESIS_SIZE_BYTES_MAX: Final = 64 * 1024


@click.group()
def spore() -> None:
    """Show, export and check spores: signed records of a network's cells.

    A spore names cells with the addresses that each of them signed. A member's spore also proves,
    from the genesis on, that it was made by a member.
    """


@spore.command(name="show")
@common_options
def show_spore(common: Common) -> None:
    """Show what this cell tells a peer that connects now.

    \b
    Examples:
      myceld spore show
      myceld spore show --json | jq -r '.active_nodes[].addresses[]'
    """
    with common.client() as cell:
        content = _content(cell.spore())
    if common.as_json:
        show.as_json(content)
        return
    show.pairs(
        [
            ("type", show.safe(content["spore_type"])),
            ("network", show.safe(content["network_identity"]["network_name"])),
            ("issuer", show.safe(content["issuer"])),
            ("updated", show.moment(content["last_updated"])),
        ]
    )
    nodes = content["active_nodes"]
    show.table(
        ["cell id", "type", "trust", "last seen", "addresses"],
        [
            [
                show.safe(node["node_id"]),
                show.safe(node["node_type"]),
                f"{node['trust_score']:.2f}",
                show.moment(node["last_seen"]),
                show.safe("  ".join(node["addresses"])),
            ]
            for node in nodes
        ],
    )


@spore.command()
@click.argument("file", metavar="FILE")
@common_options
def export(common: Common, file: str) -> None:
    """Write a seed to FILE (- is standard output), for cells that can not find the network.

    Others name it in `discovery.seeds` of their config.yaml, by path or by an https URL.

    \b
    Example:
      myceld spore export seed.json
    """
    with common.client() as cell:
        answer = cell.spore(seed=True)
    if file == "-":
        show.line(answer["file"].rstrip("\n"))
        return
    path = expand(file)
    try:
        show.to_file(path, answer["file"])
    except OSError as error:
        raise BadInput(f"can not write {path}: {error.strerror}") from error
    count = len(_content(answer)["active_nodes"])
    if common.as_json:
        show.as_json({"path": str(path), "spore_type": answer["spore_type"], "nodes": count})
    else:
        show.line(f"{path}  {show.number(count)} cells")


@spore.command()
@click.argument("file", metavar="FILE")
@click.option("--genesis", required=True, metavar="FILE", help="The genesis of the network.")
@json_option
def check(file: str, genesis: str, *, as_json: bool) -> None:
    """Check the spore in FILE offline: signatures, network, times, and who made it.

    \b
    Example:
      myceld spore check seed.json --genesis genesis.json
    """
    network = genesis_from_json(_read(expand(genesis), _GENESIS_SIZE_BYTES_MAX))
    found = from_json(_read(expand(file), SPORE_FILE_SIZE_BYTES_MAX), network_identity(network))
    roster = check_spore(found, network, now_ns=time.time_ns(), verify_all=verify_all)
    _show_checked(found, network, roster, as_json=as_json)


def _show_checked(found: Spore, network: Genesis, roster: Roster | None, *, as_json: bool) -> None:
    if as_json:
        show.as_json(
            {
                "valid": True,
                "spore_type": found.variant.word,
                "network_id": network.network_id.hex(),
                "issuer": found.issuer_id,
                "member_of_epoch": None if roster is None else roster.epoch,
                "nodes": len(found.nodes),
                "last_updated": found.updated_ns,
            }
        )
        return
    member = "no proof that it is a member" if roster is None else f"member, epoch {roster.epoch}"
    show.pairs(
        [
            ("valid", f"{found.variant.word} spore of {show.number(len(found.nodes))} cells"),
            ("network", f"{show.safe(network.name)} {network.network_id.hex()}"),
            ("issuer", f"{found.issuer_id}, {member}"),
            ("updated", show.moment(found.updated_ns)),
        ]
    )


def _content(answer: SporeView) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(answer["file"])
    return content


def _read(path: Path, size_bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(size_bytes_max + 1)
    except OSError as error:
        raise BadInput(f"can not read {path}: {error.strerror}") from error
    if len(data) > size_bytes_max:
        raise BadInput(f"{path} has more than {size_bytes_max} bytes")
    return data
