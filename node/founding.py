"""Making a cell: key, configuration and genesis in a directory; safe to repeat."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from core.ids import PublicKey, public_key_of
from core.limits import PUBLIC_KEY_SIZE_BYTES
from gossip.host.addresses import parse_dial_address, parse_listen_address
from identity import keystore
from identity.keys import KeyPair
from identity.passphrase import PassphraseSource
from ledger.amounts import parse_amount
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, from_json, to_json
from ledger.limits import DECIMALS
from ledger.roster import Member
from myceld.home import HOME_DEFAULT
from node.errors import BadOption, NotInitialised, OtherNetwork
from node.genesis_service import fetch_genesis
from node.home import Home, write_file
from node.unlocking import passphrase_source
from settings import BadConfig, CellConfig, Config, change, dump, load_file, parse
from settings.files import read_file
from settings.keys import Value, Wrong, places_in, take
from settings.profiles import PROFILE, read_profile

_GENESIS_SIZE_BYTES_MAX: Final = 64 * 1024
_LISTEN_PORT: Final = 4710
_GATEWAY_PORT: Final = 8710
_OTHER_LISTEN_PORTS: Final = range(20_000, 25_000)
_OTHER_GATEWAY_PORTS: Final = range(25_000, 30_000)
"""Below the ports that systems give to connections (Linux: from 32768 on)."""
_DIGITS_MAX: Final = 18
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of `myceld init`; None or empty: as it is, or the default."""

    network: str | None = None
    name: str | None = None
    genesis: Path | None = None
    bootstrap: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    gateway_port: int | None = None
    told: Genesis | None = None
    """The network's genesis, where it came by a ticket."""
    passphrase: PassphraseSource = field(default_factory=PassphraseSource)
    """Where that of the key file comes from, unless the configuration says."""
    profile: str | None = None
    """What a new configuration extends."""


@dataclass(frozen=True, slots=True)
class Founded:
    """What is in the directory now."""

    key: KeyPair
    genesis: Genesis
    config: Config
    created: bool
    """Whether the key was made by this call."""


def found(home: Home, wishes: Wishes, opened: KeyPair | None = None) -> Founded:
    """Make the cell in `home`, or bring an existing one in line with the wishes.

    `opened` is the cell's key, if the caller made or opened it already.
    The key is never replaced. The genesis is replaced only while the cell has no database, that is
    before its first run; after that, another network raises OtherNetwork. Not to be called from
    inside an event loop.
    """
    check_wishes(wishes)
    wished_genesis = wishes.told if wishes.genesis is None else read_genesis(wishes.genesis)
    home.make()
    with home.locked():
        key, created = key_of(home, wishes) if opened is None else (opened, False)
        config, text = _configured(home, key, wishes)
        # The genesis first: when it is refused, the configuration stays as it was.
        genesis = _genesis(home, wishes, wished_genesis, key, config)
        if text is not None:
            write_file(home.config, text)
        home.read_or_make_token()
    return Founded(key, genesis, config, created)


def key_of(home: Home, wishes: Wishes) -> tuple[KeyPair, bool]:
    """Return the cell's key, and whether it was made now."""
    source = passphrase_source(home, wishes.passphrase)
    if home.key.exists():
        return keystore.load(home.key, source.read), False
    lock = keystore.Lock(source.read_new()) if source.protects_new else None
    return keystore.create(home.key, secrets.token_bytes(PUBLIC_KEY_SIZE_BYTES), lock), True


def check_wishes(wishes: Wishes) -> None:
    """Raise for options that no cell can be made of, before anything is written."""
    for address in wishes.bootstrap:
        parse_dial_address(address)
    for address in wishes.listen:
        parse_listen_address(address)
    if wishes.network is not None and (wishes.genesis is not None or wishes.bootstrap):
        raise BadOption("--network names a new network; --genesis and --bootstrap an existing one")


