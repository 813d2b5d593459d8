"""Errors of replication, by whose fault they are."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class FrameRefused(RemoteViolation):
    """A frame that is too long, cannot be read, or comes when it must not."""

    code = "MYC-REPLICATION-001"
    remedy = "The peer runs another version or is at fault; follow the journal from another cell."


class NotAsked(RemoteViolation):
    """Blocks or hashes that were not asked for."""

    code = "MYC-REPLICATION-002"
    remedy = "The peer is at fault; follow the journal from another cell."


class TooManyRequests(RemoteViolation):
    """A follower asks for more at once than it may."""

    code = "MYC-REPLICATION-003"
    remedy = "The follower must wait for answers; see journal/replication/limits.py."


class HeadsConflict(RemoteViolation):
    """The cell signed two heads of one journal and fork of which neither continues the other.

    Both are kept as evidence. The copy stays as it is, and readable.
    """

    code = "MYC-REPLICATION-004"
    remedy = (
        "The cell's operator must explain: `myceld journal list --json` has both heads and their "
        "proof. The journal can go on at the next fork."
    )


class HeadOutdated(OperationalFault):
    """The peer shows an older head than one we know; it has lost its tail, or lags behind."""

    code = "MYC-REPLICATION-005"
    remedy = "Wait until the peer has caught up, or follow the journal from another cell."
    retryable = True


class PeerSilent(OperationalFault):
    """The peer did not answer in time."""

    code = "MYC-REPLICATION-006"
    remedy = "Nothing to do: the connection is made again."
    retryable = True


class PeerGone(OperationalFault):
    """The peer closed the stream."""

    code = "MYC-REPLICATION-007"
    remedy = "Nothing to do: the connection is made again."
    retryable = True


class PeerRefused(OperationalFault):
    """The peer does not serve what was asked for; `detail` has its reason."""

    code = "MYC-REPLICATION-008"
    remedy = "Check the journal's name with `myceld journal list` on that cell."
    retryable = True


class NotServed(LocalMisuse):
    """This cell has no such journal to show."""

    code = "MYC-REPLICATION-009"
    remedy = "Ask for one of this cell's journals, or one of which it has a whole copy."


class TooManyFollowed(LocalMisuse):
    """The cell follows as many journals as it can."""

    code = "MYC-REPLICATION-010"
    remedy = "Stop following one with `myceld journal follow CELL/NAME --stop`."


class NotFollowed(LocalMisuse):
    """The cell does not follow this journal."""

    code = "MYC-REPLICATION-011"
    remedy = "`myceld journal list` shows what is followed."


class ForkMoved(OperationalFault):
    """The journal went on at a higher fork: a new copy is begun and the old one is kept."""

    code = "MYC-REPLICATION-012"
    remedy = "Nothing to do: the new fork is followed from its beginning."
    retryable = True


class TooManyServed(OperationalFault):
    """More followers than this cell serves at once."""

    code = "MYC-REPLICATION-013"
    remedy = "Try again later, or follow the journal from another cell."
    retryable = True


class FollowsItself(LocalMisuse):
    """A cell cannot follow its own journal."""

    code = "MYC-REPLICATION-014"
    remedy = "Name another cell: its id, or a member's name."
