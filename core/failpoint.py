"""Named places where a cell can be made to crash, to wait or to fail: before and after each write
that has to last, each rename, and each send.

Off, a `hit` costs one look at a global. `arm` has a function called at each hit: the daemon's does
what its environment asks for (`node/failpoints.py`), a simulation ends the life that hits. This
module does neither by itself.

What a place may be made to fail with is in the table: code that handles no error there is not to
be shown one that can not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from core.errors import check


class Failure(Enum):
    """How the operation behind a failpoint can fail by itself, and so how it may be made to."""

    NONE = "none"
    DATABASE = "database"
    """A write of SQLite's: an error of the disk, or no room."""
    FILE = "file"
    """A write of the system's: the same."""
    FSYNC = "fsync"
    """An error of the disk; room was found when it was written."""


class Failpoint(NamedTuple):
    """Where a failpoint is hit, what happens there, and how that fails."""

    module: str
    what: str
    failure: Failure = Failure.NONE


def _both(
    name: str, module: str, what: str, failure: Failure = Failure.NONE
) -> dict[str, Failpoint]:
    """Return the two failpoints around one operation; only the first can make it fail."""
    return {
        f"{name}.before": Failpoint(module, what, failure),
        f"{name}.after": Failpoint(module, what),
    }


FAILPOINTS: Final[Mapping[str, Failpoint]] = MappingProxyType(
    {
        **_both(
            "journal.create",
            "journal/database.py",
            "the tables of a new store are committed, with an fsync",
            Failure.DATABASE,
        ),
        **_both(
            "journal.takeover",
            "journal/takeover.py",
            "the heads of a store are signed with the next key, with an fsync",
            Failure.DATABASE,
        ),
        **_both(
            "journal.commit",
            "journal/writer.py",
            "a transaction is committed, without an fsync",
            Failure.DATABASE,
        ),
        **_both(
            "journal.durable",
            "journal/writer.py",
            "a transaction is committed, with an fsync",
            Failure.DATABASE,
        ),
        **_both(
            "journal.fsync",
            "journal/syncer.py",
            "the log is fsynced beside the writer",
            Failure.FSYNC,
        ),
        **_both(
            "journal.checkpoint",
            "journal/copier.py",
            "the log is copied into the database",
            Failure.DATABASE,
        ),
        **_both(
            "journal.recovery",
            "journal/recovery.py",
            "the log of the last run is written again, and fsynced",
            Failure.FILE,
        ),
        **_both(
            "file.fsync",
            "identity/private_file.py",
            "a small file is fsynced under a name of its own",
            Failure.FILE,
        ),
        **_both(
            "file.rename",
            "identity/private_file.py",
            "it gets its real name",
            Failure.FILE,
        ),
        **_both(
            "file.directory",
            "identity/private_file.py",
            "its directory is fsynced",
            Failure.FSYNC,
        ),
        **_both(
            "consensus.own",
            "node/consensus_task.py",
            "own events are persisted, fsynced",
        ),
        **_both(
            "consensus.persist",
            "node/consensus_task.py",
            "events of others are persisted",
        ),
        **_both(
            "consensus.send",
            "node/consensus_task.py",
            "frames are handed to the sessions",
        ),
        **_both(
            "consensus.deliver",
            "node/consensus_task.py",
            "a decided round is handed to execution",
        ),
        **_both(
            "consensus.epoch",
            "node/consensus_task.py",
            "the next epoch is entered",
        ),
        **_both(
            "execution.apply",
            "node/execution_task.py",
            "the effects of a round are persisted",
        ),
        **_both(
            "execution.seal",
            "node/execution_task.py",
            "those of a round that ends its epoch, fsynced",
        ),
        **_both(
            "execution.sign",
            "node/execution_task.py",
            "an own signature of a header is sent",
        ),
        **_both(
            "execution.certificate",
            "node/execution_task.py",
            "a certificate is persisted",
        ),
        **_both(
            "replay.unplaced",
            "node/assembly.py",
            "own transactions that a seal voided are kept, at a start",
        ),
        **_both(
            "session.write",
            "node/session.py",
            "frames are written to a peer's stream",
        ),
        **_both(
            "discovery.save",
            "node/peers.py",
            "changes of the address book are persisted",
        ),
        **_both(
            "transfer.ask",
            "node/transfer_fetching.py",
            "a piece of a checkpoint is asked for",
        ),
        **_both(
            "transfer.keep",
            "node/transfer_fetching.py",
            "verified pieces of a checkpoint are persisted",
        ),
        **_both(
            "transfer.answer",
            "node/transfer_serving.py",
            "a piece of a checkpoint is sent",
        ),
        "rebuild.map": Failpoint("node/map_rebuild.py", "some keys of a map that is made anew"),
        **_both("rebuild.swap", "node/map_rebuild.py", "a map made anew takes its place, fsynced"),
        "install.begin": Failpoint("node/installation.py", "the tables for a checkpoint are empty"),
        "install.state": Failpoint("node/installation.py", "a piece of its state is made ready"),
        "install.ordered": Failpoint("node/installation.py", "some of its receipts are made ready"),
        "install.links": Failpoint("node/installation.py", "some of its rosters are made ready"),
        **_both(
            "install.swap",
            "node/installation.py",
            "a checkpoint is put in place, fsynced",
        ),
        **_both(
            "invites.create",
            "node/invites.py",
            "a ticket is persisted, fsynced",
        ),
        **_both(
            "invites.use",
            "node/invites.py",
            "the use of a ticket is persisted, fsynced",
        ),
        **_both(
            "invites.welcome",
            "node/invites.py",
            "a newcomer is answered",
        ),
        **_both(
            "invites.proposal",
            "node/invites.py",
            "the proposal of a newcomer is noted, fsynced",
        ),
        **_both(
            "message.write",
            "node/services/message_scribe.py",
            "messages sent, taken or kept for others are persisted, fsynced",
        ),
        **_both(
            "message.send",
            "node/services/message_link.py",
            "frames with messages and receipts are written to a peer's stream",
        ),
        **_both(
            "replication.copy",
            "journal/replication/copies.py",
            "blocks of another cell's journal are persisted",
        ),
        **_both(
            "replication.send",
            "journal/replication/framing.py",
            "frames of a replication are sent",
        ),
    }
)
"""All failpoints by name; a name that is not here is an error."""

_action: Callable[[str], None] | None = None


def hit(name: str) -> None:
    """Tell that the running code has come to a failpoint."""
    if _action is not None:
        check(name in FAILPOINTS, f"no such failpoint: {name}")
        _action(name)


def arm(action: Callable[[str], None] | None) -> None:
    """Have `action` called with the name at each hit, in the thread that hits; None: no more.

    It may end the process, wait, or raise what `FAILPOINTS` says that the place fails with.
    """
    global _action  # noqa: PLW0603 - one process, one armed function; a hit must cost nothing
    _action = action
