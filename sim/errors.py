"""Declared errors of the simulator."""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, OperationalFault


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


class Livelock(InvariantBroken):
    """Callbacks run for ever without any virtual time passing."""

    code = "MYC-SIM-010"
    remedy = "Look for a loop around an await that never waits, at the callback that is named."


class NothingLeft(InvariantBroken):
    """What was waited for can never happen: nothing is ready, and no timer is set."""

    code = "MYC-SIM-011"
    remedy = "Look for a task that waits for a future that nobody holds, or for a dead life."


class LoopMisused(LocalMisuse):
    """A call that makes no sense on the simulated loop."""

    code = "MYC-SIM-012"
    remedy = "Run one loop at a time, and nothing on a closed one; this is a bug of a scenario."


class LifeMisused(LocalMisuse):
    """A process was started twice, or after its end."""

    code = "MYC-SIM-013"
    remedy = "Make a new life by `SimLoop.life` for each start; this is a bug of a scenario."


class NetworkMisused(LocalMisuse):
    """An operation on a machine or link that the simulated network does not have."""

    code = "MYC-SIM-014"
    remedy = "Count machines from 0 to the number the network was made with, less one."


class TooMuchInFlight(OperationalFault):
    """Frames that a tap makes or holds up exceed what one connection may hold."""

    code = "MYC-SIM-015"
    remedy = "Let the tap drop or delay less; it goes around the window that holds up real cells."


class BadScenario(LocalMisuse):
    """A scenario file or wish that makes no run."""

    code = "MYC-SIM-030"
    remedy = "Compare with what `myceld sim --seed 1 --write FILE` writes, and with its --help."


class CellDown(OperationalFault):
    """A simulated cell was asked while its process does not run."""

    code = "MYC-SIM-031"
    remedy = "Ask again once it is started; clients of the simulation do."
