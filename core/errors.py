"""The error tree of the whole project, split by whose fault an error is.

Every leaf class carries a stable `code` (`MYC-<AREA>-<number>`), a `remedy` (one line of what to
do next) and `retryable` (whether the same call can succeed later without a change by the caller).
Packages declare their leaves in their own `errors.py`; nothing raises a bare string.

This module does not format errors for terminals or HTTP: the adapters do.
"""

from __future__ import annotations

from typing import ClassVar


class MyceldError(Exception):
    """Root of all declared errors.

    `detail` says what happened, in one line, without secrets.
    """

    code: ClassVar[str] = "MYC-CORE-000"
    remedy: ClassVar[str] = "Report this with the log of the cell."
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class LocalMisuse(MyceldError):
    """Our own caller (user, file, program on this machine) asked for something invalid."""


class RemoteViolation(MyceldError):
    """A peer broke the protocol or sent bytes that are not valid."""


class OperationalFault(MyceldError):
    """The world failed us: disk, network, a deadline, a missing resource."""


class InvariantBroken(MyceldError):
    """The program contradicts itself. The cell stops loudly and never limps on."""

    code = "MYC-CORE-001"
    remedy = "Stop the cell, keep its directory, and report this with the log."


def check(condition: bool, detail: str) -> None:  # noqa: FBT001 - reads like an assert
    """Assert an invariant at run time; unlike `assert` it stays on under `python -O`.

    Raises InvariantBroken with `detail` when `condition` is false.
    """
    if not condition:
        raise InvariantBroken(detail)
