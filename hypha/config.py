"""`hypha.yaml`, read as every configuration of this program is: see `settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hypha.errors import NoHypha
from hypha.gateway_address import GatewayAddress, parse_gateway
from settings import HyphaConfig, LightConfig
from settings import load as load_config


def load(path: Path, environment: Mapping[str, str] | None = None) -> LightConfig:
    """Return the configuration in a file; raises NoHypha, BadConfig."""
    if not path.exists():
        raise NoHypha(f"{path} does not exist")
    return load_config(path, os.environ if environment is None else environment, LightConfig)


def addresses_in(config: HyphaConfig) -> list[GatewayAddress]:
    """Return the gateways; raises BadGateway for those that `settings` would have refused."""
    return [parse_gateway(text) for text in config.gateways]
