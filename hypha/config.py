"""`hypha.yaml`: which gateways a hypha asks, and where it answers itself.

    version: 1
    hypha:
      name: phone
      gateway_port: 8720
      stale_after_s: 3600
      log_level: info
      gateways:
        - url: http://127.0.0.1:8710
          token_file: ada.token

Unknown keys, wrong types and impossible values are refused with the key's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from core.yaml_text import NotReadableYaml, read_yaml
from hypha.errors import BadGateway, BadHyphaConfig, NoHypha
from hypha.gateway_address import GatewayAddress
from hypha.limits import CONFIG_SIZE_BYTES_MAX, GATEWAYS_MAX, STALE_AFTER_S
from ledger.names import is_name

_VERSION: Final = 1
_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class HyphaConfig:
    """What a hypha can be told. Construction checks it and raises BadHyphaConfig."""

    gateways: tuple[GatewayAddress, ...]
    name: str = "hypha"
    gateway_port: int = 0
    """Port of its own gateway, on loopback; 0 takes a free one at each start."""
    stale_after_s: int = STALE_AFTER_S
    """Age of the newest head that is warned of."""
    log_level: str = "info"

    def __post_init__(self) -> None:
        if not 1 <= len(self.gateways) <= GATEWAYS_MAX:
            raise BadHyphaConfig(f"gateways: 1 to {GATEWAYS_MAX} are needed")
        if len({gateway.url for gateway in self.gateways}) != len(self.gateways):
            raise BadHyphaConfig("gateways: one is listed twice")
        if not is_name(self.name):
            raise BadHyphaConfig("name: expected 1 to 64 characters, none of them controls")
        if not 0 <= self.gateway_port < 2**16:
            raise BadHyphaConfig("gateway_port: a port is 0 to 65535")
        if not 1 <= self.stale_after_s < 2**32:
            raise BadHyphaConfig("stale_after_s: expected a number of seconds")
        if self.log_level not in _LEVELS:
            raise BadHyphaConfig(f"log_level: expected one of {', '.join(_LEVELS)}")


def load(path: Path) -> HyphaConfig:
    """Return the configuration in a file; raises NoHypha, BadHyphaConfig."""
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_SIZE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NoHypha(f"{path} does not exist") from error
    except OSError as error:
        raise BadHyphaConfig(f"{path}: {error.strerror}") from error
    if len(data) > CONFIG_SIZE_BYTES_MAX:
        raise BadHyphaConfig(f"{path} is larger than {CONFIG_SIZE_BYTES_MAX} bytes")
    return parse(data, str(path))


def parse(data: bytes, where: str) -> HyphaConfig:
    """Return the configuration in YAML bytes; `where` names them in errors."""
    try:
        return _config_of(read_yaml(data, where))
    except NotReadableYaml as error:
        raise BadHyphaConfig(error.detail) from error
    except (BadHyphaConfig, BadGateway) as error:
        raise BadHyphaConfig(f"{where}: {error.detail}") from error


def dump(config: HyphaConfig) -> str:
    """Return the text of a configuration file."""
    gateways = [
        {name: value for name in _ORDER if (value := getattr(gateway, name))}
        for gateway in config.gateways
    ]
    content = {
        "version": _VERSION,
        "hypha": {
            "name": config.name,
            "gateway_port": config.gateway_port,
            "stale_after_s": config.stale_after_s,
            "log_level": config.log_level,
            "gateways": gateways,
        },
    }
    text: str = yaml.safe_dump(content, sort_keys=False)
    return "# Configuration of a myceld hypha; docs/hypha.md explains every key.\n" + text


_ORDER: Final = ("url", "token_file", "ca_file")
_TYPES: Final = {
    "name": str,
    "gateway_port": int,
    "stale_after_s": int,
    "log_level": str,
    "gateways": list,
}


def _config_of(content: object) -> HyphaConfig:
    is_one = isinstance(content, dict) and "hypha" in content and content.get("version") == _VERSION
    if not is_one:
        raise BadHyphaConfig("expected `version: 1` and a section `hypha:`")
    section = _checked(content, {"version": int, "hypha": dict}, "the file")["hypha"]
    values = dict(_checked(section, _TYPES, "hypha"))
    gateways = values.pop("gateways", [])
    if len(gateways) > GATEWAYS_MAX:
        raise BadHyphaConfig(f"gateways: 1 to {GATEWAYS_MAX} are needed")
    addresses = tuple(_address(item) for item in gateways)
    return HyphaConfig(addresses, **values)


def _address(item: object) -> GatewayAddress:
    fields = _checked(item, dict.fromkeys(_ORDER, str), "gateways")
    if "url" not in fields:
        raise BadHyphaConfig("gateways: each has a `url`")
    return GatewayAddress(**fields)


def _checked(content: object, types: Mapping[str, type], where: str) -> dict[str, Any]:
    """Return a mapping whose keys are known and whose values have their types."""
    if not isinstance(content, dict):
        raise BadHyphaConfig(f"{where}: expected keys and values")
    for key, value in content.items():
        if key not in types:
            raise BadHyphaConfig(f"{where}: unknown key {str(key)[:64]!r}")
        if type(value) is not types[key]:
            raise BadHyphaConfig(f"{where}: {key}: expected {types[key].__name__}")
    return content
