"""The Python clients of a cell, for other people's programs and for the command line.

`AsyncClient` brings httpx, and is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from myceld.client import Client
from myceld.errors import (
    CellAnswerUnreadable,
    CellNotTrusted,
    CellRefused,
    CellTooLate,
    CellUnreachable,
    CellWithoutTls,
    HomeUnreadable,
    NoNetworkTrusted,
    ProofOfOther,
    ProofTooOld,
)
from myceld.home import RunFile
from myceld.limits import STAGES
from myceld.version import VERSION

if TYPE_CHECKING:
    from myceld.async_client import AsyncClient

__all__ = [
    "STAGES",
    "VERSION",
    "AsyncClient",
    "CellAnswerUnreadable",
    "CellNotTrusted",
    "CellRefused",
    "CellTooLate",
    "CellUnreachable",
    "CellWithoutTls",
    "Client",
    "HomeUnreadable",
    "NoNetworkTrusted",
    "ProofOfOther",
    "ProofTooOld",
    "RunFile",
]


def __getattr__(name: str) -> object:
    if name != "AsyncClient":
        raise AttributeError(name)
    from myceld.async_client import AsyncClient  # noqa: PLC0415 - only for those who want it

    return AsyncClient
