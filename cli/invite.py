"""`myceld invite`: tickets for others to join by."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import click
import segno

from cli import show
from cli.errors import TicketOver
from cli.limits import INVITE_POLL_S
from cli.options import Common, common_options
from cli.times import seconds
from gossip.discovery.address import Reach, reach_of
from gossip.discovery.ticket import parse_ticket
from myceld.client import Client


@click.group(invoke_without_command=True)
@click.option(
    "--role",
    type=click.Choice(["rhizomorph", "sclerotium"]),
    default="rhizomorph",
    show_default=True,
    help="rhizomorph: a full copy without a vote. sclerotium: proposed as a member, to vote.",
)
@click.option(
    "--name", default="", help="What the newcomer will be called; else as it says itself."
)
@click.option(
    "--weight",
    type=click.IntRange(1, 2**32),
    default=1,
    show_default=True,
    help="Weight of its vote.",
)
@click.option(
    "--expires",
    "expires_s",
    callback=seconds,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="How long the ticket is good: 90s, 15m, 1h, 2d; at most 30d.",
)
@click.option(
    "--uses",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="How many cells may join by it.",
)
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="MULTIADDR",
    help="Where this cell can be dialled from outside, if it does not know itself; repeatable.",
)
@click.option("--qr/--no-qr", "qr", default=None, help="Show a QR code; default: on a terminal.")
@click.option("--wait", is_flag=True, help="Stay until the ticket is used; show who came.")
@common_options
@click.pass_context
def invite(
    context: click.Context,
    /,
    common: Common,
    *,
    expires_s: int,
    uses: int,
    addresses: tuple[str, ...],
    qr: bool | None,
    wait: bool,
    **terms: object,
) -> None:
    """Make a ticket: one line by which somebody else joins this network.

    Whoever has the ticket can use it, so hand it over privately. It is shown this once: the cell
    keeps only a hash of its secret. When the newcomer has joined, compare the four words on both
    ends; if they differ, somebody is between you, or another cell has used the ticket: run
    `myceld invite revoke ID`, and do not approve that cell.

    \b
    Examples:
      myceld invite
      myceld invite --role sclerotium --name dora --wait
      myceld invite --address /ip4/203.0.113.7/tcp/4710 --expires 1d --no-qr
      myceld invite list
      myceld invite revoke 3fa2…
    """
    if context.invoked_subcommand is not None:
        _check_no_options(context)
        return
    with common.client() as cell:
        issued = cell.create_invite(
            **terms, expires_s=expires_s, uses_max=uses, addresses=list(addresses)
        )
        shown = sys.stdout.isatty() and not common.as_json if qr is None else qr
        _show_issued(issued, as_json=common.as_json, qr=shown)
        if wait:
            _follow(cell, issued["invite"]["id"], as_json=common.as_json)


@invite.command(name="list")
@common_options
def list_invites(common: Common) -> None:
    """List this cell's tickets, the newest first, and who used them.

    \b
    Example:
      myceld invite list --json | jq '.items[].uses[].words'
    """
    with common.client() as cell:
        answer = cell.invites()
    if common.as_json:
        show.as_json(answer)
        return
    if not answer["items"]:
        show.line("no tickets; make one with `myceld invite`")
        return
    rows = [
        [
            item["id"],
            item["state"],
            item["role"],
            f"{len(item['uses'])} of {item['uses_max']}",
            show.moment(item["expires_ns"]),
        ]
        for item in answer["items"]
    ]
    show.table(["ticket", "state", "role", "used", "expires"], rows, empty="no tickets")
    used = [_use_row(item, use) for item in answer["items"] for use in item["uses"]]
    if used:
        show.line()
        show.table(["ticket", "name", "cell id", "is", "words"], used)


@invite.command()
@click.argument("invite_id", metavar="ID")
@common_options
def revoke(common: Common, invite_id: str) -> None:
    """Take the ticket ID back: nobody gets in by it any more.

    Cells that used it stay; those that wait to be proposed as members are not. A proposal that was
    made stands: do not approve it.

    \b
    Example:
      myceld invite revoke 3fa2b1c4d5e6f708
    """
    with common.client() as cell:
        answer = cell.revoke_invite(invite_id)
    if common.as_json:
        show.as_json(answer)
        return
    show.line(f"revoked {show.safe(answer['id'])}")
    if answer["uses"]:
        show.table(
            ["ticket", "name", "cell id", "is", "words"],
            [_use_row(answer, use) for use in answer["uses"]],
        )


def _check_no_options(context: click.Context) -> None:
    """Refuse options before `list` and `revoke`: they would be ignored."""
    for name in context.params:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"options go behind the command: myceld invite {context.invoked_subcommand} …",
                context,
            )


def _show_issued(issued: Mapping[str, Any], *, as_json: bool, qr: bool) -> None:
    """Print a new ticket: the line alone on standard output, what is to be known beside it."""
    text, item = str(issued["ticket"]), issued["invite"]
    addresses = parse_ticket(text).addresses
    if as_json:
        show.as_json(issued)
    else:
        show.line(text)
        show.flush()
    if qr:
        # Upper case fits the dense alphanumeric mode; a ticket's case does not matter.
        code = segno.make(text.upper(), error="l", micro=False)
        code.terminal(sys.stderr if as_json else sys.stdout, compact=True)
    if as_json:
        return
    note = f"ticket {item['id']} for one {item['role']}"
    if item["uses_max"] > 1:
        note = f"ticket {item['id']} for {item['uses_max']} cells, each a {item['role']}"
    _tell(f"{note}, good until {show.moment(item['expires_ns'])}")
    _tell(f"dials {', '.join(addresses)}")
    if all(reach_of(address) is Reach.LOOPBACK for address in addresses):
        _tell(
            "only cells on this machine can use it: this one listens on loopback. Give --address, "
            "or listen elsewhere with `myceld init --listen /ip4/0.0.0.0/tcp/4710`"
        )
    _tell("over there: myceld join -     (then paste the line, Enter, Ctrl-D)")


def _follow(cell: Client, invite_id: str, *, as_json: bool) -> None:
    """Show each cell that joins, until nobody else can; raises TicketOver if nobody did."""
    shown: set[str] = set()
    if not as_json:
        _tell("waiting for somebody to join; Ctrl-C stops waiting, the ticket stays good")
    while True:
        item = next((one for one in cell.invites()["items"] if one["id"] == invite_id), None)
        uses = [] if item is None else item["uses"]
        for use in uses:
            if use["cell_id"] not in shown:
                shown.add(use["cell_id"])
                _show_use(use, as_json=as_json)
        if item is None or item["state"] != "open":
            break
        time.sleep(INVITE_POLL_S)
    if not shown:
        state = "gone" if item is None else item["state"]
        raise TicketOver(f"nobody joined, and the ticket is {state}")


def _show_use(use: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(use)
        return
    show.line(f"joined: {show.safe(use['name'])}  {show.safe(use['cell_id'])}")
    show.line(f"words:  {_words(use)}")
    show.flush()
    _tell("compare the words with the newcomer's; if they differ, revoke the ticket")


def _use_row(item: Mapping[str, Any], use: Mapping[str, Any]) -> list[str]:
    state = show.safe(use["state"])
    if use["problem"]:
        state += f" ({show.safe(use['problem'])})"
    elif use["state"] == "joined" and use["connected"]:
        state = "connected"
    return [item["id"], show.safe(use["name"]), show.safe(use["cell_id"]), state, _words(use)]


def _words(use: Mapping[str, Any]) -> str:
    return " ".join(show.safe(word) for word in use["words"])


def _tell(text: str) -> None:
    """Print a remark, beside the output proper."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
