"""What this process does at failpoints (`core/failpoint.py`): asked for by its environment only.

    MYCELD_FAILPOINTS="journal.fsync.after=kill@17,session.write.before=pause:20"

    NAME=kill[@N]       end the process as kill -9 does, at the N-th hit; the first unless told
    NAME=pause:MS[@N]   hold the thread up, at the N-th hit; at each unless told
    NAME=error[@N]      fail as a broken disk does, likewise
    NAME=full[@N]       fail as a full disk does, likewise

A place that can not fail by itself takes no `error` and no `full`. For tests of real cells.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from core.failpoint import FAILPOINTS, Failure, arm
from node.errors import BadFailpoints
from node.limits import FAILPOINT_PAUSE_MS_MAX

FAILPOINTS_VARIABLE: Final = "MYCELD_FAILPOINTS"

_ORDER: Final = re.compile(
    r"(?P<name>[a-z.-]+)=(?P<action>kill|pause|error|full)(:(?P<pause_ms>\d{1,9}))?"
    r"(@(?P<at>[1-9]\d{0,8}))?"
)
_FULL: Final = {Failure.DATABASE, Failure.FILE}
_LOG = structlog.get_logger("failpoints")


@dataclass(frozen=True, slots=True)
class Order:
    """What to do at one failpoint, at the hit of number `at` or, if that is None, at each."""

    action: str
    at: int | None
    pause_ms: int = 0


class Armed:
    """What `core.failpoint.hit` calls. Hits come from several threads."""

    def __init__(self, orders: Mapping[str, Order]) -> None:
        self.disk_is_full = False
        self._orders = orders
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        """Do what is ordered; may raise as the operation behind the failpoint would."""
        if self.disk_is_full and FAILPOINTS[name].failure in _FULL:
            raise _failure_of(name, full=True)
        order = self._orders.get(name)
        if order is None:
            return
        with self._lock:
            self._counts[name] += 1
            count = self._counts[name]
        if order.at is not None and order.at != count:
            return
        if order.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif order.action == "pause":
            time.sleep(order.pause_ms / 1000)
        else:
            raise _failure_of(name, full=order.action == "full")


_armed = Armed({})


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what the environment asks for; nothing without it. Raises BadFailpoints."""
    global _armed  # noqa: PLW0603 - as in `core.failpoint`: one process, one armed function
    text = environment.get(FAILPOINTS_VARIABLE, "")
    if text:
        _armed = Armed(parse(text))
        arm(_armed)


def warn_of(environment: Mapping[str, str]) -> None:
    """Tell in the log that failpoints are armed, if they are."""
    if environment.get(FAILPOINTS_VARIABLE):
        _LOG.warning("failpoints armed", orders=environment[FAILPOINTS_VARIABLE])


def fill_disk(*, full: bool) -> None:
    """Have this process find its disk full at the failpoints of writes, or not any more."""
    _armed.disk_is_full = full
    if full:
        arm(_armed)


def parse(text: str) -> dict[str, Order]:
    """Return the orders by name of failpoint; raises BadFailpoints."""
    orders: dict[str, Order] = {}
    for part in text.split(","):
        found = _ORDER.fullmatch(part.strip())
        if found is None:
            raise BadFailpoints(f"{part.strip()[:80]!r} is no NAME=ACTION[@N]")
        name, order = found["name"], _order(found)
        if name not in FAILPOINTS:
            raise BadFailpoints(f"there is no failpoint {name}")
        if name in orders:
            raise BadFailpoints(f"two orders for {name}")
        failure = FAILPOINTS[name].failure
        if (order.action == "error" and failure is Failure.NONE) or (
            order.action == "full" and failure not in _FULL
        ):
            raise BadFailpoints(f"{name} is nothing that fails so: no {order.action}")
        orders[name] = order
    return orders


def _order(found: re.Match[str]) -> Order:
    action, pause = found["action"], found["pause_ms"]
    if (pause is not None) != (action == "pause"):
        raise BadFailpoints(f"{found[0]!r}: only a pause has milliseconds, as pause:20")
    pause_ms = int(pause or 0)
    if pause_ms > FAILPOINT_PAUSE_MS_MAX:
        raise BadFailpoints(f"{found[0]!r}: a pause lasts at most {FAILPOINT_PAUSE_MS_MAX} ms")
    at = int(found["at"]) if found["at"] else 1 if action == "kill" else None
    return Order(action, at, pause_ms)


def _failure_of(name: str, *, full: bool) -> Exception:
    """Return what the operation behind a failpoint raises when the disk fails."""
    if FAILPOINTS[name].failure is Failure.DATABASE:
        error = sqlite3.OperationalError(f"failpoint {name}")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR
        error.sqlite_errorname = "SQLITE_FULL" if full else "SQLITE_IOERR"
        return error
    number = errno.ENOSPC if full else errno.EIO
    return OSError(number, os.strerror(number), name)
