"""Making a hypha: key, configuration and genesis in a directory; safe to repeat."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from core.ids import NetworkId
from core.limits import PUBLIC_KEY_SIZE_BYTES
from hypha.config import addresses_in
from hypha.daemon import open_lines
from hypha.errors import NoHypha, OtherHyphaNetwork
from hypha.gateway_address import GatewayAddress
from hypha.genesis_asking import ask_genesis
from hypha.home import HyphaHome, read_genesis
from identity import keystore
from identity.keys import KeyPair
from identity.passphrase import PassphraseSource
from ledger.genesis import Genesis, to_json
from settings import BadConfig, HyphaConfig, LightConfig, change, dump, load_file
from settings.files import read_file
from settings.keys import Value, Wrong, places_in, take


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of `myceld init --role hypha`; None or empty: as it is, or the default."""

    genesis: Path | None = None
    gateways: tuple[GatewayAddress, ...] = ()
    name: str | None = None
    gateway_port: int | None = None
    passphrase: PassphraseSource = field(default_factory=PassphraseSource)
    network_id: NetworkId | None = None
    """Instead of the genesis: gateways tell it."""


@dataclass(frozen=True, slots=True)
class Founded:
    """What is in the directory now."""

    key: KeyPair
    genesis: Genesis
    config: HyphaConfig
    created: bool
    """Whether the key was made by this call."""


def found(home: HyphaHome, wishes: Wishes) -> Founded:
    """Make the hypha in `home`, or bring an existing one in line with the wishes.

    Neither key nor genesis are ever replaced. Raises NoHypha for a new one without gateways and a
    genesis or its hash, OtherHyphaNetwork, BadConfig, TokenFileUnusable, NoGatewayAnswers.
    """
    if home.cell_config.exists():
        raise NoHypha(f"{home.path} holds a full cell: a hypha needs a directory of its own")
    old = load_file(home.config, os.environ, LightConfig) if home.config.exists() else None
    is_named = wishes.genesis is not None or wishes.network_id is not None
    if old is None and not (is_named and wishes.gateways):
        raise NoHypha("a new hypha needs the network's genesis, or a ticket, and a gateway")
    config, text = _config(home, old, wishes)
    for gateway in addresses_in(config):
        gateway.read_token(home.path)
    wished = _wished(home, config, wishes)
    home.make()
    with home.locked():
        genesis = _genesis(home, wished)
        key, created = _key(home, wishes.passphrase)
        if text is not None:
            home.write_text(home.config, text)
        home.read_or_make_token()
    return Founded(key, genesis, config, created)


def _wished(home: HyphaHome, config: HyphaConfig, wishes: Wishes) -> Genesis | None:
    """Return the genesis that is given, or what gateways tell of it; None for the one here."""
    if wishes.genesis is not None:
        return read_genesis(wishes.genesis)
    if wishes.network_id is None:
        return None
    if home.genesis.exists() and (old := home.read_genesis()).network_id == wishes.network_id:
        return old
    return asyncio.run(ask_genesis(open_lines(home, config), wishes.network_id))


def _config(
    home: HyphaHome, old: LightConfig | None, wishes: Wishes
) -> tuple[HyphaConfig, str | None]:
    """Return what is wished for and already there, and the text of the file if that changes.

    Raises BadConfig for a wish that no hypha can have.
    """
    wished: dict[str, Value | None] = {
        "gateways": tuple(gateway.text for gateway in wishes.gateways) or None,
        "name": wishes.name,
        "gateway_port": wishes.gateway_port,
    }
    base = LightConfig() if old is None else old
    changed = {}
    for name, place in places_in(LightConfig)["hypha"].items():
        value = wished.get(name)
        if value is None or value == place.of(base):
            continue
        taken = take(place, list(value) if isinstance(value, tuple) else value)
        if isinstance(taken, Wrong):
            raise BadConfig(f"{place}: {taken.message}")
        changed[place] = taken
    config = base
    for place, value in changed.items():
        config = place.put(config, value)
    if old is None:
        return config.hypha, dump(config)
    if not changed:
        return config.hypha, None
    text = read_file(home.config).decode("utf-8", "surrogateescape")
    return config.hypha, change(text, changed)


def _genesis(home: HyphaHome, wished: Genesis | None) -> Genesis:
    old = home.read_genesis() if home.genesis.exists() else None
    if old is not None:
        if wished is not None and wished.network_id != old.network_id:
            raise OtherHyphaNetwork(f"{home.path} belongs to network {old.name}")
        return old
    if wished is None:
        raise NoHypha(f"{home.genesis} does not exist")
    home.write_text(home.genesis, to_json(wished))
    return wished


def _key(home: HyphaHome, passphrase: PassphraseSource) -> tuple[KeyPair, bool]:
    if home.key.exists():
        return keystore.load(home.key, passphrase.read), False
    lock = keystore.Lock(passphrase.read_new()) if passphrase.protects_new else None
    return keystore.create(home.key, secrets.token_bytes(PUBLIC_KEY_SIZE_BYTES), lock), True
