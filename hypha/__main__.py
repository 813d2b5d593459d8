"""`python -m hypha`: makes and runs a hypha; the `myceld` command line starts it.

init     make a hypha               run      run it until SIGINT or SIGTERM
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

import click

from core.errors import MyceldError
from core.ids import NetworkId
from core.limits import HASH_SIZE_BYTES
from gateway.process import run_until_signalled, start_logging, tell
from hypha.config import addresses_in, load
from hypha.daemon import HyphaDaemon
from hypha.errors import NoHypha
from hypha.founding import Wishes, found
from hypha.gateway_address import parse_gateway
from hypha.home import HyphaHome
from identity import keystore
from identity.passphrase import PassphraseSource

_FAILED = 1


def _network_id(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> NetworkId | None:
    """Return the id in hex digits."""
    if value is None:
        return None
    try:
        data = bytes.fromhex(value)
    except ValueError:
        data = b""
    if len(data) != HASH_SIZE_BYTES:
        raise click.BadParameter(f"expected {2 * HASH_SIZE_BYTES} hex digits")
    return NetworkId(data)


@click.group()
def main() -> None:
    """Make and run a hypha."""
    # What is in memory is not to end in a file: the key is.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--genesis", type=click.Path(path_type=Path))
@click.option("--network-id", metavar="HEX", callback=_network_id)
@click.option("--gateway", "gateways", multiple=True)
@click.option("--name")
@click.option("--gateway-port", type=int)
@click.option("--passphrase-fd", type=click.IntRange(0))
@click.option("--passphrase-file", type=click.Path(path_type=Path))
@click.option("--encrypt", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def init(  # noqa: PLR0913 - one argument an option
    *,
    home: Path,
    genesis: Path | None,
    network_id: NetworkId | None,
    gateways: tuple[str, ...],
    name: str | None,
    gateway_port: int | None,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    encrypt: bool,
    as_json: bool,
) -> None:
    """Make the hypha in a directory; idempotent."""
    source = PassphraseSource(passphrase_fd, passphrase_file, is_wanted=encrypt)
    addresses = tuple(parse_gateway(text) for text in gateways)
    wishes = Wishes(genesis, addresses, name, gateway_port, source, network_id)
    founded = found(HyphaHome(home), wishes)
    network = founded.genesis
    if as_json:
        content = {
            "cell_id": founded.key.cell_id,
            "public_key": founded.key.public_key.hex(),
            "network_id": network.network_id.hex(),
            "network_name": network.name,
            "home": str(home),
            "created": founded.created,
            "role": "hypha",
            "gateways": [gateway.url for gateway in addresses_in(founded.config)],
        }
        click.echo(json.dumps(content))
        return
    click.echo(f"hypha     {founded.key.cell_id}")
    click.echo(f"network   {network.name} {network.network_id.hex()}")
    for gateway in addresses_in(founded.config):
        click.echo(f"asks      {gateway.url}")
    click.echo(f"home      {home}")
    click.echo("made a new key" if founded.created else "kept the key that was there")


@main.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--log-json", is_flag=True)
@click.option("--passphrase-fd", type=click.IntRange(0))
@click.option("--passphrase-file", type=click.Path(path_type=Path))
def run(
    *,
    home: Path,
    log_level: str | None,
    log_json: bool,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Run the hypha until SIGINT or SIGTERM."""
    place = HyphaHome(home)
    if not place.key.exists():
        raise NoHypha(f"{home} holds no hypha")
    config = load(place.config)
    logs = start_logging(config.logging, home, level=log_level, as_json=log_json)
    key = keystore.load(place.key, PassphraseSource(passphrase_fd, passphrase_file).read)
    daemon = HyphaDaemon(place, config.hypha, key, tell)
    asyncio.run(run_until_signalled(daemon, last_words=logs.close))


def entry() -> None:
    """Run a command; print a declared error as one line and exit with its status."""
    try:
        main(standalone_mode=True)
    except MyceldError as error:
        click.echo(f"error {error} — {error.remedy}", err=True)
        sys.exit(_FAILED)


if __name__ == "__main__":
    entry()
