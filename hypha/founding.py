"""Making a hypha: key, configuration and genesis in a directory; safe to repeat."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.limits import PUBLIC_KEY_SIZE_BYTES
from hypha import config as configuration
from hypha.config import HyphaConfig
from hypha.errors import NoHypha, OtherHyphaNetwork
from hypha.gateway_address import GatewayAddress
from hypha.home import HyphaHome, read_genesis
from identity import keystore
from identity.keys import KeyPair
from identity.passphrase import PassphraseSource
from ledger.genesis import Genesis, to_json


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of `myceld init --role hypha`; None or empty: as it is, or the default."""

    genesis: Path | None = None
    gateways: tuple[GatewayAddress, ...] = ()
    name: str | None = None
    gateway_port: int | None = None
    passphrase: PassphraseSource = field(default_factory=PassphraseSource)


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

    Neither key nor genesis are ever replaced. Raises NoHypha for a new one without a genesis or
    gateways, OtherHyphaNetwork, BadHyphaConfig, TokenFileUnusable.
    """
    if home.cell_config.exists():
        raise NoHypha(f"{home.path} holds a full cell: a hypha needs a directory of its own")
    wished = None if wishes.genesis is None else read_genesis(wishes.genesis)
    old = configuration.load(home.config) if home.config.exists() else None
    if old is None and (wished is None or not wishes.gateways):
        raise NoHypha("a new hypha needs the network's genesis and a gateway")
    config = _config(old, wishes)
    for gateway in config.gateways:
        gateway.read_token(home.path)
    home.make()
    with home.locked():
        genesis = _genesis(home, wished)
        key, created = _key(home, wishes.passphrase)
        if config != old:
            home.write_text(home.config, configuration.dump(config))
        home.read_or_make_token()
    return Founded(key, genesis, config, created)


def _config(old: HyphaConfig | None, wishes: Wishes) -> HyphaConfig:
    base = HyphaConfig(wishes.gateways) if old is None else old
    port = base.gateway_port if wishes.gateway_port is None else wishes.gateway_port
    return replace(
        base,
        gateways=wishes.gateways or base.gateways,
        name=base.name if wishes.name is None else wishes.name,
        gateway_port=port,
    )


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
