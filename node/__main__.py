"""`python -m node`: the daemon's own commands, which the `myceld` command line starts.

init     make a cell               run      run it until SIGINT or SIGTERM
join     make a cell by a ticket     backup, backup-verify, backup-state, restore
genesis  make a network's genesis  sign     sign a transaction without a running cell
doctor   look for what is wrong    space    say what takes room
want-map have the state's map made anew at the next start
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from core.errors import MyceldError
from gateway.logs import Logs
from gateway.process import raise_descriptors, run_until_signalled, start_logging, tell
from gossip.discovery.limits import TICKET_LENGTH_MAX
from gossip.discovery.ticket import parse_ticket
from identity import keystore
from identity.passphrase import Passphrase, PassphraseSource
from ledger.genesis import to_json
from ledger.kinds import Put
from ledger.transaction import sign_transaction
from node.errors import NotInitialised
from node.failpoints import arm_from, warn_of
from node.founding import Founded, Wishes, found, make_genesis, read_genesis
from node.home import Home, write_file
from node.unlocking import ask_ahead, passphrase_source
from settings import Config, load

_FAILED = 1


def _passphrase_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add where the passphrase of the key comes from; the command takes it as one source.

    --encrypt has a new key protected, also if the passphrase must be asked for.
    """

    @functools.wraps(command)
    def with_source(
        *, passphrase_fd: int | None, passphrase_file: Path | None, encrypt: bool, **rest: object
    ) -> None:
        source = PassphraseSource(passphrase_fd, passphrase_file, is_wanted=encrypt)
        command(passphrase=source, **rest)

    with_fd = click.option("--passphrase-fd", type=click.IntRange(0))(with_source)
    with_file = click.option("--passphrase-file", type=click.Path(path_type=Path))(with_fd)
    return click.option("--encrypt", is_flag=True)(with_file)


@click.group()
def main() -> None:
    """Make and run a cell."""
    # What is in memory is not to end in a file: the key is.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise_descriptors()
    arm_from(os.environ)


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--network")
@click.option("--name")
@click.option("--genesis", type=click.Path(path_type=Path))
@click.option("--bootstrap", multiple=True)
@click.option("--listen", multiple=True)
@click.option("--gateway-port", type=int)
@click.option("--profile")
@click.option("--json", "as_json", is_flag=True)
@_passphrase_options
def init(  # noqa: PLR0913 - one argument an option
    *,
    home: Path,
    network: str | None,
    name: str | None,
    genesis: Path | None,
    bootstrap: tuple[str, ...],
    listen: tuple[str, ...],
    gateway_port: int | None,
    profile: str | None,
    as_json: bool,
    passphrase: PassphraseSource,
) -> None:
    """Make the cell in a directory; idempotent."""
    wishes = Wishes(
        network,
        name,
        genesis,
        bootstrap,
        listen,
        gateway_port,
        passphrase=passphrase,
        profile=profile,
    )
    founded = found(Home(home), wishes)
    member = founded.genesis.roster.index_of(founded.key.public_key) is not None
    if as_json:
        click.echo(json.dumps({**_founded(home, founded), "member": member}))
        return
    click.echo(f"cell      {founded.key.cell_id}")
    click.echo(f"network   {founded.genesis.name} {founded.genesis.network_id.hex()}")
    click.echo(f"members   {len(founded.genesis.members)}{'' if member else ', this cell is none'}")
    click.echo(f"home      {home}")
    click.echo("made a new key" if founded.created else "kept the key that was there")


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--name")
@click.option("--listen", multiple=True)
@click.option("--gateway-port", type=int)
@_passphrase_options
def join(
    *,
    home: Path,
    name: str | None,
    listen: tuple[str, ...],
    gateway_port: int | None,
    passphrase: PassphraseSource,
) -> None:
    """Make the cell in a directory by the ticket on standard input; print it as JSON."""
    from node.joining import join as join_network  # noqa: PLC0415 - keeps `init` and `sign` quick

    text = sys.stdin.buffer.read(TICKET_LENGTH_MAX + 1).decode("ascii", "replace")
    wishes = Wishes(
        name=name,
        listen=listen,
        gateway_port=gateway_port,
        passphrase=passphrase,
    )
    joined = join_network(Home(home), parse_ticket(text), wishes)
    content = {
        **_founded(home, joined.founded),
        "role": "sclerotium" if joined.votes else "rhizomorph",
        "words": joined.words,
    }
    click.echo(json.dumps(content))


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--log-json", is_flag=True)
@click.option("--insecure-public-gateway-without-tls", "insecure", is_flag=True)
@_passphrase_options
def run(
    *,
    home: Path,
    log_level: str | None,
    log_json: bool,
    insecure: bool,
    passphrase: PassphraseSource,
) -> None:
    """Run the cell until SIGINT or SIGTERM."""
    place = Home(home)
    if not place.key.exists():
        raise NotInitialised(f"{home} holds no cell")
    config = load(place.config, os.environ, Config)
    logs = start_logging(config.logging, home, level=log_level, as_json=log_json)
    if insecure:
        gateway = replace(config.gateway, insecure_public_gateway_without_tls=True)
        config = replace(config, gateway=gateway)
    warn_of(os.environ)
    asyncio.run(_run(place, config, ask_ahead(place, passphrase), logs))


