"""The cell's configuration file: `config.yaml`, read once at start.

One YAML mapping: `version: 1`, the section `cell` with the keys of `Config`, and the sections
`discovery`, `trust` and `state` with those of `DiscoveryConfig` and so on. Unknown keys, wrong
types and impossible values are refused with the key's name: no misspelt option passes in silence.
`MYCELD_<SECTION>__<KEY>` in the environment overrides a key.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import yaml

from core.yaml_text import NotReadableYaml, read_yaml
from identity.description import check_metadata
from identity.errors import BadPolicy, BadRecord
from identity.messages.limits import RUN_NAME_LENGTH_MAX
from identity.trust import Policy, policy_of
from node.discovery.limits import SEEDS_MAX
from node.discovery.locations import check_location
from node.errors import BadConfig, SeedRefused
from node.limits import COMMANDS_MAX, HISTORY_ROUNDS_MAX

_VERSION: Final = 1
_FILE_SIZE_BYTES_MAX: Final = 256 * 1024
_PREFIX: Final = "MYCELD_{}__"
_DIGITS_MAX: Final = 18
_KEY_LENGTH_MAX: Final = 64
_SHOWN_MAX: Final = 80
_SECTIONS: Final = ("cell", "discovery", "trust", "state")
_ALL: Final = "all"
_DECIMAL: Final = re.compile(r"[01]?\.?[0-9]{1,9}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_KINDS: Final = {bool: "true or false", int: "a number", str: "text"}
_LISTS: Final = {
    "listen": "multiaddrs",
    "bootstrap": "multiaddrs",
    "seeds": "paths and URLs",
    "levels": "LEVEL=SCORE",
    "needs": "REQUEST=LEVEL",
    "proofs": "REQUEST=fresh or none",
    "scopes": "REQUEST=SCOPE",
    "metadata": "KEY=VALUE",
    "commands": "NAME=COMMAND",
}
_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    """How other cells are found, beside bootstrap addresses and what peers tell."""

    mdns: bool = True
    """Look for cells on the LAN, and be found there; never when listening on loopback only."""
    dht: bool = False
    """Look for cells in the DHT of those that are connected, and be found there."""
    seeds: tuple[str, ...] = ()
    """Spore files to read: paths, relative to the cell's directory, or https URLs."""


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """Where the access of other cells differs from the defaults of `identity.trust.policy`."""

    levels: tuple[str, ...] = ()
    """LEVEL=SCORE: the least score of a level of access."""
    needs: tuple[str, ...] = ()
    """REQUEST=LEVEL: the level that a kind of request needs."""
    proofs: tuple[str, ...] = ()
    """REQUEST=fresh or none: whether its cell has to have proven its key within the hour."""
    scopes: tuple[str, ...] = ()
    """REQUEST=SCOPE: in which scope of attestations the score counts for a kind of request."""

    def policy(self) -> Policy:
        """Return the policy; raises BadPolicy."""
        scores = {level: _score(text) for level, text in map(_halves, self.levels)}
        needs, proofs = dict(map(_halves, self.needs)), dict(map(_halves, self.proofs))
        return policy_of(scores, needs, proofs, dict(map(_halves, self.scopes)))


@dataclass(frozen=True, slots=True)
class StateConfig:
    """How much of the state's past is kept."""

    history_rounds: int | str = 100_000
    """Of how many rounds the state can be told and proven, at least; `all` of them."""

    @property
    def rounds_kept(self) -> int:
        """The number."""
        is_number = isinstance(self.history_rounds, int)
        return int(self.history_rounds) if is_number else HISTORY_ROUNDS_MAX


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
    commands: tuple[str, ...] = ()
    """What members may have run here by EXEC: NAME=COMMAND, split as a shell does, run without
    one."""
    metadata: tuple[str, ...] = ()
    """KEY=VALUE: what the cell says of itself to its clients and to cells it trusts."""
    passphrase_file: str = ""
    """File with the passphrase of key.json, relative to the cell's directory; empty: ask."""
    discovery: DiscoveryConfig = DiscoveryConfig()
    trust: TrustConfig = TrustConfig()
    state: StateConfig = StateConfig()


