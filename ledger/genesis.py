"""The genesis: what a network is. Its hash is the network id that every signature carries.

A genesis file is JSON so that people can read it before they trust it; the network id is the hash
of the canonical encoding of the same content, so formatting and member names' spelling in other
tools do not matter, and any change of content makes another network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from core.codec import Value, encode
from core.errors import MyceldError
from core.ids import CellId, MemberIndex, NetworkId, PublicKey, cell_id_of, public_key_of
from core.limits import INT_MAX
from ledger.errors import BadGenesis
from ledger.limits import MEMBERS_MAX, NAME_LENGTH_MAX, WEIGHT_MAX

RULE_SET: Final = 1
"""The pinned voting rules (ARCHITECTURE.md, hashgraph)."""

_DOMAIN: Final = "myceld/genesis/1"
_FILE_FORMAT: Final = "myceld-genesis/1"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Member:
    """One voting member of the roster."""

    public_key: PublicKey
    weight: int
    name: str

    @property
    def cell_id(self) -> CellId:
        """The member's cell id."""
        return cell_id_of(self.public_key)


@dataclass(frozen=True)
class Genesis:
    """A network's name, first members, voting parameters and time of birth.

    Construction checks everything and raises BadGenesis: 1 to 128 members with distinct keys,
    weights of 1 to 2**32, a coin period of 3 to 1000, names of 1 to 64 printable characters.
    """

    name: str
    members: tuple[Member, ...]
    time_ns: int
    coin_period: int = 10

    def __post_init__(self) -> None:
        _check_name(self.name, "the network's name")
        if not 1 <= len(self.members) <= MEMBERS_MAX:
            raise BadGenesis(f"{len(self.members)} members; 1 to {MEMBERS_MAX} are possible")
        if len({member.public_key for member in self.members}) != len(self.members):
            raise BadGenesis("the same key is listed twice")
        for member in self.members:
            _check_name(member.name, "a member's name")
            if not 1 <= member.weight <= WEIGHT_MAX:
                raise BadGenesis(f"weight {member.weight} of {member.name} is not positive or huge")
        # With period 2 every round that could decide is a coin round, and those never decide.
        if not 3 <= self.coin_period <= 1000:
            raise BadGenesis(f"coin period {self.coin_period} is not in 3..1000")
        if not 0 <= self.time_ns <= INT_MAX:
            raise BadGenesis("the time is not in nanoseconds of the Unix epoch")

    @cached_property
    def network_id(self) -> NetworkId:
        """SHA-256 of the canonical encoding."""
        members: list[Value] = [[m.public_key, m.weight, m.name] for m in self.members]
        body: Value = [_DOMAIN, self.name, RULE_SET, self.coin_period, self.time_ns, members]
        return NetworkId(hashlib.sha256(encode(body)).digest())

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """Weights in roster order."""
        return tuple(member.weight for member in self.members)

    def index_of(self, public_key: PublicKey) -> MemberIndex | None:
        """Return the roster position of a key, or None when it is not a member."""
        for index, member in enumerate(self.members):
            if member.public_key == public_key:
                return MemberIndex(index)
        return None


def to_json(genesis: Genesis) -> str:
    """Return the text of a genesis file."""
    content = {
        "format": _FILE_FORMAT,
        "network_id": genesis.network_id.hex(),
        "name": genesis.name,
        "rule_set": RULE_SET,
        "coin_period": genesis.coin_period,
        "time_ns": genesis.time_ns,
        "members": [
            {"cell_id": m.cell_id, "name": m.name, "weight": m.weight} for m in genesis.members
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def from_json(text: str | bytes) -> Genesis:
    """Return the genesis in a file's text; raises BadGenesis with what is wrong with it."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadGenesis("not JSON") from error
    if not isinstance(content, Mapping) or content.get("format") != _FILE_FORMAT:
        raise BadGenesis(f'not a genesis file (no "format": "{_FILE_FORMAT}")')
    if content.get("rule_set") != RULE_SET:
        raise BadGenesis(f"rule set {content.get('rule_set')!r} is not known here, only {RULE_SET}")
    try:
        members = tuple(
            Member(
                public_key_of(_typed(member["cell_id"], str)),
                _typed(member["weight"], int),
                _typed(member["name"], str),
            )
            for member in _typed(content["members"], list)
        )
        genesis = Genesis(
            name=_typed(content["name"], str),
            members=members,
            time_ns=_typed(content["time_ns"], int),
            coin_period=_typed(content["coin_period"], int),
        )
    except (KeyError, TypeError) as error:
        raise BadGenesis(f"a field is missing or has the wrong type: {error}") from error
    except BadGenesis:
        raise
    except MyceldError as error:
        raise BadGenesis(error.detail) from error
    if content.get("network_id") != genesis.network_id.hex():
        raise BadGenesis("its content was changed: the network id does not match")
    return genesis


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value


def _check_name(name: str, what: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise BadGenesis(f"{what} must have 1 to {NAME_LENGTH_MAX} printable characters")
