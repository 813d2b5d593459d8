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

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.errors import MyceldError
from core.ids import Epoch, NetworkId, PublicKey, Round, cell_id_of, public_key_of
from core.json_text import NotJson, parse_json
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.amounts import NotAnAmount, format_amount, parse_amount
from ledger.epoch_rules import RULE_SETS, EpochRules
from ledger.errors import BadGenesis, BadRoster
from ledger.limits import (
    COIN_PERIOD_MAX,
    COIN_PERIOD_MIN,
    DECIMALS,
    EPOCH_ROUNDS_MAX,
    EPOCH_ROUNDS_MIN,
    MEMBERS_MAX,
    NAME_LENGTH_MAX,
    PRANA_ACCOUNTS_MAX,
    SUPPLY_MAX,
)
from ledger.names import is_name
from ledger.parameters import PARAMETERS, Holds, check_parameter, parameter
from ledger.roster import Member, Roster, check_members, member_of

_DOMAIN: Final = "myceld/genesis/1"
_DOMAIN_WITH_STATE: Final = "myceld/genesis/2"
"""Of one that gives PRANA or sets parameters, which are two more items."""
_FILE_FORMAT: Final = "myceld-genesis/1"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Genesis:
    """A network's name, first members, voting parameters and time of birth.

    Construction checks everything and raises BadGenesis: 1 to 128 members with distinct keys,
    weights of 1 to 2**32, a coin period of 3 to 1000, 16 to 65536 rounds an epoch, up to 1024
    accounts in ascending order that begin with at least one base unit, up to 2**63 - 1 in all, and
    known parameters in ascending order.
    """

    name: str
    members: tuple[Member, ...]
    time_ns: int
    coin_period: int = 10
    epoch_rounds: int = 2048
    rule_set: int = 2
    prana: tuple[tuple[PublicKey, int], ...] = ()
    """(key, base units) that begin with something."""
    parameters: tuple[tuple[str, int], ...] = ()
    """(name, value) where they begin with something else than their default."""

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise BadGenesis(f"the network's name must have 1 to {NAME_LENGTH_MAX} characters")
        try:
            check_members(self.members)
        except BadRoster as error:
            raise BadGenesis(error.detail) from error
        if not COIN_PERIOD_MIN <= self.coin_period <= COIN_PERIOD_MAX:
            bounds = f"{COIN_PERIOD_MIN}..{COIN_PERIOD_MAX}"
            raise BadGenesis(f"coin period {self.coin_period} is not in {bounds}")
        if not EPOCH_ROUNDS_MIN <= self.epoch_rounds <= EPOCH_ROUNDS_MAX:
            bounds = f"{EPOCH_ROUNDS_MIN}..{EPOCH_ROUNDS_MAX}"
            raise BadGenesis(f"{self.epoch_rounds} rounds an epoch are not in {bounds}")
        if self.rule_set not in RULE_SETS:
            raise BadGenesis(f"rule set {self.rule_set} is not known here, only 1 and 2")
        if not 0 <= self.time_ns <= INT_MAX:
            raise BadGenesis("the time is not in nanoseconds of the Unix epoch")
        _check_prana(self.prana)
        names = [name for name, _ in self.parameters]
        if names != sorted(set(names)):
            raise BadGenesis("the parameters are not different ones in ascending order")
        for name, value in self.parameters:
            try:
                check_parameter(name, value)
            except MyceldError as error:
                raise BadGenesis(error.detail) from error
            if parameter(name).holds is Holds.NEXT_EPOCH:
                raise BadGenesis(f"{name} is a rule of the genesis, and no parameter of it")

    @cached_property
    def network_id(self) -> NetworkId:
        """SHA-256 of the canonical encoding."""
        return NetworkId(hashlib.sha256(self.encode()).digest())

    @cached_property
    def roster(self) -> Roster:
        """The roster of the first epoch."""
        rules = EpochRules(self.rule_set, self.coin_period, self.epoch_rounds)
        return Roster(Epoch(0), Round(1), 0, self.members, rules)

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        members: list[Value] = [member.to_value() for member in self.members]
        rules: list[Value] = [self.rule_set, self.coin_period, self.epoch_rounds]
        body: list[Value] = [_DOMAIN, self.name, rules, self.time_ns, members]
        if self.prana or self.parameters:
            body[0] = _DOMAIN_WITH_STATE
            prana: list[Value] = [[key, amount] for key, amount in self.prana]
            parameters: list[Value] = [[name, value] for name, value in self.parameters]
            body += [prana, parameters]
        return encode(body)


