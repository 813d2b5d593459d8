"""The table of what a proposal can do: name, arguments, bounds and effect of each action.

A row is to a proposal what a row of `ledger.kinds` is to a transaction: `parse` checks every bound
that needs no state, `changes` says what the action writes once it is decided, and raises why it is
not possible. All actions of a proposal take effect together, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar

from core.codec import Value, as_array, as_bytes, as_int, as_text
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES, INT_MAX
from ledger.context import Context
from ledger.errors import BadAction
from ledger.limits import KIND_LENGTH_MAX, PROPOSAL_ACTIONS_MAX, RESOLUTION_URL_LENGTH_MAX
from ledger.members import Changes, MemberPropose, build_propose, change_changes, parse_propose
from ledger.names import is_text
from ledger.parameters import check_parameter, encode_parameter, parameter_key
from ledger.upgrades import (
    Upgrade,
    build_upgrade,
    check_upgrade,
    parse_upgrade,
    upgrade_changes,
)


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Give a parameter of `ledger.parameters` a value."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Agree to a text: the proposal's title, and if there is more, its hash and where it is."""

    hash: Hash | None = None
    url: str = ""


Action: TypeAlias = MemberPropose | SetParameter | Upgrade | Resolution
"""All actions."""

_A = TypeVar("_A", bound=Action)


def _no_check(_: object, __: Context) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ActionKind(Generic[_A]):
    """One row of the table."""

    name: str
    action: type[_A]
    parse: Callable[[list[Value]], _A]
    build: Callable[[_A], Sequence[Value]]
    changes: Callable[[_A, Context], Changes]
    check_decision: Callable[[_A, Context], None] = _no_check
    """Raises what stands against it when it is to be decided, though it may be voted on."""


def parse_actions(value: Value) -> tuple[Action, ...]:
    """Return the checked actions of a proposal; raises BadAction, BadProposal or WrongShape."""
    items = as_array(value, length_max=PROPOSAL_ACTIONS_MAX)
    if not items:
        raise BadAction("a proposal has at least one action")
    return tuple(_parse(item) for item in items)


def build_actions(actions: Sequence[Action]) -> list[Value]:
    """Return the encodable actions: [[name, [arguments]], …]."""
    return [[name_of(action), list(_row(action).build(action))] for action in actions]


def name_of(action: Action) -> str:
    """Return the name of an action's row."""
    return _row(action).name


def arguments_of(action: Action) -> Sequence[Value]:
    """Return the encodable arguments of an action."""
    built: Sequence[Value] = _row(action).build(action)
    return built


def actions_changes(actions: Sequence[Action], context: Context, *, decides: bool) -> Changes:
    """Return what the actions write, each on what those before it left.

    Raises a TransactionRefused if one is not possible; with `decides`, or may not be decided yet.
    """
    written: dict[bytes, bytes] = {}
    seen = replace(context, read=lambda key: written[key] if key in written else context.read(key))
    for action in actions:
        if decides:
            _row(action).check_decision(action, seen)
        written.update(_row(action).changes(action, seen))
    return list(written.items())


def _parse(item: Value) -> Action:
    name, arguments = as_array(item, length=2)
    row = _ROWS_BY_NAME.get(as_text(name, length_max=KIND_LENGTH_MAX))
    if row is None:
        raise BadAction(f"{name!r} is not an action")
    action: Action = row.parse(as_array(arguments))
    return action


def _row(action: Action) -> ActionKind[Any]:
    return _ROWS_BY_TYPE[type(action)]


def _parse_parameter(items: list[Value]) -> SetParameter:
    name, value = as_array(items, length=2)
    action = SetParameter(as_text(name, length_max=INT_MAX), as_int(value))
    check_parameter(action.name, action.value)
    return action


def _build_parameter(action: SetParameter) -> Sequence[Value]:
    return action.name, action.value


def _parameter_changes(action: SetParameter, _: Context) -> Changes:
    return [(parameter_key(action.name), encode_parameter(action.value))]


def _parse_resolution(items: list[Value]) -> Resolution:
    digest, url = as_array(items, length=2)
    text = as_text(url, length_max=INT_MAX)
    if text and not is_text(text, RESOLUTION_URL_LENGTH_MAX):
        raise BadAction(f"a URL has at most {RESOLUTION_URL_LENGTH_MAX} characters, no controls")
    raw = as_bytes(digest)
    if len(raw) not in (0, HASH_SIZE_BYTES):
        raise BadAction(f"a hash has {HASH_SIZE_BYTES} bytes")
    return Resolution(Hash(raw) if raw else None, text)


def _build_resolution(action: Resolution) -> Sequence[Value]:
    return action.hash or b"", action.url


def _resolution_changes(_: Resolution, __: Context) -> Changes:
    return []  # that it was agreed to, the proposal says


_ROWS: Final[tuple[ActionKind[Any], ...]] = (
    ActionKind("member", MemberPropose, parse_propose, build_propose, change_changes),
    ActionKind("set", SetParameter, _parse_parameter, _build_parameter, _parameter_changes),
    ActionKind("upgrade", Upgrade, parse_upgrade, build_upgrade, upgrade_changes, check_upgrade),
    ActionKind("text", Resolution, _parse_resolution, _build_resolution, _resolution_changes),
)
_ROWS_BY_NAME: Final = {row.name: row for row in _ROWS}
_ROWS_BY_TYPE: Final = {row.action: row for row in _ROWS}
