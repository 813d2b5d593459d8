"""Statements of other packages that travel in a commit: their types, and what they may be.

A commit is one transaction that the store begins and ends, so a statement may change tables and
their schema, and nothing else. This guards against mistakes of our own programs; it is no sandbox
for strangers' SQL.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Final, TypeAlias

from journal.errors import StatementRefused

SqlValue: TypeAlias = int | float | str | bytes | None
"""What a statement's parameter can be."""

Statement: TypeAlias = tuple[str, Sequence[Sequence[SqlValue]]]
"""SQL and its rows of parameters: it runs once per row; `[()]` runs it once without parameters."""

_ALLOWED: Final = frozenset(
    {"ALTER", "CREATE", "DELETE", "DROP", "INSERT", "REPLACE", "SELECT", "UPDATE", "WITH"}
)
_OWN: Final = re.compile(r"\bjournal_(?:store|head|tail|evidence|chunk_|hash_)", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"(?:[\s;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)


def check_statement(sql: str) -> None:
    """Raise StatementRefused unless `sql` begins like a change of tables or of their schema.

    Those of the store's own tables are refused too, wherever their names stand.
    """
    word = _first_word(sql)
    if word not in _ALLOWED:
        raise StatementRefused(f"{word or 'nothing'} cannot be part of a commit: {sql[:80]!r}")
    if _OWN.search(sql):
        raise StatementRefused(f"the tables of the journals are not others': {sql[:80]!r}")


def split_script(sql: str) -> list[str]:
    """Return the statements of a script; raises StatementRefused if it ends inside one."""
    statements: list[str] = []
    current = ""
    for part in sql.split(";"):
        current += part + ";"
        if sqlite3.complete_statement(current):
            if _first_word(current):
                statements.append(current)
            current = ""
    if _first_word(current):
        raise StatementRefused("the script ends inside a statement")
    return statements


def size_of_statements(statements: Sequence[Statement]) -> int:
    """Return about how many bytes the statements and their parameters take."""
    size_bytes = 0
    for sql, rows in statements:
        size_bytes += len(sql)
        for row in rows:
            for value in row:
                size_bytes += len(value) if isinstance(value, bytes | str) else 8
    return size_bytes


def _first_word(sql: str) -> str:
    found = _FIRST_WORD.match(sql)
    return found[1].upper() if found else ""
