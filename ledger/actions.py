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
from core.ids import AccountId, Amount, Hash
from core.limits import HASH_SIZE_BYTES, INT_MAX
from ledger.accounts import TREASURY, Account
from ledger.context import Accounts, Context
from ledger.errors import BadAction
from ledger.limits import KIND_LENGTH_MAX, PROPOSAL_ACTIONS_MAX, RESOLUTION_URL_LENGTH_MAX
from ledger.members import Changes, MemberPropose, build_propose, change_changes, parse_propose
from ledger.names import is_text
from ledger.parameters import check_parameter, encode_parameter, parameter_key
from ledger.payment import account_id, memo_line, pay, positive_amount, reached
from ledger.supply import burn_changes, issue_changes
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


@dataclass(frozen=True, slots=True)
class Issue:
    """Make PRANA, for an account."""

    to: AccountId
    amount: Amount


@dataclass(frozen=True, slots=True)
class Burn:
    """Take PRANA out of the world, from an account."""

    source: AccountId
    amount: Amount


@dataclass(frozen=True, slots=True)
class PayOut:
    """Pay somebody from the treasury, which holds the fees."""

    to: AccountId
    amount: Amount
    memo: str = ""


Action: TypeAlias = MemberPropose | SetParameter | Issue | Burn | PayOut | Upgrade | Resolution
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
    """Return the checked actions of a proposal; raises WrongShape or what bounds each has."""
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
    seen = replace(
        context,
        read=lambda key: written[key] if key in written else context.read(key),
        accounts=context.accounts if decides else _Trial(context.accounts),
    )
    for action in actions:
        if decides:
            _row(action).check_decision(action, seen)
        written.update(_row(action).changes(action, seen))
    return list(written.items())


class _Trial:
    """The accounts as actions would leave them, without leaving them so."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._set: dict[AccountId, Account] = {}

    def account(self, owner: AccountId) -> Account:
        """Return an account."""
        known = self._set.get(owner)
        return self._accounts.account(owner) if known is None else known

    def set_account(self, owner: AccountId, account: Account) -> None:
        """Set an account, for the actions that follow."""
        self._set[owner] = account


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


def _parse_issue(items: list[Value]) -> Issue:
    to, amount = as_array(items, length=2)
    return Issue(account_id(to), positive_amount(amount))


def _build_issue(action: Issue) -> Sequence[Value]:
    return action.to, action.amount


def _issue_changes(action: Issue, context: Context) -> Changes:
    to, _ = reached(action.to, context)
    return issue_changes(to, action.amount, context.accounts, context.read)


def _parse_burn(items: list[Value]) -> Burn:
    source, amount = as_array(items, length=2)
    return Burn(account_id(source), positive_amount(amount))


def _build_burn(action: Burn) -> Sequence[Value]:
    return action.source, action.amount


def _burn_changes(action: Burn, context: Context) -> Changes:
    source, _ = reached(action.source, context)
    return burn_changes(source, action.amount, context.accounts, context.read)


def _parse_pay_out(items: list[Value]) -> PayOut:
    to, amount, memo = as_array(items, length=3)
    return PayOut(account_id(to), positive_amount(amount), memo_line(memo))


def _build_pay_out(action: PayOut) -> Sequence[Value]:
    return action.to, action.amount, action.memo


def _pay_out_changes(action: PayOut, context: Context) -> Changes:
    pay(TREASURY, action.to, action.amount, context)
    return []


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
    ActionKind("issue", Issue, _parse_issue, _build_issue, _issue_changes),
    ActionKind("burn", Burn, _parse_burn, _build_burn, _burn_changes),
    ActionKind("pay-out", PayOut, _parse_pay_out, _build_pay_out, _pay_out_changes),
    ActionKind("upgrade", Upgrade, parse_upgrade, build_upgrade, upgrade_changes, check_upgrade),
    ActionKind("text", Resolution, _parse_resolution, _build_resolution, _resolution_changes),
)
_ROWS_BY_NAME: Final = {row.name: row for row in _ROWS}
_ROWS_BY_TYPE: Final = {row.action: row for row in _ROWS}
