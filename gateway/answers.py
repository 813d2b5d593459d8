"""From values and errors to HTTP answers: the JSON rendering and the one status table.

Answers never carry a traceback. The shapes are documented in docs/api.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from core.errors import (
    InvariantBroken,
    LocalMisuse,
    MyceldError,
    OperationalFault,
    RemoteViolation,
)
from gateway import errors
from gateway.json_bytes import json_bytes
from gateway.limits import RETRY_AFTER_S
from ledger.errors import NonceUsed, NoSuchMultisig, NoSuchToken, Oversize

STATUSES: Final[Mapping[type[MyceldError], int]] = {
    LocalMisuse: 400,
    RemoteViolation: 400,
    OperationalFault: 503,
    InvariantBroken: 500,
    MyceldError: 500,
    errors.Unauthorized: 401,
    errors.ForeignHost: 403,
    errors.ForeignOrigin: 403,
    errors.Forbidden: 403,
    errors.NoSuchGrant: 404,
    errors.TooManyGrants: 409,
    errors.TooManyRequests: 429,
    errors.NoSuchRoute: 404,
    errors.NoSuchKey: 404,
    errors.NoSuchReceipt: 404,
    errors.NoSuchJournal: 404,
    errors.NoSuchCell: 404,
    errors.NoSuchInvite: 404,
    errors.NoSuchFile: 404,
    errors.NoSuchEvent: 404,
    errors.NoSuchRound: 404,
    errors.NoSuchMessage: 404,
    errors.NoSuchRoom: 404,
    errors.NoSuchContent: 404,
    errors.NoProposal: 404,
    errors.NoNamespace: 404,
    NoSuchMultisig: 404,
    NoSuchToken: 404,
    errors.WrongMethod: 405,
    errors.NotAFileMethod: 405,
    errors.BodyTooSlow: 408,
    NonceUsed: 409,
    errors.HistoryGone: 410,
    errors.BodyTooLarge: 413,
    Oversize: 413,
    errors.NotReachedInTime: 504,
    errors.AnswerTooLate: 504,
}
"""HTTP status by error class; a class that is not listed gets the status of its nearest base."""

_TYPES: Final[tuple[tuple[type[MyceldError], str], ...]] = (
    (LocalMisuse, "local_misuse"),
    (RemoteViolation, "remote_violation"),
    (OperationalFault, "operational_fault"),
)


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What went wrong, and what to do about it."""

    message: str
    """One line."""
    code: str
    """Stable, such as `MYC-GATEWAY-014`."""
    type: str
    """Whose fault it is: `local_misuse`, `remote_violation`, `operational_fault` or
    `invariant_broken`."""
    remedy: str
    """What to do next."""
    retryable: bool
    """Whether the same request can help later."""


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The answer to every request that failed."""

    error: ErrorView


class JsonAnswer(Response):
    """A JSON body made of plain values and views."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return compact UTF-8 JSON; views become objects of their fields."""
        return json_bytes(content)


def listing(items: Sequence[object], next_start: int | None = None) -> JsonAnswer:
    """Return the answer of every list."""
    return JsonAnswer({"items": items, "next": next_start})


def status_of(error: MyceldError, statuses: Mapping[type[MyceldError], int] = STATUSES) -> int:
    """Return the HTTP status of `error`: that of its nearest class in the table."""
    for ancestor in type(error).__mro__:
        if ancestor in statuses:
            return statuses[ancestor]
    return 500


def error_view(error: MyceldError) -> ErrorView:
    """Return what a client is told about `error`."""
    kind = next((name for base, name in _TYPES if isinstance(error, base)), "invariant_broken")
    return ErrorView(error.detail, error.code, kind, error.remedy, error.retryable)


def error_answer(
    error: MyceldError, statuses: Mapping[type[MyceldError], int] = STATUSES
) -> JsonAnswer:
    """Return the answer that tells a client about `error`."""
    status = status_of(error, statuses)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return JsonAnswer(ErrorAnswer(error_view(error)), status_code=status, headers=headers)