def read_genesis(path: Path) -> Genesis:
    """Return the genesis in a file; raises BadGenesis or NotInitialised."""
    try:
        with path.open("rb") as file:
            data = file.read(_GENESIS_SIZE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotInitialised(f"{path} does not exist") from error
    except OSError as error:
        raise BadGenesis(f"{path}: {error.strerror}") from error
    if len(data) > _GENESIS_SIZE_BYTES_MAX:
        raise BadGenesis(f"{path} is larger than {_GENESIS_SIZE_BYTES_MAX} bytes")
    try:
        return from_json(data)
    except BadGenesis as error:
        raise BadGenesis(f"{path}: {error.detail}") from error


def make_genesis(
    name: str,
    members: Sequence[str],
    *,
    epoch_rounds: int | None = None,
    prana: Sequence[str] = (),
    parameters: Sequence[str] = (),
) -> Genesis:
    """Return a new genesis of members given as CELL_ID[=NAME][:WEIGHT].

    `prana` is given as CELL_ID=AMOUNT, `parameters` as NAME=VALUE. Raises BadOption and BadGenesis.
    """
    made = Genesis(
        name=name,
        members=tuple(_member(text, number) for number, text in enumerate(members, 1)),
        time_ns=time.time_ns(),
        prana=tuple(sorted(_given(text) for text in prana)),
        parameters=tuple(sorted(_parameter(text) for text in parameters)),
    )
    return made if epoch_rounds is None else replace(made, epoch_rounds=epoch_rounds)


def _member(text: str, number: int) -> Member:
    rest, colon, weight = text.partition(":")
    if colon and not (weight.isascii() and weight.isdecimal() and len(weight) <= _DIGITS_MAX):
        raise BadOption(f"--member {text}: the weight is not a number")
    cell_id, _, name = rest.partition("=")
    return Member(public_key_of(cell_id), int(weight or 1), name or f"cell-{number}")


def _given(text: str) -> tuple[PublicKey, int]:
    cell_id, _, amount = text.partition("=")
    return public_key_of(cell_id), parse_amount(amount, DECIMALS)


def _parameter(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX):
        raise BadOption(f"--parameter {text}: the value is not a number")
    return name, int(value)


def _configured(home: Home, key: KeyPair, wishes: Wishes) -> tuple[Config, str | None]:
    """Return the configuration that the wishes ask for, and the text of its file if that changes.

    Raises BadConfig, CannotEdit.
    """
    wished: dict[str, Value] = {
        name: value
        for name, value in (
            ("name", wishes.name),
            ("listen", wishes.listen),
            ("bootstrap", wishes.bootstrap),
        )
        if value
    }
    if wishes.gateway_port is not None:
        wished["gateway_port"] = wishes.gateway_port
    places = places_in(Config)["cell"]
    for name, value in wished.items():
        taken = take(places[name], list(value) if isinstance(value, tuple) else value)
        if isinstance(taken, Wrong):
            raise BadConfig(f"{name}: {taken.message}")
    if not home.config.exists():
        base = Config()
        extends = None if wishes.profile is None else PROFILE + wishes.profile
        if extends is not None:
            base = parse(Config, read_profile(extends), extends)
        config = replace(base, cell=replace(_fresh_config(home, key), **wished))  # type: ignore[arg-type] # checked above
        return config, dump(config, base, extends=extends)
    if wishes.profile is not None:
        raise BadOption("--profile is for new cells; an existing one has `extends:` in config.yaml")
    old = load_file(home.config, os.environ, Config)
    changed = {name: value for name, value in wished.items() if getattr(old.cell, name) != value}
    if not changed:
        return old, None
    text = read_file(home.config).decode("utf-8", "surrogateescape")
    new = change(text, {places[name]: value for name, value in changed.items()})
    return replace(old, cell=replace(old.cell, **changed)), new  # type: ignore[arg-type] # as above


def _fresh_config(home: Home, key: KeyPair) -> CellConfig:
    """The configuration of a new cell: loopback, ports that are free now and stay the same.

    Cells that are made side by side before any of them runs see nobody on each other's ports, so
    only the cell in the default directory asks for the well-known ones: those of others follow
    from their keys.
    """
    listen, gateway = _LISTEN_PORT, _GATEWAY_PORT
    if home.path.absolute() != Path(HOME_DEFAULT).expanduser():
        place = int.from_bytes(key.public_key[:8], "big") % len(_OTHER_LISTEN_PORTS)
        listen, gateway = _OTHER_LISTEN_PORTS[place], _OTHER_GATEWAY_PORTS[place]
    return CellConfig(
        listen=(f"/ip4/{_LOOPBACK}/tcp/{_free_port(listen)}",),
        gateway_port=_free_port(gateway),
    )


def _free_port(wanted: int) -> int:
    """Return the wanted port if nobody listens on it, else another free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            bound: int = probe.getsockname()[1]
            return bound
    return 0


def _genesis(
    home: Home, wishes: Wishes, wished: Genesis | None, key: KeyPair, config: Config
) -> Genesis:
    """Write the genesis if it changes; return it."""
    exists = home.genesis.exists()
    old = read_genesis(home.genesis) if exists else None
    if wished is None and wishes.bootstrap and (old is None or not home.database.exists()):
        wished = asyncio.run(fetch_genesis(key.seed, wishes.bootstrap))
    if (
        wished is None
        and wishes.network is not None
        and (old is None or old.name != wishes.network)
    ):
        wished = _own_genesis(wishes.network, key, config)
    new = wished or old or _own_genesis("home", key, config)
    if old is not None and new.network_id != old.network_id and home.database.exists():
        raise OtherNetwork(
            f"the cell in {home.path} belongs to network {old.name} {old.network_id.hex()[:16]}…"
        )
    if old is None or new.network_id != old.network_id:
        write_file(home.genesis, to_json(new))
    return new


def _own_genesis(name: str, key: KeyPair, config: Config) -> Genesis:
    """A network of this one cell."""
    return Genesis(name, (Member(key.public_key, 1, config.cell.name),), time.time_ns())
