"""Kinds of fields in requests: how each is read, what is said of a wrong one, its JSON Schema.

Each is a check of its own, and a note to pydantic, which need not be there. They are used as
`Annotated[int, Whole(1, 64)]` in the models of `gateway.*_asks`, and, for what may be left out, as
`Annotated[int | None, Whole(1, 64)] = None`: null itself is refused. Bodies are JSON, so a number
is a number there; queries and paths are text, in which it is decimal digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, NoReturn, TypeAlias

from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from gateway.limits import (
    JOURNAL_NAME_LENGTH_MAX,
    LIST_LIMIT_MAX,
    WAIT_TIMEOUT_S_MAX,
)
from gateway.views import Stage
from ledger.amounts import NotAnAmount, parse_amount
from ledger.limits import DECIMALS, NAME_LENGTH_MAX, SCORE_MILLIONTHS_MAX
from ledger.names import is_name

Schema: TypeAlias = dict[str, Any]
"""JSON Schema is JSON."""

_DIGITS_MAX: Final = 19


class Wrong(ValueError):
    """What is wrong with a field, in our words; `field` names one inside of where it is found."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.why, self.field = why, field


class Kind:
    """Base of kinds: `read` does the whole work, `schema` says the same in JSON Schema."""

    def read(self, value: object) -> object:
        """Return the value that the program works with; raises Wrong."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return the JSON Schema of what is read."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> Schema:
        return {"type": "function-plain", "function": {"type": "no-info", "function": self.read}}

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> Schema:
        return self.schema()


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """An integer in a body."""

    low: int = 0
    high: int = INT_MAX

    def read(self, value: object) -> int:
        """See Kind."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"expected an integer of {self.low} to {self.high}")
        if not self.low <= value <= self.high:
            raise Wrong(f"expected an integer of {self.low} to {self.high}")
        return value

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Digits(Kind):
    """An integer in a query or path: decimal digits, and nothing else."""

    low: int = 0
    high: int = INT_MAX

    def read(self, value: object) -> int:
        """See Kind."""
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        if not isinstance(value, str) or not digits or len(value) > _DIGITS_MAX:
            raise Wrong(f"expected an integer of {self.low} to {self.high}")
        if not self.low <= int(value) <= self.high:
            raise Wrong(f"expected an integer of {self.low} to {self.high}")
        return int(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """A yes or no in a query: 1 or 0."""

    def read(self, value: object) -> bool:
        """See Kind."""
        if value not in ("0", "1"):
            raise Wrong("expected 0 or 1")
        return value == "1"

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "integer", "enum": [0, 1]}


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """A yes or no in a body; `always`: nothing but true, which says the same by being there."""

    always: bool = False

    def read(self, value: object) -> bool:
        """See Kind."""
        if not isinstance(value, bool) or (self.always and not value):
            raise Wrong(f"expected true{', or leave it out' if self.always else ' or false'}")
        return value

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "boolean", **({"const": True} if self.always else {})}