@main.group()
def genesis() -> None:
    """Make a network's genesis."""


@genesis.command()
@click.option("--name", required=True)
@click.option("--member", "members", multiple=True, required=True)
@click.option("--epoch-rounds", type=int)
@click.option("--prana", multiple=True)
@click.option("--parameter", "parameters", multiple=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True)
def create(
    *,
    name: str,
    members: tuple[str, ...],
    epoch_rounds: int | None,
    prana: tuple[str, ...],
    parameters: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Write the genesis of a network of several cells."""
    made = make_genesis(
        name, members, epoch_rounds=epoch_rounds, prana=prana, parameters=parameters
    )
    write_file(out, to_json(made))
    network_id = made.network_id.hex()
    if as_json:
        content = {"network_id": network_id, "network_name": made.name, "path": str(out)}
        click.echo(json.dumps(content))
    else:
        click.echo(f"network   {made.name} {network_id}")


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--nonce", type=click.IntRange(0), required=True)
@click.option("--fee", type=click.IntRange(0), default=0)
@click.argument("key")
@click.argument("value_hex")
@_passphrase_options
def sign(
    *, home: Path, nonce: int, fee: int, key: str, value_hex: str, passphrase: PassphraseSource
) -> None:
    """Print a signed put in hex, without a running cell."""
    place = Home(home)
    pair = keystore.load(place.key, passphrase_source(place, passphrase).read)
    raw = sign_transaction(
        network_id=read_genesis(place.genesis).network_id,
        sender=pair.public_key,
        nonce=nonce,
        arguments=Put(key, bytes.fromhex(value_hex)),
        sign=pair.sign,
        fee=fee,
    )
    click.echo(raw.hex())


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--no-check", is_flag=True)
@click.option("--move", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@click.argument("target", type=click.Path(path_type=Path))
@_passphrase_options
def backup(
    *,
    home: Path,
    target: Path,
    no_check: bool,
    move: bool,
    as_json: bool,
    passphrase: PassphraseSource,
) -> None:
    """Write a backup of a cell, running or not."""
    from node.backup import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.back_up(
        Home(home), target, passphrase, checks=not no_check, moves=move, as_json=as_json
    )


@main.command()
@click.option("--json", "as_json", is_flag=True)
@click.argument("source", type=click.Path(path_type=Path))
@_passphrase_options
def backup_verify(*, source: Path, as_json: bool, passphrase: PassphraseSource) -> None:
    """Check a backup."""
    from node.backup import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.verify(source, passphrase, as_json=as_json)


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True)
@click.argument("source", type=click.Path(path_type=Path))
@_passphrase_options
def restore(*, home: Path, source: Path, as_json: bool, passphrase: PassphraseSource) -> None:
    """Put the cell of a backup into an empty directory."""
    from node.backup import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.restore_to(Home(home), source, passphrase, as_json=as_json)


@main.command()
@click.option("--at", type=click.IntRange(1), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--json", "as_json", is_flag=True)
@click.argument("source", type=click.Path(path_type=Path))
@_passphrase_options
def backup_state(
    *, source: Path, at: int, out: Path, as_json: bool, passphrase: PassphraseSource
) -> None:
    """Write the state after a round, out of a backup, to a file."""
    from node.backup import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.export_to(source, at, out, passphrase, as_json=as_json)


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--fix", is_flag=True)
@click.option("--dry-run", is_flag=True)
@_passphrase_options
def doctor(*, home: Path, fix: bool, dry_run: bool, passphrase: PassphraseSource) -> None:
    """Look for what is wrong with a cell's directory; print it as JSON."""
    from node.doctor import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.look(Home(home), passphrase, fix=fix, dry_run=dry_run)


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
def want_map(*, home: Path) -> None:
    """Have the state's map made anew at the next start."""
    place = Home(home)
    if not place.database.exists():
        raise NotInitialised(f"{home} holds no cell that ever ran")
    write_file(place.map_wish, "its owner asks for it\n")


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
def space(*, home: Path) -> None:
    """Say what takes room in a cell's directory; print it as JSON."""
    from node.doctor import commands  # noqa: PLC0415 - keeps `init` and `sign` quick

    commands.measure(Home(home))


def _founded(home: Path, founded: Founded) -> dict[str, object]:
    return {
        "cell_id": founded.key.cell_id,
        "public_key": founded.key.public_key.hex(),
        "network_id": founded.genesis.network_id.hex(),
        "network_name": founded.genesis.name,
        "home": str(home),
        "created": founded.created,
        "addresses": [f"{at}/p2p/{founded.key.cell_id}" for at in founded.config.cell.listen],
    }


async def _run(
    home: Home, config: Config, unlock: Callable[[], Passphrase] | None, logs: Logs
) -> None:
    from node.daemon import Daemon  # noqa: PLC0415 - keeps `init` and `sign` quick

    daemon = Daemon(home, config, tell, unlock, logs)
    await run_until_signalled(daemon, daemon.reloading.hang_up, last_words=logs.close)


def entry() -> None:
    """Run a command; print a declared error as one line and exit with its status."""
    try:
        main(standalone_mode=True)
    except MyceldError as error:
        click.echo(f"error {error} — {error.remedy}", err=True)
        sys.exit(_FAILED)


if __name__ == "__main__":
    entry()