_AnySection: TypeAlias = Config | DiscoveryConfig | TrustConfig | StateConfig
_Section = TypeVar("_Section", Config, DiscoveryConfig, TrustConfig, StateConfig)


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
    discovery, trust, state = config.discovery, config.trust, config.state
    for name, text in environment.items():
        if (key := _key_in(name, "cell")) is not None:
            config = _with(config, key, _from_text(config, key, text), where=name)
        if (key := _key_in(name, "discovery")) is not None:
            discovery = _with(discovery, key, _from_text(discovery, key, text), where=name)
        if (key := _key_in(name, "trust")) is not None:
            trust = _with(trust, key, _from_text(trust, key, text), where=name)
        if (key := _key_in(name, "state")) is not None:
            state = _with(state, key, _from_text(state, key, text), where=name)
    return replace(config, discovery=discovery, trust=trust, state=state)


def parse(data: bytes, where: str) -> Config:
    """Return the configuration in YAML bytes; `where` names them in errors. Raises BadConfig."""
    try:
        content = read_yaml(data, where)
    except NotReadableYaml as error:
        raise BadConfig(error.detail) from error
    if not isinstance(content, dict):
        raise BadConfig(f"{where}: expected `version: 1` and a section `cell:`")
    if content.get("version") != _VERSION:
        raise BadConfig(
            f"{where}: version is {_shown(content.get('version'))}, expected {_VERSION}"
        )
    unknown = sorted(str(key) for key in content if key not in ("version", *_SECTIONS))
    if unknown:
        raise BadConfig(
            f"{where}: unknown section {_shown(unknown[0])}, expected one of {', '.join(_SECTIONS)}"
        )
    config = _section(Config(), content.get("cell"), f"{where}: cell")
    discovery = _section(config.discovery, content.get("discovery"), f"{where}: discovery")
    trust = _section(config.trust, content.get("trust"), f"{where}: trust")
    state = _section(config.state, content.get("state"), f"{where}: state")
    return replace(config, discovery=discovery, trust=trust, state=state)


def dump(config: Config) -> str:
    """Return the text of a configuration file."""
    content = {
        "version": _VERSION,
        "cell": _plain(config),
        "discovery": _plain(config.discovery),
        "trust": _plain(config.trust),
        "state": _plain(config.state),
    }
    text: str = yaml.safe_dump(content, sort_keys=False)
    return "# Configuration of a myceld cell; docs/configuration.md explains every key.\n" + text


def _keys(section: _AnySection) -> list[str]:
    return [field.name for field in fields(section) if field.name not in _SECTIONS]


def _plain(section: _AnySection) -> dict[str, object]:
    values = {key: getattr(section, key) for key in _keys(section)}
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }


def _section(section: _Section, content: object, where: str) -> _Section:
    """Return a section with the keys of a YAML mapping set; raises BadConfig."""
    if content is None:
        return section
    if not isinstance(content, dict):
        raise BadConfig(f"{where} must be a section of keys")
    for key, value in content.items():
        section = _with(section, str(key), value, where=f"{where}.{key}")
    return section


def _key_in(name: str, section: str) -> str | None:
    """Return the key that an environment variable sets in this section."""
    prefix = _PREFIX.format(section.upper())
    return name.removeprefix(prefix).lower() if name.startswith(prefix) else None


