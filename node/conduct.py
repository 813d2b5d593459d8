"""How connected peers behave: what they send and ask for is judged here, and answered with a ban.

Knows the sessions and the scores. A peer that did too much is disconnected, and gets no connection
until its ban is over; the reasons are in `gossip/score.py`, the budgets in `gossip/budget.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from core.errors import MyceldError
from core.ids import CellId, public_key_of, short
from gossip.limits import WANTED_AGAIN_MAX, WANTED_EVENTS_MIN
from gossip.score import Misbehaviour, Standing
from gossip.wire import Events
from ledger.roster import Roster
from node.errors import PeerMisbehaved
from node.session import Session, now_ms
from node.standing import Standings, host_of

_LOG = structlog.get_logger("peers")
_WANTED_TOO_OFTEN = 10
"""Times the cost of a WANT too many: a peer that was sent everything several times is let go."""


class Conduct:
    """The judge of a cell's peers. `roster` is that of the present epoch."""

    def __init__(
        self,
        sessions: Mapping[CellId, Session],
        standings: Standings,
        roster: Callable[[], Roster],
        deny: Callable[[frozenset[str]], None],
    ) -> None:
        """`deny` is told who gets no connection from now on."""
        self._sessions = sessions
        self.standings = standings
        self._roster = roster
        self._deny = deny

    def misbehaved(self, cell_id: CellId, what: Misbehaviour, times: float = 1) -> None:
        """Note what a connected cell did; it is disconnected when that was too much."""
        session = self._sessions.get(cell_id)
        if session is not None:
            self.note(session, what, times)

    def note(self, session: Session, what: Misbehaviour, times: float = 1) -> None:
        """Note what a peer did in a session, and end it when that was too much."""
        address = host_of(session.remote_address)
        standing = self.standings.note(session.cell_id, address, what, now_ms(), times=times)
        if standing is Standing.BANNED:
            self.deny_banned()
            session.end(PeerMisbehaved(f"{session.cell_id}: {what.value}"))

    def note_end(self, session: Session, error: MyceldError) -> None:
        """Note why a session ended."""
        address = host_of(session.remote_address)
        self.standings.note_end(session.cell_id, address, error, now_ms())
        self.deny_banned()

    def note_stream_end(self, cell_id: CellId, address: str | None, error: MyceldError) -> None:
        """Note why a stream of another protocol ended."""
        self.standings.note_end(cell_id, host_of(address), error, now_ms())
        self.deny_banned()

    def note_abuse(self, cell_id: CellId, address: str | None) -> None:
        """Note a peer that opened far too many streams; its connection is gone already."""
        if self.is_banned(cell_id):
            return  # the rest of the same flood
        self.standings.note(cell_id, host_of(address), Misbehaviour.ABUSE, now_ms())
        self.deny_banned()
        _LOG.warning("peer opened too many streams", peer=short(cell_id))

    def may_want(self, cell_id: CellId, events: int) -> bool:
        """Note a WANT of a peer; return whether to answer it. `events`: how many we have."""
        session = self._sessions.get(cell_id)
        if session is None:
            return False
        again = session.answered_events > WANTED_EVENTS_MIN + WANTED_AGAIN_MAX * events
        if session.budget.wants.spend(1, now_ms()) or again:
            self.note(session, Misbehaviour.WANT_FLOOD, _WANTED_TOO_OFTEN if again else 1)
            return False
        return True

    def judge_events(self, cell_id: CellId, frame: Events, known: int) -> None:
        """Note a frame of events of our epoch, `known` of which were here already."""
        session = self._sessions.get(cell_id)
        if session is None:
            return
        if session.is_asked:
            if frame.last:
                session.note_answered()
        elif self._roster().index_of(public_key_of(cell_id)) is None:
            self.note(session, Misbehaviour.UNASKED)
        else:
            over = session.budget.repeats.spend(known, now_ms())
            if over:
                self.note(session, Misbehaviour.REPEATED, over)

    def is_banned(self, cell_id: CellId) -> bool:
        """Return whether a cell is to be left alone now."""
        return self.standings.banned_ms(cell_id, now_ms()) > 0

    def is_throttled(self, cell_id: CellId) -> bool:
        """Return whether a connected cell is to be served after the others."""
        return self.standings.is_throttled(cell_id, now_ms())

    def refusal(self, cell_id: CellId, address: str | None) -> str | None:
        """Return why a cell may not open a session now; counts the attempt."""
        return self.standings.refusal(cell_id, host_of(address), now_ms())

    def deny_banned(self) -> None:
        """Take no connections of banned cells, and take those again whose ban is over."""
        self._deny(frozenset(self.standings.banned_cells(now_ms())))
