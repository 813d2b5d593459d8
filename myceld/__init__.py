"""The Python client of a cell, for other people's programs and for the command line."""

from myceld.client import Client
from myceld.errors import (
    CellAnswerUnreadable,
    CellRefused,
    CellTooLate,
    CellUnreachable,
    HomeUnreadable,
)
from myceld.home import RunFile
from myceld.limits import STAGES
from myceld.version import VERSION

__all__ = [
    "STAGES",
    "VERSION",
    "CellAnswerUnreadable",
    "CellRefused",
    "CellTooLate",
    "CellUnreachable",
    "Client",
    "HomeUnreadable",
    "RunFile",
]
