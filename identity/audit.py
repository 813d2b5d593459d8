"""One row of the audit journal: who did what with which key, and what was refused, and why.

    ["myceld/audit/1", time in ms, actor, key, action, subject, outcome, code, reason, count]

Pure values. `noted` cuts every text to its bound and takes out what is not printable, so whatever a
stranger sends makes one short line. Nothing secret may be given to it: no token, passphrase, ticket
or body of a message. The journal's tree chains the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity.errors import BadRecord
from identity.service_limits import (
    ACTION_LENGTH_MAX,
    ACTOR_LENGTH_MAX,
    AUDIT_SIZE_BYTES_MAX,
    CODE_LENGTH_MAX,
    REASON_LENGTH_MAX,
    SUBJECT_LENGTH_MAX,
)

AUDIT_JOURNAL: Final = "audit"
LOCAL: Final = "local"
"""The actor of what the cell does by itself."""
TOKEN: Final = "token"  # noqa: S105 - a word
"""The actor of what a client asked for that has the gateway's token; `token:NAME` is another."""
KEY: Final = "key"
"""`key:NAME` is the actor of what a client asked for that signed its request."""
_DOMAIN: Final = "myceld/audit/1"


class Outcome(StrEnum):
    """What became of an act."""

    DONE = "done"
    REFUSED = "refused"
    """Not allowed, or asked for wrongly."""
    FAILED = "failed"
    """Allowed, and then it went wrong."""


@dataclass(frozen=True, slots=True)
class Act:
    """One row. `count`: how many alike this row stands for; the texts are those of the last."""

    time_ms: int
    actor: str
    """`local`, `token`, `token:NAME`, `key:NAME`, `cell:CELL_ID` or `address:IP`."""
    key: bytes
    """The public key that signed or would have signed it; empty if none did."""
    action: str
    subject: str
    """What it was done to."""
    outcome: Outcome
    code: str = ""
    reason: str = ""
    count: int = 1

    def encode(self) -> bytes:
        """Return the journal's block."""
        return encode(
            [
                *(_DOMAIN, self.time_ms, self.actor, self.key, self.action, self.subject),
                *(self.outcome.value, self.code, self.reason, self.count),
            ]
        )


def noted(act: Act) -> Act:
    """Return an act with its texts within their bounds, on one line each."""
    return Act(
        act.time_ms,
        _line(act.actor, ACTOR_LENGTH_MAX),
        act.key,
        _line(act.action, ACTION_LENGTH_MAX),
        _line(act.subject, SUBJECT_LENGTH_MAX),
        act.outcome,
        _line(act.code, CODE_LENGTH_MAX),
        _line(act.reason, REASON_LENGTH_MAX),
        act.count,
    )


def decode_act(data: bytes) -> Act:
    """Return the act in a block; raises BadRecord."""
    try:
        items = as_array(decode(data, size_bytes_max=AUDIT_SIZE_BYTES_MAX), length=10)
        return Act(
            _time(items),
            as_text(items[2], length_max=ACTOR_LENGTH_MAX),
            _key(items[3]),
            as_text(items[4], length_max=ACTION_LENGTH_MAX),
            as_text(items[5], length_max=SUBJECT_LENGTH_MAX),
            _outcome(as_text(items[6], length_max=8)),
            as_text(items[7], length_max=CODE_LENGTH_MAX),
            as_text(items[8], length_max=REASON_LENGTH_MAX),
            as_int(items[9], low=1),
        )
    except BadRecord:
        raise
    except MyceldError as error:
        raise BadRecord(f"not a row of an audit journal: {error.detail}") from error


def _time(items: Sequence[Value]) -> int:
    if as_text(items[0], length_max=len(_DOMAIN)) != _DOMAIN:
        raise BadRecord("not a row of an audit journal")
    return as_int(items[1])


def _key(item: Value) -> bytes:
    key = as_bytes(item, size_max=PUBLIC_KEY_SIZE_BYTES)
    if len(key) not in (0, PUBLIC_KEY_SIZE_BYTES):
        raise BadRecord(f"a key of {len(key)} bytes")
    return key


def _outcome(word: str) -> Outcome:
    for outcome in Outcome:
        if outcome.value == word:
            return outcome
    raise BadRecord(f"{word!r} is no outcome")


def _line(text: str, length_max: int) -> str:
    """Return text without what can not be printed or encoded, cut to a length."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text[: length_max + 1])
    return line if len(line) <= length_max else f"{line[: length_max - 1]}…"