def _with(section: _Section, key: str, value: object, *, where: str) -> _Section:
    """Return `section` with one key set to a checked value; raises BadConfig."""
    names = _keys(section)
    if key not in names:
        near = [] if len(key) > _KEY_LENGTH_MAX else difflib.get_close_matches(key, names, 1)
        hint = f", did you mean {near[0]}?" if near else f", known are: {', '.join(names)}"
        raise BadConfig(f"{where}: unknown key{hint}")
    expected = getattr(section, key)
    if isinstance(expected, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadConfig(f"{where}: expected a list of {_LISTS[key]}, got {_shown(value)}")
        value = tuple(value)
    elif key == "history_rounds":
        _check_history_rounds(value, where)
    elif type(value) is not type(expected):
        raise BadConfig(f"{where}: expected {_KINDS[type(expected)]}, got {_shown(value)}")
    if isinstance(section, Config):
        _check_of_cell(key, value, where)
    if key in _LIST_CHECKS and isinstance(value, tuple):
        _LIST_CHECKS[key](value, where)
    changed: _Section = replace(section, **{key: value})  # type: ignore[arg-type] # checked above
    if isinstance(changed, TrustConfig):
        try:
            changed.policy()
        except BadPolicy as error:
            raise BadConfig(f"{where}: {_cut(error.detail)}") from error
    return changed


def _check_history_rounds(value: object, where: str) -> None:
    is_number = type(value) is int and 0 <= value <= HISTORY_ROUNDS_MAX
    if value != _ALL and not is_number:
        raise BadConfig(f"{where}: expected a number of rounds, or all, got {_shown(value)}")


def _check_of_cell(key: str, value: object, where: str) -> None:
    """Check what a type does not say of a key of the section `cell`; raises BadConfig."""
    if key == "gateway_port" and isinstance(value, int) and not 0 <= value < 2**16:
        raise BadConfig(f"{where}: a port is 0 to 65535, got {value}")
    if key == "log_level" and value not in _LEVELS:
        raise BadConfig(f"{where}: expected one of {', '.join(_LEVELS)}, got {_shown(value)}")
    if key == "listen" and not value:
        raise BadConfig(f"{where}: at least one address is needed")
    if key == "commands" and isinstance(value, tuple):
        _check_commands(value, where)


def _halves(text: str) -> tuple[str, str]:
    left, _, right = text.partition("=")
    return left.strip(), right.strip()


def _score(text: str) -> float:
    """Return a plain decimal number; what is none is beyond every bound of a score."""
    return float(text) if _DECIMAL.fullmatch(text) else -1.0


def _cut(text: str) -> str:
    """Return a message in one line of a bounded length, whatever it quotes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[: 4 * _SHOWN_MAX]


def _shown(value: object) -> str:
    """Return a value for a message of one line."""
    cut = value[:_SHOWN_MAX] if isinstance(value, str | list) else value
    return repr(cut)[: 2 * _SHOWN_MAX]


def _check_commands(commands: tuple[str, ...], where: str) -> None:
    if len(commands) > COMMANDS_MAX:
        raise BadConfig(f"{where}: {len(commands)} commands, at most {COMMANDS_MAX} are declared")
    for text in commands:
        try:
            ((name, command),) = commands_of([text]).items()
        except ValueError as error:
            raise BadConfig(f"{where}: {_shown(text)}: {error}") from error
        if not 0 < len(name) <= RUN_NAME_LENGTH_MAX or not command:
            raise BadConfig(f"{where}: expected NAME=COMMAND, got {_shown(text)}")


def commands_of(declared: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return commands by name from texts NAME=COMMAND; raises ValueError."""
    found = {}
    for text in declared:
        name, _, command = text.partition("=")
        found[name.strip()] = tuple(shlex.split(command))
    return found


def metadata_of(declared: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs in the order of their keys from texts KEY=VALUE; raises BadRecord."""
    pairs = tuple(sorted(map(_halves, declared)))
    check_metadata(pairs)
    return pairs


def _check_metadata(declared: tuple[str, ...], where: str) -> None:
    try:
        metadata_of(declared)
    except BadRecord as error:
        raise BadConfig(f"{where}: {error.detail}") from error


def _check_seeds(seeds: tuple[str, ...], where: str) -> None:
    if len(seeds) > SEEDS_MAX:
        raise BadConfig(f"{where}: {len(seeds)} seeds, at most {SEEDS_MAX} are read")
    for seed in seeds:
        try:
            check_location(seed)
        except SeedRefused as error:
            raise BadConfig(f"{where}: {error.detail}") from error


_LIST_CHECKS: Final = {
    "commands": _check_commands,
    "metadata": _check_metadata,
    "seeds": _check_seeds,
}


def _from_text(section: _AnySection, key: str, text: str) -> object:
    """Return an environment variable's text in the type of the key."""
    expected = getattr(section, key, "")
    if isinstance(expected, tuple):
        return [item.strip() for item in text.split(",") if item.strip()]
    if isinstance(expected, bool):
        return _BOOLEANS.get(text.lower(), text)
    if isinstance(expected, int) and text.isdecimal() and len(text) <= _DIGITS_MAX:
        return int(text)
    return text
