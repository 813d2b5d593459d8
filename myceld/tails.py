"""What comes without end over requests that wait: messages, and changes of the state.

A tail knows what to ask next and what an answer brings; the clients do the asking. It holds its
place, so that after a lost connection nothing is missed and nothing comes twice, and asks for the
next page when the last item of this one was taken: who is slow holds one page.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.errors import MyceldError
from myceld.limits import MESSAGE_STEP_S, STREAM_RETRY_S_MAX, STREAM_RETRY_S_MIN, WATCH_STEP_S
from myceld.message_calls import MessageCalls
from myceld.question import Question
from myceld.state_calls import StateCalls

if TYPE_CHECKING:
    from myceld.views import MessageView, StateEntryView

Item = TypeVar("Item")


class Tail(ABC, Generic[Item]):
    """The end of something that grows."""

    @abstractmethod
    def question(self) -> Question[Any]:
        """Return what to ask next."""

    @abstractmethod
    def take(self, answer: Any) -> Sequence[Item]:  # noqa: ANN401 - one of several views
        """Return the items in an answer, and go on behind them."""


class MessageTail(Tail["MessageView"]):
    """Messages with greater ids than `after`; None: than there are now."""

    def __init__(self, after: int | None, query: Mapping[str, Any]) -> None:
        self._after = after
        self._query = query

    def question(self) -> Question[Any]:
        """See Tail."""
        if self._after is None:
            return MessageCalls.message_list.describe(self, limit=1)
        return MessageCalls.next_messages.describe(
            self, after=self._after, timeout_s=MESSAGE_STEP_S, **self._query
        )

    def take(self, answer: Any) -> Sequence[MessageView]:  # noqa: ANN401 - a MessagesView
        """See Tail."""
        items: list[MessageView] = answer["messages"]
        is_begin = self._after is None
        self._after = max((item["id"] for item in items), default=-1 if is_begin else self._after)
        return () if is_begin else items


class ChangeTail(Tail["StateEntryView"]):
    """Changes of keys with a prefix after a round; None: after now."""

    def __init__(self, prefix: str, after_round: int | None) -> None:
        self._prefix = prefix
        self._round = after_round
        self._key = ""

    def question(self) -> Question[Any]:
        """See Tail."""
        return StateCalls.state_changes.describe(
            self,
            self._prefix,
            after_round=self._round,
            after_key=self._key,
            timeout_s=WATCH_STEP_S,
        )

    def take(self, answer: Any) -> Sequence[StateEntryView]:  # noqa: ANN401 - a ChangesView
        """See Tail."""
        items: list[StateEntryView] = answer["items"]
        self._round, self._key = answer["round"], answer["key"]
        return items


class Patience:
    """Pauses between tries to reach a cell, each twice as long, until it is over."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._was_reached = False
        self.reset(reached=False)

    def reset(self, *, reached: bool = True) -> None:
        """Begin anew: the cell was reached."""
        self._was_reached |= reached
        self._since_s: float | None = None
        self._pause_s = STREAM_RETRY_S_MIN

    def pause_s(self, error: MyceldError) -> float:
        """Return how long to wait before the next try; raises the error if it is over.

        It is over at once for who never reached the cell.
        """
        now_s = time.monotonic()
        self._since_s = now_s if self._since_s is None else self._since_s
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, STREAM_RETRY_S_MAX)
        if not self._was_reached or now_s + pause_s > self._since_s + self._patience_s:
            raise error
        return pause_s
