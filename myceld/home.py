"""The directory of a cell as clients know it: `run.json` and `gateway.token` of a running one.

The node writes both, this module only reads them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

from core.json_text import NotJson, parse_json
from myceld.errors import CellUnreachable, HomeUnreadable
from myceld.limits import LOCKS_READ_MAX, RUN_FILE_SIZE_BYTES_MAX

HOME_DEFAULT: Final = "~/.myceld"
RUN_FILE: Final = "run.json"
LOCK_FILE: Final = "lock"
TOKEN_FILE: Final = "gateway.token"  # noqa: S105 - the name of a file
_LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class RunFile:
    """Where a running cell is to be found."""

    pid: int
    url: str
    cell_id: str
    addresses: tuple[str, ...]
    started_ns: int
    certificate: str
    """File with the certificate of an https URL; empty for http."""

    @classmethod
    def read(cls, home: Path) -> Self:
        """Return what HOME/run.json says; raises CellUnreachable, HomeUnreadable."""
        text = _read(home, RUN_FILE)
        try:
            raw: Any = parse_json(text)
            run = cls(
                pid=raw["pid"],
                url=raw["url"],
                cell_id=raw["cell_id"],
                addresses=tuple(raw["addresses"]),
                started_ns=raw["started_ns"],
                certificate=str(raw.get("certificate", "")),
            )
        except (NotJson, AttributeError, KeyError, TypeError) as error:
            raise HomeUnreadable(f"{home / RUN_FILE} is not what a cell writes") from error
        if type(run.pid) is not int or not isinstance(run.url, str):
            raise HomeUnreadable(f"{home / RUN_FILE} is not what a cell writes")
        return run


def read_token(home: Path) -> str:
    """Return the bearer token of the cell; raises CellUnreachable, HomeUnreadable."""
    token = _read(home, TOKEN_FILE).strip()
    if not token or not token.isascii() or not token.isprintable():
        raise HomeUnreadable(f"{home / TOKEN_FILE} holds no token")
    return token


def not_running(home: Path) -> CellUnreachable:
    """Return the error that says that no cell runs in `home`, and how to start it."""
    command = f"myceld run --home {shlex.quote(str(home))}"
    if not home.exists():
        init = f"myceld init --home {shlex.quote(str(home))}"
        return CellUnreachable(
            f"there is no cell in {home}", remedy=f"Make one with `{init}`, then `{command}`."
        )
    if (pid := _holder(home)) is not None:
        return CellUnreachable(
            f"the cell in {home} does not answer yet: it starts or stops (pid {pid})",
            remedy=f"Try again in a moment; `myceld doctor --home {shlex.quote(str(home))}` "
            "says whether it hangs.",
        )
    return CellUnreachable(f"no cell is running in {home}", remedy=f"Start it with `{command}`.")


def _holder(home: Path) -> int | None:
    """Return the process that holds the directory; None for nobody, and where that is not told.

    The system's list is read: to try the lock could keep a cell that starts from having it.
    """
    try:
        file = (home / LOCK_FILE).stat().st_ino
        with _LOCKS.open(encoding="ascii", errors="replace") as locks:
            for line in islice(locks, LOCKS_READ_MAX):
                fields = line.split()
                if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{file}"):
                    return int(fields[4])
    except (OSError, ValueError):
        pass
    return None


def _read(home: Path, name: str) -> str:
    path = home / name
    try:
        with path.open("rb") as file:
            data = file.read(RUN_FILE_SIZE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise not_running(home) from error
    except OSError as error:
        raise HomeUnreadable(f"{path}: {error.strerror}") from error
    try:
        if len(data) > RUN_FILE_SIZE_BYTES_MAX:
            raise HomeUnreadable(f"{path} is far too large")
        return data.decode()
    except UnicodeDecodeError as error:
        raise HomeUnreadable(f"{path} is not text") from error