def decode_genesis(data: bytes) -> Genesis:
    """Return the genesis in canonical bytes, whose SHA-256 is its network id; raises BadGenesis."""
    try:
        items = as_array(decode(data), length_max=7)
        begins = items[5:]
        if len(items) not in (5, 7) or items[0] != (_DOMAIN_WITH_STATE if begins else _DOMAIN):
            raise BadGenesis("not a genesis of this version")
        name, rules, time_ns, members = items[1:5]
        prana, parameters = begins or ([], [])
        rule_set, coin_period, epoch_rounds = as_array(rules, length=3)
        return Genesis(
            name=as_text(name, length_max=NAME_LENGTH_MAX),
            members=tuple(member_of(item) for item in as_array(members, length_max=MEMBERS_MAX)),
            time_ns=as_int(time_ns),
            coin_period=as_int(coin_period),
            epoch_rounds=as_int(epoch_rounds),
            rule_set=as_int(rule_set),
            prana=tuple(map(_purse_of, as_array(prana, length_max=PRANA_ACCOUNTS_MAX))),
            parameters=tuple(map(_setting_of, as_array(parameters, length_max=len(PARAMETERS)))),
        )
    except (NotCanonical, WrongShape) as error:
        raise BadGenesis(error.detail) from error


def _purse_of(value: Value) -> tuple[PublicKey, int]:
    key, amount = as_array(value, length=2)
    return PublicKey(as_bytes(key, size=PUBLIC_KEY_SIZE_BYTES)), as_int(amount)


def _setting_of(value: Value) -> tuple[str, int]:
    name, setting = as_array(value, length=2)
    return as_text(name, length_max=NAME_LENGTH_MAX), as_int(setting)


def to_json(genesis: Genesis) -> str:
    """Return the text of a genesis file."""
    content: dict[str, object] = {
        "format": _FILE_FORMAT,
        "network_id": genesis.network_id.hex(),
        "name": genesis.name,
        "rule_set": genesis.rule_set,
        "coin_period": genesis.coin_period,
        "epoch_rounds": genesis.epoch_rounds,
        "time_ns": genesis.time_ns,
        "members": [
            {"cell_id": m.cell_id, "name": m.name, "weight": m.weight} for m in genesis.members
        ],
    }
    if genesis.prana:
        content["prana"] = [
            {"cell_id": cell_id_of(key), "amount": format_amount(amount, DECIMALS)}
            for key, amount in genesis.prana
        ]
    if genesis.parameters:
        content["parameters"] = dict(genesis.parameters)
    return json.dumps(content, indent=2) + "\n"


def from_json(text: str | bytes) -> Genesis:
    """Return the genesis in a file's text; raises BadGenesis with what is wrong with it."""
    try:
        content = parse_json(text)
    except NotJson as error:
        raise BadGenesis(error.detail) from error
    if not isinstance(content, Mapping) or content.get("format") != _FILE_FORMAT:
        raise BadGenesis(f'not a genesis file (no "format": "{_FILE_FORMAT}")')
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
            epoch_rounds=_typed(content["epoch_rounds"], int),
            rule_set=_typed(content["rule_set"], int),
            prana=tuple(
                (public_key_of(_typed(one["cell_id"], str)), _amount(one["amount"]))
                for one in _typed(content.get("prana", []), list)
            ),
            parameters=tuple(
                (name, _typed(value, int))
                for name, value in sorted(_typed(content.get("parameters", {}), dict).items())
            ),
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


def _check_prana(prana: tuple[tuple[PublicKey, int], ...]) -> None:
    keys = [key for key, _ in prana]
    if keys != sorted(set(keys)) or len(keys) > PRANA_ACCOUNTS_MAX:
        raise BadGenesis(
            f"PRANA is given to at most {PRANA_ACCOUNTS_MAX} different keys, in ascending order"
        )
    amounts = [amount for _, amount in prana]
    if any(amount < 1 for amount in amounts) or sum(amounts) > SUPPLY_MAX:
        raise BadGenesis(f"amounts are at least 1 base unit, and at most {SUPPLY_MAX} in all")


def _amount(text: object) -> int:
    try:
        return parse_amount(_typed(text, str), DECIMALS)
    except NotAnAmount as error:
        raise BadGenesis(error.detail) from error


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value
