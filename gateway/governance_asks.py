"""From HTTP requests to typed values, for governance; as `gateway.asks`."""

from __future__ import annotations

from typing import Final

from core.limits import HASH_SIZE_BYTES, INT_MAX
from gateway import asks
from gateway.asks import Fields
from gateway.governance_views import ActionWish, ProposalWish
from ledger.amounts import NotAnAmount, parse_amount
from ledger.governance import Vote
from ledger.limits import (
    DECIMALS,
    PROPOSAL_ACTIONS_MAX,
    PROPOSAL_ROUNDS_MAX,
    RESOLUTION_URL_LENGTH_MAX,
)

STATES: Final = ("open", "accepted", "refused", "expired")

_ACTIONS: Final = {
    "add": (frozenset({"cell", "name", "weight"}), frozenset[str]()),
    "remove": (frozenset({"cell"}), frozenset[str]()),
    "weight": (frozenset({"cell", "weight"}), frozenset[str]()),
    "set": (frozenset({"name", "value"}), frozenset[str]()),
    "issue": (frozenset({"account", "amount"}), frozenset[str]()),
    "burn": (frozenset({"account", "amount"}), frozenset[str]()),
    "pay-out": (frozenset({"account", "amount"}), frozenset({"memo"})),
    "upgrade": (
        frozenset({"epoch", "release"}),
        frozenset({"rule_set", "wire_version", "transaction_version"}),
    ),
    "text": (frozenset[str](), frozenset({"hash", "url"})),
}
"""Fields that each action needs, and that it can have."""
_TEXT_LENGTH_MAX: Final = RESOLUTION_URL_LENGTH_MAX


def proposal_wish(fields: Fields) -> ProposalWish:
    """Return the proposal that the fields ask for. What the ledger bounds, it checks itself."""
    title = fields.get("title")
    if not isinstance(title, str) or not title:
        asks.refuse("title", "expected text that is not empty")
    asks.to_utf8(title, "title")
    items = fields.get("actions")
    if not isinstance(items, list) or not 1 <= len(items) <= PROPOSAL_ACTIONS_MAX:
        asks.refuse("actions", f"expected a list of 1 to {PROPOSAL_ACTIONS_MAX} objects")
    rounds = _integer(fields.get("rounds", PROPOSAL_ROUNDS_MAX), "rounds")
    return ProposalWish(title, tuple(_action(item, at) for at, item in enumerate(items)), rounds)


def vote(fields: Fields) -> tuple[bytes, str]:
    """Return the fields `proposal` and `vote`."""
    words = [one.value for one in Vote]
    word = fields.get("vote")
    if not isinstance(word, str) or word not in words:
        asks.refuse("vote", f"expected one of {', '.join(words)}")
    return asks.from_hex(fields.get("proposal"), "proposal"), word


def state(fields: Fields) -> str | None:
    """Return the field `state` if it is given."""
    word = fields.get("state")
    if word is not None and word not in STATES:
        asks.refuse("state", f"expected one of {', '.join(STATES)}")
    return None if word is None else str(word)


def _action(item: object, at: int) -> ActionWish:
    where = f"actions[{at}]"
    kind = item.get("action") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(kind, str) or kind not in _ACTIONS:
        asks.refuse(where, f"expected an object whose action is one of {', '.join(_ACTIONS)}")
    needed, possible = _ACTIONS[kind]
    given = item.keys() - {"action"}
    for name in sorted(given - needed - possible):
        asks.refuse(f"{where}.{name}", f"does not belong to {kind}")
    for name in sorted(needed - given):
        asks.refuse(f"{where}.{name}", "is needed")
    digest = asks.from_hex(item["hash"], f"{where}.hash") if "hash" in item else b""
    if len(digest) not in (0, HASH_SIZE_BYTES):
        asks.refuse(f"{where}.hash", f"expected {2 * HASH_SIZE_BYTES} hex digits")
    return ActionWish(
        kind,
        cell=_text(item, "cell", where),
        name=_text(item, "name", where),
        weight=_number(item, "weight", where) or 0,
        value=_number(item, "value", where) or 0,
        account=_text(item, "account", where),
        amount=_amount(item, where),
        memo=_text(item, "memo", where),
        epoch=_number(item, "epoch", where) or 0,
        rule_set=_number(item, "rule_set", where),
        wire_version=_number(item, "wire_version", where),
        transaction_version=_number(item, "transaction_version", where),
        release=_text(item, "release", where),
        hash=digest,
        url=_text(item, "url", where),
    )


def _text(item: Fields, name: str, where: str) -> str:
    value = item.get(name, "")
    if not isinstance(value, str) or len(value) > _TEXT_LENGTH_MAX:
        asks.refuse(f"{where}.{name}", f"expected text of at most {_TEXT_LENGTH_MAX} characters")
    asks.to_utf8(value, f"{where}.{name}")
    return value


def _amount(item: Fields, where: str) -> int:
    """Return the base units in the field `amount`, a decimal number as text."""
    if "amount" not in item:
        return 0
    try:
        return parse_amount(_text(item, "amount", where), DECIMALS)
    except NotAnAmount as error:
        asks.refuse(f"{where}.amount", error.detail)


def _number(item: Fields, name: str, where: str) -> int | None:
    if name not in item:
        return None
    return _integer(item[name], f"{where}.{name}")


def _integer(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT_MAX:
        asks.refuse(name, f"expected an integer of 0 to {INT_MAX}")
    return value
