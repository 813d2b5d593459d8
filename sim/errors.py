"""Declared errors of the simulator."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault


class NoSqliteSymbols(OperationalFault):
    """The SQLite library inside this Python cannot be reached, so no virtual disk can be put there.

    So it is where `sqlite3` was linked statically with its symbols hidden.
    """

    code = "MYC-SIM-001"
    remedy = "Run the simulator with a Python whose sqlite3 uses a shared libsqlite3, as Debian's."


class DiskMisused(LocalMisuse):
    """A virtual disk was given another content, or mounted again, while a process used it."""

    code = "MYC-SIM-002"
    remedy = "Call `SimDisk.crash` first; this is a bug of a scenario."
