"""`myceld join`: a cell of a network that somebody invited us to.

The work is the daemon's program's. It gets the ticket on its standard input, so that no list of
processes shows it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.daemon import node_command
from cli.errors import BadInput, CannotStart, WaitedInVain
from cli.limits import INVITE_POLL_S, TICKET_SIZE_BYTES_MAX
from cli.options import (
    SECONDS,
    expand,
    home_option,
    json_option,
    passphrase_arguments,
    passphrase_descriptors,
    protecting_options,
    read_value,
)
from core.errors import MyceldError
from gossip.discovery.address import Reach, reach_of
from gossip.discovery.ticket import parse_ticket
from identity.passphrase import PassphraseSource
from myceld.client import Client
from myceld.home import HOME_DEFAULT

_PORT: Final = click.IntRange(0, 65535)
_WAIT_S: Final = 600.0


@click.command()
@click.argument("ticket")
@home_option
@click.option("--name", metavar="TEXT", help="Name of the cell, for people.")
@click.option(
    "--listen",
    metavar="MULTIADDR",
    multiple=True,
    help="Address to listen on for other cells; may be repeated.",
)
@click.option("--gateway-port", type=_PORT, metavar="N", help="Port for the API; 0 = any free one.")
@click.option("--wait", is_flag=True, help="Stay until the cell follows the network, or votes.")
@click.option(
    "--timeout",
    "timeout_s",
    type=SECONDS,
    metavar="S",
    default=_WAIT_S,
    show_default=True,
    help="How long to --wait.",
)
@protecting_options
@json_option
def join(
    ticket: str,
    home: str,
    name: str | None,
    listen: tuple[str, ...],
    gateway_port: int | None,
    *,
    wait: bool,
    timeout_s: float,
    passphrase: PassphraseSource,
    as_json: bool,
) -> None:
    """Make a cell and join the network of a TICKET, which `myceld invite` printed.

    TICKET is the line itself, @FILE, or - for standard input: the last two keep it out of the
    shell's history and the list of processes. Run again after a lost connection: the same cell may
    use its ticket again.

    Compare the four words with those that the inviter sees, by telephone for instance. Equal words
    mean that you are in the network that this person invited you to, and nobody is between you.

    Then start the cell with `myceld run`. It fetches the whole history. If it is to vote, the
    inviter proposes it once it has caught up, and other members approve.

    \b
    Examples:
      myceld join - < ticket.txt && myceld run
      myceld join @ticket.txt --name dora --listen /ip4/0.0.0.0/tcp/4710
      myceld join @ticket.txt --wait          (with `myceld run` in another terminal)
    """
    place = expand(home)
    arguments = ["join", "--home", str(place)]
    arguments += ["--name", name] if name is not None else []
    for address in listen:
        arguments += ["--listen", address]
    arguments += ["--gateway-port", str(gateway_port)] if gateway_port is not None else []
    arguments += passphrase_arguments(passphrase)
    text = _read_ticket(ticket)
    joined = _ask_node(arguments, text, passphrase_descriptors(passphrase))
    if as_json:
        show.as_json(joined)
    else:
        _show_joined(joined, place, wait=wait)
        _hint_at_listening(joined, text)
    if wait:
        _follow(place, str(joined["role"]), timeout_s, as_json=as_json)


def _read_ticket(argument: str) -> bytes:
    """Return the ticket's text; raises BadInput for far too much of it."""
    data = read_value(argument)
    if len(data) > TICKET_SIZE_BYTES_MAX:
        raise BadInput(f"{len(data)} bytes are no ticket")
    return data


def _ask_node(
    arguments: list[str], ticket: bytes, descriptors: tuple[int, ...]
) -> Mapping[str, Any]:
    """Run the daemon's `join`; exit with its status if it fails. Its error goes to our stderr."""
    command, environment = node_command(arguments)
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=ticket,
            stdout=subprocess.PIPE,
            check=False,
            pass_fds=descriptors,
        )
    except OSError as error:
        raise CannotStart(f"can not start {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise click.exceptions.Exit(done.returncode)
    joined: Mapping[str, Any] = json.loads(done.stdout)
    return joined


def _show_joined(joined: Mapping[str, Any], home: Path, *, wait: bool) -> None:
    option = "" if home == expand(HOME_DEFAULT) else f" --home {shlex.quote(str(home))}"
    show.pairs(
        [
            ("cell", str(joined["cell_id"])),
            ("network", f"{show.safe(joined['network_name'])} {joined['network_id']}"),
            ("role", _role_words(str(joined["role"]))),
            ("words", " ".join(joined["words"])),
        ]
    )
    show.line("Compare the words with those the inviter sees: they must be equal.")
    if not wait:
        show.line(f"Start the cell with `myceld run{option}`.")
    show.flush()


def _hint_at_listening(joined: Mapping[str, Any], text: bytes) -> None:
    """Say so if other machines are in the network, and this cell listens for none of them."""
    inviter = parse_ticket(text.decode("ascii")).addresses
    own: list[str] = joined["addresses"]
    if _only_here(own) and not _only_here(inviter):
        sys.stderr.write(
            "the cell listens on this machine only, so it dials others and they can not dial it; "
            "`myceld init --listen /ip4/0.0.0.0/tcp/4710` changes that\n"
        )


def _only_here(addresses: Sequence[str]) -> bool:
    return all(reach_of(address) is Reach.LOOPBACK for address in addresses)


def _role_words(role: str) -> str:
    if role == "sclerotium":
        return "sclerotium, once members with more than 2/3 of the weight approve"
    return "rhizomorph: a full copy without a vote"


def _follow(home: Path, role: str, timeout_s: float, *, as_json: bool) -> None:
    """Say what is waited for until the cell has its role; raises WaitedInVain."""
    until_s = time.monotonic() + timeout_s
    said = ""
    while True:
        ready, words, answer = _look(home, role)
        if words != said and not as_json:
            show.line(words)
            show.flush()
        said = words
        if ready:
            if as_json:
                show.as_json(answer)
            return
        if time.monotonic() >= until_s:
            raise WaitedInVain(words)
        time.sleep(INVITE_POLL_S)


def _look(home: Path, role: str) -> tuple[bool, str, Mapping[str, Any]]:
    """Return whether the cell has its role, and what it waits for."""
    try:
        with Client.from_home(home) as cell:
            status, members = cell.status(), cell.members()
    except MyceldError as error:
        return False, f"waiting: {error.detail}; {error.remedy}", {}
    if status["role"] == "sclerotium":
        return True, "voting", status
    if not any(member["reachable"] for member in status["members"]):
        return False, "waiting for a connection to a member", status
    if role == "rhizomorph":
        return True, f"following: {show.safe(status['summary'])}", status
    return False, _vote_words(str(status["cell_id"]), members), status


def _vote_words(cell_id: str, members: Mapping[str, Any]) -> str:
    for item in members["proposals"]:
        if item["cell_id"] == cell_id and item["action"] == "add":
            if item["state"] == "open":
                share = f"{item['weight_approved']} of {item['weight_total']}"
                return (
                    f"waiting for approval, by now weight {share}: members run "
                    f"`myceld member approve {item['id']}`"
                )
            if item["state"] == "accepted":
                return "waiting for the next epoch, accepted"
    return "waiting for the inviter to propose this cell, or for the history up to there"