@dataclass(frozen=True, slots=True)
class Seconds(Kind):
    """How long to wait, as number or, in a query, as text."""

    high: float = WAIT_TIMEOUT_S_MAX

    def read(self, value: object) -> float:
        """See Kind."""
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                self._refuse()
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse()
        if not 0 < value <= self.high:
            self._refuse()
        return float(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": self.high}

    def _refuse(self) -> NoReturn:
        raise Wrong(f"expected seconds, above 0 and at most {self.high:.0f}")


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Text of valid Unicode; `high` 0: bounded by what holds it."""

    low: int = 1
    high: int = 0

    def read(self, value: object) -> str:
        """See Kind."""
        if not isinstance(value, str):
            raise Wrong(self._expected())
        if len(value) < self.low or (self.high and len(value) > self.high):
            raise Wrong(self._expected())
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Wrong("expected valid Unicode") from error
        return value

    def schema(self) -> Schema:
        """See Kind."""
        bounds = {"minLength": self.low, "maxLength": self.high}
        return {"type": "string", **{name: bound for name, bound in bounds.items() if bound}}

    def _expected(self) -> str:
        if self.high:
            return f"expected text of at most {self.high} characters"
        return "expected text that is not empty" if self.low else "expected text"


@dataclass(frozen=True, slots=True)
class Hex(Kind):
    """Bytes as lower-case hex: exactly `size_bytes`, or of `low` to `high`; 0: no such bound."""

    size_bytes: int = 0
    low: int = 0
    high: int = 0

    def read(self, value: object) -> bytes:
        """See Kind."""
        if not isinstance(value, str):
            raise Wrong("expected hex text")
        try:
            data = bytes.fromhex(value)
        except ValueError as error:
            raise Wrong("expected lower-case hex") from error
        if data.hex() != value:
            raise Wrong("expected lower-case hex without spaces")
        if self.size_bytes and len(data) != self.size_bytes:
            raise Wrong(f"expected {2 * self.size_bytes} hex digits")
        if len(data) < self.low or (self.high and len(data) > self.high):
            raise Wrong(f"expected {self.low} to {self.high} bytes")
        return data

    def schema(self) -> Schema:
        """See Kind."""
        low, high = (self.size_bytes, self.size_bytes) if self.size_bytes else (self.low, self.high)
        return {"type": "string", "pattern": f"^([0-9a-f]{{2}}){{{low},{high or ''}}}$"}


@dataclass(frozen=True, slots=True)
class OneOf(Kind):
    """One of a few words; what they stand for is decided by `value_of`."""

    words: tuple[str, ...]
    value_of: Callable[[str], object] = str

    def read(self, value: object) -> object:
        """See Kind."""
        if not isinstance(value, str) or value not in self.words:
            raise Wrong(f"expected one of {', '.join(self.words)}")
        return self.value_of(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Items:
    """Put beside a list type: how many there may be, and of what."""

    low: int
    high: int
    what: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: Callable[[object], Schema]
    ) -> Schema:
        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": self.check},
            "schema": handler(source),
        }

    def __get_pydantic_json_schema__(
        self, core: Schema, handler: Callable[[Schema], Schema]
    ) -> Schema:
        bounds = {"minItems": self.low, "maxItems": self.high}
        return {**handler(core), **{name: bound for name, bound in bounds.items() if bound}}

    def check(self, value: object) -> object:
        """Return the list; raises Wrong about how long it is."""
        if not isinstance(value, list) or not self.low <= len(value) <= self.high:
            span = f"{self.low} to" if self.low else "at most"
            raise Wrong(f"expected a list of {span} {self.high} {self.what}")
        return value


@dataclass(frozen=True, slots=True)
class Scope(Kind):
    """What an attestation is about, in one line."""

    def read(self, value: object) -> str:
        """See Kind."""
        if not isinstance(value, str) or not is_name(value):
            raise Wrong("expected 1 to 64 characters, none of them controls")
        return value

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH_MAX}


@dataclass(frozen=True, slots=True)
class Millionths(Kind):
    """A number of 0 to 1, which is kept in millionths."""

    def read(self, value: object) -> int:
        """See Kind."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise Wrong("expected a number of 0 to 1")
        return round(value * SCORE_MILLIONTHS_MAX)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "number", "minimum": 0, "maximum": 1}


@dataclass(frozen=True, slots=True)
class Prana(Kind):
    """An amount as people write it, which is kept in base units."""

    def read(self, value: object) -> int:
        """See Kind."""
        if not isinstance(value, str):
            raise Wrong("expected a decimal number as text")
        try:
            return parse_amount(value, DECIMALS)
        except NotAnAmount as error:
            raise Wrong(error.detail) from error

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"}


@dataclass(frozen=True, slots=True)
class Object(Kind):
    """An object of any form, which is looked into later."""

    def read(self, value: object) -> dict[str, object]:
        """See Kind."""
        if not isinstance(value, dict):
            raise Wrong("expected an object")
        return value

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "object"}


STAGES: Final = {stage.word: stage for stage in Stage}

StageWord: TypeAlias = Annotated[Stage, OneOf(tuple(STAGES), STAGES.__getitem__)]
WaitSeconds: TypeAlias = Annotated[float, Seconds()]
Hash: TypeAlias = Annotated[bytes, Hex(HASH_SIZE_BYTES)]
PublicKey: TypeAlias = Annotated[bytes, Hex(PUBLIC_KEY_SIZE_BYTES)]
Name: TypeAlias = Annotated[str, Text(1, JOURNAL_NAME_LENGTH_MAX)]
"""Of a cell or a journal."""
Key: TypeAlias = Annotated[str, Text(1, 0)]
Index: TypeAlias = Annotated[int, Digits()]
"""In a query."""
Limit: TypeAlias = Annotated[int, Digits(1, LIST_LIMIT_MAX)]
