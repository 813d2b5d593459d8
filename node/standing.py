"""What this cell thinks of its peers: scores, bans, and who may open a session now.

Turns the errors that sessions end with into misbehaviour, keeps scores by cell id, and for cells
without a vote by IP address too. Wanted cells (members and bootstrap cells) are judged by what they
themselves did, never by their address: honest members may share it with anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.errors import RemoteViolation
from core.ids import CellId
from gossip.budget import Buckets
from gossip.discovery.errors import (
    BadAnnouncement,
    BadSpore,
    SporeForged,
    SporeOfOtherNetwork,
)
from gossip.errors import (
    BadEventSignature,
    BadFrame,
    Equivocated,
    FrameTooLong,
    HandshakeMismatch,
    HandshakeRefused,
    UnexpectedFrame,
)
from gossip.host import PeerOverran, WriteTimedOut
from gossip.host.addresses import address_key
from gossip.score import Misbehaviour, Scores, Standing, Subject
from ledger.errors import WrongSignature
from node.errors import NoHello, PeerMisbehaved, PeerTooSlow
from node.limits import (
    ADDRESSES_JUDGED_MAX,
    SESSIONS_BURST,
    SESSIONS_PER_S,
    STRANGERS_BURST,
    STRANGERS_PER_S,
)

_BY_ERROR: Final[tuple[tuple[type[BaseException], Misbehaviour], ...]] = (
    (FrameTooLong, Misbehaviour.BROKEN_FRAME),
    (BadFrame, Misbehaviour.BROKEN_FRAME),
    (BadEventSignature, Misbehaviour.FORGED),
    (Equivocated, Misbehaviour.EQUIVOCATION),
    (PeerOverran, Misbehaviour.ABUSE),
    (HandshakeMismatch, Misbehaviour.HANDSHAKE),
    (HandshakeRefused, Misbehaviour.HANDSHAKE),
    (NoHello, Misbehaviour.HANDSHAKE),
    (UnexpectedFrame, Misbehaviour.BREACH),
    (BadSpore, Misbehaviour.BAD_SPORE),
    (SporeForged, Misbehaviour.BAD_SPORE),
    (SporeOfOtherNetwork, Misbehaviour.BAD_SPORE),
    (BadAnnouncement, Misbehaviour.BAD_SPORE),
    (WrongSignature, Misbehaviour.BAD_TRANSACTION),
    (PeerTooSlow, Misbehaviour.SLOW_READING),
    (WriteTimedOut, Misbehaviour.SLOW_READING),
    (RemoteViolation, Misbehaviour.BREACH),  # the rest: what an event or a certificate contradicts
)


class Standings:
    """Scores and admission at one cell. Times are milliseconds of one monotonic clock."""

    def __init__(self, is_wanted: Callable[[CellId], bool]) -> None:
        """`is_wanted` tells members and bootstrap cells."""
        self._is_wanted = is_wanted
        self._scores = Scores()
        self._sessions = Buckets(SESSIONS_PER_S, SESSIONS_BURST, keys_max=ADDRESSES_JUDGED_MAX)
        self._strangers = Buckets(STRANGERS_PER_S, STRANGERS_BURST, keys_max=ADDRESSES_JUDGED_MAX)

    def note(
        self,
        cell_id: CellId,
        address: str | None,
        what: Misbehaviour,
        now_ms: int,
        *,
        times: float = 1,
    ) -> Standing:
        """Note what a cell did; a stranger's IP address (`host_of`) answers for it too."""
        subject = self._subject(cell_id)
        if subject is Subject.STRANGER and address is not None:
            self._scores.note(address, Subject.ADDRESS, what, now_ms, times=times)
        return self._scores.note(cell_id, subject, what, now_ms, times=times)

    def note_end(
        self, cell_id: CellId, address: str | None, error: BaseException, now_ms: int
    ) -> None:
        """Note why a session ended. What was noted when it happened is not counted again.

        A stranger that reads slowly gets one more chance, a member some more.
        """
        if isinstance(error, PeerMisbehaved):
            return
        for kind, what in _BY_ERROR:
            if isinstance(error, kind):
                slow_stranger = what is Misbehaviour.SLOW_READING and not self._is_wanted(cell_id)
                self.note(cell_id, address, what, now_ms, times=2 if slow_stranger else 1)
                return

    def banned_ms(self, cell_id: CellId, now_ms: int) -> int:
        """Return for how long a cell is to be left alone yet."""
        return self._scores.banned_ms(cell_id, self._subject(cell_id), now_ms)

    def is_throttled(self, cell_id: CellId, now_ms: int) -> bool:
        """Return whether a connected cell is to be served after the others."""
        standing = self._scores.standing(cell_id, self._subject(cell_id), now_ms)
        return standing is not Standing.GOOD

    def points(self, cell_id: CellId, now_ms: int) -> float:
        """Return a cell's points."""
        return self._scores.points(cell_id, now_ms)

    def banned_cells(self, now_ms: int) -> set[str]:
        """Return the cells that are to be left alone now."""
        cells = [key for key, subject in self._scores.banned(now_ms) if subject is not _ADDRESS]
        return {cell for cell in cells if self.banned_ms(CellId(cell), now_ms) > 0}

    def refusal(self, cell_id: CellId, address: str | None, now_ms: int) -> str | None:
        """Return why a cell may not open a session now, None when it may; counts the attempt."""
        if self.banned_ms(cell_id, now_ms) > 0:
            return "it misbehaved"
        if not self._sessions.take(cell_id, now_ms):
            self.note(cell_id, address, Misbehaviour.CHURN, now_ms)
            return "it connects again and again"
        if self._is_wanted(cell_id) or address is None:
            return None
        if self._scores.banned_ms(address, _ADDRESS, now_ms) > 0:
            return "cells without a vote at its address misbehaved"
        if not self._strangers.take(address, now_ms):
            return "too many cells without a vote come from its address"
        return None

    def _subject(self, cell_id: CellId) -> Subject:
        return Subject.MEMBER if self._is_wanted(cell_id) else Subject.STRANGER


_ADDRESS: Final = Subject.ADDRESS


def host_of(address: str | None) -> str | None:
    """Return what counts as one IP address in a multiaddr such as /ip4/127.0.0.1/tcp/4710."""
    parts = [] if address is None else address.split("/")
    return address_key(parts[2]) if len(parts) > 2 else None
