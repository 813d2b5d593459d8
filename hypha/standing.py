"""How a hypha sees each of its gateways: what it last said, when to ask again, whom to ask first.

A gateway that fails is asked more seldom, one that lies is left alone for longer each time. A lie
is what no honest cell can say, however slow or old it is: something that is not proven, not what
was asked, or larger than any answer. Pure: times are seconds of any steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import MyceldError
from core.ids import Round
from hypha.errors import AnswerOld, HistoriesContradict
from hypha.limits import (
    CONFIRMED_S,
    DETAIL_LENGTH_MAX,
    FAILURE_PAUSE_S_MAX,
    LIE_PAUSE_S,
    LIE_PAUSE_S_MAX,
    POLL_S,
)

_LATENCY_SHARE = 0.2
"""Of the newest answer in the running mean."""


@dataclass(slots=True)
class Standing:
    """One gateway. `state`: `new`, `good`, `behind`, `silent`, `refuses`, `lies`, `contradicts`."""

    url: str
    state: str = "new"
    code: str = ""
    detail: str = ""
    asked: int = 0
    answered: int = 0
    failed: int = 0
    lies: int = 0
    failures: int = 0
    """In a row."""
    latency_s: float = 0.0
    round: Round = Round(0)
    """The newest certified round that it told of."""
    next_s: float = 0.0
    """When it is to be asked for its head again."""
    shunned_s: float = 0.0
    """Nothing at all is asked before: it lied."""
    answered_s: float | None = None
    """When it last answered well."""

    def answers(self, round_number: Round, newest: Round, latency_s: float, now_s: float) -> None:
        """Note a good answer; `newest` is the round of the newest head."""
        self.answered += 1
        self.failures = 0
        self.round, self.answered_s = round_number, now_s
        known = self.latency_s if self.answered > 1 else latency_s
        self.latency_s = known + _LATENCY_SHARE * (latency_s - known)
        self.next_s = now_s + POLL_S
        self.state = "behind" if round_number < newest else "good"
        self.code = self.detail = ""
        if self.state == "behind":
            self.code = AnswerOld.code
            self.detail = f"its newest round is {round_number}, {newest} is known"

    def fails(self, error: MyceldError, now_s: float, *, refuses: bool) -> None:
        """Note that nothing useful came, for a reason that an honest gateway may have."""
        self.failed += 1
        self.failures += 1
        pause_s = POLL_S * 2.0 ** min(self.failures - 1, 16)
        self.next_s = now_s + min(pause_s, FAILURE_PAUSE_S_MAX)
        self._say("refuses" if refuses else "silent", error)

    def is_old(self, error: MyceldError, now_s: float) -> None:
        """Note a proven answer that is older than the newest head."""
        self.answered += 1
        self.next_s = now_s + POLL_S
        self._say("behind", error)

    def lied(self, error: MyceldError, now_s: float) -> None:
        """Note what no honest gateway says."""
        self.lies += 1
        self.failures = 0
        pause_s = LIE_PAUSE_S * 2.0 ** min(self.lies - 1, 16)
        self.next_s = self.shunned_s = now_s + min(pause_s, LIE_PAUSE_S_MAX)
        self._say("contradicts" if isinstance(error, HistoriesContradict) else "lies", error)

    def confirms(self, newest: Round, now_s: float) -> bool:
        """Tell whether it said lately that it has the newest head, and nothing newer."""
        lately = self.answered_s is not None and now_s - self.answered_s <= CONFIRMED_S
        return lately and self.state == "good" and self.round == newest

    def may_be_asked(self, now_s: float) -> bool:
        """Tell whether it is worth a question of a client: it did not lie lately."""
        return now_s >= self.shunned_s

    @property
    def rank(self) -> tuple[int, int, int, float]:
        """Whom to ask first: the smallest."""
        return (self.failures, self.lies, int(self.state == "behind"), self.latency_s)

    def _say(self, state: str, error: MyceldError) -> None:
        self.state, self.code = state, error.code
        shown = "".join(letter if letter.isprintable() else "?" for letter in error.detail)
        self.detail = shown[:DETAIL_LENGTH_MAX]
