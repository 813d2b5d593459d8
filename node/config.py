"""The cell's configuration file: `config.yaml`, read once at start.

One YAML mapping: `version: 1` and the section `cell` with the keys of `Config`. Unknown keys, wrong
types and impossible values are refused with the key's name: a misspelt option never passes in
silence. `MYCELD_CELL__<KEY>` in the environment overrides a key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import yaml

from node.errors import BadConfig

_VERSION: Final = 1
_FILE_SIZE_BYTES_MAX: Final = 256 * 1024
_PREFIX: Final = "MYCELD_CELL__"
_DIGITS_MAX: Final = 18
_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Config:
    """What a cell can be told; every key has a default but `listen`."""

    name: str = "cell"
    """Shown to people; other cells go by the cell id."""
    listen: tuple[str, ...] = ("/ip4/127.0.0.1/tcp/0",)
    """Multiaddrs to listen on; port 0 takes a free one at each start."""
    bootstrap: tuple[str, ...] = ()
    """Multiaddrs of other cells, with /p2p/CELL_ID, to find the network by."""
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 0
    """Port of the HTTP gateway; 0 takes a free one at each start."""
    log_level: str = "info"


def load(path: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration in the file, overridden by the environment; raises BadConfig."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    if len(data) > _FILE_SIZE_BYTES_MAX:
        raise BadConfig(f"{path} is larger than {_FILE_SIZE_BYTES_MAX} bytes")
    config = parse(data, str(path))
    for name, text in environment.items():
        if name.startswith(_PREFIX):
            key = name[len(_PREFIX) :].lower()
            config = _with(config, key, _from_text(key, text), where=name)
    return config


def parse(data: bytes, where: str) -> Config:
    """Return the configuration in YAML bytes; `where` names them in errors. Raises BadConfig."""
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise BadConfig(f"{where}{line}: not readable as YAML") from error
    if not isinstance(content, dict):
        raise BadConfig(f"{where}: expected `version: 1` and a section `cell:`")
    if content.get("version") != _VERSION:
        raise BadConfig(f"{where}: version is {content.get('version')!r}, expected {_VERSION}")
    unknown = sorted(str(key) for key in content if key not in ("version", "cell"))
    if unknown:
        raise BadConfig(f"{where}: unknown section {unknown[0]!r}, expected `cell`")
    section = content.get("cell")
    if section is None:
        return Config()
    if not isinstance(section, dict):
        raise BadConfig(f"{where}: `cell` must be a section of keys")
    config = Config()
    for key, value in section.items():
        config = _with(config, str(key), value, where=f"{where}: cell.{key}")
    return config


def dump(config: Config) -> str:
    """Return the text of a configuration file."""
    section: dict[str, object] = {}
    for field in fields(Config):
        value = getattr(config, field.name)
        section[field.name] = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump({"version": _VERSION, "cell": section}, sort_keys=False)
    return "# Configuration of a myceld cell; docs/configuration.md explains every key.\n" + text


def _with(config: Config, key: str, value: object, *, where: str) -> Config:
    """Return `config` with one key set to a checked value; raises BadConfig."""
    names = [field.name for field in fields(Config)]
    if key not in names:
        near = difflib.get_close_matches(key, names, 1)
        hint = f", did you mean {near[0]}?" if near else f", known are: {', '.join(names)}"
        raise BadConfig(f"{where}: unknown key{hint}")
    expected = getattr(Config(), key)
    if isinstance(expected, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadConfig(f"{where}: expected a list of multiaddrs, got {value!r}")
        value = tuple(value)
    elif type(value) is not type(expected):
        kind = "a number" if isinstance(expected, int) else "text"
        raise BadConfig(f"{where}: expected {kind}, got {value!r}")
    if key == "gateway_port" and isinstance(value, int) and not 0 <= value < 2**16:
        raise BadConfig(f"{where}: a port is 0 to 65535, got {value}")
    if key == "log_level" and value not in _LEVELS:
        raise BadConfig(f"{where}: expected one of {', '.join(_LEVELS)}, got {value!r}")
    if key == "listen" and not value:
        raise BadConfig(f"{where}: at least one address is needed")
    changed: Config = replace(config, **{key: value})  # type: ignore[arg-type] # checked above
    return changed


def _from_text(key: str, text: str) -> object:
    """Return an environment variable's text in the type of the key."""
    expected = getattr(Config(), key, "")
    if isinstance(expected, tuple):
        return [item.strip() for item in text.split(",") if item.strip()]
    if isinstance(expected, int) and text.isdecimal() and len(text) <= _DIGITS_MAX:
        return int(text)
    return text
