"""From HTTP requests to typed values: bodies, query parameters and parts of the path.

Everything that is not exactly what docs/api.md says raises BadRequest with the field's name.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field
from starlette.requests import Request

from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from gateway.kinds import Index, Key, Limit, StageWord, WaitSeconds
from gateway.limits import (
    INVITE_EXPIRES_S,
    JOURNAL_NAME_LENGTH_MAX,
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    TRANSACTIONS_PER_SUBMIT_MAX,
    WAIT_TIMEOUT_S_DEFAULT,
    WAIT_TIMEOUT_S_MAX,
)
from gateway.reading import Ask
from gateway.reading import BodyBudget as BodyBudget  # noqa: PLC0414 - for families that read fields themselves
from gateway.reading import Fields as Fields  # noqa: PLC0414 - for families that read fields themselves
from gateway.reading import query_fields as query_fields  # noqa: PLC0414 - for families that read fields themselves
from gateway.reading import read_fields as read_fields  # noqa: PLC0414 - for families that read fields themselves
from gateway.reading import refuse as refuse  # noqa: PLC0414 - for families that read fields themselves
from gateway.reading import subject_of as subject_of  # noqa: PLC0414 - for families that read fields themselves
from gateway.views import InviteWish, MemberChange, Stage
from gossip.discovery.limits import TICKET_ID_SIZE_BYTES
from identity.trust import GENERAL_SCOPE
from ledger.limits import SCORE_MILLIONTHS_MAX
from ledger.names import is_name

_MEMBER_CHANGES: Final = {
    "add": frozenset({"cell", "weight", "name"}),
    "remove": frozenset({"cell"}),
    "weight": frozenset({"cell", "weight"}),
    "approve": frozenset({"proposal"}),
    "leave": frozenset[str](),
}

_DIGITS_MAX: Final = 19
_STAGES: Final = {stage.word: stage for stage in Stage}


class WaitAsk(Ask):
    """How far a transaction has to come before the answer, and how long that may take."""

    wait: StageWord = Field(default=Stage.STORED, json_schema_extra={"default": "stored"})
    """The stage that is waited for."""
    timeout_s: WaitSeconds = WAIT_TIMEOUT_S_DEFAULT
    """After so many seconds the answer is MYC-GATEWAY-023, and the transaction still queued."""


class LimitAsk(Ask):
    """How many items a list may have."""

    limit: Limit = LIST_LIMIT_DEFAULT
    """At most so many items."""


class PageAsk(LimitAsk):
    """A part of a list."""

    start: Index = 0
    """The number of the first item."""


class KeyAsk(Ask):
    """A key of the state."""

    key: Key
    """The key."""


def stage(fields: Fields, default: Stage | None) -> Stage | None:
    """Return the field `wait`."""
    word = fields.get("wait")
    if word is None:
        return default
    if not isinstance(word, str) or word not in _STAGES:
        refuse("wait", f"expected one of {', '.join(_STAGES)}")
    return _STAGES[word]


def timeout_s(fields: Fields) -> float:
    """Return the field `timeout_s`: a number of seconds, as JSON number or query text."""
    value = fields.get("timeout_s", WAIT_TIMEOUT_S_DEFAULT)
    expected = f"expected seconds, above 0 and at most {WAIT_TIMEOUT_S_MAX:.0f}"
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            refuse("timeout_s", expected)
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("timeout_s", expected)
    if not 0 < value <= WAIT_TIMEOUT_S_MAX:
        refuse("timeout_s", expected)
    return float(value)


def page(fields: Fields) -> tuple[int, int]:
    """Return `start` and `limit` of a list."""
    start = query_int(fields, "start", default=0, low=0, high=INT_MAX)
    limit = query_int(fields, "limit", default=LIST_LIMIT_DEFAULT, low=1, high=LIST_LIMIT_MAX)
    return start, limit


def transactions(fields: Fields) -> list[bytes]:
    """Return the field `transactions`, decoded from hex."""
    items = fields.get("transactions")
    if not isinstance(items, list) or not items:
        refuse("transactions", "expected a list of at least one hex text")
    if len(items) > TRANSACTIONS_PER_SUBMIT_MAX:
        refuse("transactions", f"expected at most {TRANSACTIONS_PER_SUBMIT_MAX} items")
    return [from_hex(item, f"transactions[{index}]") for index, item in enumerate(items)]


def key(fields: Fields) -> str:
    """Return the field `key`."""
    value = fields.get("key")
    if not isinstance(value, str) or not value:
        refuse("key", "expected text that is not empty")
    to_utf8(value, "key")
    return value


def value_bytes(fields: Fields) -> bytes:
    """Return the field `value` (text) or `value_hex`, whichever is given."""
    if ("value" in fields) == ("value_hex" in fields):
        refuse("value", "expected exactly one of `value` and `value_hex`")
    if "value_hex" in fields:
        return from_hex(fields["value_hex"], "value_hex")
    value = fields["value"]
    if not isinstance(value, str):
        refuse("value", "expected text; send bytes as `value_hex`")
    return to_utf8(value, "value")


def nonce(fields: Fields) -> int | None:
    """Return the field `nonce` if it is given."""
    value = fields.get("nonce")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT_MAX:
        refuse("nonce", f"expected an integer of 0 to {INT_MAX}")
    return value


def transaction_id(request: Request) -> bytes:
    """Return the transaction id in the path."""
    return _exact_hex(request, "id", HASH_SIZE_BYTES)


def public_key(request: Request) -> bytes:
    """Return the public key in the path."""
    return _exact_hex(request, "public_key", PUBLIC_KEY_SIZE_BYTES)


def journal_name(request: Request) -> str:
    """Return the journal name in the path."""
    name: str = request.path_params["name"]
    if len(name) > JOURNAL_NAME_LENGTH_MAX:
        refuse("name", f"expected at most {JOURNAL_NAME_LENGTH_MAX} characters")
    to_utf8(name, "name")
    return name


def index(fields: Fields, name: str) -> int:
    """Return a query parameter that is an index and has no default."""
    if name not in fields:
        refuse(name, "missing")
    return query_int(fields, name, default=0, low=0, high=INT_MAX)


def min_index(fields: Fields) -> int:
    """Return the field `min_index`."""
    value = fields.get("min_index")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT_MAX:
        refuse("min_index", f"expected an integer of 0 to {INT_MAX}")
    return value


def followed(fields: Fields) -> tuple[str, str]:
    """Return the fields `cell` and `journal`."""
    texts = []
    for name in ("cell", "journal"):
        value = fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= JOURNAL_NAME_LENGTH_MAX:
            refuse(name, f"expected text of at most {JOURNAL_NAME_LENGTH_MAX} characters")
        to_utf8(value, name)
        texts.append(value)
    return texts[0], texts[1]


def cell_named(fields: Fields) -> str:
    """Return the field `cell`: a cell id, or the name of a member."""
    value = fields.get("cell")
    if not isinstance(value, str) or not 0 < len(value) <= JOURNAL_NAME_LENGTH_MAX:
        refuse("cell", f"expected text of at most {JOURNAL_NAME_LENGTH_MAX} characters")
    to_utf8(value, "cell")
    return value


def scope(fields: Fields) -> str:
    """Return the field `scope` of an attestation, `general` unless it is given."""
    value = fields.get("scope", GENERAL_SCOPE)
    if not isinstance(value, str) or not is_name(value):
        refuse("scope", "expected 1 to 64 characters, none of them controls")
    return value


def score_millionths(fields: Fields) -> int:
    """Return the field `score`, a number of 0 to 1, in millionths."""
    value = fields.get("score")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        refuse("score", "expected a number of 0 to 1")
    return round(value * SCORE_MILLIONTHS_MAX)


def expires_round(fields: Fields) -> int:
    """Return the field `expires_round`, 0 unless it is given."""
    value = fields.get("expires_round", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT_MAX:
        refuse("expires_round", f"expected an integer of 0 to {INT_MAX}")
    return value


def is_seed(fields: Fields) -> bool:
    """Return whether the field `type` asks for a seed."""
    value = fields.get("type")
    if value not in (None, "seed"):
        refuse("type", "expected `seed`, or leave it out")
    return value is not None


def member_change(fields: Fields) -> MemberChange:
    """Return the change of members that the fields ask for."""
    action = fields.get("action")
    needed = _MEMBER_CHANGES.get(action) if isinstance(action, str) else None
    if needed is None:
        refuse("action", f"expected one of {', '.join(sorted(_MEMBER_CHANGES))}")
    for name in ("cell", "weight", "name", "proposal"):
        if (name in fields) != (name in needed):
            refuse(name, "is needed" if name in needed else f"does not belong to {action}")
    for name in {"cell", "name"} & needed:
        text = fields[name]
        if not isinstance(text, str) or not 0 < len(text) <= JOURNAL_NAME_LENGTH_MAX:
            refuse(name, f"expected text of at most {JOURNAL_NAME_LENGTH_MAX} characters")
        to_utf8(text, name)
    weight = fields.get("weight", 0)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= INT_MAX:
        refuse("weight", f"expected an integer of 1 to {INT_MAX}")
    proposal = from_hex(fields["proposal"], "proposal") if "proposal" in needed else b""
    return MemberChange(
        action=str(action),
        cell=str(fields.get("cell", "")),
        weight=weight,
        name=str(fields.get("name", "")),
        proposal=proposal,
    )


def invite_id(request: Request) -> bytes:
    """Return the id of a ticket in the path."""
    return _exact_hex(request, "id", TICKET_ID_SIZE_BYTES)


def invite_wish(fields: Fields) -> InviteWish:
    """Return what a ticket is to give; everything has a default."""
    role = fields.get("role", "rhizomorph")
    if role not in ("rhizomorph", "sclerotium"):
        refuse("role", "expected rhizomorph or sclerotium")
    name = fields.get("name", "")
    if not isinstance(name, str) or len(name) > JOURNAL_NAME_LENGTH_MAX:
        refuse("name", f"expected text of at most {JOURNAL_NAME_LENGTH_MAX} characters")
    to_utf8(name, "name")
    numbers = {}
    for field, default in (("weight", 1), ("expires_s", INVITE_EXPIRES_S), ("uses_max", 1)):
        value = fields.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= INT_MAX:
            refuse(field, f"expected an integer of 1 to {INT_MAX}")
        numbers[field] = value
    addresses = fields.get("addresses", [])
    if not isinstance(addresses, list) or not all(isinstance(item, str) for item in addresses):
        refuse("addresses", "expected a list of multiaddrs")
    return InviteWish(votes=role == "sclerotium", name=name, addresses=tuple(addresses), **numbers)


def query_int(fields: Fields, name: str, *, default: int, low: int, high: int) -> int:
    """Return a number among query parameters, or in the path."""
    text = fields.get(name)
    if text is None:
        return default
    digits = isinstance(text, str) and text.isascii() and text.isdigit()
    if not isinstance(text, str) or not digits or len(text) > _DIGITS_MAX:
        refuse(name, f"expected an integer of {low} to {high}")
    if not low <= int(text) <= high:
        refuse(name, f"expected an integer of {low} to {high}")
    return int(text)


def _exact_hex(request: Request, name: str, size_bytes: int) -> bytes:
    data = from_hex(request.path_params[name], name)
    if len(data) != size_bytes:
        refuse(name, f"expected {size_bytes * 2} hex digits")
    return data


def from_hex(value: object, name: str) -> bytes:
    """Return the bytes of a field in lower-case hex."""
    if not isinstance(value, str):
        refuse(name, "expected hex text")
    try:
        data = bytes.fromhex(value)
    except ValueError:
        refuse(name, "expected lower-case hex")
    if data.hex() != value:
        refuse(name, "expected lower-case hex without spaces")
    return data


def to_utf8(value: str, name: str) -> bytes:
    """Return a text's bytes; refuses what is no valid Unicode."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        refuse(name, "expected valid Unicode")
