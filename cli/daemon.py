"""`myceld init`, `run` and `genesis`: handed over to the daemon's own program, `python -m node`.

A hypha is a program of its own, `python -m hypha`: it loads nothing of a full cell.

The options are declared here so that --help does not have to load the daemon; what they mean is
the daemon's. The process is replaced, so signals and exit status are the daemon's too.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from cli.errors import BadUsage, CannotStart
from cli.hypha import HYPHA, hypha_init_arguments, is_hypha, role_option
from cli.options import (
    expand,
    home_option,
    json_option,
    passphrase_arguments,
    passphrase_options,
    protecting_options,
)
from identity.passphrase import PassphraseSource

_PORT: Final = click.IntRange(0, 65535)
_LEVELS: Final = click.Choice(["debug", "info", "warning", "error"])


def or_hypha(command: Callable[..., None]) -> Callable[..., None]:
    """Add --role, --gateway and --ticket, and have a hypha made instead if they say so."""

    @functools.wraps(command)
    def with_role(
        role: str | None,
        gateway: tuple[str, ...],
        ticket: str | None,
        **rest: Any,  # noqa: ANN401 - click's own
    ) -> None:
        if role == HYPHA or is_hypha(expand(rest["home"])):
            become_node(hypha_init_arguments(gateway, ticket, **rest), HYPHA)
        if gateway:
            raise BadUsage("--gateway is for --role hypha")
        if ticket is not None:
            raise BadUsage("--ticket is for --role hypha: `myceld join` makes a full cell of one")
        command(**rest)

    gateways = click.option(
        "--gateway",
        metavar="URL[,token=FILE][,ca=FILE]",
        multiple=True,
        help="With --role hypha: a gateway to ask; may be repeated.",
    )
    tickets = click.option(
        "--ticket",
        metavar="TICKET",
        help="With --role hypha, instead of --genesis: a ticket (or @FILE, or -).",
    )
    return role_option(gateways(tickets(with_role)))


@click.command()
@home_option
@click.option("--network", metavar="NAME", help="Name of the new network of this one cell.")
@click.option("--genesis", metavar="FILE", help="Join the network this genesis file describes.")
@click.option(
    "--bootstrap",
    metavar="MULTIADDR",
    multiple=True,
    help="Address of another cell of the network; may be repeated.",
)
@click.option(
    "--listen",
    metavar="MULTIADDR",
    multiple=True,
    help="Address to listen on for other cells; may be repeated.",
)
@click.option("--gateway-port", type=_PORT, metavar="N", help="Port for the API; 0 = any free one.")
@click.option("--name", metavar="TEXT", help="Name of the cell, for people.")
@click.option(
    "--profile",
    type=click.Choice(["default", "server", "lowpower", "test"]),
    help="What a new cell starts from: see `myceld config profiles`.",
)
@protecting_options
@json_option
@or_hypha
def init(  # noqa: PLR0913 - one argument an option
    home: str,
    network: str | None,
    genesis: str | None,
    bootstrap: tuple[str, ...],
    listen: tuple[str, ...],
    gateway_port: int | None,
    name: str | None,
    *,
    profile: str | None,
    passphrase: PassphraseSource,
    as_json: bool,
) -> None:
    """Make a cell: its key, its configuration, and a network of one unless --genesis is given.

    Run again it changes nothing that exists, but takes over the options that are given. Prints
    the cell id.

    The key is protected by the mode of its file alone unless --encrypt or a passphrase is given:
    then `myceld run` needs the passphrase at each start.

    --role hypha makes a light cell instead: it keeps nothing but the newest certified header, asks
    the gateways of any cells, trusts none of them, and shows only what it has verified. It needs
    --genesis, or --ticket (which it does not use up: it names the network, and gateways tell the
    rest), and at least one --gateway, each with the token file that its owner gave (light.token of
    that cell), mode 0600.

    \b
    Examples:
      myceld init
      myceld init --encrypt
      myceld init --home ./cell-2 --genesis genesis.json \\
        --bootstrap /ip4/192.0.2.7/tcp/4710/p2p/12D3KooW…
      myceld init --role hypha --home ~/.hypha --genesis genesis.json \\
        --gateway https://ada.example,token=ada.token --gateway http://127.0.0.1:8710
    """
    arguments = ["init", "--home", str(expand(home))]
    for option, value in (
        ("--network", network),
        ("--name", name),
        ("--profile", profile),
    ):
        arguments += [option, value] if value is not None else []
    arguments += ["--genesis", str(expand(genesis))] if genesis is not None else []
    for option, values in (("--bootstrap", bootstrap), ("--listen", listen)):
        for value in values:
            arguments += [option, value]
    arguments += ["--gateway-port", str(gateway_port)] if gateway_port is not None else []
    arguments += passphrase_arguments(passphrase)
    arguments += ["--json"] if as_json else []
    become_node(arguments)


@click.command()
@home_option
@click.option("--log-level", type=_LEVELS, help="How much to log; default: info.")
@click.option("--log-json", is_flag=True, help="Log one JSON object per line.")
@click.option(
    "--insecure-public-gateway-without-tls",
    "insecure",
    is_flag=True,
    help="Let the gateway listen on a public address although everybody on the way can read along.",
)
@role_option
@passphrase_options
def run(
    home: str,
    log_level: str | None,
    role: str | None,
    *,
    log_json: bool,
    insecure: bool,
    passphrase: PassphraseSource,
) -> None:
    """Run the cell until Ctrl-C or SIGTERM; a second one ends it at once.

    Stopping takes less than a second, and never longer than 12: then it says what it waited for
    and ends. Nothing that was acknowledged is lost by that.

    A key with a passphrase is opened first: with the one that is given here, else the one in the
    file that config.yaml names as `passphrase_file`, else the one asked for on the terminal.

    Prints the version, the cell id, the addresses, the URL of the API, and `ready`. A hypha is run
    as one without being told.

    \b
    Examples:
      myceld run
      myceld run --home ./cell-2 --log-level debug
    """
    arguments = ["run", "--home", str(expand(home))]
    arguments += ["--log-level", log_level] if log_level is not None else []
    arguments += ["--log-json"] if log_json else []
    arguments += ["--insecure-public-gateway-without-tls"] if insecure else []
    arguments += passphrase_arguments(passphrase)
    become_node(arguments, HYPHA if role == HYPHA or is_hypha(expand(home)) else "node")


@click.group()
def genesis() -> None:
    """Describe a network of several cells."""


@genesis.command()
@click.option("--name", required=True, metavar="NAME", help="Name of the network.")
@click.option(
    "--member",
    required=True,
    multiple=True,
    metavar="CELL_ID[=NAME][:WEIGHT]",
    help="A member; repeat for each. Weight 1 unless given.",
)
@click.option(
    "--epoch-rounds",
    type=int,
    metavar="N",
    help="Rounds of one epoch, 16 to 65536; default: 2048. Every cell keeps two epochs in memory.",
)
@click.option(
    "--prana",
    multiple=True,
    metavar="CELL_ID=AMOUNT",
    help="Who begins with how much PRANA; repeat for each.",
)
@click.option(
    "--parameter",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of docs/transactions.md, such as fee_per_cost=1000.",
)
@click.option("--out", required=True, metavar="FILE", help="Where to write the genesis.")
@json_option
def create(
    name: str,
    member: tuple[str, ...],
    *,
    epoch_rounds: int | None,
    prana: tuple[str, ...],
    parameter: tuple[str, ...],
    out: str,
    as_json: bool,
) -> None:
    """Write the genesis of a network; every member then runs `myceld init --genesis FILE`.

    \b
    Example:
      myceld genesis create --name friends --out genesis.json \\
        --member 12D3KooWA…=ann --member 12D3KooWB…=bob --member 12D3KooWC…=carol:2
    """
    arguments = ["genesis", "create", "--name", name]
    for each in member:
        arguments += ["--member", each]
    if epoch_rounds is not None:
        arguments += ["--epoch-rounds", str(epoch_rounds)]
    for given in prana:
        arguments += ["--prana", given]
    for one in parameter:
        arguments += ["--parameter", one]
    arguments += ["--out", str(expand(out)), *(["--json"] if as_json else [])]
    become_node(arguments)


def become_node(arguments: Sequence[str], program: str = "node") -> NoReturn:
    """Replace this process by `python -m node`, or by that of a hypha."""
    command, environment = node_command(arguments, program)
    sys.stdout.flush()
    try:
        os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter, no shell
    except OSError as error:
        raise CannotStart(f"can not start {command[0]}: {error.strerror}") from error


def ask_node(arguments: Sequence[str], descriptors: tuple[int, ...] = ()) -> tuple[int, str]:
    """Run `python -m node`; return its exit status and output. Its errors go to our stderr.

    It inherits `descriptors`.
    """
    command, environment = node_command(arguments)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            pass_fds=descriptors,
        )
    except OSError as error:
        raise CannotStart(f"can not start {command[0]}: {error.strerror}") from error
    return done.returncode, done.stdout


def node_command(
    arguments: Sequence[str], program: str = "node"
) -> tuple[list[str], dict[str, str]]:
    """Return the command line and environment of `python -m node ARGUMENTS`.

    The current directory is kept off the import path (-P): a file named node.py there must not
    become the daemon. A checkout that is not installed is put on it instead.
    """
    environment = dict(os.environ)
    root = Path(__file__).resolve().parent.parent
    if root != Path(sysconfig.get_paths()["purelib"]).resolve():
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = str(root) + (os.pathsep + inherited if inherited else "")
    return [sys.executable, "-P", "-m", program, *arguments], environment
